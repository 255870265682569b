"""Extras: a price beside the places, and a stock of their own in each session."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from bookings.services import checkout
from bookings.services.checkout import Terms, Wanted
from config.kit.refusals import InvalidRequest
from scheduling.models import Extra, Reservation, ReservationExtra, Session
from scheduling.offers import extras_left
from scheduling.services import assessing, reservations
from scheduling.services.assessing import NotEnoughPlaces, Party
from scheduling.services.extras import NotEnoughExtras
from tests.factories import ANNA, CUSTOMER, confirm, lapse, make_activity, make_extra, make_session

pytestmark = pytest.mark.django_db


def hold_with(session: Session, extra: Extra, count: int = 1, *, party_size: int = 1) -> Reservation:
    party = Party(session_id=session.id, party_size=party_size, extras=((extra.id, count),))
    return reservations.reserve_parties([party], email="ben@example.org")[0]


def left(session: Session, extra: Extra) -> int:
    return extras_left(session.id, [extra])[extra.id]


def test_extras_add_to_the_price_line_by_line_and_take_no_place() -> None:
    activity = make_activity(price_minor=1000)
    locker, photograph = make_extra(activity, price_minor=300), make_extra(activity, price_minor=750)
    session = make_session(activity, capacity=2)
    party = Party(session_id=session.id, party_size=2, extras=((photograph.id, 1), (locker.id, 1), (locker.id, 1)))
    reservation = reservations.reserve_parties([party], email="ben@example.org")[0]
    assert [(line["name"], line["count"], line["amount_minor"], line["why"]) for line in reservation.quote] == [
        ("Adult", 2, 2000, "2 x Adult at 1000"),
        (photograph.name, 1, 750, f"1 x {photograph.name} at 750"),
        (locker.name, 2, 600, f"2 x {locker.name} at 300"),
    ]
    assert (reservation.amount_minor, reservation.places, reservation.party_size) == (3350, 2, 2)
    rows = ReservationExtra.objects.order_by("amount_minor").values_list("extra", "count", "amount_minor")
    assert list(rows) == [(locker.id, 2, 600), (photograph.id, 1, 750)]


def test_a_booking_charges_the_extras_with_the_places() -> None:
    activity = make_activity(price_minor=1000)
    locker = make_extra(activity, price_minor=300)
    session = make_session(activity)
    wanted = Wanted(Party(session_id=session.id, party_size=1, extras=((locker.id, 2),)))
    booking = checkout.book_lines(lines=[wanted], contact=ANNA, terms=Terms(expected_total=1600), actor=CUSTOMER)
    line = booking.lines.get()
    assert (booking.total_minor, line.amount_minor, line.quote[1]["extra"]) == (1600, 1600, str(locker.id))


def test_the_stock_is_each_sessions_own_and_comes_back_with_the_places() -> None:
    activity = make_activity()
    locker = make_extra(activity, stock_per_session=2)
    session, later = make_session(activity), make_session(activity, starts_in=timedelta(days=2))
    first = hold_with(session, locker, 2)
    assert (left(session, locker), left(later, locker)) == (0, 2)
    reservations.release_reservation(reservation_id=first.id)
    assert left(session, locker) == 2
    second = hold_with(session, locker, 2)
    confirm(second)
    with pytest.raises(NotEnoughExtras):
        hold_with(session, locker)


def test_what_a_lapsed_hold_kept_is_shown_as_free_and_given_to_the_next_buyer() -> None:
    activity = make_activity()
    locker = make_extra(activity, stock_per_session=1)
    session = make_session(activity)
    lapse(hold_with(session, locker))
    assert left(session, locker) == 1
    hold_with(session, locker)
    assert left(session, locker) == 0


def test_too_many_are_refused_with_what_is_left_and_nothing_is_written() -> None:
    activity = make_activity()
    locker = make_extra(activity, name="Locker", stock_per_session=3)
    session = make_session(activity, capacity=5)
    hold_with(session, locker, 2)
    with pytest.raises(NotEnoughExtras) as refusal:
        hold_with(session, locker, 2)
    assert refusal.value.extra == {"session": session.id, "extras": [{"extra": locker.id, "left": 1}]}
    assert [(error.field, error.code, error.detail) for error in refusal.value.errors] == [
        ("extras.0.count", "not_enough_extras", "Locker: only 1 left in this session.")
    ]
    session.refresh_from_db()
    assert (session.places_held, Reservation.objects.count(), ReservationExtra.objects.count()) == (1, 1, 1)


def test_two_lines_of_one_booking_share_the_stock() -> None:
    activity = make_activity()
    locker = make_extra(activity, stock_per_session=3)
    session = make_session(activity)
    parties = [Party(session_id=session.id, party_size=1, extras=((locker.id, 2),), path=f"lines.{n}.") for n in (0, 1)]
    with pytest.raises(NotEnoughExtras) as refusal:
        reservations.reserve_parties(parties, email="ben@example.org")
    assert [error.field for error in refusal.value.errors] == ["lines.1.extras.0.count"]
    assert not Reservation.objects.exists()


def test_what_is_off_the_list_or_anothers_is_refused_and_stays_with_those_who_have_it() -> None:
    activity = make_activity()
    locker = make_extra(activity)
    session = make_session(activity)
    held = hold_with(session, locker)
    Extra.objects.filter(id=locker.id).update(is_offered=False)
    for extra in (locker, make_extra(make_activity()), Extra(id=uuid4())):
        with pytest.raises(InvalidRequest) as refusal:
            hold_with(session, extra)
        assert [(error.field, error.code) for error in refusal.value.errors] == [("extras.0.extra", "unknown_extra")]
    assert confirm(held).lines.get().quote[1]["name"] == locker.name


def test_places_that_are_short_are_said_before_extras_are() -> None:
    activity = make_activity()
    locker = make_extra(activity, stock_per_session=0)
    with pytest.raises(NotEnoughPlaces):
        hold_with(make_session(activity, capacity=1), locker, party_size=2)


def test_a_party_that_is_held_anew_brings_its_extras() -> None:
    activity = make_activity()
    locker = make_extra(activity)
    lapsed = hold_with(make_session(activity), locker, 2, party_size=3)
    party = assessing.same_party(lapsed)
    adult = activity.units.get()
    assert (party.units, party.extras) == (((adult.id, 3),), ((locker.id, 2),))


def test_the_database_itself_refuses_what_is_beyond_the_stock_on_insert_and_on_update() -> None:
    activity = make_activity()
    locker = make_extra(activity, stock_per_session=2)
    session = make_session(activity)
    hold_with(session, locker, 2)
    other = hold_with(session, make_extra(activity))
    with pytest.raises(IntegrityError, match="only 0"), transaction.atomic():
        ReservationExtra.objects.create(
            organization_id=activity.organization_id, reservation=other, extra=locker, count=1, amount_minor=0
        )
    with pytest.raises(IntegrityError, match="only 2"), transaction.atomic():
        ReservationExtra.objects.filter(extra=locker).update(count=3)
