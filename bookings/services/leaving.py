"""A customer who has begun to pay turns back: to change the order, to pay another way, or to give the places back."""

from uuid import UUID

from django.db import transaction

from bookings.models import Booking
from bookings.services import begun
from config.kit.facts import Actor
from config.kit.retries import retry_on_deadlock
from scheduling.models import Reservation


@retry_on_deadlock
@transaction.atomic
def leave_checkout(*, basket: UUID, actor: Actor) -> Booking | None:
    """Let go of what was begun of a basket and is not paid; what is held stays held, what a voucher paid goes back.

    Return the booking that it is by now, if it was paid meanwhile; else None. Again is harmless.
    """
    rows = Reservation.objects.of_basket(basket).exclude(status=Reservation.Status.RELEASED)
    booking = begun.lock_begun(list(rows.values_list("id", flat=True)))
    if booking and booking.status == Booking.Status.PENDING:
        begun.leave(booking, actor=actor)
        return None
    return booking if booking and booking.status == Booking.Status.CONFIRMED else None
