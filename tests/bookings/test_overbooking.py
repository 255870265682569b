"""Beyond the capacity: a permission with a reason, honoured, marked for good, and never by accident."""

import pytest

from alerts.services.auditor import check_invariants
from bookings.models import Booking
from bookings.services import checkout
from bookings.services.checkout import Terms, Wanted
from config.kit.facts import Actor, ActorKind
from scheduling.models import Reservation, ScheduleEvent, Session
from scheduling.services.assessing import NotBookable, NotEnoughPlaces, Party
from tests.concurrency.races import race, tally
from tests.factories import book, hold, make_session, stranger

STAFF = Actor(kind=ActorKind.STAFF, channel="admin")
pytestmark = pytest.mark.usefixtures("committed_db")


def overbook(session: Session, party_size: int, reason: str = "the coach driver") -> Booking:
    return checkout.book_lines(
        lines=[Wanted(Party(session_id=session.id, party_size=party_size))], contact=stranger(), terms=Terms(),
        actor=STAFF, overbook_reason=reason,
    )  # fmt: skip


def test_with_a_reason_a_full_session_takes_a_party_more_and_keeps_the_mark() -> None:
    session = make_session(capacity=4)
    book(session, party_size=3)
    booking = overbook(session, 2)
    session.refresh_from_db()
    reservation = booking.lines.get().reservation
    assert (session.places_booked, session.honoured_capacity, session.over_by) == (5, 5, 1)
    assert (reservation.overbooked, reservation.status, session.capacity_remaining) == (True, "confirmed", 0)
    fact = ScheduleEvent.objects.get(session_id=session.id)
    assert (fact.kind, fact.actor_kind, fact.after["places"]) == ("session_overbooked", "staff", 2)
    assert fact.detail.note == "the coach driver"
    with pytest.raises(NotEnoughPlaces):
        hold(session)
    assert check_invariants() == []


def test_what_fits_is_not_marked_whatever_reason_is_given() -> None:
    session = make_session(capacity=4)
    booking = overbook(session, 2)
    assert booking.lines.get().reservation.overbooked is False
    assert ScheduleEvent.objects.count() == 0


def test_without_a_reason_a_full_session_is_full_for_staff_too() -> None:
    session = make_session(capacity=1)
    book(session)
    with pytest.raises(NotEnoughPlaces):
        overbook(session, 1, reason="")
    assert Reservation.objects.count() == 1


def test_a_reason_opens_no_session_that_is_closed() -> None:
    session = make_session(capacity=1, status="closed")
    with pytest.raises(NotBookable):
        overbook(session, 1)


def test_overbooking_and_buyers_at_once_leave_counters_that_are_sums() -> None:
    session = make_session(capacity=4)
    outcomes = race([lambda: overbook(session, 2), *[lambda: book(session, contact=stranger())] * 7])
    session.refresh_from_db()
    booked = tally(outcomes)["Booking"]
    assert session.places_booked == booked + 1
    assert session.honoured_capacity == (session.places_booked if session.places_booked > 4 else 0)
    assert check_invariants() == []
