"""The worker is asked to look when a hold lapses that somebody waits behind: once, in time, and never in the way."""

import threading
from datetime import timedelta

import pytest
from django.core.cache import cache

from bookings import nudges
from bookings.models import WaitlistEntry
from bookings.tasks import hand_on_places
from scheduling.models import Session
from tests.factories import hold, join, lapse, make_session

pytestmark = pytest.mark.usefixtures("committed_db")


class Broker:
    """Keeps what it is asked for; may be away."""

    def __init__(self) -> None:
        self.asked: list[tuple[tuple[str, ...], float]] = []
        self.is_away = False
        self.heard = threading.Event()

    def apply_async(self, args: tuple[str, ...], *, countdown: float, retry: bool) -> None:
        assert not retry
        self.heard.set()
        if self.is_away:
            raise ConnectionError
        self.asked.append((args, countdown))


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    broker = Broker()
    monkeypatch.setattr(nudges, "hand_on_places", broker)
    cache.clear()
    return broker


def settle(broker: Broker) -> list[tuple[tuple[str, ...], float]]:
    """Wait until the thread beside the requests has told what it gathered."""
    assert broker.heard.wait(timeout=10)
    nudges.lapses.tell_rest()
    return broker.asked


@pytest.fixture
def session() -> Session:
    session = make_session(capacity=3)
    hold(session, 3)
    return session


def test_joining_behind_a_hold_asks_the_worker_once_for_its_end(broker: Broker, session: Session) -> None:
    entries = [join(session), join(session)]
    [(args, countdown)] = settle(broker)
    assert args == (str(session.id),)
    assert 590 < countdown < 601
    lapse(*session.reservations.all())
    hand_on_places(*args)
    assert set(WaitlistEntry.objects.filter(id__in=[e.id for e in entries]).values_list("status", flat=True)) == {
        "offered"
    }


def test_what_is_long_until_it_lapses_is_looked_at_sooner(broker: Broker, session: Session) -> None:
    lapse(*session.reservations.all(), ago=timedelta(hours=-2))
    join(session)
    [(_, countdown)] = settle(broker)
    assert 1790 < countdown < 1801


def test_nobody_waits_for_a_broker_that_is_away(broker: Broker, session: Session) -> None:
    broker.is_away = True
    entry = join(session)
    assert settle(broker) == []
    assert entry.status == "waiting"
