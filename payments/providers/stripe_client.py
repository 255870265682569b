"""Stripe's official client, with our timeouts, and its errors in our words. Trying again is the gateway's affair."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import stripe
from django.conf import settings

from payments.providers import gateway
from payments.providers.base import AccountBroken, ProviderBusy, ProviderDown, ProviderRefused

API_VERSION = stripe.api_version  # of this client: what it reads, and what events are asked for in
CONNECT_SECONDS = 3
PAGE = 100
SERVER_ERROR, TOO_MANY, CONFLICT = 500, 429, 409
RETRY_AFTER_SECONDS = 5


Json = dict[str, Any]
Question = Callable[[stripe.StripeClient], stripe.StripeObject]


def ask(account: str, api_key: str, question: Question) -> Json:
    """Put a question to Stripe through the gateway, and return the plain answer.

    Raises ProviderDown, ProviderRefused or AccountBroken.
    """

    def put() -> Json:
        try:
            return question(client(api_key)).to_dict()
        except stripe.StripeError as error:
            raise translated(error) from error

    return gateway.ask(account, put)


def client(api_key: str) -> stripe.StripeClient:
    """Return a client of one account; the connections behind it are shared, one set per thread."""
    return stripe.StripeClient(
        api_key,
        base_addresses={"api": settings.STRIPE_API_BASE},
        http_client=_http(settings.PAYMENT_TIMEOUT_SECONDS),
        max_network_retries=0,
    )


@cache
def _http(answer_seconds: float) -> stripe.HTTPClient:
    return stripe.RequestsClient(timeout=(CONNECT_SECONDS, answer_seconds))


def translated(error: stripe.StripeError) -> Exception:
    """Return what an error means: nobody knows, busy with the same, the key is dead, or a definite no.

    The provider's sentences may repeat what a customer typed, so that only its codes go on.
    """
    status, code = error.http_status, error.code or ""
    if isinstance(error, (stripe.AuthenticationError, stripe.PermissionError)):
        return AccountBroken("The provider does not accept the account's key.", code=code or "key_refused")
    if status == CONFLICT or code == "idempotency_key_in_use":
        return ProviderBusy("The same request is being worked on.")
    if isinstance(error, stripe.RateLimitError):
        return ProviderDown("It is asked too much.", retry_after_seconds=_retry_after(error))
    if isinstance(error, (stripe.APIConnectionError, stripe.APIError)) or status is None or status >= SERVER_ERROR:
        return ProviderDown(f"{type(error).__name__} {status or ''}".strip())
    if isinstance(error, stripe.IdempotencyError):
        return ProviderRefused("The key was used for another request.", code="idempotency_error")
    return ProviderRefused(f"It was refused: {code or type(error).__name__}.", code=code or "refused")


def _retry_after(error: stripe.StripeError) -> int:
    said = (error.headers or {}).get("Retry-After", "")
    return int(said) if said.isdecimal() else RETRY_AFTER_SECONDS


def pages(account: str, api_key: str, page: Callable[[stripe.StripeClient, Any], Any]) -> Iterator[Json]:
    """Yield what is on a list, newest first; each page is a question of its own."""
    params: Json = {"limit": PAGE}
    while True:
        answer = ask(account, api_key, partial(_turn, page, params))
        yield from answer["data"]
        if not answer["has_more"] or not answer["data"]:
            return
        params = {"limit": PAGE, "starting_after": answer["data"][-1]["id"]}


def _turn(page: Callable[[stripe.StripeClient, Any], Any], params: Json, client: stripe.StripeClient) -> Any:
    return page(client, params)
