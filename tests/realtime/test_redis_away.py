"""Redis dies and comes back: everybody is told to poll, then everybody sees the truth again."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from alerts.transports import push
from config.run.valkey import EmbeddedValkey
from tests import factories
from tests.realtime.conftest import Realtime, state

CONVERGED_SECONDS = 30


@pytest.fixture
def valkey(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedValkey]:
    """Publish to a Redis of the test's own, that it may kill."""
    server = EmbeddedValkey(tmp_path / "valkey", durable=False)
    server.start()
    monkeypatch.setattr(settings, "REDIS_URL", server.url())
    push.redis_client.cache_clear()
    yield server
    push.redis_client.cache_clear()
    server.stop()


@pytest.fixture
def realtime(committed_db: None, valkey: EmbeddedValkey) -> Iterator[Realtime]:
    """Serve live numbers from that Redis."""
    process = Realtime(REDIS_URL=valkey.url())
    process.start()
    yield process
    process.stop()


def kill(valkey: EmbeddedValkey) -> None:
    assert valkey.process is not None
    valkey.process.kill()
    valkey.process.wait()


def test_every_page_converges_after_redis_was_killed(realtime: Realtime, valkey: EmbeddedValkey) -> None:
    session = factories.make_session(capacity=10)
    query = f"activity={session.activity_id}"
    with realtime.socket(query) as page, realtime.events(query) as reader:
        assert page.next() == reader.next() == {"snapshot": [state(session.id, 10, 1)]}
        kill(valkey)
        assert page.next() == reader.next() == {"push": "away"}
        factories.hold(session)  # lost on the way
        time.sleep(1)
        valkey.start()
        back_at = time.monotonic()
        assert page.next(seconds=CONVERGED_SECONDS) == reader.next() == {"snapshot": [state(session.id, 9, 2)]}
        assert time.monotonic() - back_at < CONVERGED_SECONDS
        factories.hold(session)
        assert page.next() == reader.next() == state(session.id, 8, 3)


def test_a_page_that_comes_while_redis_is_away_gets_a_snapshot_and_is_told(
    realtime: Realtime, valkey: EmbeddedValkey
) -> None:
    session = factories.make_session(capacity=10)
    with realtime.socket(f"activity={session.activity_id}") as witness:
        witness.next()
        kill(valkey)
        assert witness.next() == {"push": "away"}
    with realtime.socket(f"activity={session.activity_id}") as page:
        assert [page.next(), page.next()] == [{"snapshot": [state(session.id, 10, 1)]}, {"push": "away"}]
        valkey.start()
        assert page.next(seconds=CONVERGED_SECONDS) == {"snapshot": [state(session.id, 10, 1)]}


def test_a_mark_from_before_redis_died_gets_a_snapshot(realtime: Realtime, valkey: EmbeddedValkey) -> None:
    session = factories.make_session(capacity=10)
    query = f"activity={session.activity_id}"
    with realtime.events(query) as reader:
        reader.next()
        mark = reader.last_id
    with realtime.socket(query) as witness:
        witness.next()
        kill(valkey)
        witness.next()
        valkey.start()
        witness.next(seconds=CONVERGED_SECONDS)
    with realtime.events(query, Last_Event_ID=mark) as reader:
        assert reader.next() == {"snapshot": [state(session.id, 10, 1)]}


def test_a_hold_does_not_wait_for_redis(realtime: Realtime, valkey: EmbeddedValkey) -> None:
    session = factories.make_session(capacity=1000)
    kill(valkey)
    factories.hold(session)  # the first starts the thread
    started = time.monotonic()
    for _ in range(20):
        factories.hold(session)
    assert time.monotonic() - started < 1
