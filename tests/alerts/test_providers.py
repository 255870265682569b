"""How payment providers are, by the calls that were made anyway, and what staff and machines are told of it."""

import threading
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings
from redis.exceptions import RedisError

from alerts.models import Alert
from alerts.services import alerts, providers
from alerts.services.providers import Seen
from alerts.tasks import watch_providers
from config.kit.clock import database_now
from payments.models import ProviderAccount, ProviderEvent
from payments.providers import gateway
from payments.providers.base import AccountBroken, ProviderDown, ProviderRefused
from payments.providers.gateway import NobodyAsks
from tests.alerts.money import cancel, differ
from tests.alerts.test_metrics import figure
from tests.concurrency.races import race
from tests.factories import (
    book_online,
    give_up_refund,
    make_account,
    make_session,
    pay,
)
from tests.invariants.test_auditor import corrupt

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def account() -> ProviderAccount:
    return make_account(make_session().organization)


def remember(account: ProviderAccount, *, down_for: timedelta, failed_ago: timedelta = timedelta(0)) -> None:
    now = database_now()
    seen = Seen(down_since=now - down_for, failed_at=now - failed_ago)
    cache.set(providers.SEEN.format(account=account.id), seen)


def test_a_provider_that_does_not_answer_for_five_minutes_is_one_alert(account: ProviderAccount) -> None:
    remember(account, down_for=timedelta(minutes=4))
    assert (watch_providers(), Alert.objects.count()) == (0, 0)
    remember(account, down_for=timedelta(minutes=6))
    assert [watch_providers() for _ in range(3)] == [1, 1, 1]
    found = Alert.objects.get()
    assert (found.organization_id, found.type, found.severity) == (account.organization_id, "provider_down", "high")
    remember(account, down_for=timedelta(hours=1), failed_ago=timedelta(minutes=11))
    assert watch_providers() == 0


def watch_at_once(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let two watch, each of whom has looked for an open alert before either writes; return how many were written."""
    both_looked, look = threading.Barrier(2), alerts._open_alert

    def look_and_wait(*about: Any) -> Alert | None:
        found = look(*about)
        with suppress(threading.BrokenBarrierError):
            both_looked.wait(timeout=1)
        return found

    monkeypatch.setattr(alerts, "_open_alert", look_and_wait)
    race([watch_providers] * 2)
    return Alert.objects.count()


def test_two_who_watch_at_once_write_one_alert(account: ProviderAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(account, down_for=timedelta(minutes=6))
    assert watch_at_once(monkeypatch) == 1


def test_without_the_lock_of_the_account_they_write_two(
    account: ProviderAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(account, down_for=timedelta(minutes=6))
    monkeypatch.setattr(alerts, "_lock_account", lambda _: None)
    assert watch_at_once(monkeypatch) == 2


def test_an_answer_ends_it_a_refusal_too_and_what_was_not_asked_says_nothing(account: ProviderAccount) -> None:
    key = account.id
    for error in (ProviderDown("no answer"), NobodyAsks("resting"), ProviderDown("no answer")):
        providers.note_call(str(key), error)
    first = providers.seen_of([key])[key]
    assert first.down_since is not None
    assert (first.failed_at is not None and first.failed_at > first.down_since, first.answered_at) == (True, None)
    providers.note_call(str(key), ProviderRefused("no"))
    last = providers.seen_of([key])[key]
    assert (last.down_since, last.failed_at, last.is_refused, last.answered_at is not None) == (None, None, False, True)
    providers.note_call("nobody", None)  # a key that is tried before there is an account


def test_an_account_that_was_ended_is_watched_no_more(account: ProviderAccount) -> None:
    remember(account, down_for=timedelta(minutes=6))
    ProviderAccount.objects.update(ended_at=database_now())
    assert watch_providers() == 0


# Calls, as they are heard of -----------------------------------------------------------------------------------------


def refuse() -> None:
    raise ProviderRefused("no", code="card_declined")


def say_nothing() -> None:
    raise ProviderDown("no answer")


def test_every_call_to_a_provider_is_counted_timed_and_remembered(client: Client, account: ProviderAccount) -> None:
    names = [
        ("holdfast_provider_calls_total", {"outcome": each}) for each in ("answered", "refused", "down", "not_asked")
    ]
    names.append(("holdfast_provider_seconds_count", {}))
    before = [figure(client, name, **labels) for name, labels in names]
    assert gateway.ask(str(account.id), lambda: "yes") == "yes"
    with pytest.raises(ProviderRefused):
        gateway.ask(str(account.id), refuse)
    for _ in range(gateway.FAILURES + 1):  # the last is not put any more
        with pytest.raises(ProviderDown):
            gateway.ask(str(account.id), say_nothing)
    after = [figure(client, name, **labels) for name, labels in names]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1, gateway.FAILURES, 1, 2 + gateway.FAILURES]
    seen = providers.seen_of([account.id])[account.id]
    assert seen.answered_at is not None
    assert seen.down_since is not None
    assert seen.answered_at < seen.down_since
    assert figure(client, "holdfast_provider_breakers_open") == 1


def test_a_cache_that_is_away_keeps_no_call_from_being_made(
    account: ProviderAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise RedisError("away")

    monkeypatch.setattr(cache, "get", away)
    assert gateway.ask(str(account.id), lambda: "yes") == "yes"


# Health (R-HLT-01) --------------------------------------------------------------------------------------------------


def payments_of(client: Client, settings: Settings) -> tuple[int, dict[str, Any]]:
    """Return the status of /health, and what it says of payments."""
    settings.METRICS_TOKEN = "a-token-for-the-monitor"
    answer = client.get("/health", headers={"Authorization": "Bearer a-token-for-the-monitor"})
    return answer.status_code, answer.json()["components"]["payments"]


def test_health_says_how_the_payment_provider_is_without_asking_it(
    client: Client, settings: Settings, account: ProviderAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    providers.note_call(str(account.id), None)
    monkeypatch.setattr(gateway, "ask", lambda *_: pytest.fail("the provider was asked"))
    status, found = payments_of(client, settings)
    assert (status, found["status"], found["accounts"], found["not_answering"]) == (200, "ok", 1, 0)
    assert 0 <= found["last_answer_seconds"] < 60
    remember(account, down_for=timedelta(minutes=6))
    status, found = payments_of(client, settings)
    assert (status, found["status"], found["not_answering"]) == (200, "degraded", 1)
    providers.note_call(str(account.id), AccountBroken("no"))
    status, found = payments_of(client, settings)
    assert (status, found["status"], found["refused"]) == (200, "degraded", 1)


def test_health_says_that_an_open_breaker_degrades(
    client: Client, settings: Settings, account: ProviderAccount
) -> None:
    for _ in range(gateway.FAILURES):
        with pytest.raises(ProviderDown):
            gateway.ask(str(account.id), say_nothing)
    status, found = payments_of(client, settings)
    assert (status, found["status"], found["breakers_open"], found["not_answering"]) == (200, "degraded", 1, 0)


def an_event(account: ProviderAccount) -> ProviderEvent:
    return ProviderEvent.objects.create(
        organization_id=account.organization_id, account=account, event_id="evt_1", kind="charge.refunded", payload={},
        occurred_at=database_now(),
    )  # fmt: skip


def test_news_of_a_provider_that_waits_too_long_degrades_and_is_a_figure(
    client: Client, settings: Settings, account: ProviderAccount
) -> None:
    event = an_event(account)
    assert payments_of(client, settings)[1]["status"] == "ok"
    corrupt("UPDATE payments_providerevent SET received_at = received_at - interval '6 minutes', tries = 5", [])
    status, found = payments_of(client, settings)
    assert (status, found["status"], found["events_waiting"], found["events_failing"]) == (200, "degraded", 1, 1)
    assert figure(client, "holdfast_waiting_provider_events") == 1
    assert 360 <= figure(client, "holdfast_oldest_provider_event_seconds") < 400
    assert figure(client, "holdfast_failing_provider_events") == 1  # R-NTF-11
    ProviderEvent.objects.filter(id=event.id).update(applied_at=database_now(), next_try_at=None)
    assert [figure(client, f"holdfast_{name}") for name in ("waiting_provider_events", "failing_provider_events")] == [
        0, 0,
    ]  # fmt: skip


# Figures ------------------------------------------------------------------------------------------------------------


def test_payments_refunds_and_differences_are_figures(client: Client) -> None:
    assert figure(client, "holdfast_payments") == 0
    book_online(make_session())
    booking, other = (pay(book_online(make_session())) for _ in range(2))
    give_up_refund(cancel(booking))
    cancel(other)
    payments = {"provider": "stripe"}
    assert figure(client, "holdfast_payments", status="succeeded", **payments) == 2
    assert figure(client, "holdfast_payments", status="created", **payments) == 1
    assert figure(client, "holdfast_payment_success_ratio") == 1
    assert (figure(client, "holdfast_failed_refunds"), figure(client, "holdfast_waiting_refunds")) == (1, 1)
    account = ProviderAccount.objects.order_by("id")[0]
    differ(account, "ch_1", "ch_2")
    assert figure(client, "holdfast_reconciliation_differences") == 2
    differ(account)  # the last one counts
    assert figure(client, "holdfast_reconciliation_differences") == 0
