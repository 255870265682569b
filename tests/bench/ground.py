"""What everything is measured on: temporary servers with default durability, and the product served as bin/run does."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from config.run import commands
from config.run.options import Options
from config.run.postgres import EmbeddedPostgres
from config.run.processes import ServerError, dying_with_parent, end_process, wait_until
from config.run.valkey import HOST, EmbeddedValkey, free_port
from tests.bench.cpu import tree_cpu_ms
from tests.bench.table import WrongResult, say

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
STOP = ((signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0))


class Web:
    """A WSGI application under granian, with the command line of bin/run."""

    def __init__(self, folder: Path, environment: dict[str, str], application: str | None = None) -> None:
        """Choose a port; nothing is started yet. Without an application it is the product."""
        self.port = free_port()
        options = Options(host=HOST, port=self.port, programs=("web",), reload=False, demo=False)
        self.command = commands.web(options)
        if application:
            self.command[-1] = application
        self.environment = environment
        self.log = folder / f"web-{self.port}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Web":
        """Start it and wait until it answers."""
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=dying_with_parent(signal.SIGTERM),  # noqa: PLW1509 this process has no threads now
            )
        if not wait_until(self._answers, seconds=START_SECONDS):
            raise ServerError(f"granian did not start:\n{self.log_tail()}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Stop it; say what it logged when something went wrong."""
        process = self.process
        if process is not None:
            end_process(process.pid, STOP, is_gone=lambda: process.poll() is not None)
        if kind is not None:
            say(self.log_tail())

    def url(self, path: str) -> str:
        """Return the address of a path."""
        return f"http://{HOST}:{self.port}{path}"

    def get(self, path: str) -> tuple[int, bytes]:
        """Ask once; return status and body."""
        connection = HTTPConnection(HOST, self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def cpu_ms(self) -> float:
        """Return the CPU-ms it has used so far."""
        return tree_cpu_ms(self.process.pid) if self.process else 0.0

    def log_tail(self) -> str:
        """Return the last lines it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])

    def _answers(self) -> bool:
        with suppress(OSError):
            return self.get("/")[0] > 0
        return False


class Ground:
    """PostgreSQL and Valkey in a temporary folder, tuned as bin/run does, with an empty product database."""

    def __init__(self, *, seconds: float) -> None:
        """Choose the folder and how long each timed run lasts."""
        self.seconds = seconds
        self.folder = Path(tempfile.mkdtemp(prefix="holdfast-bench-"))
        self.postgres = EmbeddedPostgres(self.folder / "postgres")
        self.valkey = EmbeddedValkey(self.folder / "valkey")

    def __enter__(self) -> "Ground":
        """Start both, migrate, and put the addresses into this process's environment."""
        try:
            self.postgres.start()
            self.valkey.start()
            os.environ.update(self.environment())
            self._migrate()
            self._check_durability()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop both and remove the folder."""
        self.postgres.stop()
        self.valkey.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.postgres.folder, ignore_errors=True)

    def environment(self) -> dict[str, str]:
        """Return what the product needs; limits are off unless the caller has switched them on."""
        (self.folder / "static").mkdir(exist_ok=True)
        return {
            "SECRET_KEY": secrets.token_urlsafe(48),
            "DEBUG": "off",
            "DEMO": "off",
            "LIMITS": os.environ.get("LIMITS", "off"),
            "BEHIND_TLS_PROXY": "off",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "STATIC_ROOT": str(self.folder / "static"),
            "DATABASE_URL": self.postgres.app_url(),
            "DATABASE_OWNER_URL": self.postgres.owner_url(),
            "DATABASE_ADMIN_URL": self.postgres.admin_url("holdfast"),
            "REDIS_URL": self.valkey.url(),
        }

    def web(self, application: str | None = None, **environment: str) -> Web:
        """Describe a server of the product, or of another WSGI application."""
        return Web(self.folder, {**os.environ, **environment}, application)

    def run(self, statement: sql.SQL) -> None:
        """Execute as the superuser what the catalogue itself wrote."""
        with psycopg.connect(os.environ["DATABASE_ADMIN_URL"], autocommit=True) as connection:
            connection.execute(statement)

    def sql(self, statement: LiteralString, parameters: Sequence[object] | dict[str, object] = ()) -> list[Any]:
        """Execute as the superuser, committed at once; return the rows, if any."""
        with psycopg.connect(os.environ["DATABASE_ADMIN_URL"], autocommit=True) as connection:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def db_cpu_ms(self) -> float:
        """Return the CPU-ms that PostgreSQL has used so far, ended connections included."""
        return tree_cpu_ms(self.postgres.process.pid) if self.postgres.process else 0.0

    def settle(self) -> None:
        """Write out what is dirty and count what is there, so that no run pays for the one before."""
        self.sql("ANALYZE")
        self.sql("CHECKPOINT")

    def _migrate(self) -> None:
        owner = {**os.environ, "DATABASE_URL": os.environ["DATABASE_OWNER_URL"]}
        command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
        answer = subprocess.run(command, cwd=ROOT, env=owner, capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            raise ServerError(f"The database could not be migrated:\n{answer.stderr.strip()}")

    def _check_durability(self) -> None:
        with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
            values = {name: connection.execute(f"SHOW {name}").fetchone() for name in DURABLE}
        if any(value != ("on",) for value in values.values()):
            raise WrongResult(f"The bench wants durable commits, and this server has {values}.")


@contextmanager
def cpu_of(ground: Ground, web: Web | None = None) -> Iterator[list[float]]:
    """Yield a list that holds, after the block, the CPU-ms of the application and of PostgreSQL during it."""
    used: list[float] = []
    before = (web.cpu_ms() if web else 0.0, ground.db_cpu_ms())
    yield used
    used += [(web.cpu_ms() if web else 0.0) - before[0], ground.db_cpu_ms() - before[1]]
