"""What tests of money begin with, and what they look at: plain functions on rows."""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from stripe import WebhookSignature

from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from config.kit.secrets import seal_secret
from config.tenants.models import Organization
from payments.models import LedgerEntry, Payment, PaymentEvent, ProviderAccount, ProviderEvent
from payments.services import accounts, charges, provider_events
from tests.payments.bank.shop import Shop

PAYER = Actor(kind=ActorKind.CUSTOMER, channel="web")
RETURN_URL, BACK_URL = "http://shop.test/paid", "http://shop.test/basket"


def make_account(organization: Organization, shop: Shop, **fields: Any) -> ProviderAccount:
    """Connect an organization to an account at the bank, without asking the bank; its events come by `deliver`."""
    account = ProviderAccount(organization=organization, provider="stripe", **{"account_ref": "acct_1", **fields})
    account.api_key, account.sealed_webhook_secret = shop.key, seal_secret(f"whsec_{uuid4().hex}")
    account.save()
    return account


def open_payment(account: ProviderAccount, **fields: Any) -> Payment:
    """Open a payment of £45.00, which may be paid for 20 minutes."""
    plain: dict[str, Any] = {
        "organization_id": account.organization_id, "reference": uuid4(), "amount_minor": 4500, "currency": "GBP",
        "purpose": Payment.Purpose.WHOLE, "description": "Harbour tour", "payer_email": "anna@example.org",
        "language": "en", "expires_at": database_now() + timedelta(minutes=20), "actor": PAYER,
    }  # fmt: skip
    with transaction.atomic():
        return charges.open_payment(**{**plain, **fields})


def begin(payment: Payment) -> Payment:
    """Have the bank open its page."""
    return charges.begin_payment(payment.id, return_url=RETURN_URL, back_url=BACK_URL)


def begun_payment(account: ProviderAccount, **fields: Any) -> Payment:
    """Open a payment and have the bank open its page."""
    return begin(open_payment(account, **fields))


def told(shop: Shop) -> list[dict[str, Any]]:
    """Return everything that the bank has told of an account, the oldest first."""
    return [event.to_dict() for event in reversed(shop.client.v1.events.list({"limit": 100}).data)]


def signed(event: dict[str, Any], secret: str, *, at: int | None = None) -> tuple[bytes, str]:
    """Return an event as it is sent: its bytes and their signature."""
    body = json.dumps(event)
    return body.encode(), WebhookSignature.generate_signature_header(body, secret, at)


def send(account_id: UUID, body: bytes, signature: str) -> HttpResponse:
    """Call our address for events as the bank does."""
    address = f"/api/v1/payments/webhooks/stripe?account={account_id}"
    headers = {"stripe-signature": signature}
    response: Any = Client().post(address, body, content_type="application/json", headers=headers)
    answer: HttpResponse = response
    return answer


def deliver(account: ProviderAccount, *events: dict[str, Any]) -> None:
    """Send events, each of which must be welcome."""
    from_now = accounts.webhook_secrets(account, at=database_now())[0]
    for event in events:
        answer = send(account.id, *signed(event, from_now))
        assert answer.status_code == 204, answer.content


def apply_all() -> None:
    """Be the worker until nothing waits any more, however long it was to wait."""
    for _ in range(30):
        ProviderEvent.objects.filter(next_try_at__isnull=False).update(next_try_at=database_now())
        if not provider_events.apply_due_events():
            return
    raise AssertionError("the inbox is never done")


@dataclass(frozen=True)
class Story:
    """What is known of a payment in the end, whatever the order in which it became known."""

    status: str
    facts: dict[str, int]
    entries: dict[str, int]
    names: tuple[bool, bool]


def story_of(payment: Payment) -> Story:
    """Return how a payment stands, its facts by kind, its ledger by account, and whether its names are known."""
    row = Payment.objects.get(id=payment.id)
    entries: Counter[str] = Counter()
    for entry in LedgerEntry.objects.filter(transaction__reference=payment.reference):
        entries[entry.account] += entry.amount_minor
    return Story(row.status, facts_of(payment), dict(entries), (bool(row.provider_ref), bool(row.intent_ref)))


def facts_of(payment: Payment) -> dict[str, int]:
    """Count a payment's facts by kind."""
    return dict(Counter(PaymentEvent.objects.filter(payment=payment).values_list("kind", flat=True)))


def sessions_at(shop: Shop) -> list[str]:
    """Return the names of all checkouts that the bank has of an account."""
    return [session.id for session in shop.client.v1.checkout.sessions.list({"limit": 100}).data]


def charges_at(shop: Shop) -> list[tuple[int, str]]:
    """Return what the bank has charged: amount and status."""
    return [(charge.amount, charge.status) for charge in shop.client.v1.charges.list({"limit": 100}).data]


def look_long_ago(payment: Payment) -> None:
    """Let the last look at the provider be two minutes ago."""
    Payment.objects.filter(id=payment.id).update(looked_at=database_now() - timedelta(minutes=2))


def end_time(payment: Payment) -> None:
    """Let the time in which it may be paid be over."""
    Payment.objects.filter(id=payment.id).update(expires_at=database_now())


def status_of(payment: Payment) -> str:
    """Return how a payment stands."""
    return Payment.objects.get(id=payment.id).status
