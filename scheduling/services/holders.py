"""To whom reservations belong, as an address: given late, or taken away for good."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from scheduling.models import Reservation

BATCH = 1000
OVER = (Reservation.Status.RELEASED, Reservation.Status.EXPIRED)


def name_holder(*, basket: UUID, email: str) -> int:
    """Write whose the held reservations of a basket are; return how many there are."""
    return Reservation.objects.filter(basket=basket, status=Reservation.Status.HELD).update(email=email.strip().lower())


def forget_holder(*, organization_id: UUID, email: str, reservation_ids: Iterable[UUID], instead: str) -> int:
    """Take an address away from these reservations, and from all of it that came to nothing; return how many.

    What is held is left alone: it is being bought, and belongs to whoever buys it.
    """
    by_address = Q(email=email, status__in=OVER)
    rows = Reservation.objects.filter(by_address | Q(id__in=list(reservation_ids)), organization=organization_id)
    return rows.exclude(status=Reservation.Status.HELD).update(email=instead)


def forget_old_holders(*, organization_id: UUID, ended_before: datetime) -> list[UUID]:
    """Take the addresses away from reservations that came to nothing, a batch of them; return their baskets."""
    rows = Reservation.objects.filter(organization=organization_id, ended_at__lt=ended_before).exclude(email="")
    batch = list(rows.order_by("id").values_list("id", "basket")[:BATCH])
    Reservation.objects.filter(id__in=[row[0] for row in batch]).update(email="")
    return [basket for _, basket in batch]
