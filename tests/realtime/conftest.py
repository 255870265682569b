"""The realtime process itself, on this worker's committed database, and visitors who follow it."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from config.run import commands
from config.run.options import Options
from config.run.processes import end_group, wait_until
from config.run.valkey import HOST, EmbeddedValkey, free_port, is_free
from tests import servers

START_SECONDS = 30
SITE = "http://127.0.0.1:8000"  # another port of an allowed host: where the pages are

Message = dict[str, Any]


class Realtime:
    """A realtime process, started with the command line of bin/run."""

    def __init__(self, **environment: str) -> None:
        self.port = free_port()
        options = Options(host=HOST, port=self.port - 1, programs=("realtime",), reload=False, demo=False)
        self.command = commands.realtime(options)
        self.environment = {**os.environ, **environment}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.process = subprocess.Popen(self.command, cwd=servers.ROOT, env=self.environment, start_new_session=True)
        assert wait_until(lambda: not is_free(self.port) or self.has_ended(), seconds=START_SECONDS)
        assert not self.has_ended(), "the realtime process did not start; its own words are above"

    def stop(self) -> None:
        """End it at once."""
        if self.process is not None:
            end_group(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def has_ended(self) -> bool:
        """Answer whether it is gone."""
        return self.process is not None and self.process.poll() is not None

    @contextlib.contextmanager
    def socket(self, query: str, *, origin: str | None = SITE) -> Iterator["Socket"]:
        """Follow by a WebSocket."""
        address = f"ws://{HOST}:{self.port}/ws/availability/?{query}"
        with connect(address, origin=origin, compression=None, proxy=None) as connection:  # type: ignore[arg-type]
            yield Socket(connection)

    @contextlib.contextmanager
    def events(self, query: str, **headers: str) -> Iterator["Events"]:
        """Follow by server-sent events."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", f"/events/availability/?{query}", headers=names)
        try:
            yield Events(connection.getresponse())
        finally:
            connection.close()


class Socket:
    """A visitor's WebSocket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def next(self, *, seconds: float = 10) -> Message:
        """Return the next message."""
        message: Message = json.loads(self.connection.recv(timeout=seconds))
        return message

    def rest(self, *, seconds: float) -> list[Message]:
        """Return what comes until it is quiet for so long."""
        found = []
        with contextlib.suppress(TimeoutError):
            while True:
                found.append(self.next(seconds=seconds))
        return found

    def close_code(self) -> int | None:
        """Return the code with which the server closes."""
        with pytest.raises(ConnectionClosed) as closed:
            self.connection.recv(timeout=10)
        return closed.value.rcvd.code if closed.value.rcvd else None


class Events:
    """A reader's stream."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.answer = answer
        self.status = answer.status
        self.last_id = ""

    def next_block(self) -> list[str]:
        """Return the lines up to the next empty one."""
        lines = []
        while line := self.answer.readline().decode().rstrip("\n"):
            lines.append(line)
        return lines

    def next(self) -> Message:
        """Return the data of the next event, and remember its id."""
        while True:
            fields = dict(line.split(": ", 1) for line in self.next_block())
            self.last_id = fields.get("id", self.last_id)
            if "data" in fields:
                message: Message = json.loads(fields["data"])
                return message


@pytest.fixture
def realtime(committed_db: None) -> Iterator[Realtime]:
    """Serve live numbers from the worker's database and Redis."""
    process = Realtime()
    process.start()
    yield process
    process.stop()


@pytest.fixture
def valkey(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedValkey]:
    """Publish to a Redis of the test's own, that it may kill."""
    server = EmbeddedValkey(tmp_path / "valkey", durable=False)
    server.start()
    monkeypatch.setattr(settings, "REDIS_URL", server.url())
    yield server
    server.stop()


@pytest.fixture
def frail_realtime(committed_db: None, valkey: EmbeddedValkey) -> Iterator[Realtime]:
    """Serve live numbers from that Redis."""
    process = Realtime(REDIS_URL=valkey.url())
    process.start()
    yield process
    process.stop()


def kill(valkey: EmbeddedValkey) -> None:
    """End it as a power cut does."""
    assert valkey.process is not None
    valkey.process.kill()
    valkey.process.wait()


def state(session_id: UUID, capacity_remaining: int, version: int, status: str = "published") -> Message:
    """Return all that a message about a session holds: nothing of any person."""
    return {
        "session": str(session_id),
        "capacity_remaining": capacity_remaining,
        "status": status,
        "version": version,
    }
