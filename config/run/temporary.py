"""Servers for a test run, in a temporary folder, gone when their process ends.

`python -m config.run.temporary -- COMMAND…` runs any command on such servers.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

from config.run import roles
from config.run.postgres import TEST_SETTINGS, EmbeddedPostgres
from config.run.valkey import EmbeddedValkey

FOLDER_VARIABLE = "HOLDFAST_TEST_SERVERS"  # set for child processes: these servers are there already, use them
REDIS_DATABASES = 64
TEST_ENVIRONMENT = {
    "SECRET_KEY": "secret-for-tests-only-known-to-everybody-of-no-worth-0123456789",
    "TOKEN_KEYS": "token-key-for-tests-only-of-no-value-new,token-key-for-tests-only-of-no-value-old",
    "DEBUG": "off",
    "DEMO": "off",
    "BEHIND_TLS_PROXY": "off",
    "DJANGO_SETTINGS_MODULE": "config.settings",
}


class TemporaryServers:
    """PostgreSQL (fast, not durable) and Valkey in one folder."""

    def __init__(self, folder: Path) -> None:
        """Describe the servers of this folder, running or not."""
        self.folder = folder
        self.postgres = EmbeddedPostgres(folder / "postgres", settings=TEST_SETTINGS)
        self.valkey = EmbeddedValkey(folder / "valkey", databases=REDIS_DATABASES, durable=False)

    def __enter__(self) -> "TemporaryServers":
        """Start both."""
        self.postgres.start()
        self.valkey.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop both and remove the folder."""
        self.close()

    def close(self) -> None:
        """Stop both and remove the folder; safe to repeat."""
        self.postgres.stop()
        self.valkey.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.postgres.folder, ignore_errors=True)

    def environment(self, *, database: str = roles.DATABASE, redis_database: int = 0) -> dict[str, str]:
        """Return what a Django process needs to live on these servers."""
        return {
            **TEST_ENVIRONMENT,
            FOLDER_VARIABLE: str(self.folder),
            "STATIC_ROOT": str(self.folder / "static"),
            "DATABASE_URL": self.postgres.app_url(database),
            "DATABASE_OWNER_URL": self.postgres.owner_url(database),
            "DATABASE_ADMIN_URL": self.postgres.admin_url(database),
            "REDIS_URL": self.valkey.url(redis_database),
        }


def create_servers() -> TemporaryServers:
    """Describe new servers in a new folder."""
    return TemporaryServers(Path(tempfile.mkdtemp(prefix="holdfast-test-")))


def main(arguments: list[str]) -> int:
    """Run a command on temporary servers and return its exit code."""
    command = arguments[1:] if arguments[:1] == ["--"] else arguments
    if not command:
        print("usage: python -m config.run.temporary -- COMMAND…", file=sys.stderr)
        return 2
    with create_servers() as servers:
        return subprocess.run(command, env=os.environ | servers.environment(), check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
