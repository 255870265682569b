"""Any acts with money in any order: the ledger comes to nought, and says of every place what the rows say."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.kit.ids import uuid7
from config.kit.refusals import Refusal
from payments.models import Dispute, LedgerEntry, Payment, ProviderAccount, Refund, Voucher
from payments.providers.base import State
from payments.services import ledger, refunds, vouchers
from payments.services.balances import balance_of
from payments.services.disputes import apply_dispute_outcome
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

REFERENCE = uuid7()
DISPUTE_STATES = [("open", False), ("open", True), ("won", True), ("won", False), ("lost", True)]

pick = st.integers(0, 5)
minor = st.integers(1, 3000)
ACTS = st.one_of(
    st.tuples(st.just("pay"), minor),
    st.tuples(st.just("pay_at_desk"), minor),
    st.tuples(st.just("issue"), minor),
    st.tuples(st.just("redeem"), pick, minor),
    st.tuples(st.just("end"), pick),
    st.tuples(st.just("open"), pick),
    st.tuples(st.just("refund"), pick, minor),
    st.tuples(st.just("refund_any"), minor),
    st.tuples(st.just("hand_back"), pick),
    st.tuples(st.just("hear_of_refund"), pick, st.sampled_from(State), st.integers(1, 3)),
    st.tuples(st.just("hear_of_hand_made_refund"), pick, st.sampled_from(State), minor),
    st.tuples(st.just("hear_of_dispute"), pick, st.sampled_from(DISPUTE_STATES)),
)


class Money:
    """The acts; what is refused is refused."""

    def __init__(self) -> None:
        """Begin with an account and nothing paid."""
        self.account: ProviderAccount = make_account()

    def pay(self, amount: int) -> None:
        paid(self.account, amount, reference=REFERENCE)

    def pay_at_desk(self, amount: int) -> None:
        paid_at_desk(self.account.organization_id, amount, reference=REFERENCE)

    def issue(self, amount: int) -> None:
        make_voucher(self.account.organization_id, amount)

    def redeem(self, number: int, amount: int) -> None:
        with_one(Voucher.objects.order_by("id"), number, lambda row: redeemed(row, amount, reference=REFERENCE))

    def end(self, number: int) -> None:
        with_one(
            Voucher.objects.order_by("id"), number, lambda row: vouchers.end_voucher(voucher_id=row.id, actor=STAFF)
        )

    def open(self, number: int) -> None:
        with_one(
            Voucher.objects.order_by("id"), number, lambda row: vouchers.open_voucher(voucher_id=row.id, actor=STAFF)
        )

    def refund(self, number: int, amount: int) -> None:
        with_one(Payment.objects.order_by("id"), number, lambda row: give_back(row, amount))

    def refund_any(self, amount: int) -> None:
        asked: dict[str, Any] = {"reason": Refund.Reason.CHANGED, "actor": STAFF}
        refunds.request_refunds(reference=REFERENCE, amount_minor=amount, **asked)

    def hand_back(self, number: int) -> None:
        with_one(Refund.objects.order_by("id"), number, lambda row: refunds.hand_back(row.id, actor=STAFF))

    def hear_of_refund(self, number: int, state: State, ref: int) -> None:
        """Hear of a refund by the bank's name for one of three attempts at it."""
        about = Refund.objects.filter(payment__provider="stripe").exclude(reason="at_provider").order_by("id")

        def hear(refund: Refund) -> None:
            news = {"refund_id": refund.id, "amount_minor": refund.amount_minor}
            # Only what it was asked for can have been done: attempts in their order.
            if ref <= refund.attempt:
                said = said_of_refund(refund.payment, state, f"re_{refund.id}_{ref}", **news)
                apply_refund_outcome(self.account.id, said)

        with_one(about, number, hear)

    def hear_of_hand_made_refund(self, number: int, state: State, amount: int) -> None:
        def hear(payment: Payment) -> None:
            went = balance_of_payment(payment)
            if amount <= payment.amount_minor - went:  # a bank sends no more back than it has
                said = said_of_refund(payment, state, f"re_hand_{number}_{amount}", amount_minor=amount)
                apply_refund_outcome(self.account.id, said)

        with_one(Payment.objects.filter(provider="stripe").order_by("id"), number, hear)

    def hear_of_dispute(self, number: int, news: tuple[str, bool]) -> None:
        def hear(payment: Payment) -> None:
            said = said_of_dispute(payment, news[0], is_withdrawn=news[1], provider_ref=f"dp_{payment.id}")
            apply_dispute_outcome(self.account.id, said)

        with_one(Payment.objects.filter(provider="stripe").order_by("id"), number, hear)


def with_one(rows: Any, number: int, act: Callable[[Any], object]) -> None:
    """Act on one of the rows, if there is any."""
    found = list(rows)
    if found:
        act(found[number % len(found)])


def balance_of_payment(payment: Payment) -> int:
    """Return what the bank has sent back of a payment, or has taken to send."""
    gone = Refund.objects.filter(payment=payment, status__in=["submitted", "succeeded"])
    return total(gone)


def total(rows: Any) -> int:
    return rows.aggregate(sum=Sum("amount_minor"))["sum"] or 0


def expected() -> dict[str, int]:
    """Return by account what the rows say, apart from the ledger."""
    settled, back = Payment.objects.filter(status="succeeded"), Refund.objects.filter(status="succeeded")
    away = Dispute.objects.filter(is_withdrawn=True)
    given = Voucher.objects.aggregate(issued=Sum("issued_minor"), left=Sum("balance_minor"))
    ended = -(total(LedgerEntry.objects.filter(transaction__kind="voucher_ended", account="given")))
    net = {
        provider: total(settled.filter(provider=provider)) - total(back.filter(payment__provider=provider))
        for provider in ("stripe", "on_arrival", "voucher")
    }
    sums = {
        "clearing": net["stripe"] - total(away),
        "till": net["on_arrival"],
        "vouchers": -(given["left"] or 0),
        "given": (given["issued"] or 0) - ended,
        "bookings": -sum(net.values()),
        "disputed": total(away.exclude(status="lost")),
        "lost": total(away.filter(status="lost")),
    }
    return {account: amount for account, amount in sums.items() if amount}


def check() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    assert accounts() == expected()
    assert sum(accounts().values()) == 0
    for voucher in Voucher.objects.all():
        assert voucher.balance_minor == total(voucher.entries.all())
    if Payment.objects.filter(reference=REFERENCE, status="succeeded").exists():
        balance, gone = balance_of(REFERENCE), Refund.objects.exclude(status="failed")
        assert balance.paid_minor == total(Payment.objects.filter(status="succeeded"))
        assert balance.refunded_minor + balance.returning_minor == total(gone) <= balance.paid_minor


def run(acts: list[tuple[Any, ...]]) -> None:
    """Do one after the other, and look at the books after each; leave nothing."""
    with transaction.atomic():
        money = Money()
        for name, *given_with in acts:
            with suppress(Refusal), transaction.atomic():
                getattr(money, name)(*given_with)
            check()
        transaction.set_rollback(True)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ACTS, max_size=14))
def test_the_books_agree_with_the_rows_after_any_acts(acts: list[tuple[Any, ...]]) -> None:
    run(acts)


def test_a_movement_without_its_entry_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a refund that the ledger does not hear of."""
    monkeypatch.setattr(ledger, "post_refund", lambda *_, **__: None)
    acts = [("pay", 100), ("refund", 0, 40), ("hear_of_refund", 0, State.SUCCEEDED, 1)]
    with pytest.raises(AssertionError):
        run(acts)
