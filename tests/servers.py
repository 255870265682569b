"""A pytest plugin, loaded before Django's settings: real servers for the run, a database of its own for every worker.

The process that pytest was started in starts PostgreSQL and Valkey in a temporary folder and stops them at its end.
The workers of pytest-xdist inherit the folder's name and take a database and a Redis number each.
"""

import atexit
import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from config.run.temporary import FOLDER_VARIABLE, TemporaryServers, create_servers

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = "holdfast_template"
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
DATABASE = f"holdfast_{WORKER}"
REDIS_DATABASE = 1 if WORKER == "main" else int(WORKER.removeprefix("gw")) + 2


def find_or_start_servers() -> TemporaryServers:
    """Use the servers that a parent process started, else start some and stop them when this process ends."""
    if FOLDER_VARIABLE in os.environ:
        return TemporaryServers(Path(os.environ[FOLDER_VARIABLE]))
    servers = create_servers()
    process = os.getpid()
    atexit.register(lambda: servers.close() if os.getpid() == process else None)  # a forked child must not stop them
    return servers.__enter__()


@contextlib.contextmanager
def alone(name: str) -> Iterator[None]:
    """Keep the other workers of the run out of a block."""
    with (servers.folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def once(name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Run a command once in the whole run, whichever worker comes first; the others wait for it."""
    done = servers.folder / f"{name}.done"
    with alone(name):
        if done.exists():
            return
        answer = subprocess.run(
            command, cwd=ROOT, env=os.environ | dict(environment or {}), capture_output=True, text=True, check=False
        )
        if answer.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed:\n{answer.stdout}{answer.stderr}")
        done.touch()


def make_worker_database() -> None:
    """Give this worker a fresh copy of the migrated template.

    The template is migrated by the owner in another process: this one never has more rights than production.
    """
    migrate = [sys.executable, "manage.py", "migrate", "--skip-checks", "--verbosity=0"]
    with alone("database"):  # a template can be copied only while nobody else is in it
        servers.postgres.create_database(TEMPLATE)
        once("template", migrate, {"DATABASE_URL": servers.postgres.owner_url(TEMPLATE)})
        with psycopg.connect(servers.postgres.admin_url(), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(DATABASE)))
        servers.postgres.create_database(DATABASE, template=TEMPLATE)


servers = find_or_start_servers()
os.environ.setdefault("LIMITS", "off")  # tests of the limits switch them on
os.environ.update(servers.environment(database=DATABASE, redis_database=REDIS_DATABASE))
