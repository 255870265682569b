"""The auditor's findings about money: each is broken behind every guard's back, and the row is named."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from django.core.cache import cache

from alerts.services import auditor
from alerts.services.fan_out import FAN_OUT_RAN
from bookings.models import Booking
from bookings.services import cancellation, settlement
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from payments.models import LedgerTransaction, Payment, ProviderEvent, Refund, Voucher
from payments.services import vouchers
from tests.bookings.selling import make_code
from tests.concurrency.conftest import as_owner
from tests.conftest import empty_database
from tests.factories import (
    answer_refund,
    book,
    book_online,
    decide_dispute,
    dispute,
    give_up_refund,
    make_account,
    make_session,
    make_voucher,
    pay,
)  # fmt: skip
from tests.invariants.test_auditor import corrupt, found
from tests.payments.money import request_all

pytestmark = pytest.mark.usefixtures("committed_db")

STAFF = Actor(kind=ActorKind.STAFF, channel="admin")
LONG_AGO = "UPDATE payments_payment SET settled_at = settled_at - interval '16 minutes' WHERE id = %s"


@pytest.fixture
def booking() -> Booking:
    """Return a booking of 20.00 that was paid online."""
    return pay(book_online(make_session(), party_size=2))


@pytest.fixture
def payment(booking: Booking) -> Payment:
    return Payment.objects.get(reference=booking.id)


@pytest.fixture
def refund(booking: Booking) -> Refund:
    """Return a refund of 5.00 that arrived; the price was lowered by as much."""
    settlement.give_back(booking_id=booking.id, amount_minor=500, actor=STAFF, reason_code="goodwill")
    return answer_refund(Refund.objects.get(reference=booking.id))


@pytest.fixture
def voucher(booking: Booking) -> Voucher:
    return make_voucher(booking.organization)


@contextmanager
def without_check(table: str, name: str) -> Iterator[None]:
    """Take a CHECK away; afterwards the database is emptied, and it stands again."""
    with as_owner() as owner:
        row = owner.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [name]).fetchone()
        assert row is not None
        owner.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}".encode())
    try:
        yield
    finally:
        empty_database()
        with as_owner() as owner:
            owner.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {row[0]}".encode())


def cancel(booking: Booking) -> None:
    cancellation.cancel_booking(booking_id=booking.id, actor=STAFF, reason_code="weather", waive_fee=True)


def test_nothing_is_found_whatever_became_of_honest_money(refund: Refund, voucher: Voucher) -> None:
    kept = pay(book_online(make_session()))
    cancellation.cancel_booking(booking_id=kept.id, actor=STAFF, reason_code="asked")
    cancel(pay(book_online(make_session())))
    declined = pay(book_online(make_session()))
    cancel(declined)
    give_up_refund(Refund.objects.get(reference=declined.id))
    for decision in ("won", "lost", ""):
        asked = dispute(Payment.objects.get(reference=pay(book_online(make_session())).id))
        if decision:
            decide_dispute(asked, decision)
    session = make_session()
    in_part = pay(book_online(session, party_size=2, voucher=make_voucher(session.organization, 1500).code))
    cancel(in_part)
    vouchers.end_voucher(voucher_id=voucher.id, actor=STAFF)
    corrupt("UPDATE payments_payment SET settled_at = settled_at - interval '1 hour' WHERE status = 'succeeded'", [])
    assert [str(finding) for finding in auditor.check_invariants()] == []


# Booking and payment agree (R-TST-08) -------------------------------------------------------------------------------


def test_i04_finds_a_booking_that_is_confirmed_without_its_money() -> None:
    booking = book_online(make_session())
    corrupt("UPDATE bookings_booking SET status = 'confirmed' WHERE id = %s", [booking.id])
    assert ("I04", booking.id) in found()


def test_i04_asks_for_the_deposit_alone_and_counts_what_is_disputed(booking: Booking, payment: Payment) -> None:
    later = "UPDATE bookings_booking SET deposit_minor = %s, balance_due_at = now() WHERE id = %s"
    corrupt("UPDATE bookings_line SET amount_minor = 5000 WHERE booking_id = %s", [booking.id])
    corrupt("UPDATE bookings_booking SET total_minor = 5000 WHERE id = %s", [booking.id])
    corrupt(later, [2000, booking.id])
    dispute(payment)
    assert found() == set()
    corrupt(later, [2001, booking.id])
    assert found() == {("I04", booking.id)}


def test_i04_counts_money_that_goes_back_and_not_what_staff_sent_back_at_the_provider(
    booking: Booking, payment: Payment
) -> None:
    [refund] = request_all(payment.reference, 1)
    assert found() == {("I04", booking.id)}
    corrupt("UPDATE payments_refund SET reason = 'at_provider' WHERE id = %s", [refund.id])
    assert found() == set()


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_i05_finds_money_without_a_live_booking_once_news_had_its_time(
    booking: Booking, payment: Payment, status: str
) -> None:
    corrupt(
        "UPDATE bookings_booking SET status = %s, total_minor = 500, fee_minor = 500 WHERE id = %s",
        [status, booking.id],
    )
    corrupt("UPDATE bookings_line SET status = 'cancelled', cancelled_at = now() WHERE booking_id = %s", [booking.id])
    assert not {("I05", payment.id), ("I06", booking.id)} & found()
    corrupt(LONG_AGO, [payment.id])
    assert {("I05", payment.id), ("I06", booking.id)} <= found()
    owed = 500 if status == "cancelled" else 0
    request_all(payment.reference, 2000 - owed, reason=Refund.Reason.CANCELLED)
    assert not {("I05", payment.id), ("I06", booking.id)} & found()


def test_i05_finds_money_for_nothing_that_we_know(payment: Payment) -> None:
    corrupt("UPDATE payments_payment SET reference = %s WHERE id = %s", [uuid4(), payment.id])
    corrupt(LONG_AGO, [payment.id])
    assert ("I05", payment.id) in found()


def test_i06_finds_a_customer_who_was_charged_twice(booking: Booking, payment: Payment) -> None:
    twice = """INSERT INTO payments_payment (id, organization_id, provider, account_id, reference, purpose, status,
        amount_minor, currency, description, payer_email, language, provider_ref, intent_ref, redirect_url, settled_at,
        failure_code, looks, event_seq, event_hash)
        SELECT %s, organization_id, provider, account_id, reference, purpose, status, amount_minor, currency,
        description, payer_email, language, 'cs_x', 'pi_x', redirect_url, settled_at - interval '16 minutes',
        failure_code, looks, 0, '' FROM payments_payment WHERE id = %s"""
    corrupt(twice, [uuid4(), payment.id])
    corrupt(LONG_AGO, [payment.id])
    assert ("I06", booking.id) in found()


@pytest.mark.parametrize("change", ["currency = 'EUR'", "organization_id = id"])
def test_i27_finds_a_payment_in_another_currency_or_of_another_organization(payment: Payment, change: str) -> None:
    corrupt(f"UPDATE payments_payment SET {change} WHERE id = %s", [payment.id])
    assert ("I27", payment.id) in found()


def test_i27_finds_a_payment_of_which_its_booking_says_nothing(payment: Payment) -> None:
    corrupt("UPDATE bookings_bookingevent SET kind = 'forgotten' WHERE kind = 'payment_received'", [])
    assert ("I27", payment.id) in found()


# Prices -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change", ["total_minor = total_minor + 1", "fee_minor = 1", "rebate_minor = 1", "total_minor = 0"]
)
def test_i19_finds_a_total_that_its_parts_do_not_come_to(booking: Booking, change: str) -> None:
    corrupt(f"UPDATE bookings_booking SET {change} WHERE id = %s", [booking.id])
    assert ("I19", booking.id) in found()


def test_i19_finds_a_discount_without_its_code(booking: Booking) -> None:
    corrupt("UPDATE bookings_line SET discount_minor = 500 WHERE booking_id = %s", [booking.id])
    corrupt("UPDATE bookings_booking SET total_minor = 1500 WHERE id = %s", [booking.id])
    assert ("I19", booking.lines.get().id) in found()


def test_i19_finds_a_discount_beyond_the_price(booking: Booking) -> None:
    with without_check("bookings_line", "line_discount_within_amount"):
        corrupt("UPDATE bookings_line SET discount_minor = amount_minor + 1 WHERE booking_id = %s", [booking.id])
        assert ("I19", booking.lines.get().id) in found()


def test_i19_finds_a_free_booking_that_costs_something() -> None:
    booking = book(make_session())
    with without_check("bookings_booking", "booking_free_means_zero"):
        corrupt("UPDATE bookings_booking SET payment_method = 'free' WHERE id = %s", [booking.id])
        assert ("I19", booking.id) in found()


# Payments and refunds ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["amount_minor = 2001", "currency = 'EUR'", "reference = id"])
def test_i07_finds_a_refund_beyond_its_payment_or_not_of_it(payment: Payment, refund: Refund, change: str) -> None:
    corrupt(f"UPDATE payments_refund SET {change} WHERE id = %s", [refund.id])
    assert ("I07", payment.id) in found()


def test_i07_finds_a_refund_of_what_was_never_paid(payment: Payment, refund: Refund) -> None:
    corrupt("UPDATE payments_payment SET status = 'failed', settled_at = NULL WHERE id = %s", [payment.id])
    assert ("I07", payment.id) in found()


def test_i10_finds_a_payment_whose_facts_have_a_gap_or_end_elsewhere(payment: Payment) -> None:
    corrupt("UPDATE payments_payment SET event_seq = event_seq + 1 WHERE id = %s", [payment.id])
    assert ("I10", payment.id) in found()
    corrupt("UPDATE payments_payment SET event_seq = event_seq - 1 WHERE id = %s", [payment.id])
    assert found() == set()
    corrupt("UPDATE payments_payment SET status = 'cancelled', settled_at = NULL WHERE id = %s", [payment.id])
    assert ("I10", payment.id) in found()


@pytest.mark.parametrize("change", ["after = '{}'", "kind = 'payment_failed'", "at = at + interval '1 second'"])
def test_i12_finds_a_rewritten_fact_of_a_payment(payment: Payment, change: str) -> None:
    last = payment.history.order_by("-seq")[0]
    corrupt(f"UPDATE payments_paymentevent SET {change} WHERE id = %s", [last.id])
    assert ("I12", payment.id) in found()


# The ledger -------------------------------------------------------------------------------------------------------


def test_i08_finds_a_movement_of_one_side(payment: Payment) -> None:
    moved = LedgerTransaction.objects.get(source_id=payment.id)
    corrupt("DELETE FROM payments_ledgerentry WHERE transaction_id = %s AND account = 'bookings'", [moved.id])
    assert found() == {("I08", moved.id)}


def test_i09_finds_a_payment_of_which_the_ledger_knows_nothing_or_too_much(payment: Payment) -> None:
    moved = LedgerTransaction.objects.get(source_id=payment.id)
    more = "UPDATE payments_ledgerentry SET amount_minor = amount_minor + sign(amount_minor) WHERE transaction_id = %s"
    corrupt(more, [moved.id])
    assert found() == {("I09", payment.id)}
    corrupt("DELETE FROM payments_ledgerentry WHERE transaction_id = %s", [moved.id])
    corrupt("DELETE FROM payments_ledgertransaction WHERE id = %s", [moved.id])
    assert found() == {("I09", payment.id)}


def test_i09_finds_a_refund_that_the_ledger_does_not_know(refund: Refund) -> None:
    moved = LedgerTransaction.objects.get(source_id=refund.id)
    corrupt("DELETE FROM payments_ledgerentry WHERE transaction_id = %s", [moved.id])
    assert found() == {("I09", refund.id), ("I08", moved.id)}


def test_i09_finds_a_dispute_whose_money_did_not_move(payment: Payment) -> None:
    asked = dispute(payment, is_withdrawn=False)
    assert found() == set()
    corrupt("UPDATE payments_dispute SET is_withdrawn = true WHERE id = %s", [asked.id])
    assert found() == {("I09", asked.id)}


def test_i09_finds_a_movement_of_nothing_that_we_know(payment: Payment) -> None:
    moved = LedgerTransaction.objects.get(source_id=payment.id)
    corrupt("UPDATE payments_ledgertransaction SET source_id = %s WHERE id = %s", [uuid4(), moved.id])
    assert found() == {("I09", payment.id), ("I09", moved.id)}


# Vouchers and the inbox -------------------------------------------------------------------------------------------


def test_i24_finds_a_balance_that_is_not_the_sum_of_what_happened(voucher: Voucher) -> None:
    corrupt("UPDATE payments_voucher SET balance_minor = balance_minor - 1 WHERE id = %s", [voucher.id])
    assert found() == {("I24", voucher.id)}


@pytest.mark.parametrize("balance", [-1, 5001])
def test_i24_finds_a_balance_below_nought_or_beyond_what_was_given(voucher: Voucher, balance: int) -> None:
    checks = ("voucher_balance_within", "payments_voucher_balance_minor_check")
    with without_check("payments_voucher", checks[0]), without_check("payments_voucher", checks[1]):
        corrupt("UPDATE payments_voucher SET balance_minor = %s WHERE id = %s", [balance, voucher.id])
        corrupt(
            "UPDATE payments_voucherentry SET amount_minor = 5002 WHERE voucher_id = %s AND %s > 0",
            [voucher.id, balance],
        )
        assert ("I24", voucher.id) in found()


def test_i24_finds_a_voucher_that_the_ledger_owes_another_amount_on(voucher: Voucher) -> None:
    corrupt("UPDATE payments_ledgerentry SET amount_minor = amount_minor * 2", [])
    assert ("I24", voucher.id) in found()


@pytest.mark.parametrize(
    "break_it", ["UPDATE bookings_promocode SET uses = 2", "UPDATE bookings_promouse SET released_at = now()"]
)
def test_i24_finds_a_promo_code_whose_uses_are_miscounted(break_it: str) -> None:
    session = make_session()
    code = make_code(session.organization_id)
    pay(book_online(session, promo_code="summer"))
    assert found() == set()
    corrupt(break_it, [])
    assert found() == {("I24", code.id)}


def test_i16_finds_news_of_a_provider_that_the_running_clockwork_forgot(booking: Booking) -> None:
    event = ProviderEvent.objects.create(
        organization=booking.organization, account=make_account(booking.organization), event_id="evt_1",
        kind="checkout.session.completed", payload={}, occurred_at=database_now(),
    )  # fmt: skip
    cache.set(FAN_OUT_RAN, 0)
    assert ("I16", event.id) not in found()
    corrupt("UPDATE payments_providerevent SET received_at = received_at - interval '6 minutes'", [])
    assert ("I16", event.id) in found()
    corrupt("UPDATE payments_providerevent SET last_error = 'waits for its payment'", [])
    assert ("I16", event.id) not in found()
    corrupt("UPDATE payments_providerevent SET received_at = received_at - interval '6 hours'", [])
    assert ("I16", event.id) in found()
    cache.delete(FAN_OUT_RAN)
    assert ("I16", event.id) not in found()
