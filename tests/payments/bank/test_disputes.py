"""Disputes: the money goes, and comes back when the merchant wins."""

import pytest
import stripe

from tests.payments.bank.shop import DISPUTED, Shop


def the_dispute(shop: Shop) -> stripe.Dispute:
    (dispute,) = shop.client.v1.disputes.list().data
    return dispute


def disputed(shop: Shop) -> int:
    return int(shop.ledger()["totals"]["gbp"]["disputed"])


def test_a_dispute_that_is_won_brings_the_money_back(shop: Shop) -> None:
    intent = shop.paid(4500, DISPUTED)
    dispute = the_dispute(shop)
    assert (dispute.status, dispute.amount, dispute.payment_intent) == ("needs_response", 4500, intent)
    assert (shop.client.v1.charges.retrieve(str(dispute.charge)).disputed, disputed(shop)) == (True, 4500)
    shop.act("win_dispute", dispute.id)
    assert (the_dispute(shop).status, disputed(shop)) == ("won", 0)
    assert [line.amount for line in the_dispute(shop).balance_transactions] == [-4500, 4500]
    assert [kind for kind in shop.told() if "dispute" in kind] == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
    ]
    assert shop.client.v1.refunds.create({"payment_intent": intent}).status == "succeeded"


@pytest.mark.parametrize("how", ["the bank decides", "the merchant gives in", "the evidence loses"])
def test_a_dispute_that_is_lost_keeps_the_money(how: str, shop: Shop) -> None:
    session = shop.checkout(6000)
    shop.pay(session.id)
    shop.act("open_dispute", session.id)
    dispute = the_dispute(shop)
    if how == "the bank decides":
        shop.act("lose_dispute", dispute.id)
    elif how == "the merchant gives in":
        shop.client.v1.disputes.close(dispute.id)
    else:
        shop.client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "losing_evidence"}})
    assert (the_dispute(shop).status, disputed(shop)) == ("lost", 6000)
    assert shop.told()[-1] == "charge.dispute.closed"
    assert shop.ledger()["totals"]["gbp"]["balance"] == 0
    with pytest.raises(stripe.InvalidRequestError):
        shop.client.v1.disputes.close(dispute.id)


def test_only_what_is_left_of_a_charge_is_disputed(shop: Shop) -> None:
    session = shop.checkout(6000)
    shop.pay(session.id)
    shop.client.v1.refunds.create(
        {"payment_intent": str(shop.client.v1.payment_intents.list().data[0].id), "amount": 1000}
    )
    shop.act("open_dispute", session.id)
    assert the_dispute(shop).amount == 5000
    with pytest.raises(OSError, match="400"):
        shop.act("open_dispute", session.id)
