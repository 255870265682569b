"""Display caches, with real commits: how old they may be, what forgets them, and that no decision reads them."""

import re
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import redis
from django.conf import settings
from django.core.cache import cache
from redis.exceptions import ConnectionError as RedisAway

from scheduling import display_cache
from scheduling.models import Session
from scheduling.price_lists import PriceList
from scheduling.services import assessing, catalogue
from tests.factories import hold, make_activity, make_session, make_sessions
from tests.scheduling.nudges import silent_nudges

pytestmark = pytest.mark.usefixtures("committed_db")
ROOT = Path(__file__).resolve().parents[2]


def told() -> None:
    """Wait for nothing: what a commit has said is told at once."""
    display_cache.nudges.tell_rest()


def spots_near(full: Session) -> list[int]:
    display_cache.near.forget({full.activity_id})  # this process's own quarter of a second
    return [one.spots for one in display_cache.near_sessions(full.activity_id, full.starts_at, 1)]


def seconds_left(keys: str) -> int:
    """Return how long Redis will keep the one key of this form."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        [key] = client.keys(f":1:{keys}")
        return int(client.ttl(key))


def price_of(session: Session) -> int:
    prices: PriceList = display_cache.display_prices([session.activity_id])[session.activity_id]
    return next(unit.price_minor for unit in prices.units)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no thread tell what changed: a test says when."""
    monkeypatch.setattr(display_cache, "nudges", silent_nudges())


def test_a_commit_moves_the_version_of_its_activity_and_of_no_other(patient: None) -> None:
    session, other = make_session(), make_session()
    asked = [session.activity_id, other.activity_id]
    assert display_cache.versions_of(asked) == {}
    hold(session)
    told()
    assert list(display_cache.versions_of(asked) or {}) == [f"version:places:{session.activity_id}"]
    assert display_cache.versions_of(asked, what="prices") == {}
    catalogue.announce_activity(activity_id=other.activity_id)
    told()
    assert list(display_cache.versions_of(asked, what="prices") or {}) == [f"version:prices:{other.activity_id}"]


def test_capacity_is_kept_thirty_seconds_at_most_and_forgotten_after_a_commit(patient: None) -> None:
    full, other = make_sessions(2, capacity=5)
    assert spots_near(full) == [5]
    Session.objects.filter(id=other.id).update(capacity_total=4)  # nobody says so: the display may be old
    assert spots_near(full) == [5]
    assert 0 < seconds_left("near:*") <= 30
    hold(other, party_size=3)
    assert spots_near(full) == [5]  # said, and not told yet: others may be a moment behind
    told()
    assert spots_near(full) == [1]


def test_prices_are_kept_an_hour_at_most_and_forgotten_when_the_activity_changes_not_when_places_go(
    patient: None,
) -> None:
    session = make_session(make_activity(price_minor=1000))
    assert price_of(session) == 1000
    session.activity.units.update(price_minor=1200)
    hold(session)
    told()
    assert price_of(session) == 1000
    assert 3500 < seconds_left("prices:*") <= 3600
    catalogue.announce_activity(activity_id=session.activity_id)
    told()
    assert price_of(session) == 1200


def test_what_was_being_made_while_a_version_moved_is_not_served_afterwards(patient: None) -> None:
    activity = UUID(int=7)

    def make_while_it_changes() -> str:
        display_cache.move_versions({(activity, False)})
        return "old"

    made = display_cache.kept("test", of=lambda: [activity], make=make_while_it_changes, seconds=30)
    again = display_cache.kept("test", of=lambda: [activity], make=lambda: "new", seconds=30)
    assert (made.value, again.value) == ("old", "new")
    assert display_cache.kept("test", of=lambda: [activity], make=lambda: "newer", seconds=30) == again


def test_with_redis_away_everything_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise RedisAway

    for name in ("get", "set", "get_many", "set_many"):
        monkeypatch.setattr(cache, name, away)
    full, other = make_sessions(2, capacity=5)
    assert (spots_near(full), price_of(full)) == ([5], 1000)
    hold(other)
    assert (spots_near(full), price_of(full)) == ([4], 1000)


def test_this_process_remembers_for_a_quarter_of_a_second_and_not_without_bound() -> None:
    memory = display_cache.Memory()
    made = iter(range(10_000))
    activity = UUID(int=1)
    assert [memory.get(activity, "a", lambda: next(made)) for _ in range(3)] == [0, 0, 0]
    memory.forget({UUID(int=2)})
    assert memory.get(activity, "a", lambda: next(made)) == 0
    memory.forget({activity})
    assert memory.get(activity, "a", lambda: next(made)) == 1
    memory.SECONDS = 0.0
    memory.get(activity, "b", lambda: next(made))
    assert memory.get(activity, "b", lambda: next(made)) == 3
    for number in range(3 * memory.MOST):
        memory.get(activity, number, int)
        assert len(memory._values) <= memory.MOST


def test_a_hold_is_decided_by_the_rows_whatever_the_cache_says(patient: None) -> None:
    session, near = make_sessions(2, capacity=2)
    assert spots_near(near) == [2]
    hold(session, party_size=2)
    assert spots_near(near) == [2]  # the display has not heard yet
    with pytest.raises(assessing.NotEnoughPlaces) as refused:
        hold(session)
    assert refused.value.extra["available_spots"] == 0


def test_no_service_reads_a_display_cache_but_for_the_alternatives_of_a_refusal() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for app in ("scheduling", "bookings", "payments", "alerts")
        for path in (ROOT / app / "services").rglob("*.py")
        if re.search(r"display_cache|django\.core\.cache import|months", path.read_text())
        and re.search(r"import .*(display_cache|months|month_availability)|display_cache import", path.read_text())
    }
    assert readers == {"scheduling/services/alternatives.py"}


QUERIES = ("availability", "months", "venue_days", "pages", "price_lists", "display_cache", "reasons")


@pytest.mark.parametrize("module", QUERIES)
def test_questions_are_asked_apart_from_commands(module: str) -> None:
    text = (ROOT / "scheduling" / f"{module}.py").read_text()
    assert not re.search(r"^(from|import) \S*services", text, re.MULTILINE)
    assert not re.search(r"\.(save|create|bulk_create|update|delete|select_for_update)\(|INSERT INTO|\bUPDATE \w", text)


def test_a_refusal_asks_the_database_for_alternatives_once_however_many_come(
    patient: None, django_assert_max_num_queries: Any
) -> None:
    full, _ = make_sessions(2, capacity=1)
    hold(full)

    def refused() -> int:
        with pytest.raises(assessing.NotEnoughPlaces) as refusal:
            hold(full)
        return len(refusal.value.extra["alternatives"])

    assert refused() == 1
    with django_assert_max_num_queries(3):  # three holds, each one statement
        assert [refused() for _ in range(3)] == [1, 1, 1]


def test_the_nudge_reaches_redis_by_itself() -> None:
    session = make_session()
    hold(session)
    deadline = time.monotonic() + 10
    while not display_cache.versions_of([session.activity_id]) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert display_cache.versions_of([session.activity_id])
