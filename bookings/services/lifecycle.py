"""The one writer of a booking's status, and of the facts about it."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from bookings.models import Booking, BookingEvent, BookingEventDetail
from bookings.signals import fact_recorded
from config.kit.facts import ActorKind
from config.kit.refusals import Refusal
from scheduling.services.capacity import require_transaction


class IllegalTransition(Refusal):
    """The booking's state does not allow this."""

    code, title = "illegal_transition", "The booking is in a state in which this cannot be done"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it, through which channel, and what only the erasable side row may know."""

    kind: ActorKind
    channel: str
    id: UUID | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)  # ip_address, user_agent, note


def record_event(
    booking: Booking, *, kind: str, to_status: str, actor: Actor, from_status: str = "", reason_code: str = "",
    before: Mapping[str, Any] | None = None, after: Mapping[str, Any] | None = None,
) -> BookingEvent:  # fmt: skip
    """Append a fact to the booking's chain; what is personal goes beside it, under a salted digest."""
    require_transaction()
    salt = secrets.token_hex(16) if actor.detail else ""
    event = BookingEvent.objects.create(
        organization_id=booking.organization_id, booking=booking, kind=kind, from_status=from_status,
        to_status=to_status, actor_kind=actor.kind, actor_id=actor.id, channel=actor.channel, reason_code=reason_code,
        before=dict(before or {}), after=dict(after or {}), detail_digest=_digest(salt, actor.detail) if salt else "",
        seq=0, at="1970-01-01T00:00:00Z",  # both set by the trigger, under the lock of the chain's head
    )  # fmt: skip
    if salt:
        BookingEventDetail.objects.create(
            organization_id=booking.organization_id, event=event, salt=salt, **actor.detail
        )
    transaction.on_commit(partial(fact_recorded.send, None, fact_id=event.id, kind=kind), robust=True)
    return event


def _digest(salt: str, detail: Mapping[str, Any]) -> str:
    """Digest the side row, so that the chain vouches for it while it is there and survives its erasure."""
    parts = [salt, *(f"{name}={detail.get(name) or ''}" for name in ("ip_address", "user_agent", "note"))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def transition(
    booking: Booking, *, to: Booking.Status, kind: str, actor: Actor, reason_code: str = "",
    after: Mapping[str, Any] | None = None,
) -> BookingEvent:  # fmt: skip
    """Move a locked booking to another status and write the fact, or raise IllegalTransition."""
    before = booking.status
    if not Booking.TRANSITIONS.allows(before, to):
        raise IllegalTransition(f"A {before} booking cannot become {to}.")
    changed = Booking.objects.filter(id=booking.id, status=before).update(status=to, version=F("version") + 1)
    if changed != 1:
        raise IllegalTransition("Somebody else has changed this booking meanwhile.")
    booking.status, booking.version = to, booking.version + 1
    return record_event(
        booking, kind=kind, from_status=before, to_status=to, actor=actor, reason_code=reason_code, after=after
    )
