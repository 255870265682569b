"""Redis dies and comes back: everybody is told to poll, then everybody sees the truth again."""

import time

from config.run.valkey import EmbeddedValkey
from tests import factories
from tests.realtime.conftest import Realtime, kill, state

CONVERGED_SECONDS = 30


def test_every_page_converges_after_redis_was_killed(frail_realtime: Realtime, valkey: EmbeddedValkey) -> None:
    session = factories.make_session(capacity=10)
    query = f"activity={session.activity_id}"
    with frail_realtime.socket(query) as page, frail_realtime.events(query) as reader:
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
    frail_realtime: Realtime, valkey: EmbeddedValkey
) -> None:
    session = factories.make_session(capacity=10)
    with frail_realtime.socket(f"activity={session.activity_id}") as witness:
        witness.next()
        kill(valkey)
        assert witness.next() == {"push": "away"}
    with frail_realtime.socket(f"activity={session.activity_id}") as page:
        assert [page.next(), page.next()] == [{"snapshot": [state(session.id, 10, 1)]}, {"push": "away"}]
        valkey.start()
        assert page.next(seconds=CONVERGED_SECONDS) == {"snapshot": [state(session.id, 10, 1)]}


def test_a_mark_from_before_redis_died_gets_a_snapshot(frail_realtime: Realtime, valkey: EmbeddedValkey) -> None:
    session = factories.make_session(capacity=10)
    query = f"activity={session.activity_id}"
    with frail_realtime.events(query) as reader:
        reader.next()
        mark = reader.last_id
    with frail_realtime.socket(query) as witness:
        witness.next()
        kill(valkey)
        witness.next()
        valkey.start()
        witness.next(seconds=CONVERGED_SECONDS)
    with frail_realtime.events(query, Last_Event_ID=mark) as reader:
        assert reader.next() == {"snapshot": [state(session.id, 10, 1)]}


def test_a_hold_does_not_wait_for_redis(frail_realtime: Realtime, valkey: EmbeddedValkey) -> None:
    session = factories.make_session(capacity=1000)
    kill(valkey)
    factories.hold(session)  # the first starts the thread
    started = time.monotonic()
    for _ in range(20):
        factories.hold(session)
    assert time.monotonic() - started < 1
