"""Stripe: its hosted checkout, so that no card ever comes near us."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from stripe import StripeClient

from config.kit.secrets import SecretLost
from payments.models import ProviderAccount
from payments.providers import shapes, stripe_client
from payments.providers.amounts import to_stripe
from payments.providers.base import (
    AccountBroken,
    Checkout,
    DisputeOutcome,
    Endpoint,
    Event,
    Movement,
    News,
    Order,
    Outcome,
    ProviderRefused,
    RefundOutcome,
)
from payments.providers.statements import movement_of
from payments.providers.stripe_client import Json, Question
from payments.providers.stripe_events import HEARD, news_of, read_event

CLOCKS_DIFFER = timedelta(minutes=5)  # at most, ours and Stripe's
EXPANDED: Any = {"expand": ["payment_intent"]}


class Stripe:
    """The Provider of that name (base.py). An account's key opens it; nothing is kept here."""

    def require_chargeable(self, amount_minor: int, currency: str) -> None:
        """Refuse an amount that Stripe cannot take."""
        to_stripe(amount_minor, currency)

    def begin(self, account: ProviderAccount, order: Order) -> Checkout:
        """Open a checkout session, once per payment. An address that Stripe takes for none is left out."""
        try:
            return self._begin(account, order, key=f"payment-{order.payment_id}")
        except ProviderRefused as refused:
            if refused.code != "email_invalid":
                raise
        without = replace(order, payer_email="")
        return self._begin(account, without, key=f"payment-{order.payment_id}-without-address")

    def _begin(self, account: ProviderAccount, order: Order, *, key: str) -> Checkout:
        params = checkout_params(order)
        session = _ask(account, lambda stripe: stripe.v1.checkout.sessions.create(params, {"idempotency_key": key}))
        return shapes.outcome_of_session(session)

    def look_up(self, account: ProviderAccount, provider_ref: str) -> Outcome:
        """Return what became of a session."""
        session = _ask(account, lambda stripe: stripe.v1.checkout.sessions.retrieve(provider_ref, EXPANDED))
        return shapes.outcome_of_session(session)

    def find(self, account: ProviderAccount, payment_id: UUID, *, since: datetime) -> Outcome | None:
        """Look for the session of a payment whose answer was lost, among those made since the payment."""
        params: Any = {"created": {"gte": int((since - CLOCKS_DIFFER).timestamp())}}
        for session in _pages(account, lambda stripe, page: stripe.v1.checkout.sessions.list(page | params)):
            if session["client_reference_id"] == str(payment_id):
                return self.look_up(account, session["id"])
        return None

    def look_up_intent(self, account: ProviderAccount, intent_ref: str) -> tuple[UUID | None, Outcome]:
        """Return what became of some money, and our payment's id."""
        intent = _ask(account, lambda stripe: stripe.v1.payment_intents.retrieve(intent_ref))
        return shapes.payment_id_of(intent), shapes.outcome_of_intent(intent)

    def close(self, account: ProviderAccount, provider_ref: str) -> Outcome:
        """Expire a session. Stripe refuses one that is not open any more: then it is looked at."""
        with suppress(ProviderRefused):
            session = _ask(account, lambda stripe: stripe.v1.checkout.sessions.expire(provider_ref))
            return shapes.outcome_of_session(session)
        return self.look_up(account, provider_ref)

    def refund(
        self, account: ProviderAccount, *, refund_id: UUID, intent_ref: str, amount_minor: int, currency: str, key: str
    ) -> RefundOutcome:  # fmt: skip
        """Send money back, once per key."""
        params: Any = {
            "payment_intent": intent_ref, "amount": to_stripe(amount_minor, currency),
            "metadata": {"refund": str(refund_id)},
        }  # fmt: skip
        refund = _ask(account, lambda stripe: stripe.v1.refunds.create(params, {"idempotency_key": key}))
        return shapes.outcome_of_refund(refund)

    def look_up_refund(self, account: ProviderAccount, provider_ref: str) -> RefundOutcome:
        """Return what became of a refund."""
        return shapes.outcome_of_refund(_ask(account, lambda stripe: stripe.v1.refunds.retrieve(provider_ref)))

    def look_up_dispute(self, account: ProviderAccount, provider_ref: str) -> DisputeOutcome:
        """Return how a dispute is."""
        return shapes.outcome_of_dispute(_ask(account, lambda stripe: stripe.v1.disputes.retrieve(provider_ref)))

    def movements(self, account: ProviderAccount, *, since: datetime, until: datetime) -> Iterator[Movement]:
        """Yield the lines of the statement, newest first."""
        created = {"gte": int(since.timestamp()), "lt": int(until.timestamp())}
        params: Any = {"created": created, "expand": ["data.source"]}
        lines = _pages(account, lambda stripe, page: stripe.v1.balance_transactions.list(page | params))
        return map(movement_of, lines)

    def identify(self, account: ProviderAccount) -> str:
        """Return the account's id."""
        return str(_ask(account, lambda stripe: stripe.v1.accounts.retrieve_current())["id"])

    def is_live(self, account: ProviderAccount) -> bool:
        """Read it off the key: sk_live_… or rk_live_…, beside sk_test_…."""
        return "_live_" in _key_of(account)

    def listen(self, account: ProviderAccount, url: str) -> Endpoint:
        """Register where events go to, in the form that this client reads. Each time another one."""
        params: Any = {"url": url, "enabled_events": list(HEARD), "api_version": stripe_client.API_VERSION}
        made = _ask(account, lambda stripe: stripe.v1.webhook_endpoints.create(params))
        return Endpoint(made["id"], made["secret"])

    def listening(self, account: ProviderAccount, url: str) -> list[Endpoint]:
        """Return what is registered for an address and switched on."""
        found = _pages(account, lambda stripe, page: stripe.v1.webhook_endpoints.list(page))
        return [Endpoint(each["id"]) for each in found if each["url"] == url and each["status"] == "enabled"]

    def stop_listening(self, account: ProviderAccount, endpoint_ref: str) -> None:
        """Take an endpoint away."""
        _ask(account, lambda stripe: stripe.v1.webhook_endpoints.delete(endpoint_ref))

    def read_event(self, body: bytes, signature: str, secrets: Sequence[str]) -> Event:
        """Return a signed event, with no more of it than is needed."""
        return read_event(body, signature, secrets)

    def news_of(self, event: Event) -> News:
        """Return what an event says."""
        return news_of(event)


def _ask(account: ProviderAccount, question: Question) -> Json:
    return stripe_client.ask(str(account.id), _key_of(account), question)


def _pages(account: ProviderAccount, page: Callable[[StripeClient, Any], Any]) -> Iterator[Json]:
    return stripe_client.pages(str(account.id), _key_of(account), page)


def _key_of(account: ProviderAccount) -> str:
    """Return its key; one that nobody can open any more is as dead as one that the provider does not take."""
    try:
        return account.api_key
    except SecretLost as lost:
        raise AccountBroken("The account's key cannot be opened.", code="key_lost") from lost


def checkout_params(order: Order) -> Any:
    """Return what a session is asked for: the same for the same order, or its key would be refused the second time."""
    metadata = {"payment": str(order.payment_id)}
    product = {"name": order.description}
    price = {
        "currency": order.currency.lower(), "unit_amount": to_stripe(order.amount_minor, order.currency),
        "product_data": product,
    }  # fmt: skip
    params: dict[str, Any] = {
        "mode": "payment",
        "line_items": [{"quantity": 1, "price_data": price}],
        "client_reference_id": str(order.payment_id),
        "metadata": metadata,
        "payment_intent_data": {"metadata": metadata},
        "success_url": order.return_url,
        "cancel_url": order.back_url,
        "locale": order.language,
    }
    if order.payer_email:
        params["customer_email"] = order.payer_email
    if order.expires_at:
        params["expires_at"] = int(order.expires_at.timestamp())
    return params
