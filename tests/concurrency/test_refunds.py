"""Money goes back once: many ask for the same payment, many workers submit the same refund."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from config.kit.ids import uuid7
from payments.models import Payment, ProviderAccount, Refund
from payments.providers import provider_of
from payments.providers.base import RefundOutcome, State
from payments.services import refund_outcomes, refund_submission, refunds
from payments.services.balances import balance_of, lock_payment, lock_payments
from payments.services.refund_outcomes import apply_refund_outcome
from payments.services.refund_submission import submit_refund
from payments.signals import refund_settled
from tests.concurrency.races import race, tally
from tests.payments.bank.shop import Shop
from tests.payments.conftest import account, bank_url, nobody_else_hears, shop
from tests.payments.money import (
    GOODWILL,
    STAFF,
    accounts,
    give_back,
    lines,
    make_account,
    paid,
    paid_online,
    request_all,
    said_of_refund,
)

__all__ = ["account", "bank_url", "nobody_else_hears", "shop"]

pytestmark = pytest.mark.usefixtures("committed_db")

WORKERS = 6


def test_eight_who_ask_at_once_get_back_what_was_paid_and_no_more() -> None:
    payment = paid(make_account(), 5000)
    outcomes = race([partial(request_all, payment.reference, 1000) for _ in range(8)])
    assert tally(outcomes) == {"list": 5, "RefundTooLarge": 3}
    assert balance_of(payment.reference).returning_minor == 5000


def test_acts_on_one_reference_ask_for_what_is_left_of_several_payments() -> None:
    account, reference = make_account(), uuid7()
    for amount in (2000, 3000):
        paid(account, amount, reference=reference)
    outcomes = race([partial(request_all, reference, 1000) for _ in range(8)])
    assert tally(outcomes) == {"list": 5, "RefundTooLarge": 3}
    assert balance_of(reference).refundable_minor == 0


def test_without_lock_and_look_the_database_refuses_what_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: with the guard out, more is asked than was paid, and the trigger is what stops it."""
    payment = paid(make_account(), 5000)
    monkeypatch.setattr(refunds, "_payments_back", lambda _: [Payment.objects.get(id=payment.id)])
    monkeypatch.setattr(refunds, "left_by_payment", lambda payments: {each.id: each.amount_minor for each in payments})
    asked = transaction.atomic(partial(refunds.request_refunds, reason=GOODWILL, actor=STAFF))
    outcomes = race([partial(asked, reference=payment.reference, amount_minor=1000) for _ in range(8)])
    assert tally(outcomes) == {"list": 5, "IntegrityError": 3}


def test_workers_that_race_for_a_refund_ask_the_bank_once(
    account: ProviderAccount, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    refund = give_back(paid_online(account, shop), 1000)
    asked: list[str] = []
    bank = provider_of("stripe")
    ask = bank.refund

    def count(account: ProviderAccount, *, key: str, **order: Any) -> RefundOutcome:
        asked.append(key)
        return ask(account, key=key, **order)

    monkeypatch.setattr(bank, "refund", count)
    race([partial(submit_refund, refund.id) for _ in range(WORKERS)])
    assert asked == [f"refund-{refund.id}-1"]
    assert lines(shop) == [("charge", 4500), ("refund", -1000)]
    assert Refund.objects.get().status == "succeeded"


@pytest.mark.parametrize(("same_key", "sent"), [(True, 1), (False, 2)])
def test_without_the_claim_the_key_is_what_keeps_it_single(
    account: ProviderAccount, shop: Shop, monkeypatch: pytest.MonkeyPatch, same_key: bool, sent: int
) -> None:
    """The controls: two workers ask; with a key each, the money goes back twice."""
    refund = give_back(paid_online(account, shop), 1000)
    monkeypatch.setattr(refund_submission, "CLAIMED_FOR", -refund_submission.CLAIMED_FOR)
    monkeypatch.setattr(refund_submission, "apply_refund_outcome", lambda *_: True)
    if not same_key:
        monkeypatch.setattr(refund_submission._Claimed, "key", property(lambda _: uuid7().hex))
    for _ in range(2):
        submit_refund(refund.id)
    assert lines(shop)[1:] == [("refund", -1000)] * sent


def test_news_and_answers_that_race_settle_a_refund_once() -> None:
    account = make_account()
    payment = paid(account)
    refund = give_back(payment)
    news = said_of_refund(payment, State.SUCCEEDED, "re_1", refund_id=refund.id)
    by_hand = said_of_refund(payment, State.SUCCEEDED, "re_1")
    told: list[Callable[[], bool]] = [partial(apply_refund_outcome, account.id, each) for each in (news, by_hand) * 4]
    assert set(race(told)) == {True}
    assert [(each.provider_ref, each.status) for each in Refund.objects.filter(status="succeeded")] == [
        ("re_1", "succeeded")
    ]
    assert accounts() == {}


def lock_alone(payment_id: UUID) -> Payment:
    """Lock a payment and leave the others of its reference, for the control."""
    return Payment.objects.select_for_update(no_key=True).get(id=payment_id)


@pytest.mark.parametrize(
    ("lock", "ends"), [(lock_payment, {"bool": 2}), (lock_alone, {"bool": 1, "OperationalError": 1})]
)
def test_news_of_two_payments_for_one_thing_do_not_wait_for_each_other(
    monkeypatch: pytest.MonkeyPatch, lock: Callable[[UUID], Payment], ends: dict[str, int]
) -> None:
    """Whoever hears of a refund locks what it is for, and all payments of it. The control locks one: a deadlock."""
    account, reference = make_account(), uuid7()
    payments = [paid(account, amount, reference=reference) for amount in (1000, 2000)]
    for payment in payments:
        give_back(payment)

    def hear(reference: UUID, **_: object) -> None:
        time.sleep(0.3)  # until the other holds what it holds
        lock_payments(reference)

    monkeypatch.setattr(refund_outcomes, "lock_payment", lock)
    refund_settled.connect(hear)
    told = [
        partial(apply_refund_outcome, account.id, said_of_refund(payment, State.SUCCEEDED, f"re_{payment.id}"))
        for payment in payments
    ]
    assert tally(race(told)) == ends
