"""Two thousand sockets on one activity: when does each of them have a change, and what does each of them weigh?"""

import asyncio
import json
import os
import resource
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from config.run import commands
from config.run.options import Options
from config.run.processes import ServerError, dying_with_parent, end_process, wait_until
from config.run.valkey import HOST, free_port, is_free
from scheduling.services.reservations import reserve_slot
from tests.bench.ground import ROOT, STOP, Ground
from tests.bench.seed import create_activities, create_sessions
from tests.bench.table import WrongResult, judged, print_cells, say

SOCKETS = 2000
AT_ONCE = 50  # handshakes
CHANGES = 5  # a round
SETTLE_SECONDS = 1.0  # longer than the debounce: each change goes out at once
GOAL_MS, GOAL_KIB = 100.0, 50.0
SPARE_FILES = 200
LOST_AFTER_SECONDS = 15
CONNECT_SECONDS = 60
TEXT, PING, PONG = 0x81, 0x89, 0x8A  # first bytes of whole frames
LONG, SHORT_HEAD, LONG_HEAD = 126, 2, 4


def run(ground: Ground, *, rounds: int) -> None:
    """Measure in rounds of a few holds each; the medians of the rounds are judged."""
    _allow_files(SOCKETS + SPARE_FILES)
    activity = create_activities(1, name="sockets")[0]
    session_id = create_sessions([activity], each=1, capacity=1_000_000)[0]
    with _realtime(ground) as (pid, port):
        samples, weight_kib = asyncio.run(_measure(pid, port, activity.id, session_id, rounds=rounds))
    _report(samples, weight_kib)


def _report(samples: list[list[float]], weight_kib: float) -> None:
    cells = []
    for number, sample in enumerate(samples, start=1):
        ordered = sorted(sample)
        first, p50, p95, last = (ordered[int(len(ordered) * share)] for share in (0.0, 0.5, 0.95, 0.9999))
        cells.append(
            [f"round {number}", f"{len(sample):,}", "0", f"{first:.0f}", f"{p50:.0f}", f"{p95:.0f}", f"{last:.0f}"]
        )
    columns = ("what", "messages", "lost", "first", "p50", "p95", "last ms")
    print_cells(f"Sockets: {SOCKETS:,} on one activity, from the hold's commit to each client", columns, cells)
    p95 = statistics.median(sorted(sample)[int(len(sample) * 0.95)] for sample in samples)
    say(judged(met=p95 <= GOAL_MS, goal=f"a change at p95 after {p95:.0f} ms, of {GOAL_MS:.0f}"))
    say(judged(met=weight_kib <= GOAL_KIB, goal=f"{weight_kib:.1f} KiB a socket, of {GOAL_KIB:.0f}"))


async def _measure(
    pid: int, port: int, activity_id: UUID, session_id: UUID, *, rounds: int
) -> tuple[list[list[float]], float]:
    before = pss_kib(pid)
    listeners = await _connect_all(port, activity_id)
    await asyncio.sleep(SETTLE_SECONDS)
    weight = (pss_kib(pid) - before) / SOCKETS
    say(f"sockets: {SOCKETS:,} are connected, {weight:.1f} KiB each")
    samples = []
    for number in range(1, rounds + 1):
        sample = [ms for _ in range(CHANGES) for ms in await _change(listeners, session_id)]
        samples.append(sample)
        say(f"sockets: round {number} of {rounds}")
    for listener in listeners:
        listener.transport.close()
    return samples, weight


async def _connect_all(port: int, activity_id: UUID) -> list["Listener"]:
    gate = asyncio.Semaphore(AT_ONCE)
    loop = asyncio.get_running_loop()

    async def connect_one() -> Listener:
        async with gate:
            _, listener = await loop.create_connection(lambda: Listener(port, activity_id), HOST, port)
            await asyncio.wait_for(listener.heard, CONNECT_SECONDS)  # the snapshot
            return listener

    return await asyncio.gather(*(connect_one() for _ in range(SOCKETS)))


async def _change(listeners: list["Listener"], session_id: UUID) -> list[float]:
    """Hold a place, and return after how many ms each socket knew; raise WrongResult when one never did."""
    loop = asyncio.get_running_loop()
    waiting = [listener.listen() for listener in listeners]
    committed = await loop.run_in_executor(None, _hold, session_id)
    _, late = await asyncio.wait(waiting, timeout=LOST_AFTER_SECONDS)
    if late:
        raise WrongResult(f"{len(late)} of {len(listeners)} sockets never heard of a change")
    versions = {json.loads(listener.text)["version"] for listener in listeners}
    if len(versions) != 1:
        raise WrongResult(f"the sockets heard of different versions: {versions}")
    await asyncio.sleep(SETTLE_SECONDS)
    return [max(listener.heard_at - committed, 0.0) * 1000 for listener in listeners]


class Listener(asyncio.Protocol):
    """As little of a WebSocket as will do: 2,000 of a library's would be what is measured."""

    def __init__(self, port: int, activity_id: UUID) -> None:
        """Ask for one activity."""
        self.request = (
            f"GET /ws/availability/?activity={activity_id} HTTP/1.1\r\nHost: {HOST}:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ).encode()
        self.data = b""
        self.text = ""
        self.is_open = False
        self.heard = asyncio.get_running_loop().create_future()
        self.heard_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Shake hands."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.request)

    def listen(self) -> asyncio.Future[None]:
        """Return what is done when the next message comes."""
        self.heard = asyncio.get_running_loop().create_future()
        return self.heard

    def data_received(self, data: bytes) -> None:
        """Read what is whole."""
        self.data += data
        if not self.is_open:
            head, end, rest = self.data.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                raise WrongResult(f"a socket was refused: {head.decode()}")
            self.is_open, self.data = True, rest
        while self._take_frame():
            pass

    def _take_frame(self) -> bool:
        """Read one unmasked frame, answer a ping; say whether there was one."""
        if len(self.data) < LONG_HEAD:
            return False
        start, length = SHORT_HEAD, self.data[1]
        if length == LONG:
            start, length = LONG_HEAD, int.from_bytes(self.data[SHORT_HEAD:LONG_HEAD])
        if len(self.data) < start + length:
            return False
        kind, payload, self.data = self.data[0], self.data[start : start + length], self.data[start + length :]
        if kind == PING:
            self.transport.write(bytes([PONG, 0x80 | len(payload), 0, 0, 0, 0]) + payload)
        elif kind == TEXT and not self.heard.done():
            self.heard_at = time.monotonic()
            self.text = payload.decode()
            self.heard.set_result(None)
        return True


def _hold(session_id: UUID) -> float:
    """Hold a place, as a request would; return when it was committed."""
    reserve_slot(session_id=session_id, party_size=1, email="buyer@example.com")
    return time.monotonic()


def pss_kib(pid: int) -> float:
    """Return the memory of a process, with its share of what it shares."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _allow_files(count: int) -> None:
    """Let this process and its children have so many open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise ServerError(f"{SOCKETS} sockets need {count} open files, and this machine allows {hard} (ulimit -n).")
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


@contextmanager
def _realtime(ground: Ground) -> Iterator[tuple[int, int]]:
    """Serve sockets with the command line of bin/run; the values are its process and port."""
    port = free_port()
    options = Options(host=HOST, port=port - 1, programs=("realtime",), reload=False, demo=False)
    log = ground.folder / f"realtime-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            commands.realtime(options),
            cwd=ROOT,
            env=dict(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=dying_with_parent(signal.SIGTERM),  # noqa: PLW1509 this process has no threads now
        )
    try:
        if not wait_until(lambda: not is_free(port) or process.poll() is not None, seconds=60):
            raise ServerError(f"the realtime process did not start:\n{log.read_text()}")
        yield process.pid, port
    finally:
        end_process(process.pid, STOP, is_gone=lambda: process.poll() is not None)
