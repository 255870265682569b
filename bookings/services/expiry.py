"""Bookings that were not paid in time, and balances whose day comes. Passes of their own, safe to run twice at once."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from bookings.models import Booking, BookingEvent, Line
from bookings.services import lifecycle, settlement
from config.kit.clock import database_now
from config.kit.facts import SYSTEM
from config.kit.retries import retry_on_deadlock
from payments.services.balances import balance_of
from scheduling.models import Reservation

GRACE = timedelta(seconds=15)  # news of a payment that was made in time may be on its way
BATCH = 200
REMINDED, OVERDUE = "balance_reminded", "balance_overdue"
REMIND_BEFORE = timedelta(days=3)
LONGEST = timedelta(days=30)


def expire_pending_bookings() -> int:
    """Expire the pending bookings whose places are not held any more; return how many.

    Nothing waits for it: the places are reclaimed by whoever needs them, and money that comes later finds its way.
    """
    return sum(map(_expire, _lapsed()))


def _lapsed() -> list[UUID]:
    dead = Line.objects.filter(booking=OuterRef("id"), status=Line.Status.LIVE).exclude(
        reservation__status=Reservation.Status.HELD, reservation__expires_at__gt=database_now() - GRACE
    )
    rows = Booking.objects.filter(Exists(dead), status=Booking.Status.PENDING)
    return list(rows.order_by("id").values_list("id", flat=True)[:BATCH])


@retry_on_deadlock
@transaction.atomic
def _expire(booking_id: UUID) -> int:
    booking = lifecycle.lock_booking(booking_id)
    if booking.status != Booking.Status.PENDING:  # paid meanwhile
        return 0
    settlement.expire(booking, reason_code="not_paid")
    return 1


# Balances ----------------------------------------------------------------------------------------------------------


def tell_balances() -> int:
    """Remind of balances before their day, once, and say once that one is overdue; return how many were told.

    Nobody is cancelled for it: an overdue balance is staff's affair. What is paid in full has no such day any more.
    """
    now = database_now()
    return _tell_all(REMINDED, after=now, until=now + REMIND_BEFORE) + _tell_all(
        OVERDUE, after=now - LONGEST, until=now
    )


def _tell_all(kind: str, *, after: datetime, until: datetime) -> int:
    due = Booking.objects.filter(status=Booking.Status.CONFIRMED, balance_due_at__gt=after, balance_due_at__lte=until)
    untold = due.filter(~Exists(_told(kind, OuterRef("id"), OuterRef("balance_due_at")))).order_by("id")
    return sum(_tell(booking_id, kind) for booking_id in untold.values_list("id", flat=True)[:BATCH])


def _told(kind: str, booking: Any, due_at: Any) -> QuerySet[BookingEvent]:
    """Find that it was told lately; a day that was moved far is another one."""
    return BookingEvent.objects.filter(booking=booking, kind=kind, at__gt=due_at - LONGEST)


@retry_on_deadlock
@transaction.atomic
def _tell(booking_id: UUID, kind: str) -> int:
    booking = lifecycle.lock_booking(booking_id)
    due_at, due = booking.balance_due_at, settlement.due_of(booking, balance_of(booking.id))
    is_due = booking.status == Booking.Status.CONFIRMED and due.due_minor > 0
    if not is_due or due_at is None or _told(kind, booking.id, due_at).exists():
        return 0
    after = {"due_minor": due.due_minor, "currency": booking.currency, "balance_due_at": due_at.isoformat()}
    lifecycle.record_event(booking, kind=kind, to_status=booking.status, actor=SYSTEM, after=after)
    return 1
