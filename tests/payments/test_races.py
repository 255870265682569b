"""Several workers, and several clicks, at once."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from payments.models import LedgerTransaction, Payment, PaymentEvent, ProviderAccount, ProviderEvent
from payments.providers import stripe
from payments.providers.base import Outcome, State
from payments.services import charges, provider_events
from payments.services.balances import lock_payments
from payments.signals import payment_succeeded
from tests.concurrency.races import Background, race, tally
from tests.payments.bank.shop import Shop
from tests.payments.scenes import apply_all, begin, begun_payment, deliver, open_payment, sessions_at, story_of, told


def test_who_clicks_twice_at_once_comes_to_one_checkout(account: ProviderAccount, shop: Shop) -> None:
    payment = open_payment(account)
    shop.faults(slow_seconds=0.4)
    begun = race([lambda: begin(payment)] * 2)
    shop.faults()
    assert tally(begun) == {"Payment": 2}, [repr(getattr(each, "__cause__", each)) for each in begun]
    assert {each.provider_ref for each in begun if isinstance(each, Payment)} == set(sessions_at(shop))
    assert len(sessions_at(shop)) == 1
    assert PaymentEvent.objects.filter(payment=payment, kind="payment_begun").count() == 1


def test_without_a_key_two_clicks_open_two_checkouts(
    account: ProviderAccount, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: what tells the bank that it is the same request is the key alone."""
    with_key = stripe.Stripe._begin

    def with_another_key(self: stripe.Stripe, account: Any, order: Any, *, key: str) -> Any:
        return with_key(self, account, order, key=f"{key}-{uuid4()}")

    monkeypatch.setattr(stripe.Stripe, "_begin", with_another_key)
    payment = open_payment(account)
    shop.faults(slow_seconds=0.4)
    race([lambda: begin(payment)] * 2)
    shop.faults()
    assert len(sessions_at(shop)) == 2


def test_an_event_that_many_workers_see_is_applied_by_one(account: ProviderAccount, shop: Shop) -> None:
    payment = begun_payment(account)
    shop.pay(payment.provider_ref)
    deliver(account, *told(shop))
    number = ProviderEvent.objects.count()
    outcomes = race([provider_events.apply_due_events] * 4)
    apply_all()
    assert sum(outcome for outcome in outcomes if isinstance(outcome, int)) <= number
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    assert story_of(payment).facts == {"payment_opened": 1, "payment_begun": 1, "payment_succeeded": 1}


def test_many_who_bring_the_same_news_settle_once(account: ProviderAccount) -> None:
    payment = open_payment(account)
    paid = Outcome(State.SUCCEEDED, 4500, "GBP", intent_ref="pi_1", provider_ref="cs_1")
    outcomes = race([lambda: charges.apply_outcome(payment.id, paid)] * 6)
    assert tally(outcomes) == {"Payment": 6}
    assert (story_of(payment).facts["payment_succeeded"], LedgerTransaction.objects.count()) == (1, 1)


def test_two_payers_of_one_booking_do_not_wait_for_each_other(
    account: ProviderAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who hears that a payment was settled locks all of its reference: so they are locked in order from the start."""
    first = open_payment(account)
    payers = [first, *(open_payment(account, reference=first.reference) for _ in range(3))]

    def take(reference: Any, **_: Mapping[str, Any]) -> None:
        lock_payments(reference)  # as bookings do

    payment_succeeded.connect(take)
    monkeypatch.setattr("config.kit.retries.TRIES", 1)
    paid = Outcome(State.SUCCEEDED, 4500, "GBP")
    outcomes = race([partial(charges.apply_outcome, payer.id, paid) for payer in reversed(payers)])
    assert tally(outcomes) == {"Payment": 4}


def test_who_closes_while_somebody_begins_leaves_nothing_that_can_be_paid(account: ProviderAccount, shop: Shop) -> None:
    payment = open_payment(account)
    shop.faults(slow_seconds=0.4)
    beginning = Background(lambda: begin(payment))
    race([lambda: charges.close_payment(payment.id)])
    beginning.outcome()
    shop.faults()
    charges.close_payment(payment.id)
    assert Payment.objects.get(id=payment.id).status == "cancelled"
    assert [shop.look(ref).status for ref in sessions_at(shop)] in ([], ["expired"])
