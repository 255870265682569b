"""Events: signed, delivered until somebody says yes, doubled or dropped as the switches say."""

import hashlib
import hmac
from typing import Any

import pytest
import stripe

from payments.sandbox.server import BankServer
from tests.payments.bank.shop import Ear, Shop, ask, listening, until

PAID = ["charge.succeeded", "checkout.session.completed", "payment_intent.created", "payment_intent.succeeded"]


def listen(shop: Shop, ear: Ear, *kinds: str) -> stripe.WebhookEndpoint:
    params: Any = {"url": ear.url, "enabled_events": kinds or ["*"]}
    return shop.client.v1.webhook_endpoints.create(params)


def settled(bank: BankServer) -> bool:
    return bank.bank.store.rows("SELECT count(*) FROM deliveries WHERE state = 'waiting'") == [(0,)]


def test_an_event_is_what_the_api_says_signed_so_that_the_client_believes_it(shop: Shop, ear: Ear) -> None:
    endpoint = listen(shop, ear)
    session = shop.checkout(key="k-1")
    shop.pay(session.id)
    until(lambda: len(ear.heard) == 4)
    assert endpoint.secret
    for heard in ear.heard:
        event = stripe.Webhook.construct_event(heard.body, heard.signature, endpoint.secret)
        assert shop.client.v1.events.retrieve(event.id).to_dict() == event.to_dict()
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(heard.body + " ", heard.signature, endpoint.secret)
    assert ear.kinds() == PAID
    completed = next(heard.event for heard in ear.heard if heard.event["type"] == "checkout.session.completed")
    now = shop.client.v1.checkout.sessions.retrieve(session.id)
    assert (completed["data"]["object"]["id"], completed["data"]["object"]["payment_intent"]) == (
        session.id,
        now.payment_intent,
    )
    assert "secret" not in shop.client.v1.webhook_endpoints.retrieve(endpoint.id)


def test_an_endpoint_hears_what_it_asked_for_and_nothing_once_it_is_gone(
    shop: Shop, bank: BankServer, ear: Ear
) -> None:
    endpoint = listen(shop, ear, "checkout.session.completed")
    shop.paid()
    until(lambda: settled(bank))
    assert ear.kinds() == ["checkout.session.completed"]
    shop.client.v1.webhook_endpoints.delete(endpoint.id)
    shop.paid()
    assert settled(bank)
    assert len(ear.heard) == 1
    assert shop.client.v1.webhook_endpoints.list().data == []


def test_an_event_is_delivered_again_until_somebody_says_yes(shop: Shop, bank: BankServer, ear: Ear) -> None:
    listen(shop, ear, "checkout.session.completed")
    ear.answers = [500, 302]
    shop.paid()
    until(lambda: settled(bank))
    assert [heard.event["id"] for heard in ear.heard] == [ear.heard[0].event["id"]] * 3
    assert bank.bank.store.rows("SELECT state, tries, answer FROM deliveries") == [("delivered", 3, "200")]


def test_an_endpoint_that_was_away_hears_it_when_it_is_back(shop: Shop, bank: BankServer) -> None:
    with listening() as away:
        listen(shop, away, "checkout.session.completed")
        address = away.server_address
    away.server_close()
    shop.paid()
    until(lambda: bank.bank.store.rows("SELECT tries FROM deliveries WHERE tries > 0"))
    assert bank.bank.store.rows("SELECT answer FROM deliveries") == [("ConnectionRefusedError",)]
    with listening() as back:
        shop.client.v1.webhook_endpoints.update(shop.client.v1.webhook_endpoints.list().data[0].id, {"url": back.url})
        until(lambda: back.kinds() == ["checkout.session.completed"])
    assert address != back.server_address


def test_while_a_secret_is_rolled_events_are_signed_with_both(shop: Shop, ear: Ear) -> None:
    endpoint = listen(shop, ear, "checkout.session.completed")
    rolled = ask(f"{shop.url}/sandbox/endpoints/{endpoint.id}/roll", {}, key=shop.key)
    shop.paid()
    heard = until(lambda: ear.heard)[0]
    assert heard.signature.count("v1=") == 2
    for secret in (endpoint.secret, rolled["secret"]):
        stripe.Webhook.construct_event(heard.body, heard.signature, secret)


def test_a_secret_that_a_program_chose_is_there_once_and_again(shop: Shop, ear: Ear) -> None:
    wanted = {"url": ear.url, "secret": "whsec_known", "enabled_events": ["checkout.session.completed"]}
    first, again = (ask(f"{shop.url}/sandbox/endpoints", wanted, method="PUT", key=shop.key) for _ in range(2))
    assert first == again
    shop.paid()
    heard = until(lambda: ear.heard)[0]
    stripe.Webhook.construct_event(heard.body, heard.signature, "whsec_known")


def test_the_switches_double_events_and_forge_more(shop: Shop, bank: BankServer, ear: Ear) -> None:
    endpoint = listen(shop, ear, "checkout.session.completed")
    shop.faults(duplicate_events=3, bad_signatures_probability=1, reordered_events_seconds=0.3)
    shop.paid()
    until(lambda: settled(bank))
    assert len({heard.event["id"] for heard in ear.heard}) == 1
    assert (
        sorted(is_true(heard.body, heard.signature, str(endpoint.secret)) for heard in ear.heard)
        == [False] + [True] * 3
    )


def is_true(body: str, signature: str, secret: str) -> bool:
    stamp, proof = (part.partition("=")[2] for part in signature.split(","))
    return proof == hmac.new(secret.encode(), f"{stamp}.{body}".encode(), hashlib.sha256).hexdigest()


def test_a_dropped_event_is_in_the_list_alone_until_it_is_told_again(shop: Shop, bank: BankServer, ear: Ear) -> None:
    listen(shop, ear)
    shop.faults(dropped_events_probability=1)
    session = shop.checkout()
    shop.pay(session.id)
    assert settled(bank)
    assert (sorted(shop.told()), ear.heard) == (PAID, [])
    shop.faults()
    shop.act("replay", session.id)
    until(lambda: ear.kinds() == PAID)


def test_the_list_of_events_keeps_to_kinds(shop: Shop) -> None:
    shop.paid()
    events = shop.client.v1.events
    assert [each.type for each in events.list({"type": "charge.*"}).data] == ["charge.succeeded"]
    wanted = ["charge.succeeded", "payment_intent.created"]
    assert [each.type for each in events.list({"types": wanted}).data] == wanted
    assert events.list({"created": {"lt": 1}}).data == []
