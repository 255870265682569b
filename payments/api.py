"""What providers call. An event is stored and answered; a worker applies it."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse

from config.kit.api import api_view
from config.kit.problems import TooLarge
from payments.nudges import events
from payments.services import provider_events

LARGEST_EVENT_BYTES = 256 * 1024


class EventTooLarge(TooLarge):
    """Larger than any event."""

    title = "The event is larger than 256 kB"


def _receive(request: HttpRequest, provider: str) -> HttpResponse:
    """POST payments/webhooks/{provider}?account={id}: take an event in; one that came before is welcome again."""
    row = provider_events.store_event(
        _account_of(request), provider=provider, body=_body_of(request),
        signature=request.headers.get("Stripe-Signature", ""),
    )  # fmt: skip
    if row:
        events.add([row])
    return HttpResponse(status=204)


def _account_of(request: HttpRequest) -> UUID | None:
    try:
        return UUID(request.GET.get("account", ""))
    except ValueError:
        return None


def _body_of(request: HttpRequest) -> bytes:
    """Return the bytes as they came: the signature is of them. Events may be larger than other bodies."""
    body = request.read(LARGEST_EVENT_BYTES + 1)
    if len(body) > LARGEST_EVENT_BYTES:
        raise EventTooLarge
    return body


payment_webhook = api_view(POST=_receive)
