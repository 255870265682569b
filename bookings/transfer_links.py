"""A link by which somebody takes over a booking that was offered to them, and who that is. Pure.

The link names the fact of the offer; its token is derived like every customer's, from the version of the booking's
tokens at the time: once the booking has changed hands, no link to take it over is of use. The address stands beside the
fact alone, where it can be erased.
"""

import json
from uuid import UUID

from bookings.models import BookingEvent
from bookings.orders import Contact
from config.kit.tokens import is_valid_token, make_token

KIND = "transfer_offered"
PURPOSE = "transfer"


def offer_token(fact: BookingEvent) -> str:
    """Return the token of an offer's link."""
    return make_token(purpose=PURPOSE, subject=fact.id, version=fact.after["token_version"])


def is_offer_token(token: str, fact: BookingEvent) -> bool:
    """Is it the token of this offer's link?"""
    return is_valid_token(token, purpose=PURPOSE, subject=fact.id, version=fact.after["token_version"])


def note_of(contact: Contact, reason: str = "") -> str:
    """Write to whom a booking is offered, and why, as it stands beside the fact."""
    told = {"email": contact.email, "name": contact.name, "phone": contact.phone, "reason": reason}
    return json.dumps({name: value for name, value in told.items() if value}, ensure_ascii=False)


def contact_of(fact: BookingEvent) -> Contact | None:
    """Return to whom a booking was offered, or None once that is erased."""
    told = _told(fact)
    return Contact(told["email"], told["name"], told.get("phone", "")) if told else None


def offer_words(fact: BookingEvent) -> str:
    """Say to whom, and why, in words for staff; nothing once that is erased."""
    told = _told(fact)
    return ", ".join(told[name] for name in ("name", "email", "reason") if told.get(name))


def email_in_note(email: str) -> str:
    """Return what a note to this address contains."""
    return json.dumps(email, ensure_ascii=False)


def _told(fact: BookingEvent) -> dict[str, str]:
    detail = getattr(fact, "detail", None)
    return dict(json.loads(detail.note)) if detail and detail.note else {}


def offer_address(fact: BookingEvent) -> dict[str, UUID | str]:
    """Return the parts of the address of an offer's page."""
    return {"offer_id": fact.id, "token": offer_token(fact)}
