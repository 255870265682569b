"""The inbox: only what the provider signed is kept, once, and no more of it than is needed; a worker applies it."""

import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from config.celery import BEAT_SCHEDULE
from config.kit.clock import database_now
from config.kit.secrets import open_secret, seal_secret
from payments import nudges, tasks
from payments.models import ProviderAccount, ProviderEvent
from payments.services import ledger
from payments.services.provider_events import InboxFigures, apply_due_events, inbox_figures
from tests.conftest import RunSql
from tests.factories import make_organization
from tests.payments.bank.shop import Shop, charge_of, until
from tests.payments.scenes import apply_all, begun_payment, deliver, make_account, send, signed, story_of, told

CARD = "4242424242424242"
UUIDS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LOOKS_LIKE_A_CARD = re.compile(r"(?<![0-9a-f])\d(?:[ -]?\d){12,18}(?![0-9a-f])")
EVENT = {
    "id": "evt_1", "object": "event", "type": "checkout.session.completed", "created": 1790000000,
    "data": {"object": {"id": "cs_1", "object": "checkout.session", "status": "open"}},
}  # fmt: skip


def secret_of(account: ProviderAccount) -> str:
    return open_secret(account.sealed_webhook_secret)


def ago(seconds: float) -> int:
    return int(time.time() - seconds)


# Signatures -------------------------------------------------------------------------------------------------------

Forge = Callable[[ProviderAccount, ProviderAccount], tuple[bytes, str]]


def right(account: ProviderAccount, _: ProviderAccount) -> tuple[bytes, str]:
    return signed(EVENT, secret_of(account))


def almost_too_old(account: ProviderAccount, _: ProviderAccount) -> tuple[bytes, str]:
    return signed(EVENT, secret_of(account), at=ago(290))


def beside_a_stranger(account: ProviderAccount, other: ProviderAccount) -> tuple[bytes, str]:
    body, header = signed(EVENT, secret_of(account), at=ago(0))
    return body, f"{header},v1={signed(EVENT, secret_of(other))[1].partition('v1=')[2]},v0=abc"


def unsigned(account: ProviderAccount, _: ProviderAccount) -> tuple[bytes, str]:
    return right(account, account)[0], ""


def garbage(account: ProviderAccount, _: ProviderAccount) -> tuple[bytes, str]:
    return right(account, account)[0], "t=now,v1=☃"


def of_nobody(account: ProviderAccount, _: ProviderAccount) -> tuple[bytes, str]:
    return signed(EVENT, "whsec_guessed")


def of_another_account(_: ProviderAccount, other: ProviderAccount) -> tuple[bytes, str]:
    return signed(EVENT, secret_of(other))


def too_old(account: ProviderAccount, _: ProviderAccount) -> tuple[bytes, str]:
    return signed(EVENT, secret_of(account), at=ago(302))


def one_byte_changed(account: ProviderAccount, _: ProviderAccount) -> tuple[bytes, str]:
    body, header = right(account, account)
    return body.replace(b"cs_1", b"cs_2"), header


def one_byte_more(account: ProviderAccount, _: ProviderAccount) -> tuple[bytes, str]:
    body, header = right(account, account)
    return body + b" ", header


def of_the_test_scheme(account: ProviderAccount, _: ProviderAccount) -> tuple[bytes, str]:
    body, header = right(account, account)
    return body, header.replace("v1=", "v0=")


def signed_at_another_time(account: ProviderAccount, _: ProviderAccount) -> tuple[bytes, str]:
    body, header = signed(EVENT, secret_of(account), at=ago(400))
    return body, re.sub(r"t=\d+", f"t={ago(0)}", header)


def no_json(account: ProviderAccount, _: ProviderAccount) -> tuple[bytes, str]:
    body, header = signed({}, secret_of(account))
    return body, header


@pytest.mark.parametrize("forge", [right, almost_too_old, beside_a_stranger])
def test_what_the_account_signed_lately_is_kept(account: ProviderAccount, shop: Shop, forge: Forge) -> None:
    answer = send(account.id, *forge(account, make_account(make_organization(), shop)))
    assert (answer.status_code, ProviderEvent.objects.count()) == (204, 1)


@pytest.mark.parametrize(
    "forge",
    [
        unsigned, garbage, of_nobody, of_another_account, too_old, one_byte_changed, one_byte_more, of_the_test_scheme,
        signed_at_another_time, no_json,
    ],
)  # fmt: skip
def test_anything_else_is_refused_and_nothing_is_kept(account: ProviderAccount, shop: Shop, forge: Forge) -> None:
    answer = send(account.id, *forge(account, make_account(make_organization(), shop)))
    assert (answer.status_code, answer.json()["code"]) == (400, "event_refused")  # type: ignore[attr-defined]
    assert ProviderEvent.objects.count() == 0


@pytest.mark.parametrize("query", ["", "?account=", "?account=1", "?account=00000000-0000-0000-0000-000000000000"])
def test_an_event_of_no_account_is_refused_alike(account: ProviderAccount, query: str) -> None:
    body, signature = right(account, account)
    answer = Client().post(
        f"/api/v1/payments/webhooks/stripe{query}", body, content_type="application/json",
        headers={"stripe-signature": signature},
    )  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (400, "event_refused")


def test_an_event_may_be_large_but_not_endless(account: ProviderAccount) -> None:
    def padded(size: int) -> int:
        event = EVENT | {"id": f"evt_{size}", "padding": "x" * size}
        return send(account.id, *signed(event, secret_of(account))).status_code

    assert [padded(200 * 1024), padded(256 * 1024)] == [204, 413]


def test_the_former_secret_is_good_until_its_end(account: ProviderAccount) -> None:
    event = signed(EVENT, "whsec_former")
    account.sealed_former_secret = seal_secret("whsec_former")
    account.former_secret_until = database_now() + timedelta(hours=1)
    account.save()
    assert send(account.id, *event).status_code == 204
    account.former_secret_until = database_now()
    account.save()
    assert send(account.id, *event).status_code == 400


# Once, and by a worker --------------------------------------------------------------------------------------------


def test_an_event_is_answered_at_once_and_applied_by_a_worker(account: ProviderAccount, shop: Shop) -> None:
    payment = begun_payment(account)
    shop.pay(payment.provider_ref)
    event = next(each for each in told(shop) if each["type"] == "checkout.session.completed")

    body, signature = signed(event, secret_of(account))
    with CaptureQueriesContext(connection) as asked:
        assert send(account.id, body, signature).status_code == 204
    assert len(asked) == 6, "its account, the clock, the row in a transaction, and whether it is new"
    assert story_of(payment).status == "processing"
    assert inbox_figures().waiting == 1

    assert apply_due_events() == 1
    assert (story_of(payment).status, inbox_figures()) == ("succeeded", InboxFigures(0, 0.0, 0))


def test_an_event_that_comes_thrice_is_stored_and_applied_once(account: ProviderAccount, shop: Shop) -> None:
    payment = begun_payment(account)
    shop.pay(payment.provider_ref)
    for _ in range(3):
        deliver(account, *told(shop))
    assert ProviderEvent.objects.count() == len(told(shop))
    apply_all()
    before = story_of(payment)
    deliver(account, *told(shop))
    apply_all()
    assert story_of(payment) == before
    assert (before.status, before.facts["payment_succeeded"]) == ("succeeded", 1)


def test_an_event_that_cannot_be_applied_leaves_nothing_and_is_tried_again(
    account: ProviderAccount, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = begun_payment(account)
    shop.pay(payment.provider_ref)
    deliver(account, next(each for each in told(shop) if each["type"] == "payment_intent.succeeded"))
    with monkeypatch.context() as broken:
        broken.setattr(ledger, "post_payment", lambda _: 1 / 0)
        for tries in range(1, 6):
            ProviderEvent.objects.update(next_try_at=database_now())
            assert apply_due_events() == 0
            event = ProviderEvent.objects.get()
            assert (event.tries, event.last_error) == (tries, "ZeroDivisionError")
            assert event.next_try_at is not None
            assert event.next_try_at > database_now()
    assert (story_of(payment).status, story_of(payment).facts.get("payment_succeeded")) == ("processing", None)
    assert (inbox_figures().waiting, inbox_figures().failing) == (1, 1)

    apply_all()
    assert (story_of(payment).status, inbox_figures().failing) == ("succeeded", 0)
    assert ProviderEvent.objects.get().last_error == ""


def test_an_event_about_something_of_another_account_changes_nothing(account: ProviderAccount, shop: Shop) -> None:
    payment = begun_payment(account)
    shop.pay(payment.provider_ref)
    other = make_account(make_organization(), shop)
    deliver(other, *told(shop))
    apply_all()
    assert story_of(payment).status == "processing"
    assert set(ProviderEvent.objects.values_list("last_error", flat=True)) == {"not ours"}
    assert not ProviderEvent.objects.filter(applied_at=None).exists()


def test_an_event_of_a_kind_that_nobody_knows_is_done_with(account: ProviderAccount) -> None:
    deliver(account, EVENT | {"type": "customer.created", "data": {"object": {"id": "cus_1", "object": "customer"}}})
    assert apply_due_events() == 1
    assert ProviderEvent.objects.get().last_error == ""


def test_a_refund_that_is_told_of_before_its_payment_waits_for_it(account: ProviderAccount, shop: Shop) -> None:
    payment = begun_payment(account)
    shop.pay(payment.provider_ref)
    shop.client.v1.refunds.create({"charge": charge_of(shop.look(payment.provider_ref)).id})
    events = told(shop)
    deliver(account, *[event for event in events if event["data"]["object"]["object"] == "refund"])
    assert apply_due_events() == 0
    assert inbox_figures().failing == 0
    deliver(account, *[event for event in events if event["type"] == "checkout.session.completed"])
    assert apply_due_events() == 1
    assert apply_due_events() > 0, "it is looked at as soon as its payment is there"
    assert story_of(payment).entries == {"clearing": 0, "bookings": 0}


def test_the_worker_is_asked_at_once_for_what_is_new_and_for_nothing_else(
    account: ProviderAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(tasks.apply_provider_events, "apply_async", lambda **how: asked.append(how))
    for _ in range(2):
        deliver(account, EVENT)
    nudges.events.tell_rest()
    until(lambda: asked)
    nudges.events.tell_rest()
    assert asked == [{"expires": nudges.EXPIRES_SECONDS, "retry": False}]
    assert tasks.apply_provider_events() == 1
    assert BEAT_SCHEDULE["apply what providers told"]["task"] == tasks.apply_provider_events.name


# Nothing of a card, and nothing of a person ----------------------------------------------------------------------


def test_of_an_event_only_names_amounts_and_states_are_kept(account: ProviderAccount) -> None:
    about = {
        "id": "ch_1", "object": "charge", "amount": 4500, "currency": "gbp", "captured": True, "status": CARD,
        "failure_code": "a person called Anna Archer", "payment_intent": {"id": "pi_1", "receipt_email": "a@b.c"},
        "metadata": {"payment": "4242-4242-4242-4242", "refund": "r-1", "name": "Anna"}, "receipt_email": "a@b.c",
        "billing_details": {"name": "Anna Archer", "email": "a@b.c", "address": {"line1": "1 High Street"}},
        "payment_method_details": {"card": {"number": CARD, "last4": "4242"}}, "description": CARD,
    }  # fmt: skip
    deliver(account, EVENT | {"data": {"object": about}})
    assert ProviderEvent.objects.get().payload == {
        "id": "ch_1", "object": "charge", "amount": 4500, "currency": "gbp", "captured": True,
        "payment_intent": "pi_1", "metadata": {"refund": "r-1"},
    }  # fmt: skip


def test_no_card_is_accepted_logged_or_stored(
    account: ProviderAccount, shop: Shop, admin_sql: RunSql, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="payments")
    payment = begun_payment(account)
    shop.pay(payment.provider_ref, "4000000000000002", email="anna@example.org")
    shop.pay(payment.provider_ref, CARD, email="anna@example.org")
    deliver(account, *told(shop))
    apply_all()

    refused = Client().post(
        "/api/v1/bookings", {"card": {"number": CARD}, "lines": []}, content_type="application/json"
    )
    assert "card" in {error["field"] for error in refused.json()["errors"]}
    assert story_of(payment).status == "succeeded"
    assert [found for row in every_text(admin_sql) for found in LOOKS_LIKE_A_CARD.findall(row)] == []
    assert LOOKS_LIKE_A_CARD.findall(caplog.text) == []
    assert LOOKS_LIKE_A_CARD.findall(f"a control: {CARD}") == [CARD]


def every_text(admin_sql: RunSql) -> list[str]:
    """Return every row of every table, as text; our ids can look like anything, and are left out."""
    tables = admin_sql("SELECT format('%I', tablename) FROM pg_tables WHERE schemaname = 'public'")
    queries: list[Any] = [f"SELECT {table}::text FROM {table}" for (table,) in tables]
    return [UUIDS.sub("", row) for query in queries for (row,) in admin_sql(query)]
