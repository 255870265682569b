"""What waits for its money, or never had it, is booked nowhere: its places are held, and nobody is expected for it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from alerts.models import Notification
from alerts.services import notifications
from alerts.services.auditor import check_invariants
from bookings.calendars import booking_calendar
from bookings.check_in_codes import check_in_code
from bookings.door import door_sessions
from bookings.models import AffectedLine, Booking, BookingEvent, Line
from bookings.pages import booking_page
from bookings.reports import report_cancellations
from bookings.services import attendance, cancellation, expiry, leaving, privacy, settlement, time_machine
from bookings.services.lifecycle import IllegalTransition
from bookings.services.session_closure import close_with_offers
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from config.tenants.models import Organization
from payments.models import Payment
from scheduling.models import Reservation, Session
from scheduling.services import reservations
from scheduling.services.sessions import SessionInUse, cancel_session
from tests.bookings.paid import (
    begin,
    kinds_of,
    paid,
    pay,
    payment_of,
    refunds_of,
    reservation_of,
    sale,
    settle,
    shop,
    submit,
)  # fmt: skip
from tests.bookings.selling import make_code
from tests.concurrency.races import Places, places_of
from tests.factories import CUSTOMER, hold, lapse, make_session, make_voucher, shift_session, stranger
from tests.pages.test_booking_pages import text
from tests.staff.conftest import SignIn, sign_in

__all__ = ["sign_in"]
pytestmark = pytest.mark.django_db
STAFF = Actor(kind=ActorKind.STAFF, channel="admin", detail={"note": "the boat is broken"})
DAY = timedelta(days=1)


def expire(booking: Booking) -> None:
    lapse(reservation_of(booking), ago=timedelta(minutes=1))
    assert expiry.expire_pending_bookings() == 1


def leave(booking: Booking) -> None:
    leaving.leave_checkout(basket=reservation_of(booking).basket, actor=CUSTOMER)


UNPAID: dict[str, Callable[[Booking], None]] = {"pending": lambda _: None, "expired": expire, "cancelled": leave}


@pytest.fixture(params=UNPAID)
def unpaid(request: pytest.FixtureRequest) -> Booking:
    """Return a booking that was begun and not paid, as it can be by now."""
    booking = begin(sale(), 2)
    UNPAID[request.param](booking)
    booking.refresh_from_db()
    assert booking.status == request.param
    return booking


def session_of(booking: Booking) -> Session:
    return Session.objects.select_related("activity__venue").get(lines__booking=booking)


# Nobody is expected -----------------------------------------------------------------------------------------------


def test_the_door_expects_nobody_who_has_not_paid_and_its_code_offers_no_check_in(
    unpaid: Booking, sign_in: SignIn
) -> None:
    session = session_of(unpaid)
    shift_session(session, starts_in=timedelta(minutes=-5))
    [shown] = door_sessions(session.activity.venue, now=database_now())
    assert (shown.expected, shown.arrivals) == (0, ())
    scanned = text(sign_in(unpaid.organization, "reception").get("/staff/check-in/", {"code": check_in_code(unpaid)}))
    assert f"This booking is {unpaid.status}." in scanned
    assert f"{unpaid.contact_name} {unpaid.number}" in scanned
    assert "Check in" not in scanned.split("This booking is")[1]
    with pytest.raises(attendance.AttendanceNotAllowed):
        attendance.check_in_line(line_id=unpaid.lines.get().id, actor=STAFF)


def test_no_policy_says_whether_they_came(unpaid: Booking) -> None:
    Organization.objects.filter(id=unpaid.organization_id).update(outcome_policy="no_show")
    shift_session(session_of(unpaid), starts_in=-timedelta(hours=2))
    assert attendance.settle_outcomes() == 0
    assert Line.objects.get().attendance == "expected"


def test_nothing_of_it_is_put_into_a_calendar_or_reminded_of(unpaid: Booking) -> None:
    assert b"BEGIN:VEVENT" not in booking_calendar(booking_page(unpaid.number))
    for fact in BookingEvent.objects.filter(booking=unpaid):
        if fact.kind in notifications.TELLERS:
            notifications.notify(fact)
    assert notifications.live_lines(unpaid.id) == []
    assert not Notification.objects.filter(kind__startswith="reminder_").exists()


def test_it_counts_in_no_report_and_in_no_past(unpaid: Booking) -> None:
    session, today = session_of(unpaid), database_now().date()
    found = report_cancellations(organization_id=unpaid.organization_id, since=today - DAY, until=today + DAY)
    assert (found.booked_lines, found.total.lines) == (0, 0)
    then = time_machine.session_as_of(session, database_now())
    assert (then.lines, then.places_booked, then.amount_minor) == ((), 0, 0)
    assert time_machine.find_differences([unpaid]) == []
    assert session.places_booked == 0


def test_a_closing_puts_nobody_of_it_on_the_work_list(unpaid: Booking) -> None:
    change = close_with_offers(session_id=session_of(unpaid).id, actor=STAFF, reason="The boat is broken.")
    assert (change.effects["people"]["bookings"], AffectedLine.objects.count()) == (0, 0)
    assert "session_closed_offers" not in kinds_of(unpaid.id)


def test_who_pays_after_a_closing_has_the_places_and_is_offered_what_everybody_was() -> None:
    waiting = begin(sale())
    close_with_offers(session_id=session_of(waiting).id, actor=STAFF, reason="The boat is broken.")
    booking = pay(waiting)
    assert kinds_of(booking.id)[-1] == "session_closed_offers"
    assert (booking.status, AffectedLine.objects.get().line.booking_id) == ("confirmed", booking.id)
    cancellation.cancel_booking(booking_id=booking.id, actor=CUSTOMER)
    assert (AffectedLine.objects.get().status, [amount for amount, *_ in refunds_of(booking)]) == ("refund", [1000])
    assert check_invariants() == []


def test_held_places_keep_a_session_from_being_called_off_and_an_order_that_is_over_does_not() -> None:
    session = sale()
    waiting = begin(session)
    with pytest.raises(SessionInUse):
        cancel_session(session_id=session.id, actor=STAFF)
    expire(waiting)
    assert cancel_session(session_id=session.id, actor=STAFF).status == "cancelled"


def test_who_began_before_a_closing_and_pays_after_it_is_booked_and_has_the_same_way_out() -> None:
    session = sale(customers_may_cancel=False)
    booking = begin(session)
    close_with_offers(session_id=session.id, actor=STAFF, reason="The boat is broken.")
    assert pay(booking).status == "confirmed"
    cancellation.cancel_booking(booking_id=booking.id, actor=CUSTOMER)
    assert refunds_of(booking) == [(1000, "cancelled", "stripe")]


# Whose data -------------------------------------------------------------------------------------------------------


def test_who_waits_for_a_payment_is_not_erased_and_who_was_erased_is_not_booked_by_late_money() -> None:
    booking = begin(sale())
    with pytest.raises(privacy.StillToCome):
        privacy.erase_customer(customer_id=booking.customer_id, actor=STAFF)
    expire(booking)
    privacy.erase_customer(customer_id=booking.customer_id, actor=STAFF)
    booking = pay(booking)
    assert (booking.status, refunds_of(booking)) == ("expired", [(1000, "late", "stripe")])
    assert booking.events.get(kind="late_payment_returned").reason_code == "customer_erased"


# A part of it -----------------------------------------------------------------------------------------------------


def two_lines(*, apart: timedelta = timedelta(0)) -> tuple[Booking, Reservation, Reservation]:
    """Begin an order of two times, 10.00 each, of which the first one is held for less long."""
    activity = shop()
    first = hold(make_session(activity, starts_in=2 * DAY))
    second = hold(make_session(activity, starts_in=3 * DAY), basket=first.basket)
    Reservation.objects.filter(id=second.id).update(expires_at=second.expires_at + apart)
    return submit(first), first, second


def test_no_part_is_cancelled_of_what_waits_for_its_money_and_all_of_it_is() -> None:
    booking, first, second = two_lines()
    with pytest.raises(IllegalTransition, match="waits for its payment"):
        cancellation.cancel_booking(booking_id=booking.id, actor=STAFF, lines=[booking.lines.get(reservation=first).id])
    booking.refresh_from_db()
    assert (booking.total_minor, booking.deposit_minor, booking.version) == (2000, None, 1)
    cancellation.cancel_booking(booking_id=booking.id, actor=STAFF)
    booking.refresh_from_db()
    assert (booking.status, booking.total_minor) == ("cancelled", 0)
    sessions = Session.objects.filter(id__in=[first.session_id, second.session_id])
    assert {places_of(session) for session in sessions} == {Places(0, 0, 10)}
    assert Payment.objects.filter(expires_at__lte=database_now()).count() == 1  # nobody can pay for it any more
    assert check_invariants() == []


def test_no_part_of_a_voucher_is_given_back_while_the_rest_is_awaited() -> None:
    session = sale()
    gift = make_voucher(session.organization, 600)
    booking = begin(session, voucher=gift.code)
    with pytest.raises(settlement.RebateTooLarge):
        settlement.give_back(booking_id=booking.id, amount_minor=100, actor=STAFF)
    assert pay(booking).status == "confirmed"
    assert refunds_of(booking) == []


def test_what_is_left_of_an_expired_order_can_be_bought_and_its_late_money_goes_back() -> None:
    booking, first, second = two_lines(apart=timedelta(minutes=5))
    late = payment_of(booking)
    lapse(first, ago=timedelta(minutes=1))
    assert expiry.expire_pending_bookings() == 1
    reservations.release_expired_reservations()
    reservations.release_reservation(reservation_id=first.id)  # what has lapsed is taken out of the basket
    second.refresh_from_db()
    rest = submit(second)
    assert (rest.status, rest.total_minor, rest.lines.get().reservation) == ("pending", 1000, second)
    settle(late)
    booking.refresh_from_db()
    assert (booking.status, refunds_of(booking)) == ("expired", [(2000, "late", "stripe")])
    assert (pay(rest).status, refunds_of(rest)) == ("confirmed", [])
    assert time_machine.find_differences(Booking.objects.all()) == []
    assert check_invariants() == []


# What a code takes off is not paid --------------------------------------------------------------------------------


def test_what_a_code_takes_off_is_no_money_in_reports_previews_and_the_past() -> None:
    session = sale(cancel_fee_percent=10)
    shift_session(session, starts_in=5 * DAY)
    make_code(session.organization_id)
    kept, gone = (paid(session, promo_code="summer", contact=stranger()) for _ in range(2))
    assert kept.total_minor == 900
    assert time_machine.session_as_of(session, database_now()).amount_minor == 1800
    cancellation.cancel_booking(booking_id=gone.id, actor=CUSTOMER)  # of 9.00 a tenth is kept
    today = database_now().date()
    found = report_cancellations(organization_id=session.organization_id, since=today - DAY, until=today + DAY)
    assert found.total.given_up_minor == {"GBP": 810}
    change = close_with_offers(session_id=session.id, actor=STAFF, reason="The boat is broken.")
    assert change.effects["people"]["money"] == {"GBP": 900}
    assert time_machine.find_differences(Booking.objects.all()) == []


def test_the_past_shows_what_was_to_be_paid(sign_in: SignIn) -> None:
    session = sale()
    make_code(session.organization_id)
    booking = paid(session, promo_code="summer")
    last: Any = booking.events.latest("seq")
    client: Client = sign_in(booking.organization)
    shown = text(client.get(f"/admin/bookings/booking/{booking.id}/as-it-was/{last.seq}/"))
    assert "£9.00 in all" in shown
    assert "£10.00" not in shown
