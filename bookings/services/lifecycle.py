"""The one writer of a booking's status, and of the facts about it."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from bookings.models import Booking, BookingEvent, BookingEventDetail
from bookings.signals import fact_recorded
from config.kit.facts import Actor, append_fact
from config.kit.refusals import NotFound, Refusal
from payments.services.balances import lock_payments
from scheduling.services.capacity import require_transaction


class IllegalTransition(Refusal):
    """The booking's state does not allow this."""

    code, title = "illegal_transition", "The booking is in a state in which this cannot be done"


class VersionMoved(Refusal):
    """The caller looked at an older version; nothing of the newer one is written over."""

    code, title, status = "version_moved", "The booking has changed since you looked at it", 412


def lock_booking(booking_id: UUID) -> Booking:
    """Lock a booking with its payments, before anything else of it is locked; raise NotFound when there is none."""
    require_transaction()
    lock_payments(booking_id)
    booking = Booking.objects.select_for_update(no_key=True).filter(id=booking_id).first()
    if booking is None:
        raise NotFound
    return booking


def check_version(booking: Booking, version: int | None) -> None:
    """Refuse when the caller saw another version of a locked booking; None: the caller does not mind."""
    if version not in (None, booking.version):
        raise VersionMoved(extra={"version": booking.version})


def record_event(
    booking: Booking, *, kind: str, to_status: str, actor: Actor, from_status: str = "", reason_code: str = "",
    before: Mapping[str, Any] | None = None, after: Mapping[str, Any] | None = None,
) -> BookingEvent:  # fmt: skip
    """Append a fact to the booking's chain; what is personal goes beside it, under a salted digest."""
    require_transaction()
    event = append_fact(
        BookingEvent, BookingEventDetail, organization_id=booking.organization_id, booking=booking, actor=actor,
        kind=kind, from_status=from_status, to_status=to_status, reason_code=reason_code, before=before, after=after,
    )  # fmt: skip
    transaction.on_commit(partial(fact_recorded.send, None, fact_id=event.id, kind=kind), robust=True)
    return event


def amend(booking: Booking, **fields: Any) -> None:
    """Write other fields than the status to a locked booking: a new version of it. The caller writes the fact."""
    require_transaction()
    Booking.objects.filter(id=booking.id).update(**fields, version=F("version") + 1)
    for name, value in {**fields, "version": booking.version + 1}.items():
        setattr(booking, name, value)


def transition(
    booking: Booking, *, to: Booking.Status, kind: str, actor: Actor, reason_code: str = "",
    before: Mapping[str, Any] | None = None, after: Mapping[str, Any] | None = None,
) -> BookingEvent:  # fmt: skip
    """Move a locked booking to another status and write the fact, or raise IllegalTransition."""
    came_from = booking.status
    if not Booking.TRANSITIONS.allows(came_from, to):
        raise IllegalTransition(f"A {came_from} booking cannot become {to}.")
    changed = Booking.objects.filter(id=booking.id, status=came_from).update(status=to, version=F("version") + 1)
    if changed != 1:
        raise IllegalTransition("Somebody else has changed this booking meanwhile.")
    booking.status, booking.version = to, booking.version + 1
    return record_event(
        booking, kind=kind, from_status=came_from, to_status=to, actor=actor, reason_code=reason_code, before=before,
        after=after,
    )  # fmt: skip
