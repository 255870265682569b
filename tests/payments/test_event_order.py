"""Events come in any order, any number of times: the end is the same."""

import json
import random
from collections.abc import Sequence
from itertools import count, permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.kit.secrets import open_secret
from payments.models import Payment, ProviderAccount, ProviderEvent
from payments.providers.base import Outcome, State
from payments.providers.stripe_events import HEARD
from payments.services import charges, payment_rows, provider_events
from tests.payments.bank.shop import DECLINED, DISPUTED, Shop, charge_of
from tests.payments.scenes import Story, apply_all, begun_payment, open_payment, signed, story_of, told

Told = dict[str, Any]
_numbers = count(1)


@pytest.fixture
def lived(account: ProviderAccount, shop: Shop) -> list[Told]:
    """Return what the bank told of a payment that was declined once, paid, given back in part, and disputed."""
    payment = begun_payment(account)
    shop.pay(payment.provider_ref, DECLINED)
    shop.pay(payment.provider_ref, DISPUTED)
    charge = charge_of(shop.look(payment.provider_ref))
    [dispute] = shop.client.v1.disputes.list({}).data
    shop.act("win_dispute", dispute.id)
    shop.client.v1.refunds.create({"charge": charge.id, "amount": 1000})
    return heard(shop)


@pytest.fixture
def ended(account: ProviderAccount, shop: Shop) -> list[Told]:
    """Return what the bank told of a checkout that was declined, and then expired."""
    payment = begun_payment(account)
    shop.pay(payment.provider_ref, DECLINED)
    shop.act("expire", payment.provider_ref)
    return heard(shop)


def heard(shop: Shop) -> list[Told]:
    """Return what of all that the bank tells would come to us."""
    return [event for event in told(shop) if event["type"] in HEARD]


def of_another(events: Sequence[Told], payment: Payment) -> list[Told]:
    """Return the same story of another payment: every name in it is a new one."""
    about = next(each["data"]["object"] for each in events if each["data"]["object"]["object"] == "checkout.session")
    number, text = next(_numbers), json.dumps(list(events))
    text = text.replace(about["client_reference_id"], str(payment.id))
    names = {each["id"] for each in events} | set(names_in([each["data"]["object"] for each in events]))
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(f'"{name}"', f'"{name}x{number}"')
    renamed: list[Told] = json.loads(text)
    return renamed


def names_in(value: Any) -> list[str]:
    """Return all that the bank has named."""
    if isinstance(value, dict):
        return [name for each in value.values() for name in names_in(each)]
    if isinstance(value, list):
        return [name for each in value for name in names_in(each)]
    is_name = isinstance(value, str) and value.startswith(("cs_", "pi_", "ch_", "re_", "du_", "dp_", "txn_"))
    return [value] if is_name and "secret" not in value and "/" not in value else []


def end_of(account: ProviderAccount, events: Sequence[Told], *, each_by_itself: bool = False) -> Story:
    """Tell the events of a new payment, in this order, and return how it ends."""
    payment = open_payment(account)
    charges.apply_outcome(payment.id, Outcome(State.OPEN, 4500, "GBP"))  # the bank has it
    secret = open_secret(account.sealed_webhook_secret)
    for event in of_another(events, payment):
        body, signature = signed(event, secret)
        provider_events.store_event(account.id, provider="stripe", body=body, signature=signature)
        if each_by_itself:
            provider_events.apply_due_events()
    apply_all()
    return story_of(payment)


def kinds(events: Sequence[Told], *wanted: str) -> list[Told]:
    """Return the events of these kinds, one of each."""
    return [next(event for event in events if event["type"] == kind) for kind in wanted]


def test_every_order_of_what_matters_ends_the_same(account: ProviderAccount, lived: list[Told]) -> None:
    told_of = kinds(
        lived, "charge.failed", "checkout.session.completed", "payment_intent.succeeded", "refund.created",
        "charge.dispute.closed",
    )  # fmt: skip
    in_order = end_of(account, told_of)
    assert (in_order.status, in_order.facts["payment_succeeded"]) == ("succeeded", 1)
    assert in_order.entries["bookings"] == -3500
    ends = [end_of(account, order, each_by_itself=True) for order in permutations(told_of)]
    assert len(ends) == 120
    assert [end for end in ends if end != in_order] == []


@pytest.mark.parametrize("kind", ["charge.failed", "payment_intent.payment_failed"])
def test_every_order_of_an_end_without_money_ends_the_same(
    account: ProviderAccount, ended: list[Told], kind: str
) -> None:
    told_of = kinds(ended, kind, "checkout.session.expired", "payment_intent.canceled")
    ends = [end_of(account, (*order, *order), each_by_itself=True) for order in permutations(told_of)]
    in_order = end_of(account, told_of)
    assert (in_order.status, in_order.entries, in_order.facts["payment_cancelled"]) == ("cancelled", {}, 1)
    assert [end for end in ends if end != in_order] == []


def test_everything_told_thrice_in_any_order_ends_the_same(account: ProviderAccount, lived: list[Told]) -> None:
    in_order = end_of(account, lived)
    assert in_order.entries["bookings"] == -3500
    assert in_order.facts["payment_declined"] == 1

    @settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
    @given(seed=st.integers(0, 2**32), by_itself=st.booleans())
    def tell(seed: int, by_itself: bool) -> None:
        events = [*lived, *lived, *lived]
        random.Random(seed).shuffle(events)
        assert end_of(account, events, each_by_itself=by_itself) == in_order

    tell()


def test_without_the_look_at_what_is_settled_already_events_do_not_converge(
    account: ProviderAccount, lived: list[Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: whoever settles whenever money is told of is stopped by the ledger alone, and never done."""

    def settle_again(payment: Payment, _: Outcome, *, actor: Any) -> None:
        payment_rows.settle(payment, actor=actor)

    monkeypatch.setattr(charges, "_take", settle_again)
    end_of(account, kinds(lived, "checkout.session.completed", "payment_intent.succeeded"))
    assert list(ProviderEvent.objects.filter(applied_at=None).values_list("last_error", flat=True)) == [
        "IntegrityError"
    ]


def test_without_the_rule_that_nothing_goes_back_the_order_decides(
    account: ProviderAccount, lived: list[Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: a state that was true once, told late, would undo what is true now, were it not for the rule."""
    monkeypatch.setattr(Payment, "is_open", property(lambda _: True))
    expired = kinds(lived, "checkout.session.completed")[0] | {"id": "evt_expired"}
    expired = json.loads(json.dumps(expired))
    expired["data"]["object"] |= {"status": "expired", "payment_status": "unpaid"}
    completed = kinds(lived, "checkout.session.completed")[0]
    assert end_of(account, [expired, completed]).status == "succeeded"
    end_of(account, [completed, expired])
    assert ProviderEvent.objects.filter(applied_at=None, last_error="IntegrityError").count() == 1
