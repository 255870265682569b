"""Deposits, vouchers and ways to pay, as the rules decide them: what is due at once, what is due later, and how."""

from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction

from bookings.models import Booking
from bookings.orders import Terms, Wanted
from bookings.services import cancellation, changes
from bookings.services.validation import Order, Verdict, validate_booking
from config.kit.clock import database_now
from config.kit.facts import SYSTEM
from config.kit.refusals import InvalidRequest
from payments.methods import PaymentMethod, PaymentRequired, settling_method
from payments.models import Payment
from payments.services import charges
from scheduling.models import Session
from scheduling.services.assessing import Party
from tests.bookings.paid import shop
from tests.bookings.selling import make_code, sells_online
from tests.factories import ANNA, CUSTOMER, book, make_activity, make_organization, make_session, make_voucher

pytestmark = pytest.mark.django_db

LONDON = ZoneInfo("Europe/London")
FAR = timedelta(days=60)


def judge(*sessions: Session, **terms: Any) -> Verdict:
    lines = [Wanted(Party(session.id, 2)) for session in sessions]
    return validate_booking(Order(ANNA, Terms(**terms), lines=lines))


def end_of(day: date) -> datetime:
    return datetime.combine(day, time(23, 59, 59), tzinfo=LONDON)


def asked(verdict: Verdict) -> tuple[int | None, int | None, int, int]:
    """Return the total, the deposit, what the voucher pays and what is due now."""
    return verdict.total_minor, verdict.deposit_minor, verdict.voucher_minor, verdict.due_now_minor


# What is due, and when --------------------------------------------------------------------------------------------


def test_a_deposit_is_due_now_and_the_rest_so_many_days_before_the_start() -> None:
    session = make_session(shop(deposit_percent=30, balance_days=10), starts_in=FAR)
    verdict = judge(session)
    assert (asked(verdict), verdict.method) == ((2000, 600, 0, 600), PaymentMethod.ONLINE)
    assert verdict.balance_due_at == end_of(session.starts_at.astimezone(LONDON).date() - timedelta(days=10))


def test_a_deposit_is_of_what_the_code_left_and_the_voucher_pays_last() -> None:
    activity = shop(deposit_percent=30)
    make_code(activity.organization_id, code="HALF", percent=50)
    voucher = make_voucher(activity.organization, 250)
    verdict = judge(make_session(activity, starts_in=FAR), promo_code="half", voucher=voucher.code)
    assert asked(verdict) == (1000, 300, 250, 50)
    assert verdict.voucher == voucher


def test_everything_is_due_now_when_the_rest_would_be_due_already() -> None:
    activity = shop(deposit_percent=30, balance_days=10)
    late, early = make_session(activity, starts_in=timedelta(days=9)), make_session(activity, starts_in=FAR)
    assert asked(judge(late)) == (2000, None, 0, 2000)
    assert asked(judge(early, late)) == (4000, None, 0, 4000)


def test_the_earliest_of_several_days_counts_and_what_has_no_deposit_is_paid_whole() -> None:
    activity = shop(deposit_percent=30, balance_days=20)
    sooner = make_activity(activity.venue, pay_on_arrival=False, deposit_percent=50, balance_days=40)
    whole = make_activity(activity.venue, pay_on_arrival=False)
    sessions = [make_session(each, starts_in=FAR) for each in (activity, sooner, whole)]
    verdict = judge(*sessions)
    assert asked(verdict) == (6000, 600 + 1000 + 2000, 0, 3600)
    assert verdict.balance_due_at == end_of(sessions[1].starts_at.astimezone(LONDON).date() - timedelta(days=40))


def test_who_pays_on_arrival_pays_no_deposit() -> None:
    session = make_session(shop(deposit_percent=30, pay_on_arrival=True), starts_in=FAR)
    assert (judge(session).method, asked(judge(session))) == (PaymentMethod.PAY_ON_ARRIVAL, (2000, None, 0, 0))
    chosen = judge(session, payment_method="online")
    assert (chosen.method, asked(chosen)) == (PaymentMethod.ONLINE, (2000, 600, 0, 600))


def with_a_deposit(session: Session, *, due_at: datetime) -> Booking:
    booking = book(session)
    Booking.objects.filter(id=booking.id).update(payment_method="online", deposit_minor=300, balance_due_at=due_at)
    return booking


def test_a_moved_booking_owes_the_rest_before_its_new_time() -> None:
    activity = make_activity(deposit_percent=30, balance_days=10)
    first, later, soon = (make_session(activity, starts_in=timedelta(days=days)) for days in (60, 90, 8))
    booking = with_a_deposit(first, due_at=end_of(first.starts_at.date() - timedelta(days=10)))
    line = booking.lines.get()

    moved = changes.move_line(line_id=line.id, session_id=later.id, actor=CUSTOMER)
    assert moved.balance_due_at == end_of(later.starts_at.astimezone(LONDON).date() - timedelta(days=10))

    before = database_now()
    moved = changes.move_line(line_id=line.id, session_id=soon.id, actor=CUSTOMER)
    assert moved.balance_due_at is not None
    assert before <= moved.balance_due_at <= database_now()  # it would have been due: it is due now


def test_a_cancelled_line_no_longer_decides_when_the_rest_is_due() -> None:
    activity = make_activity(deposit_percent=30, balance_days=10, late_cancel_fee_percent=0)
    first, later = (make_session(activity, starts_in=timedelta(days=days)) for days in (60, 90))
    booking = book(first, later)
    due_at = end_of(first.starts_at.date() - timedelta(days=10))
    Booking.objects.filter(id=booking.id).update(payment_method="online", deposit_minor=300, balance_due_at=due_at)
    after = cancellation.cancel_booking(
        booking_id=booking.id, actor=CUSTOMER, lines=[booking.lines.get(session=first).id]
    )
    assert after.balance_due_at == end_of(later.starts_at.astimezone(LONDON).date() - timedelta(days=10))


# How it is paid ---------------------------------------------------------------------------------------------------

ONLINE, ARRIVAL, FREE = PaymentMethod.ONLINE, PaymentMethod.PAY_ON_ARRIVAL, PaymentMethod.FREE


@pytest.mark.parametrize(
    ("chosen", "total", "covered", "arrival", "account", "expected"),
    [
        (None, 0, 0, False, False, FREE),
        ("online", 0, 0, False, True, FREE),
        ("free", 100, 0, True, True, "not_free"),
        (None, 100, 0, True, True, ARRIVAL),
        (None, 100, 0, False, True, ONLINE),
        (None, 100, 0, False, False, "payment_required"),
        ("online", 100, 0, True, True, ONLINE),
        ("online", 100, 0, True, False, "payment_required"),
        ("pay_on_arrival", 100, 0, True, True, ARRIVAL),
        ("pay_on_arrival", 100, 0, False, True, "not_on_arrival"),
        (None, 100, 40, True, True, ARRIVAL),
        (None, 100, 40, False, False, "payment_required"),
        (None, 100, 100, False, False, ONLINE),  # a voucher that covers everything needs no account
        ("pay_on_arrival", 100, 100, True, True, ONLINE),
        ("free", 100, 100, True, True, "not_free"),
    ],
)
def test_a_total_is_settled_in_one_way_or_refused(
    *, chosen: str | None, total: int, covered: int, arrival: bool, account: bool, expected: str
) -> None:
    def settle() -> str:
        try:
            return settling_method(
                chosen=chosen, total_minor=total, covered_minor=covered, on_arrival_allowed=arrival,
                online_allowed=account,
            )  # fmt: skip
        except InvalidRequest as refused:
            return refused.errors[0].code
        except PaymentRequired as refused:
            return refused.code

    assert settle() == expected


@pytest.mark.parametrize(
    ("worth", "expected"),
    [
        # the deposit, what the voucher pays, and what is due now
        (500, (600, 500, 100)),
        (1999, (600, 1999, 0)),
        (2000, (None, 2000, 0)),  # nothing is left for later
        (5000, (None, 2000, 0)),
    ],
)
def test_a_voucher_pays_what_it_can(worth: int, expected: tuple[int | None, int, int]) -> None:
    activity = shop(deposit_percent=30)
    voucher = make_voucher(activity.organization, worth)
    verdict = judge(make_session(activity, starts_in=FAR), voucher=voucher.code.lower())
    assert (verdict.method, asked(verdict)) == (ONLINE, (2000, *expected))


def test_a_voucher_that_cannot_pay_is_named_with_everything_else() -> None:
    activity = shop()
    stranger = make_voucher(make_organization(), 5000)
    verdict = judge(make_session(activity, starts_in=FAR), voucher=stranger.code, expected_total=1, promo_code="NO")
    assert {(error.field, error.code) for error in verdict.errors} == {
        ("promo_code", "unknown_promo_code"), ("voucher", "unknown_voucher"), ("expected_total", "total_differs"),
    }  # fmt: skip
    assert asked(verdict) == (2000, None, 0, 2000)


def test_a_code_for_everything_leaves_a_voucher_and_a_deposit_alone() -> None:
    activity = shop(deposit_percent=30)
    make_code(activity.organization_id, code="ALL", percent=100)
    voucher = make_voucher(activity.organization, 5000)
    verdict = judge(make_session(activity, starts_in=FAR), promo_code="ALL", voucher=voucher.code)
    assert (verdict.method, asked(verdict), verdict.voucher) == (FREE, (0, None, 0, 0), None)


@pytest.mark.parametrize("amount", [0, -1, -2000])
def test_no_payment_of_nothing_or_less_is_opened(amount: int) -> None:
    organization = sells_online()
    with pytest.raises(InvalidRequest), transaction.atomic():
        charges.open_payment(
            organization_id=organization.id, reference=uuid4(), amount_minor=amount, currency="GBP",
            purpose=Payment.Purpose.WHOLE, description="Archery", payer_email=ANNA.email, language="en",
            expires_at=None, actor=SYSTEM,
        )  # fmt: skip
    assert not Payment.objects.exists()
