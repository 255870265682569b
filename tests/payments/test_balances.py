"""What was paid, went back, is on its way, disputed, or may still be paid."""

import pytest
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from config.kit.ids import uuid7
from config.kit.refusals import NotFound
from payments.models import Refund
from payments.providers.base import State
from payments.services import balances, disputes, refund_outcomes
from payments.services.balances import Balance, balance_of, balances_of
from tests.payments.money import (
    give_back,
    make_account,
    make_voucher,
    opened,
    paid,
    paid_at_desk,
    redeemed,
    said_of_dispute,
    said_of_refund,
)

in_a_transaction = pytest.mark.django_db


@in_a_transaction
def test_a_balance_tells_money_in_every_state_apart() -> None:
    account, reference = make_account(), uuid7()
    card, disputed = (paid(account, amount, reference=reference) for amount in (5000, 700))
    paid_at_desk(account.organization_id, 300, reference=reference)
    redeemed(make_voucher(account.organization_id), 1000, reference=reference)
    opened(account, 80, reference=reference)
    arrived, _on_its_way, failed = (give_back(card, amount) for amount in (1000, 200, 40))
    refund_outcomes.apply_refund_outcome(
        account.id, said_of_refund(card, State.SUCCEEDED, "re_1", refund_id=arrived.id, amount_minor=1000)
    )
    Refund.objects.filter(id=failed.id).update(status="failed", next_try_at=None)
    disputes.apply_dispute_outcome(account.id, said_of_dispute(disputed, "open", is_withdrawn=True))

    balance = balance_of(reference)
    assert balance == Balance(7000, 1000, 200, 700, 80, "GBP")
    assert (balance.net_minor, balance.refundable_minor) == (5100, 5100)


@in_a_transaction
@pytest.mark.parametrize(
    ("status", "is_withdrawn", "disputed_minor"),
    [("open", False, 0), ("open", True, 4500), ("won", True, 0), ("won", False, 0), ("lost", True, 4500)],
)
def test_disputed_money_counts_while_the_bank_has_it_and_when_it_is_lost(
    status: str, is_withdrawn: bool, disputed_minor: int
) -> None:
    account = make_account()
    payment = paid(account)
    disputes.apply_dispute_outcome(account.id, said_of_dispute(payment, status, is_withdrawn=is_withdrawn))
    assert balance_of(payment.reference) == Balance(4500, 0, 0, disputed_minor, 0, "GBP")


@in_a_transaction
def test_the_balances_of_many_are_one_statement_and_nothing_paid_is_nought() -> None:
    account = make_account()
    payments = [paid(account, amount) for amount in (100, 200)]
    nothing = uuid7()
    with CaptureQueriesContext(connection) as asked:
        found = balances_of([*(payment.reference for payment in payments), nothing])
    assert len(asked) == 1
    assert [found[payment.reference].paid_minor for payment in payments] == [100, 200]
    assert found[nothing] == Balance()


@pytest.mark.usefixtures("committed_db")
def test_money_is_locked_inside_a_transaction_alone() -> None:
    payment = paid(make_account())
    for lock in (balances.lock_payments, balances.lock_payment):
        with pytest.raises(TransactionManagementError):
            lock(payment.id)
    with transaction.atomic(), pytest.raises(NotFound):
        balances.lock_payment(uuid7())
