"""A process dies with -9 before, in the middle of and after each change of a booking: done whole, or not begun."""

from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

import pytest

from alerts.services.auditor import check_invariants
from bookings.models import AffectedLine, Booking, BookingEvent, Line, LineParticipant
from bookings.orders import Contact
from bookings.services.transfers import offer_transfer
from config.kit.models import IdempotencyKey
from scheduling.models import ScheduleEvent, Session
from tests.concurrency.races import Places, places_of
from tests.conftest import RunSql
from tests.crash.acts import Scene
from tests.crash.changes import CHANGES
from tests.crash.failpoints import EXIT_CODE, FAILPOINTS
from tests.crash.test_crashes import Die, die, everything, wait_for_the_dead
from tests.factories import CUSTOMER, book, make_activity, make_session

__all__ = ["die"]
pytestmark = pytest.mark.usefixtures("committed_db")

SOON = timedelta(days=3)


@pytest.fixture
def scene() -> dict[str, str]:
    """Two sessions of ten places, two of them booked in the first."""
    activity = make_activity(change_fee_minor=100)
    first, second = (make_session(activity, starts_in=SOON + timedelta(hours=n)) for n in (0, 1))
    return {"first": str(first.id), "second": str(second.id), "booking": str(book(first, party_size=2).id)}


class Summary(NamedTuple):
    """All that the acts may change."""

    first: Places = Places(0, 2, 8)
    second: Places = Places(0, 0, 10)
    booking: str = "confirmed"
    total: int = 2000
    email: str = "anna@example.org"
    version: int = 2
    live: int = 1
    facts: int = 2
    keys: int = 0
    people: int = 0
    work: int = 0
    closed: int = 0


DONE = {
    "cancel": Summary(first=Places(0, 0, 10), booking="cancelled", total=0, version=4, live=0, facts=4, keys=1),
    "move": Summary(first=Places(0, 0, 10), second=Places(0, 2, 8), total=2100, version=3, facts=3, keys=1),
    "grow": Summary(first=Places(0, 3, 7), total=3000, version=3, facts=3, keys=1),
    "shrink": Summary(first=Places(0, 1, 9), total=1000, version=3, facts=3, keys=1),
    "name_people": Summary(version=3, facts=3, keys=1, people=1),
    "transfer": Summary(email="ben@example.org", version=3, facts=3, keys=1),
    "offer_transfer": Summary(version=3, facts=3, keys=1),
    "accept_transfer": Summary(email="ben@example.org", version=4, facts=4),
    "close_with_offers": Summary(facts=3, work=1, closed=1),
}


BEGUN = {"accept_transfer": Summary(version=3, facts=3)}  # what is there before; else a booking alone


def prepared(act: str, scene: dict[str, str]) -> dict[str, str]:
    """Make what the act needs besides."""
    if act != "accept_transfer":
        return scene
    contact = Contact(email="ben@example.org", name="Ben")
    fact = offer_transfer(booking_id=UUID(scene["booking"]), contact=contact, actor=CUSTOMER)
    return {**scene, "offer": str(fact.id)}


def summary(scene: Scene) -> Summary:
    first, second = (Session.objects.get(id=scene[name]) for name in ("first", "second"))
    booking = Booking.objects.select_related("customer").get()
    return Summary(
        first=places_of(first),
        second=places_of(second),
        booking=booking.status,
        total=booking.total_minor,
        email=booking.customer.email,
        version=booking.version,
        live=Line.objects.filter(status="live").count(),
        facts=BookingEvent.objects.count(),
        keys=IdempotencyKey.objects.count(),
        people=LineParticipant.objects.count(),
        work=AffectedLine.objects.count(),
        closed=ScheduleEvent.objects.filter(kind="sessions_closed").count(),
    )


@pytest.mark.parametrize("failpoint", FAILPOINTS)
@pytest.mark.parametrize("act", CHANGES)
def test_a_crash_leaves_a_change_done_or_not_begun_and_sending_it_again_does_it_once(
    die: Die, act: str, failpoint: str, scene: dict[str, str], admin_sql: RunSql
) -> None:
    scene = prepared(act, scene)
    assert summary(scene) == BEGUN.get(act, Summary())
    before = everything()

    assert die(act, failpoint, scene) == EXIT_CODE

    wait_for_the_dead(admin_sql)
    if failpoint == "after_the_commit":
        assert summary(scene) == DONE[act]
    else:
        assert everything() == before
    assert check_invariants() == []

    CHANGES[act](scene)  # the client comes again, with the same key
    assert summary(scene) == DONE[act]
    assert check_invariants() == []
