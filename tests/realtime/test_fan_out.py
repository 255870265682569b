"""The parts of the fan-out: what waits for a slow reader, what is held back, what is remembered."""

import asyncio
import contextlib
import itertools
import json
import socket
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
import redis
from django.conf import settings

from alerts.realtime import journal as journal_module
from alerts.realtime.hub import hear
from alerts.realtime.journal import Journal
from alerts.realtime.mailbox import MOST_LETTERS, Letter, Mailbox
from alerts.realtime.spacing import Change, Spacing
from alerts.realtime.states import CHANNEL, Topic
from config.kit.gathering import Gathering
from config.run.processes import wait_until
from config.run.valkey import HOST
from tests import factories
from tests.realtime.conftest import Realtime, state

Result = TypeVar("Result")
TOPIC = Topic("activity", "a")
PADDING_BYTES = 2000
FLOOD = 20_000
ROOM_MIB = 50  # for the journal, 5,000 of these; keeping the flood for a visitor would be twice that


def drain(mailbox: Mailbox) -> list[str]:
    found = []
    while letter := mailbox.take():
        found.append(letter.text)
    return found


def run(story: Coroutine[Any, Any, Result]) -> Result:
    """Run it on a loop in a thread of its own: a browser test may have left one in this."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, story).result()


def change(subject: str, version: int) -> Change:
    return Change(subject, (TOPIC,), {"session": subject, "version": version})


def test_a_mailbox_keeps_the_latest_of_each_subject() -> None:
    mailbox = Mailbox()
    for version in range(100):
        for subject in ("one", "two"):
            mailbox.put(subject, Letter.write(f"{subject} {version}"))
    assert len(mailbox) == 2
    assert drain(mailbox) == ["one 99", "two 99"]


def test_a_mailbox_that_is_too_full_asks_for_a_snapshot_instead() -> None:
    mailbox = Mailbox()
    for number in range(MOST_LETTERS + 1):
        mailbox.put(str(number), Letter.write("x"))
    assert (len(mailbox), mailbox.has_overflowed) == (0, True)


def test_the_first_change_goes_at_once_and_the_last_one_always() -> None:
    told: list[tuple[int, float]] = []

    async def burst() -> None:
        started = time.monotonic()
        spacing = Spacing(lambda c: told.append((c.version, time.monotonic() - started)), every_seconds=0.1)
        for version in range(1, 21):
            spacing.offer(change("one", version))
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)

    run(burst())
    versions, times = zip(*told, strict=True)
    assert (versions[0], versions[-1]) == (1, 20)
    assert times[0] < 0.05
    assert len(told) <= 5
    assert all(later - earlier > 0.08 for earlier, later in itertools.pairwise(times))


def test_what_is_older_is_not_told_after_what_is_newer() -> None:
    told: list[int] = []

    async def out_of_order() -> None:
        spacing = Spacing(lambda c: told.append(c.version), every_seconds=0.02)
        for version in (5, 4, 7, 6):
            spacing.offer(change("one", version))
        await asyncio.sleep(0.1)

    run(out_of_order())
    assert told == [5, 7]


def test_subjects_do_not_wait_for_each_other() -> None:
    told: list[str] = []

    async def two() -> None:
        spacing = Spacing(lambda c: told.append(c.subject))
        spacing.offer(change("one", 1))
        spacing.offer(change("two", 1))

    run(two())
    assert told == ["one", "two"]


def test_a_journal_says_what_was_missed_or_that_it_does_not_know() -> None:
    journal, other = Journal(), Topic("activity", "b")
    begin = journal.mark
    journal.write("one", (TOPIC,), "one 1")
    middle = journal.mark
    journal.write("two", (other,), "two 1")
    journal.write("one", (TOPIC,), "one 2")
    assert [letter.text for letter in journal.missed(TOPIC, begin) or []] == ["one 2"]
    assert [letter.text for letter in journal.missed(other, middle) or []] == ["two 1"]
    assert journal.missed(TOPIC, journal.mark) == []
    for unknown in ("", "x", f"{journal.life}-99", f"{journal.life}--1", Journal().mark):
        assert journal.missed(TOPIC, unknown) is None
    for number in range(journal_module.MOST_ENTRIES + 1):
        journal.write(str(number), (TOPIC,), "x")
    assert journal.missed(TOPIC, begin) is None


class QuietRedis:
    """A subscription that says what it is told to say; None is nothing in time."""

    def __init__(self, *messages: dict[str, object] | None) -> None:
        self.messages = list(messages)
        self.pings = 0

    async def get_message(self, timeout: float) -> dict[str, object] | None:  # noqa: ARG002 the client's own
        return self.messages.pop(0)

    async def ping(self) -> None:
        self.pings += 1


def test_a_quiet_redis_that_answers_pings_is_alive() -> None:
    pong: dict[str, object] = {"type": "pong", "data": b""}
    quiet: Any = QuietRedis(None, pong, None, pong, None, pong, {"type": "message", "data": b"news"})
    assert run(hear(quiet)) == b"news"
    assert quiet.pings == 3


def test_a_redis_that_answers_no_ping_is_gone() -> None:
    gone: Any = QuietRedis(None, None)
    with pytest.raises(ConnectionError):
        run(hear(gone))


def test_a_gathering_tells_once_what_came_together_and_the_last_change_always() -> None:
    told: list[set[str]] = []
    gathering = Gathering(told.append, name="test", gather_seconds=0.01, every_seconds=0.1)
    for _ in range(10):
        gathering.add(["one", "two"])
    assert wait_until(lambda: told == [{"one", "two"}], seconds=10)
    gathering.add(["one"])
    gathering.add(["three"])
    assert wait_until(lambda: told[1:] == [{"three"}, {"one"}], seconds=10)


def test_a_gathering_lives_on_after_a_failure() -> None:
    told = threading.Event()

    def fail_once(items: set[str]) -> None:
        if items == {"bad"}:
            raise ConnectionError("away")
        told.set()

    gathering = Gathering(fail_once, name="test", gather_seconds=0.01)
    gathering.add(["bad"])
    time.sleep(0.1)
    gathering.add(["good"])
    assert told.wait(2)


def test_a_reader_who_does_not_read_costs_no_memory_and_ends_with_the_truth(realtime: Realtime) -> None:
    session = factories.make_session(capacity=10)
    assert realtime.process is not None
    pid = realtime.process.pid
    with contextlib.ExitStack() as visitors:
        slow = [visitors.enter_context(small_reader(realtime.port, session.activity_id)) for _ in range(5)]
        witness = visitors.enter_context(realtime.socket(f"activity={session.activity_id}"))
        witness.next()
        before = memory_mib(pid)
        flood(session.activity_id, session.activity.venue.embed_key)
        factories.hold(session)
        while "padding" in (heard := witness.next()) or "snapshot" in heard:
            pass
        assert heard == state(session.id, 9, 2)
        assert wait_until(lambda: memory_mib(pid) - before < ROOM_MIB, seconds=10)
        text = read_rest(slow[0])
    assert text.count(b"padding") < FLOOD
    blocks = [block for block in text.decode(errors="replace").split("\n\n") if block.startswith("id: ")]
    truth = state(session.id, 9, 2)
    last = [json.loads(block.split("data: ")[1]) for block in blocks if str(session.id) in block][-1]
    assert last in (truth, {"snapshot": [truth]})


@contextlib.contextmanager
def small_reader(port: int, activity_id: UUID) -> Iterator[socket.socket]:
    """Ask for events with next to no room for them, and read nothing."""
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect((HOST, port))
        reader.sendall(f"GET /events/availability/?activity={activity_id} HTTP/1.0\r\n\r\n".encode())
        assert reader.recv(1)  # it is served
        yield reader


def read_rest(reader: socket.socket) -> bytes:
    """Read until it is quiet."""
    found = bytearray()
    reader.settimeout(2)
    with contextlib.suppress(TimeoutError):
        while data := reader.recv(1 << 20):
            found += data
    return bytes(found)


def flood(activity_id: UUID, venue: str) -> None:
    """Publish news of so many sessions that no buffer on the way holds them."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        for _ in range(FLOOD // 100):
            messages = [{"session": str(uuid4()), "version": 1, "padding": "x" * PADDING_BYTES} for _ in range(100)]
            client.publish(CHANNEL, json.dumps({"activity": str(activity_id), "venue": venue, "messages": messages}))
            time.sleep(0.02)  # else Redis itself cuts the subscriber off


def memory_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
