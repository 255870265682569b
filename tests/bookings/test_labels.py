"""What a booking is called: every state and every mixture of lines has one word; and which states take places."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import product

import pytest

from alerts.services.auditor import check_invariants
from bookings.labels import WORDS, Label, label_of
from bookings.models import Booking, Line
from bookings.services import customers, lifecycle
from bookings.services.cancellation import cancel_booking
from bookings.services.lifecycle import IllegalTransition, transition
from config.kit.facts import SYSTEM, Actor, ActorKind
from scheduling.models import Session
from scheduling.services import reservations
from scheduling.services.assessing import NotEnoughPlaces
from tests.concurrency.races import Places, places_of
from tests.factories import ANNA, CUSTOMER, book, hold, lapse, make_session

DESK = Actor(kind=ActorKind.STAFF, channel="admin", detail={"note": "called us"})


def lines(*kinds: str) -> list[Line]:
    """Return lines by their attendance, or cancelled."""
    return [Line(status="cancelled") if kind == "cancelled" else Line(status="live", attendance=kind) for kind in kinds]


@pytest.mark.parametrize(
    ("status", "kinds", "label"),
    [
        ("pending", ("expected",), "pending"),
        ("confirmed", ("expected", "expected"), "confirmed"),
        ("confirmed", ("expected", "cancelled"), "partially_cancelled"),
        ("confirmed", ("arrived", "expected"), "checked_in"),
        ("confirmed", ("completed", "expected"), "checked_in"),
        ("confirmed", ("completed", "completed"), "completed"),
        ("confirmed", ("completed", "no_show", "cancelled"), "completed"),
        ("confirmed", ("no_show", "cancelled"), "no_show"),
        ("cancelled", ("cancelled", "cancelled"), "cancelled"),
        ("expired", ("expected",), "expired"),
    ],
)
def test_a_booking_is_called_by_its_state_and_its_lines(status: str, kinds: tuple[str, ...], label: str) -> None:
    assert label_of(status, lines(*kinds)) == label
    assert set(WORDS) == set(Label)


@pytest.mark.django_db
@pytest.mark.parametrize(("before", "after"), list(product(Booking.Status, Booking.Status)))
def test_a_booking_moves_along_its_table_and_no_other_way(before: Booking.Status, after: Booking.Status) -> None:
    legal = {
        ("pending", "confirmed"), ("pending", "expired"), ("pending", "cancelled"), ("confirmed", "cancelled"),
        ("expired", "confirmed"),
    }  # fmt: skip
    booking = book(make_session())
    booking.status = before
    if (before, after) in legal:
        assert Booking.TRANSITIONS.allows(before, after)
    else:
        with pytest.raises(IllegalTransition):
            transition(booking, to=after, kind="booking_cancelled", actor=DESK)


@pytest.mark.django_db
def test_held_and_confirmed_places_are_taken_and_ended_ones_are_not() -> None:
    session = make_session(capacity=9, starts_in=timedelta(days=3))
    hold(session, 1)
    booked, gone, lapsed, released = book(session, party_size=2), book(session), hold(session), hold(session)
    cancel_booking(booking_id=gone.id, actor=CUSTOMER)
    reservations.release_reservation(reservation_id=released.id)
    lapse(lapsed)
    reservations.release_expired_reservations()
    assert (places_of(session).held, places_of(session).booked) == (1, booked.lines.get().party_size)
    assert sorted(session.reservations.values_list("status", "places")) == [
        ("confirmed", 2), ("expired", 1), ("held", 1), ("released", 1), ("released", 1),
    ]  # fmt: skip


def pending(session: Session) -> Booking:
    """Return a booking that waits for its payment: its places are held."""
    held = hold(session, 2)
    customer = customers.customer_of(session.organization_id, ANNA)
    owned = {"organization_id": session.organization_id}
    booking = Booking.objects.create(
        **owned, customer=customer, contact_name="Anna", payment_method="online", currency="GBP", total_minor=2000
    )
    Line.objects.create(
        **owned, booking=booking, session=session, reservation=held, party_size=2, amount_minor=2000, quote=held.quote
    )
    lifecycle.record_event(booking, kind="booking_started", to_status=booking.status, actor=CUSTOMER)
    return booking


def confirmed(session: Session) -> Booking:
    return book(session, party_size=2)


def cancelled(session: Session, make: Callable[[Session], Booking] = confirmed) -> Booking:
    return cancel_booking(booking_id=make(session).id, actor=CUSTOMER)


def expired(session: Session) -> Booking:
    """Return a booking that nobody paid for in time."""
    booking = pending(session)
    lapse(booking.lines.get().reservation)
    reservations.release_expired_reservations()
    lifecycle.transition(booking, to=Booking.Status.EXPIRED, kind="booking_expired", actor=SYSTEM)
    return booking


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("make", "status", "places"),
    [
        (pending, "pending", Places(held=2, booked=0, remaining=0)),
        (confirmed, "confirmed", Places(held=0, booked=2, remaining=0)),
        (cancelled, "cancelled", Places(held=0, booked=0, remaining=2)),  # all of the price is given back
        (partial(cancelled, make=pending), "cancelled", Places(held=0, booked=0, remaining=2)),
        (expired, "expired", Places(held=0, booked=0, remaining=2)),
    ],
)
def test_pending_and_confirmed_bookings_take_their_places_and_ended_ones_none(
    make: Callable[[Session], Booking], status: str, places: Places
) -> None:
    session = make_session(capacity=2, starts_in=timedelta(days=3))
    booking = make(session)
    booking.refresh_from_db()
    assert (booking.status, places_of(session)) == (status, places)
    if places.remaining:
        assert book(session, party_size=2).status == "confirmed"
    else:
        with pytest.raises(NotEnoughPlaces):
            hold(session, 1, email="ben@example.org")
    assert check_invariants() == []


def test_no_state_of_a_booking_is_left_out_above() -> None:
    assert set(Booking.Status) == {"pending", "confirmed", "cancelled", "expired"}
