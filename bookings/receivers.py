"""What bookings hears; one line each."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.dispatch import receiver

from bookings.nudges import await_lapse
from bookings.services.waitlist_offers import offer_freed_places
from bookings.signals import lapse_awaited
from scheduling.signals import places_freed


@receiver(places_freed)
def ask_who_waits(session_ids: list[UUID], **_: Any) -> None:
    """Those who wait come first; inside the transaction that frees the places."""
    offer_freed_places(session_ids)


@receiver(lapse_awaited)
def look_when_it_lapses(session_id: UUID, at: datetime, seconds: float, **_: Any) -> None:
    """Whoever waits behind a hold gets its places within seconds of its end."""
    await_lapse(session_id, at=at, seconds=seconds)
