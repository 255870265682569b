"""A basket as a whole: kept longer, given back, or rid of one of its holds; all of it in one transaction, or nothing.

It has no row: it is what its reservations share. Each is held from when it was put in, so the basket as a whole is
held until the first of them ends.
"""

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F

from config.kit.clock import database_now
from config.kit.refusals import NotFound
from config.kit.retries import retry_on_deadlock
from scheduling import limits
from scheduling.models import Reservation
from scheduling.services import capacity
from scheduling.services.reservations import EXTENSION, AlreadyExtended, ReservationEnded, check_held


@retry_on_deadlock
@transaction.atomic
def extend_basket(*, basket: UUID, by: timedelta = EXTENSION) -> list[Reservation]:
    """Keep every place of a basket once longer, or raise NotFound, ReservationLapsed, …Ended or AlreadyExtended."""
    held, now = _lock(basket), database_now()
    for reservation in held:
        check_held(reservation, at=now)
    if any(reservation.extended for reservation in held):
        raise AlreadyExtended
    ids = [reservation.id for reservation in held]
    Reservation.objects.filter(id__in=ids).update(expires_at=F("expires_at") + by, extended=True)
    return list(Reservation.objects.of_basket(basket).filter(id__in=ids))


@retry_on_deadlock
@transaction.atomic
def release_basket(*, basket: UUID) -> list[Reservation]:
    """Give every place of a basket back at once; again is harmless. Refuses with ReservationEnded what is booked."""
    found = _lock(basket)
    if any(reservation.status == Reservation.Status.CONFIRMED for reservation in found):
        raise ReservationEnded("These places are booked. Cancel the booking to give them back.")
    held = [reservation for reservation in found if reservation.status == Reservation.Status.HELD]
    capacity.release_places(held, at=database_now())
    limits.let_go_on_commit([reservation.id for reservation in held], is_bought=False)
    return found


def _lock(basket: UUID) -> list[Reservation]:
    """Lock a basket's sessions, then its reservations; raise NotFound when nothing is in it."""
    rows = Reservation.objects.of_basket(basket).exclude(status=Reservation.Status.RELEASED)
    found = list(rows.values_list("id", "session_id"))
    if not found:
        raise NotFound
    capacity.lock_sessions(session_id for _, session_id in found)
    return capacity.lock_reservations(reservation_id for reservation_id, _ in found)
