"""Stripe's events: whose they are, what is kept of them, and what they say.

An event's object is a copy of how it was when the event happened. It is read by the state that it is in, so that the
order in which events come does not matter.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stripe import SignatureVerificationError, WebhookSignature

from payments.providers import shapes
from payments.providers.base import Event, News, NotSigned

TOLERANCE_SECONDS = 300  # how old a signature may be: Stripe's own suggestion
HEARD = (
    "checkout.session.completed", "checkout.session.expired", "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed", "payment_intent.succeeded", "payment_intent.processing",
    "payment_intent.payment_failed", "payment_intent.canceled", "charge.succeeded", "charge.failed", "charge.refunded",
    "refund.created", "refund.updated", "refund.failed", "charge.dispute.created", "charge.dispute.updated",
    "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated", "charge.dispute.closed",
)  # fmt: skip

# What is kept of an event's object: names, amounts and states. No person, no address, no card.
KEPT = frozenset({
    "amount", "amount_captured", "amount_received", "amount_refunded", "amount_total", "captured", "charge",
    "client_reference_id", "created", "currency", "failure_code", "failure_reason", "id", "latest_charge", "object",
    "payment_intent", "payment_status", "reason", "status",
})  # fmt: skip
KEPT_INSIDE: Mapping[str, frozenset[str]] = {
    "metadata": frozenset({"payment", "refund"}),
    "last_payment_error": frozenset({"charge", "code", "decline_code"}),
    "evidence_details": frozenset({"due_by"}),
}
KEPT_OF_LINES = frozenset({"amount", "currency", "id", "type"})  # a dispute's balance_transactions
NAME = re.compile(r"[A-Za-z0-9_.:-]{1,120}")
CARD_DIGITS = re.compile(r"[0-9-]{12,23}")  # a number, and nothing else: no name of Stripe's looks so

Json = Mapping[str, Any]


def read_event(body: bytes, signature: str, secrets: Sequence[str]) -> Event:
    """Return a signed event, or raise NotSigned when none of the secrets made the signature, or too long ago."""
    if not any(_is_signed(body, signature, secret) for secret in secrets):
        raise NotSigned
    try:
        event = json.loads(body)
        return Event(
            event_id=_required_name(event["id"]), kind=_required_name(event["type"]),
            occurred_at=shapes.instant(event["created"]), payload=kept(event["data"]["object"]),
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise NotSigned("This is no event.") from error


def _is_signed(body: bytes, signature: str, secret: str) -> bool:
    try:
        WebhookSignature.verify_header(body, signature, secret, TOLERANCE_SECONDS)
    except (SignatureVerificationError, UnicodeError):
        return False
    return True


def _required_name(value: Any) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ValueError
    return value


def kept(about: Json) -> dict[str, Any]:
    """Return what is kept of an object; whatever else it says is never written anywhere."""
    found: dict[str, Any] = _plain(about, KEPT)
    for name, fields in KEPT_INSIDE.items():
        if isinstance(about.get(name), Mapping):
            found[name] = _plain(about[name], fields)
    lines = about.get("balance_transactions")
    if isinstance(lines, list):
        found["balance_transactions"] = [_plain(line, KEPT_OF_LINES) for line in lines if isinstance(line, Mapping)]
    return found


def _plain(about: Json, fields: frozenset[str]) -> dict[str, Any]:
    """Return those fields that hold a name, a number, a yes or no; of an object that stands there whole, its name."""
    named = {name: _name_of(value) for name, value in about.items() if name in fields}
    return {name: value for name, value in named.items() if _is_plain(value)}


def _name_of(value: Any) -> Any:
    return value.get("id") if isinstance(value, Mapping) else value


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return bool(NAME.fullmatch(value)) and not CARD_DIGITS.fullmatch(value)
    return value is None or isinstance(value, (bool, int))


def news_of(event: Event) -> News:
    """Return what an event says, by what its object is."""
    read = READERS.get(str(event.payload.get("object")))
    return read(event.kind, event.payload) if read and event.payload.get("id") else News()


def _of_session(kind: str, session: Json) -> News:
    return News(shapes.payment_id_of(session), outcome=shapes.outcome_of_session(session, kind=kind))


def _of_intent(_kind: str, intent: Json) -> News:
    error = intent.get("last_payment_error") or {}
    declined = (str(error.get("charge") or ""), shapes.failure_code_of(intent)) if error else None
    return News(shapes.payment_id_of(intent), outcome=shapes.outcome_of_intent(intent), declined=declined)


def _of_charge(_kind: str, charge: Json) -> News:
    declined = (charge["id"], str(charge.get("failure_code") or "")) if charge.get("status") == "failed" else None
    return News(shapes.payment_id_of(charge), outcome=shapes.outcome_of_charge(charge), declined=declined)


def _of_refund(_kind: str, refund: Json) -> News:
    return News(refund=shapes.outcome_of_refund(refund))


def _of_dispute(_kind: str, dispute: Json) -> News:
    return News(dispute=shapes.outcome_of_dispute(dispute))


READERS: Mapping[str, Callable[[str, Json], News]] = {
    "checkout.session": _of_session,
    "payment_intent": _of_intent,
    "charge": _of_charge,
    "refund": _of_refund,
    "dispute": _of_dispute,
}
