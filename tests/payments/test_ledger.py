"""Two sides to every movement: what is posted for what, and what a statement of it says."""

import csv
import io
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from config.kit.clock import database_now
from config.kit.ids import uuid7
from payments.models import LedgerEntry, LedgerTransaction, Payment
from payments.providers.base import State
from payments.services import ledger, refunds, vouchers
from payments.services.disputes import apply_dispute_outcome
from payments.services.ledger import AccountTotals
from payments.services.refund_outcomes import apply_refund_outcome
from tests.payments.money import (
    STAFF,
    accounts,
    give_back,
    make_account,
    make_voucher,
    paid,
    paid_at_desk,
    redeemed,
    said_of_dispute,
    said_of_refund,
)

pytestmark = pytest.mark.django_db

A_DAY = timedelta(days=1)


def posted() -> list[tuple[str, int, dict[str, int]]]:
    """Return every transaction in order: its kind, its occurrence, and its sides."""
    rows = LedgerTransaction.objects.order_by("id").prefetch_related("entries")
    return [
        (row.kind, row.occurrence, {entry.account: entry.amount_minor for entry in row.entries.all()}) for row in rows
    ]


def test_each_movement_is_posted_with_its_two_sides() -> None:
    account = make_account()
    card, disputed = paid(account, 4500), paid(account, 900)
    desk = paid_at_desk(account.organization_id, 300, reference=uuid7())
    refund = give_back(card, 500)
    for state, ref in ((State.SUCCEEDED, "re_1"), (State.FAILED, "re_1"), (State.SUCCEEDED, "re_2")):
        news = said_of_refund(card, state, ref, refund_id=refund.id, amount_minor=500)
        apply_refund_outcome(account.id, news)
    refunds.hand_back(give_back(desk).id, actor=STAFF)
    for status, is_withdrawn in (("open", True), ("won", False)):
        apply_dispute_outcome(account.id, said_of_dispute(disputed, status, is_withdrawn=is_withdrawn))
    apply_dispute_outcome(
        account.id, said_of_dispute(card, "lost", is_withdrawn=True, provider_ref="dp_2", amount_minor=4000)
    )
    voucher = make_voucher(account.organization_id, 1000)
    redeemed(voucher, 400)
    vouchers.end_voucher(voucher_id=voucher.id, actor=STAFF)
    assert posted() == [
        ("payment_settled", 1, {"clearing": 4500, "bookings": -4500}),
        ("payment_settled", 1, {"clearing": 900, "bookings": -900}),
        ("payment_settled", 1, {"till": 300, "bookings": -300}),
        ("refund_settled", 1, {"bookings": 500, "clearing": -500}),
        ("refund_returned", 1, {"clearing": 500, "bookings": -500}),
        ("refund_settled", 2, {"bookings": 500, "clearing": -500}),
        ("refund_settled", 1, {"bookings": 300, "till": -300}),
        ("dispute_withdrawn", 1, {"disputed": 900, "clearing": -900}),
        ("dispute_reinstated", 1, {"clearing": 900, "disputed": -900}),
        ("dispute_withdrawn", 1, {"disputed": 4000, "clearing": -4000}),
        ("dispute_lost", 1, {"lost": 4000, "disputed": -4000}),
        ("voucher_issued", 1, {"given": 1000, "vouchers": -1000}),
        ("payment_settled", 1, {"vouchers": 400, "bookings": -400}),
        ("voucher_ended", 1, {"vouchers": 600, "given": -600}),
    ]
    assert sum(accounts().values()) == 0


def test_a_payment_is_posted_once_even_if_somebody_asks_twice() -> None:
    payment = paid(make_account())
    with pytest.raises(IntegrityError, match="ledger_once"), transaction.atomic():
        ledger.post_payment(payment)
    assert len(posted()) == 1


@pytest.mark.parametrize("amounts", [{}, {"till": 100}, {"till": 100, "bookings": -99}])
def test_the_database_refuses_what_does_not_come_to_nought(amounts: dict[str, int]) -> None:
    organization_id = make_account().organization_id
    with pytest.raises(IntegrityError, match="a ledger transaction of"), transaction.atomic():
        write_sides(organization_id, amounts)


def write_sides(organization_id: UUID, amounts: dict[str, int]) -> None:
    """Write a movement past the service, and have the database look at it now."""
    moved = LedgerTransaction.objects.create(
        organization_id=organization_id, kind="payment_settled", currency="GBP", source_id=uuid7()
    )
    for account, amount in amounts.items():
        LedgerEntry.objects.create(
            organization_id=organization_id, transaction=moved, account=account, amount_minor=amount
        )
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def post_at(organization_id: UUID, at: datetime, amount_minor: int, currency: str = "GBP") -> None:
    """Write a movement between till and bookings at a time."""
    moved = LedgerTransaction.objects.create(
        organization_id=organization_id, kind="payment_settled", currency=currency, source_id=uuid7(), at=at
    )
    for account, amount in (("till", amount_minor), ("bookings", -amount_minor)):
        LedgerEntry.objects.create(
            organization_id=organization_id, transaction=moved, account=account, amount_minor=amount
        )


def test_a_statement_begins_with_what_was_there_and_keeps_a_running_balance() -> None:
    organization_id, other = make_account().organization_id, make_account().organization_id
    until = database_now()
    since = until - A_DAY
    post_at(organization_id, since - A_DAY, 1000)
    for at, amount in ((since, 200), (since + A_DAY / 2, -50), (until, 9999)):
        post_at(organization_id, at, amount)
    post_at(organization_id, since, 7, "EUR")
    post_at(other, since, 7)
    with CaptureQueriesContext(connection) as asked:
        found = ledger.statement(organization_id, "GBP", since, until)
    assert len(asked) == 2
    assert found.totals == [AccountTotals("bookings", -1000, 50, 200), AccountTotals("till", 1000, 200, 50)]
    assert [(total.label, total.closing_minor) for total in found.totals] == [
        ("paid for bookings", -1150), ("at the desk", 1150),
    ]  # fmt: skip
    assert [(line.at, line.account, line.amount_minor, line.balance_minor) for line in found.lines] == [
        (since, "till", 200, 1200),
        (since, "bookings", -200, -1200),
        (since + A_DAY / 2, "bookings", 50, -1150),
        (since + A_DAY / 2, "till", -50, 1150),
    ]
    assert sum(total.closing_minor for total in found.totals) == 0


def test_a_statement_as_csv_has_opening_movements_and_closing_in_the_currencys_own_decimals() -> None:
    organization_id = make_account().organization_id
    since = datetime.fromisoformat("2031-03-09T00:00:00+00:00")
    post_at(organization_id, since - A_DAY, 1005)
    post_at(organization_id, since + A_DAY, -5)
    out = io.StringIO(newline="")
    ledger.write_csv(ledger.statement(organization_id, "GBP", since, since + 2 * A_DAY), out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    picked = [(row["at"], row["account"], row["kind"], row["debit"], row["credit"], row["balance"]) for row in rows]
    assert picked == [
        ("2031-03-09T00:00:00+00:00", "bookings", "opening", "", "", "-10.05"),
        ("2031-03-09T00:00:00+00:00", "till", "opening", "", "", "10.05"),
        ("2031-03-10T00:00:00+00:00", "bookings", "payment_settled", "0.05", "0.00", "-10.00"),
        ("2031-03-10T00:00:00+00:00", "till", "payment_settled", "0.00", "0.05", "10.00"),
        ("2031-03-11T00:00:00+00:00", "bookings", "closing", "", "", "-10.00"),
        ("2031-03-11T00:00:00+00:00", "till", "closing", "", "", "10.00"),
    ]
    assert {row["currency"] for row in rows} == {"GBP"}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tcmd", "\rcmd"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert ledger.text_cell(text) == f"'{text}"
    assert ledger.text_cell(f"a{text}") == f"a{text}"


def test_a_booking_can_be_followed_through_the_ledger() -> None:
    payment: Payment = paid(make_account())
    refund = give_back(payment, 100)
    assert payment.account_id
    apply_refund_outcome(
        payment.account_id, said_of_refund(payment, State.SUCCEEDED, "re_1", refund_id=refund.id, amount_minor=100)
    )
    about: Any = LedgerTransaction.objects.filter(reference=payment.reference).order_by("id")
    assert list(about.values_list("kind", "source_id")) == [
        ("payment_settled", payment.id), ("refund_settled", refund.id),
    ]  # fmt: skip
