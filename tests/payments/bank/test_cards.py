"""Each test card's outcome, in the session, the payment, the charge, the events and the books."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from payments.sandbox import paying
from payments.sandbox.bank import Call
from payments.sandbox.server import BankServer
from tests.payments.bank.shop import (
    CHALLENGE,
    DECLINED,
    LATE,
    LATE_FAILS,
    NO_FUNDS,
    SUCCEEDS,
    WAIT_SECONDS,
    Shop,
    charge_of,
    intent_of,
    until,
)


def state(shop: Shop, session_id: str) -> tuple[str | None, str, str, str]:
    session = shop.look(session_id)
    return session.status, session.payment_status, intent_of(session).status, charge_of(session).status


def test_a_card_that_succeeds_completes_the_session(shop: Shop) -> None:
    session = shop.checkout(customer_email="ann@example.org")
    answer = shop.pay(session.id, "4242 4242-4242 4242")
    assert answer["redirect"] == f"http://shop.test/paid?session={session.id}"
    assert state(shop, session.id) == ("complete", "paid", "succeeded", "succeeded")
    seen = shop.look(session.id)
    assert seen.customer_details
    assert (seen.url, seen.customer_details.email) == (None, "ann@example.org")
    assert (intent_of(seen).amount_received, intent_of(seen).metadata.to_dict()) == (4500, {"payment": "p-1"})
    assert (charge_of(seen).amount_captured, charge_of(seen).paid) == (4500, True)
    assert shop.told() == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]
    (line,) = shop.client.v1.balance_transactions.list().data
    assert (line.type, line.amount, line.fee, line.net, line.currency) == ("charge", 4500, 0, 4500, "gbp")
    assert line.source == charge_of(seen).id
    assert charge_of(seen).balance_transaction == line.id


@pytest.mark.parametrize(
    ("card", "code", "reason"),
    [
        (DECLINED, "card_declined", "generic_decline"),
        (NO_FUNDS, "card_declined", "insufficient_funds"),
        ("4000000000000069", "expired_card", None),
        ("4000000000000127", "incorrect_cvc", None),
        ("4000000000000119", "processing_error", None),
    ],
)
def test_a_card_that_is_declined_leaves_the_session_open_for_another(
    card: str, code: str, reason: str | None, shop: Shop
) -> None:
    session = shop.checkout()
    answer = shop.pay(session.id, card)
    assert (answer["status"], answer["code"]) == ("declined", reason or code)
    assert state(shop, session.id) == ("open", "unpaid", "requires_payment_method", "failed")
    error = intent_of(shop.look(session.id)).last_payment_error
    assert error
    assert (error.code, error.to_dict().get("decline_code")) == (code, reason)
    assert shop.told() == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]
    assert shop.client.v1.balance_transactions.list().data == []
    shop.pay(session.id, SUCCEEDS)
    assert state(shop, session.id) == ("complete", "paid", "succeeded", "succeeded")
    charges = shop.client.v1.charges.list({"payment_intent": intent_of(shop.look(session.id)).id}).data
    assert [charge.status for charge in charges] == ["succeeded", "failed"]


@pytest.mark.parametrize("number", ["4242424242424241", "4111111111111111", "", "four", "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢"])
def test_a_number_that_is_no_test_cards_is_refused_and_changes_nothing(number: str, shop: Shop) -> None:
    session = shop.checkout()
    with pytest.raises(OSError, match="402"):
        shop.pay(session.id, number)
    assert (shop.look(session.id).status, shop.look(session.id).payment_intent) == ("open", None)
    assert shop.told() == []


def test_a_bank_that_asks_takes_the_money_only_when_it_is_approved(shop: Shop) -> None:
    session = shop.checkout()
    assert shop.pay(session.id, CHALLENGE)["status"] == "requires_action"
    asked = intent_of(shop.look(session.id))
    assert asked.next_action
    assert asked.next_action.redirect_to_url
    assert (asked.status, asked.next_action.redirect_to_url.url) == ("requires_action", f"{session.url}/challenge")
    assert shop.pay(session.id, CHALLENGE, approve=False)["status"] == "declined"
    assert state(shop, session.id) == ("open", "unpaid", "requires_payment_method", "failed")
    assert shop.pay(session.id, CHALLENGE, approve=True)["status"] == "paid"
    assert state(shop, session.id) == ("complete", "paid", "succeeded", "succeeded")
    assert intent_of(shop.look(session.id)).next_action is None


def test_money_that_comes_late_completes_first_and_pays_afterwards(shop: Shop) -> None:
    shop.faults(late_success_seconds=0.3)
    session = shop.checkout()
    shop.pay(session.id, LATE)
    assert shop.told()[:4] == [
        "payment_intent.created",
        "charge.pending",
        "payment_intent.processing",
        "checkout.session.completed",
    ]
    until(lambda: "checkout.session.async_payment_succeeded" in shop.told())
    assert shop.told()[4:] == [
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.async_payment_succeeded",
    ]
    assert state(shop, session.id) == ("complete", "paid", "succeeded", "succeeded")
    completed = shop.client.v1.events.list({"type": "checkout.session.completed"}).data[0]
    assert completed.data.object["payment_status"] == "unpaid"  # as it was at that moment


def test_money_that_never_comes_says_so_afterwards(shop: Shop) -> None:
    shop.faults(late_success_seconds=1000)
    session = shop.checkout()
    shop.pay(session.id, LATE_FAILS)
    assert state(shop, session.id) == ("complete", "unpaid", "processing", "pending")
    shop.act("fail_late", session.id)
    assert state(shop, session.id) == ("complete", "unpaid", "requires_payment_method", "failed")
    assert shop.told()[-3:] == [
        "charge.failed",
        "payment_intent.payment_failed",
        "checkout.session.async_payment_failed",
    ]
    assert shop.ledger()["totals"] == {}


def test_a_session_is_paid_once_however_many_try_at_the_same_time(shop: Shop) -> None:
    session = shop.checkout()
    start = threading.Barrier(8)

    def attempt(_: int) -> str:
        start.wait()
        try:
            return str(shop.pay(session.id)["status"])
        except OSError as refused:
            return str(refused)

    with ThreadPoolExecutor(8) as people:
        answers = sorted(people.map(attempt, range(8)))
    assert answers == ["HTTP Error 400: Bad Request"] * 7 + ["paid"]
    assert shop.ledger()["totals"] == {"gbp": {"charged": 4500, "refunded": 0, "disputed": 0, "balance": 4500}}
    assert shop.told().count("checkout.session.completed") == 1


def test_a_session_is_paid_twice_when_the_transaction_is_left_out(
    shop: Shop, bank: BankServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, both_have_looked = shop.checkout(), threading.Barrier(2)
    look = paying._open_session

    def look_and_wait(call: Call, session_id: str) -> Any:
        found = look(call, session_id)
        both_have_looked.wait(WAIT_SECONDS)
        return found

    monkeypatch.setattr(paying, "_open_session", look_and_wait)
    monkeypatch.setattr(bank.bank.store, "transaction", nullcontext)
    with ThreadPoolExecutor(2) as people:
        answers = [each["status"] for each in people.map(shop.pay, [session.id] * 2)]
    assert answers == ["paid", "paid"]
    assert shop.ledger()["totals"]["gbp"]["charged"] == 9000


def test_a_cards_number_is_written_nowhere(shop: Shop, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for card in (SUCCEEDS, DECLINED, CHALLENGE, LATE):
        shop.pay(shop.checkout().id, card)
    kept = b"".join(file.read_bytes() for file in (tmp_path / "bank").iterdir())
    assert b"3155" in kept
    assert [card for card in (SUCCEEDS, DECLINED, CHALLENGE, LATE) if card.encode() in kept] == []
    assert capfd.readouterr() == ("", "")
