"""Refunds: whole, in part, too much, late, and those that come back."""

import pytest
import stripe

from tests.payments.bank.shop import DISPUTED, REFUNDS_FAIL, REFUNDS_WAIT, Shop, until


def charge(shop: Shop, intent_id: str) -> stripe.Charge:
    return shop.client.v1.charges.list({"payment_intent": intent_id}).data[0]


def test_money_goes_back_in_parts_until_nothing_is_left(shop: Shop) -> None:
    intent = shop.paid(4500)
    refunds = shop.client.v1.refunds
    first = refunds.create({"payment_intent": intent, "amount": 1000, "metadata": {"refund": "r-1"}})
    assert first.metadata
    assert (first.status, first.amount, first.metadata.to_dict()) == ("succeeded", 1000, {"refund": "r-1"})
    assert (charge(shop, intent).amount_refunded, charge(shop, intent).refunded) == (1000, False)
    with pytest.raises(stripe.InvalidRequestError) as too_much:
        refunds.create({"payment_intent": intent, "amount": 3501})
    assert (too_much.value.http_status, too_much.value.param) == (400, "amount")
    rest = refunds.create({"charge": charge(shop, intent).id, "reason": "requested_by_customer"})
    assert (rest.amount, charge(shop, intent).refunded) == (3500, True)
    with pytest.raises(stripe.InvalidRequestError) as nothing_left:
        refunds.create({"payment_intent": intent})
    assert nothing_left.value.code == "charge_already_refunded"
    assert [each.id for each in refunds.list({"payment_intent": intent}).data] == [rest.id, first.id]
    lines = shop.client.v1.balance_transactions.list().data
    assert [(line.type, line.amount) for line in lines] == [("refund", -3500), ("refund", -1000), ("charge", 4500)]
    assert shop.ledger()["totals"] == {"gbp": {"charged": 4500, "refunded": 4500, "disputed": 0, "balance": 0}}
    assert shop.told()[-4:] == ["refund.created", "charge.refunded"] * 2


def test_a_refund_that_comes_back_gives_the_money_back_to_the_merchant(shop: Shop) -> None:
    shop.faults(refund_seconds=0.2)
    intent = shop.paid(4500, REFUNDS_FAIL)
    refund = shop.client.v1.refunds.create({"payment_intent": intent})
    assert refund.status == "succeeded"
    until(lambda: "refund.failed" in shop.told())
    failed = shop.client.v1.refunds.retrieve(refund.id)
    assert (failed.status, failed.failure_reason) == ("failed", "lost_or_stolen_card")
    assert shop.told()[-3:] == ["refund.updated", "refund.failed", "charge.refund.updated"]
    assert (charge(shop, intent).amount_refunded, charge(shop, intent).refunded) == (0, False)
    assert shop.ledger()["totals"] == {"gbp": {"charged": 4500, "refunded": 0, "disputed": 0, "balance": 4500}}
    newest = shop.client.v1.balance_transactions.list({"type": "refund_failure"}).data
    assert [(line.amount, line.source) for line in newest] == [(4500, refund.id)]


def test_a_refund_that_takes_a_while_is_pending_until_it_arrives(shop: Shop) -> None:
    shop.faults(refund_seconds=0.2)
    intent = shop.paid(4500, REFUNDS_WAIT)
    refund = shop.client.v1.refunds.create({"payment_intent": intent, "amount": 500})
    assert refund.status == "pending"
    until(lambda: shop.client.v1.refunds.retrieve(refund.id).status == "succeeded")
    assert shop.told()[-2:] == ["refund.updated", "charge.refund.updated"]
    assert shop.ledger()["totals"]["gbp"]["refunded"] == 500


def test_the_switch_makes_so_many_refunds_fail(shop: Shop) -> None:
    shop.faults(failing_refunds=1, refund_seconds=0)
    failing, well = (shop.client.v1.refunds.create({"payment_intent": shop.paid()}) for _ in range(2))
    until(lambda: shop.client.v1.refunds.retrieve(failing.id).status == "failed")
    assert shop.client.v1.refunds.retrieve(well.id).status == "succeeded"


def test_what_was_not_paid_or_is_disputed_is_not_refunded(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError) as disputed:
        shop.client.v1.refunds.create({"payment_intent": shop.paid(4500, DISPUTED)})
    assert disputed.value.code == "charge_disputed"
    for params in ({"payment_intent": "pi_none"}, {"charge": "ch_none"}, {}):
        with pytest.raises(stripe.InvalidRequestError):
            shop.client.v1.refunds.create(params)  # type: ignore[arg-type]
    assert shop.client.v1.refunds.list().data == []
