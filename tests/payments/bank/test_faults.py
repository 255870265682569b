"""The bank misbehaves when it is told to, and the ledger stays right."""

from typing import Any

import pytest
import stripe

from payments.sandbox.faults import EVERYTHING, Switches
from tests.payments.bank.shop import Shop, ask


def statuses(shop: Shop, times: int) -> list[int]:
    found = []
    for _ in range(times):
        try:
            shop.checkout()
        except stripe.StripeError as error:
            found.append(error.http_status or 0)
        else:
            found.append(200)
    return found


def test_a_bank_that_is_down_or_busy_does_nothing(shop: Shop) -> None:
    shop.faults(down=True)
    assert statuses(shop, 2) == [503, 503]
    shop.faults(rate_limited=2)
    assert statuses(shop, 3) == [429, 429, 200]
    shop.faults(errors_probability=1)
    assert statuses(shop, 1) == [500]
    shop.faults()
    assert len(shop.client.v1.checkout.sessions.list().data) == 1


def test_a_lost_answer_means_that_the_work_is_done(shop: Shop) -> None:
    shop.faults(lost_answers=1)
    with pytest.raises(stripe.APIConnectionError):
        shop.checkout(key="k-1")
    again = shop.checkout(key="k-1")
    assert again.last_response
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert [each.id for each in shop.client.v1.checkout.sessions.list().data] == [again.id]


def test_the_whole_of_what_is_wrong_is_set_at_once(shop: Shop) -> None:
    shop.faults(all=True, slow_seconds=0)
    seen = ask(f"{shop.url}/sandbox/faults")["faults"]
    assert seen == {**vars(EVERYTHING), "slow_seconds": 0}
    refused: list[Any] = [{"nonsense": 1}, {"slow_seconds": "long"}, {"slow_seconds": -1}, {"seed": float("inf")}, []]
    for wrong in refused:
        with pytest.raises(OSError, match="422"):
            ask(f"{shop.url}/sandbox/faults", wrong, method="PUT")
    assert ask(f"{shop.url}/sandbox/faults")["faults"] == seen
    shop.faults()
    assert ask(f"{shop.url}/sandbox/faults")["faults"]["rate_limited"] == 0


def test_chances_come_again_with_the_same_seed() -> None:
    def chances(seed: int) -> list[bool]:
        switches = Switches()
        switches.set({"errors_probability": 0.5, "seed": seed})
        return [switches.happens("errors_probability") for _ in range(40)]

    assert chances(7) == chances(7) != chances(8)


def test_with_everything_wrong_a_patient_shop_pays_and_refunds_to_the_unit(shop: Shop) -> None:
    shop.faults(all=True, slow_seconds=0, rate_limited=0, refund_seconds=0, seed=3)  # the client leaves 429 to us
    shop.client = stripe.StripeClient(shop.key, base_addresses={"api": shop.url}, max_network_retries=8)
    for number in range(4):
        session = shop.checkout(4500, key=f"checkout-{number}")
        shop.pay(session.id)
        shop.client.v1.refunds.create(
            {
                "payment_intent": str(shop.client.v1.checkout.sessions.retrieve(session.id).payment_intent),
                "amount": 500,
            },
            {"idempotency_key": f"refund-{number}"},
        )
    shop.faults()
    ledger = shop.ledger()
    kept = sum(each["amount"] for each in ledger["refunds"] if each["status"] == "succeeded")
    failed = [each["status"] for each in ledger["refunds"]].count("failed")
    assert (len(ledger["refunds"]), failed) == (4, 1)
    assert ledger["totals"] == {"gbp": {"charged": 18000, "refunded": kept, "disputed": 0, "balance": 18000 - kept}}
