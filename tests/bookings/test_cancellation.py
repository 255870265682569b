"""Cancelling: lines are marked, places go back in the same transaction, and what the terms keep is the fee."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from alerts.services.auditor import check_invariants
from bookings.labels import label_of
from bookings.models import Booking, BookingEvent, Line
from bookings.services import lifecycle
from bookings.services.amendments import ChangeNotAllowed
from bookings.services.cancellation import cancel_booking, preview_cancellation
from bookings.services.checkout import TotalDiffers
from bookings.services.lifecycle import IllegalTransition, VersionMoved
from config.kit.facts import SYSTEM, Actor, ActorKind
from config.kit.idempotency import Claim
from config.kit.refusals import InvalidRequest, NotFound
from scheduling.models import Activity, Reservation, Session
from tests.concurrency.races import Places, places_of
from tests.factories import CUSTOMER, book, make_activity, make_session, shift_session, stranger

pytestmark = pytest.mark.django_db

DESK = Actor(kind=ActorKind.STAFF, channel="admin", detail={"note": "called us"})
WORDLESS = Actor(kind=ActorKind.STAFF, channel="admin")
SOON = timedelta(days=3)
TERMS: dict[str, Any] = {"cancel_until_minutes": 24 * 60, "cancel_fee_percent": 10, "late_cancel_fee_percent": 50}


def facts(booking: Booking) -> list[str]:
    return list(booking.events.order_by("seq").values_list("kind", flat=True))


def cancel(booking: Booking, *lines: Line, actor: Actor = CUSTOMER, **others: Any) -> Booking:
    return cancel_booking(booking_id=booking.id, lines=[line.id for line in lines] or None, actor=actor, **others)


def two_lines(**terms: Any) -> tuple[Booking, Session, Session]:
    """Book two people in each of two sessions of one activity, days ahead."""
    activity = make_activity(price_minor=1000, **terms)
    first, second = (make_session(activity, capacity=5, starts_in=SOON + timedelta(hours=n)) for n in (0, 1))
    return book(first, second, party_size=2), first, second


def lines_of(booking: Booking) -> list[Line]:
    return list(booking.lines.order_by("session__starts_at"))


def test_a_whole_booking_is_cancelled_its_lines_marked_and_its_places_free_at_once() -> None:
    session = make_session(make_activity(price_minor=1500), capacity=5, starts_in=SOON)
    booking = book(session, party_size=3)

    cancelled = cancel(booking)

    assert (cancelled.status, cancelled.total_minor, cancelled.fee_minor) == ("cancelled", 0, 0)
    line = booking.lines.get()
    assert (line.status, line.fee_minor, line.amount_minor, line.cancelled_at is None) == ("cancelled", 0, 4500, False)
    assert line.reservation.status == "released"
    assert places_of(session) == Places(held=0, booked=0, remaining=5)
    assert facts(booking) == ["booking_started", "booking_confirmed", "line_cancelled", "booking_cancelled"]
    assert check_invariants() == []


def test_one_line_of_two_is_cancelled_with_its_own_money_and_places_and_the_other_stays_as_it_was() -> None:
    booking, first, second = two_lines(**TERMS)
    going, staying = lines_of(booking)

    cancelled = cancel(booking, going)

    going, staying = lines_of(booking)
    assert (cancelled.status, cancelled.total_minor) == ("confirmed", 2000 + 200)
    assert (going.status, going.fee_minor, staying.status, staying.fee_minor) == ("cancelled", 200, "live", 0)
    assert (places_of(first), places_of(second)) == (Places(0, 0, 5), Places(0, 2, 3))
    fact = booking.events.get(kind="line_cancelled")
    assert (fact.after["session"], fact.after["places"], fact.to_status) == (str(first.id), 2, "confirmed")
    assert fact.after["consequence"] == {
        "fee_minor": 200, "due_minor": 0, "refundable_minor": 1800, "currency": "GBP",
    }  # fmt: skip
    assert "booking_cancelled" not in facts(booking)
    assert check_invariants() == []


def test_a_booking_is_partially_cancelled_until_its_last_line_goes() -> None:
    booking, _, _ = two_lines()
    first, second = lines_of(booking)
    labels = [label_of(booking.status, lines_of(booking))]
    for line in (first, second):
        booking = cancel(booking, line)
        labels.append(label_of(booking.status, lines_of(booking)))
    assert labels == ["confirmed", "partially_cancelled", "cancelled"]


def test_cancelling_again_is_harmless_and_writes_nothing() -> None:
    booking, _, _ = two_lines()
    first, _ = lines_of(booking)
    once = cancel(booking, first)
    again = cancel(booking, first)
    assert (again.version, again.total_minor) == (once.version, once.total_minor)
    cancel(booking)
    before = (Booking.objects.get().version, BookingEvent.objects.count())
    assert cancel(booking).status == "cancelled"
    assert (Booking.objects.get().version, BookingEvent.objects.count()) == before


def test_the_same_request_again_finds_its_one_effect() -> None:
    booking, first, _ = two_lines()
    claim = Claim(id=uuid4(), fingerprint=uuid4())
    for _ in range(2):
        cancel(booking, lines_of(booking)[0], claim=claim)
    assert BookingEvent.objects.filter(kind="line_cancelled").count() == 1
    assert places_of(first) == Places(0, 0, 5)
    assert check_invariants() == []


@pytest.mark.parametrize(
    ("starts_in", "actor", "waive", "fee"),
    [
        (SOON, CUSTOMER, False, 200),
        (timedelta(hours=2), CUSTOMER, False, 1000),
        (timedelta(hours=2), DESK, False, 1000),
        (timedelta(hours=2), DESK, True, 0),
        (timedelta(minutes=-20), DESK, False, 1000),
    ],
    ids=["early", "late", "late, by the venue", "waived", "begun, by the venue"],
)
def test_the_fee_is_what_the_terms_say_and_the_preview_said_it_before(
    starts_in: timedelta, actor: Actor, waive: bool, fee: int
) -> None:
    session = make_session(make_activity(price_minor=1000, **TERMS), capacity=5, starts_in=SOON)
    booking = book(session, party_size=2)
    shift_session(session, starts_in=starts_in)
    shown = preview_cancellation(booking, actor, waive_fee=waive)
    assert (shown.fee_minor, shown.refundable_minor, shown.total_minor, shown.places) == (fee, 2000 - fee, fee, -2)

    cancelled = cancel(booking, actor=actor, waive_fee=waive)

    assert (cancelled.total_minor, booking.lines.get().fee_minor) == (fee, fee)


@pytest.mark.parametrize(
    ("starts_in", "switches", "actor", "code"),
    [
        (timedelta(minutes=-20), {}, CUSTOMER, "session_begun"),
        (SOON, {"customers_may_cancel": False}, CUSTOMER, "cancel_not_offered"),
        (timedelta(hours=-2), {}, DESK, "session_over"),
        (timedelta(hours=-2), {}, CUSTOMER, "session_over"),
    ],
)
def test_what_the_terms_or_the_clock_refuse_changes_nothing(
    starts_in: timedelta, switches: dict[str, Any], actor: Actor, code: str
) -> None:
    session = make_session(make_activity(**switches), capacity=5, starts_in=SOON)
    booking = book(session, party_size=2)
    shift_session(session, starts_in=starts_in)
    with pytest.raises(ChangeNotAllowed) as refused:
        cancel(booking, actor=actor)
    assert refused.value.extra["reasons"] == [code]
    assert (places_of(session).booked, len(facts(booking))) == (2, 2)


def test_a_stale_version_another_total_and_other_lines_are_refused_and_nothing_is_lost() -> None:
    booking, _, _ = two_lines()
    foreign = book(make_session(starts_in=SOON)).lines.get()
    with pytest.raises(VersionMoved):
        cancel(booking, version=booking.version - 1)
    with pytest.raises(TotalDiffers):
        cancel(booking, expected_total=1)
    with pytest.raises(InvalidRequest):
        cancel(booking, foreign)
    with pytest.raises(NotFound):
        cancel_booking(booking_id=uuid4(), actor=CUSTOMER)
    assert Line.objects.filter(status="cancelled").count() == 0
    assert cancel(booking, version=booking.version, expected_total=0).status == "cancelled"


def test_staff_say_why_and_only_the_venue_waives_a_fee() -> None:
    booking, _, _ = two_lines()
    for actor, waive in ((WORDLESS, False), (CUSTOMER, True)):
        with pytest.raises(InvalidRequest):
            cancel(booking, actor=actor, waive_fee=waive)
    cancel(booking, actor=DESK)
    fact = booking.events.get(kind="booking_cancelled")
    assert (fact.actor_kind, fact.channel, fact.detail.note) == ("staff", "admin", "called us")


def test_the_system_cancels_neither_a_booking_nor_a_line_of_it() -> None:
    booking, _, _ = two_lines()
    with pytest.raises(IllegalTransition):
        cancel(booking, lines_of(booking)[0], actor=SYSTEM)
    with pytest.raises(IntegrityError), transaction.atomic():
        lifecycle.transition(Booking.objects.get(), to=Booking.Status.CANCELLED, kind="booking_cancelled", actor=SYSTEM)
    assert Booking.objects.get().status == "confirmed"


def test_what_was_cancelled_keeps_its_rows() -> None:
    booking = book(make_session(capacity=5, starts_in=SOON), party_size=2)
    before = list(Line.objects.values_list("id", "reservation", "party_size", "amount_minor", "quote"))
    cancel(booking)
    assert list(Line.objects.values_list("id", "reservation", "party_size", "amount_minor", "quote")) == before
    assert Reservation.objects.get(lines__booking=booking).places == 2


def test_the_people_of_a_cancelled_line_can_be_booked_again_without_being_called_a_duplicate() -> None:
    session = make_session(capacity=5, starts_in=SOON)
    cancel(book(session))
    again = book(session)
    assert again.lines.get().duplicate_override_of is None
    assert check_invariants() == []


def test_who_has_booked_keeps_the_terms_of_that_day_and_who_books_next_has_the_new_ones() -> None:
    activity = make_activity(price_minor=1000, cancel_fee_percent=0, late_cancel_fee_percent=50, change_fee_minor=0)
    session = make_session(activity, starts_in=SOON)
    before = book(session, contact=stranger())
    stricter = {"customers_may_cancel": False, "cancel_fee_percent": 40, "change_fee_minor": 500}
    Activity.objects.filter(id=activity.id).update(**stricter)
    after = book(session, contact=stranger())
    assert cancel(before).total_minor == 0  # free of charge, as they were promised
    with pytest.raises(ChangeNotAllowed):
        cancel(after)
    assert cancel(after, actor=DESK).fee_minor + after.lines.get().fee_minor == 400


def test_a_line_from_before_terms_were_kept_with_it_has_those_of_the_activity() -> None:
    activity = make_activity(price_minor=1000, cancel_fee_percent=10)
    booking = book(make_session(activity, starts_in=SOON))
    Line.objects.filter(booking=booking).update(terms=None)
    assert cancel(booking).total_minor == 100
