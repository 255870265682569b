"""Checkout sessions, through the official client: what they say, what they refuse, how they end."""

import time
from typing import Any

import pytest
import stripe

from payments.sandbox import clock
from payments.sandbox.server import BankServer
from tests.payments.bank.shop import DECLINED, Shop, intent_of, until

HALF_AN_HOUR = 30 * 60


def test_a_session_says_what_it_was_asked_with_and_is_open_and_unpaid(shop: Shop, bank: BankServer) -> None:
    session = shop.checkout(customer_email="ann@example.org", metadata={"booking": "b-1"})
    again = shop.client.v1.checkout.sessions.retrieve(session.id, {"expand": ["line_items"]})
    assert session.id.startswith("cs_test_")
    assert (again.url, again.livemode, again.mode) == (f"{bank.url}/pay/{session.id}", False, "payment")
    assert (again.status, again.payment_status, again.payment_intent) == ("open", "unpaid", None)
    assert (again.amount_total, again.amount_subtotal, again.currency) == (4500, 4500, "gbp")
    assert again.expires_at == again.created + 24 * 60 * 60
    assert again.metadata
    assert again.metadata.to_dict() == {"booking": "b-1"}
    assert (again.customer_email, again.client_reference_id) == ("ann@example.org", "HF-1001")
    assert again.line_items
    assert [(line.description, line.quantity, line.amount_total) for line in again.line_items.data] == [
        ("Harbour tour", 2, 4500)
    ]


def lines(amount: int, currency: str = "gbp") -> list[Any]:
    product = {"name": "Tour"}
    return [{"price_data": {"currency": currency, "unit_amount": amount, "product_data": product}, "quantity": 1}]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"line_items": lines(0)}, "line_items"),
        ({"line_items": lines(-5)}, "line_items[0][price_data][unit_amount]"),
        ({"line_items": lines(100_000_000)}, "line_items[0][price_data][unit_amount]"),
        ({"line_items": lines(99_999_999) * 2}, "line_items"),
        ({"line_items": lines(4500, "xxx")}, "currency"),
        ({"line_items": lines(1235, "kwd")}, "line_items"),
        ({"line_items": lines(100) + lines(100, "eur")}, "line_items"),
        ({"line_items": []}, "line_items"),
        ({"mode": "subscription"}, "mode"),
        ({"success_url": ""}, "success_url"),
        ({"cancel_url": "shop.test"}, "cancel_url"),
        ({"customer_email": "nobody"}, "customer_email"),
        ({"expires_at": 12}, "expires_at"),
        ({"expires_at": int(time.time()) + 60 * 60 * 25}, "expires_at"),
        ({"metadata": {"k": "v" * 501}}, "metadata[k]"),
        ({"suprise": "1"}, "suprise"),
    ],
)
def test_a_session_that_stripe_would_refuse_is_refused(change: dict[str, Any], param: str, shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.checkout(**change)
    assert (refused.value.http_status, refused.value.param) == (400, param)
    assert shop.client.v1.checkout.sessions.list().data == []


@pytest.mark.parametrize(("currency", "amount"), [("jpy", 4500), ("kwd", 1240), ("EUR", 99_999_998), ("gbp", 2)])
def test_amounts_are_whole_numbers_of_the_currencys_smallest_unit(currency: str, amount: int, shop: Shop) -> None:
    session = shop.checkout(amount, currency)
    assert (session.amount_total, session.currency) == (amount, currency.lower())


def test_a_list_is_paged_newest_first_in_both_directions(shop: Shop) -> None:
    made = [shop.checkout().id for _ in range(5)][::-1]
    sessions = shop.client.v1.checkout.sessions
    first = sessions.list({"limit": 2})
    assert ([each.id for each in first.data], first.has_more) == (made[:2], True)
    rest = sessions.list({"limit": 100, "starting_after": made[1]})
    assert ([each.id for each in rest.data], rest.has_more) == (made[2:], False)
    back = sessions.list({"limit": 2, "ending_before": made[4]})
    assert ([each.id for each in back.data], back.has_more) == (made[2:4], True)
    assert [each.id for each in sessions.list({"limit": 2}).auto_paging_iter()] == made
    with pytest.raises(stripe.InvalidRequestError):
        sessions.list({"limit": 101})


def test_a_list_keeps_to_its_filters(shop: Shop) -> None:
    paid, expired, _ = (shop.checkout() for _ in range(3))
    shop.pay(paid.id)
    shop.client.v1.checkout.sessions.expire(expired.id)
    sessions = shop.client.v1.checkout.sessions
    intent = intent_of(shop.look(paid.id)).id
    assert [each.id for each in sessions.list({"payment_intent": intent}).data] == [paid.id]
    assert [each.id for each in sessions.list({"status": "expired"}).data] == [expired.id]
    assert sessions.list({"created": {"gt": int(time.time()) + 60}}).data == []
    assert len(sessions.list({"created": {"gte": paid.created, "lte": int(time.time())}}).data) == 3


def test_an_open_session_can_be_expired_once_and_is_never_paid_afterwards(shop: Shop) -> None:
    session = shop.checkout()
    shop.pay(session.id, DECLINED)
    expired = shop.client.v1.checkout.sessions.expire(session.id)
    assert (expired.status, expired.url) == ("expired", None)
    assert intent_of(shop.look(session.id)).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError):
        shop.client.v1.checkout.sessions.expire(session.id)
    with pytest.raises(OSError, match="400"):
        shop.pay(session.id)
    assert shop.told()[-2:] == ["payment_intent.canceled", "checkout.session.expired"]


def test_a_session_expires_by_itself_when_its_time_is_over(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    session = shop.checkout(expires_at=int(time.time()) + HALF_AN_HOUR + 5)
    assert shop.look(session.id).status == "open"
    monkeypatch.setattr(clock, "now", lambda: time.time() + HALF_AN_HOUR + 6)
    until(lambda: "checkout.session.expired" in shop.told())
    assert shop.look(session.id).status == "expired"
    assert shop.told() == ["checkout.session.expired"]


def test_only_an_id_that_is_there_can_be_expanded(shop: Shop) -> None:
    session = shop.checkout()
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        shop.client.v1.checkout.sessions.retrieve(session.id, {"expand": ["nonsense"]})
