"""Secret keys open accounts of their own; an idempotency key is answered for once."""

import base64
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe

from payments.sandbox import clock
from payments.sandbox.keys import IdempotencyKeys
from payments.sandbox.server import BankServer
from tests.payments.bank.shop import Shop, intent_of, until

A_DAY = 24 * 60 * 60
CONFLICT = 409


def test_an_account_sees_nothing_of_another(shop: Shop) -> None:
    other = Shop(shop.url, "sk_test_other")
    session = shop.checkout()
    shop.pay(session.id)
    intent = intent_of(shop.look(session.id))
    client = other.client.v1
    for look in (
        lambda: client.checkout.sessions.retrieve(session.id),
        lambda: client.checkout.sessions.expire(session.id),
        lambda: client.payment_intents.retrieve(intent.id),
        lambda: client.charges.retrieve(str(shop.client.v1.payment_intents.retrieve(intent.id).latest_charge)),
        lambda: client.refunds.create({"payment_intent": intent.id}),
        lambda: client.events.retrieve(shop.client.v1.events.list().data[0].id),
    ):
        with pytest.raises(stripe.InvalidRequestError) as unseen:
            look()
        assert (unseen.value.http_status, unseen.value.code) == (404, "resource_missing")
    lists: list[Any] = [
        client.checkout.sessions.list(),
        client.payment_intents.list({"limit": 100}),
        client.charges.list({"payment_intent": intent.id}),
        client.events.list(),
        client.balance_transactions.list(),
    ]
    assert [each.data for each in lists] == [[]] * 5
    assert other.ledger()["totals"] == {}
    accounts = {client.accounts.retrieve_current().id, shop.client.v1.accounts.retrieve_current().id}
    assert len(accounts) == 2


@pytest.mark.parametrize("key", ["sk_live_secret", "pk_test_public", "nonsense", "sk_test_"])
def test_a_key_that_is_no_test_key_opens_nothing(key: str, shop: Shop) -> None:
    with pytest.raises(stripe.AuthenticationError) as refused:
        Shop(shop.url, key).checkout()
    assert refused.value.http_status == 401
    assert "secret" not in str(refused.value).replace("SECRET", "")


def test_a_key_may_come_as_stripes_documentation_shows_it_for_curl(shop: Shop) -> None:
    shop.checkout()
    basic = base64.b64encode(f"{shop.key}:".encode()).decode()
    request = urllib.request.Request(f"{shop.url}/v1/checkout/sessions", headers={"Authorization": f"Basic {basic}"})  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        assert answer.headers["Request-Id"].startswith("req_")
        assert answer.read().count(b'"checkout.session"') == 1
    with pytest.raises(OSError, match="401"):
        urllib.request.urlopen(f"{shop.url}/v1/balance")  # noqa: S310


def test_the_same_key_is_answered_alike_and_done_once(shop: Shop) -> None:
    first, again = shop.checkout(key="k-1"), shop.checkout(key="k-1")
    assert first.to_dict() == again.to_dict()
    assert first.last_response
    assert again.last_response
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert len(shop.client.v1.checkout.sessions.list().data) == 1
    other = Shop(shop.url, "sk_test_other")
    assert other.checkout(key="k-1").id != first.id  # another account's key is another key


def test_a_key_with_another_request_is_refused(shop: Shop) -> None:
    session = shop.checkout(key="k-1")
    with pytest.raises(stripe.IdempotencyError) as refused:
        shop.checkout(amount=9000, key="k-1")
    assert refused.value.http_status == 400
    with pytest.raises(stripe.IdempotencyError):
        shop.client.v1.checkout.sessions.expire(session.id, options={"idempotency_key": "k-1"})
    assert shop.look(session.id).status == "open"


def test_a_refusal_before_anything_was_done_leaves_the_key_free(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        shop.checkout(amount=0, key="k-1")
    assert shop.checkout(key="k-1").status == "open"


def test_a_refusal_of_what_was_tried_belongs_to_the_key(shop: Shop) -> None:
    intent = shop.paid(4500)
    refund: Any = {"payment_intent": intent, "amount": 4600}
    for replayed in (None, "true"):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            shop.client.v1.refunds.create(refund, {"idempotency_key": "k-1"})
        assert refused.value.headers
        assert refused.value.headers.get("Idempotent-Replayed") == replayed


def test_a_key_is_forgotten_after_a_day(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    first = shop.checkout(key="k-1")
    monkeypatch.setattr(clock, "now", lambda: time.time() + A_DAY + 1)
    assert shop.checkout(key="k-1").id != first.id


def test_a_key_that_is_still_worked_on_is_busy(shop: Shop, bank: BankServer) -> None:
    shop.faults(slow_seconds=60)
    with ThreadPoolExecutor(1) as other:
        slow = other.submit(Shop(shop.url).checkout, key="k-1")
        until(lambda: bank.api.keys._busy)
        with pytest.raises(stripe.StripeError) as busy:
            shop.checkout(key="k-1")
        assert busy.value.http_status == CONFLICT
        shop.faults()  # which lets the slow one go
        assert slow.result().id == shop.checkout(key="k-1").id
    assert len(shop.client.v1.checkout.sessions.list().data) == 1


def test_eight_requests_with_one_key_make_one_session(shop: Shop) -> None:
    start = threading.Barrier(8)

    def attempt(_: int) -> str:
        start.wait()
        try:
            return Shop(shop.url).checkout(key="k-1").id
        except stripe.StripeError as refused:
            return str(refused.http_status)

    with ThreadPoolExecutor(8) as people:
        answers = set(people.map(attempt, range(8)))
    (made,) = (each.id for each in shop.client.v1.checkout.sessions.list().data)
    assert made in answers <= {made, str(CONFLICT)}


def test_the_same_key_is_done_twice_when_nothing_is_remembered(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IdempotencyKeys, "recall", lambda *_: None)
    assert shop.checkout(key="k-1").id != shop.checkout(key="k-1").id
