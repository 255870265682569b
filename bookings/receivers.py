"""What bookings hears; one line each."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.dispatch import receiver

from bookings.nudges import await_lapse
from bookings.services import settlement
from bookings.services.waitlist_offers import offer_freed_places
from bookings.signals import lapse_awaited
from config.kit.facts import Actor
from payments.signals import dispute_closed, dispute_opened, payment_failed, payment_succeeded, refund_settled
from scheduling.signals import places_freed


@receiver(places_freed)
def ask_who_waits(session_ids: list[UUID], **_: Any) -> None:
    """Those who wait come first; inside the transaction that frees the places."""
    offer_freed_places(session_ids)


@receiver(lapse_awaited)
def look_when_it_lapses(session_id: UUID, at: datetime, seconds: float, **_: Any) -> None:
    """Whoever waits behind a hold gets its places within seconds of its end."""
    await_lapse(session_id, at=at, seconds=seconds)


@receiver(payment_succeeded)
def take_payment(reference: UUID, payment_id: UUID, actor: Actor, **_: Any) -> None:
    """Money and booking move together; inside the transaction that settles the payment."""
    settlement.take_payment(booking_id=reference, payment_id=payment_id, actor=actor)


@receiver(payment_failed)
def tell_failure(reference: UUID, payment_id: UUID, **_: Any) -> None:
    """The booking's story says that money did not come."""
    settlement.record_failure(booking_id=reference, payment_id=payment_id)


@receiver(refund_settled)
def tell_refund(reference: UUID, refund_id: UUID, status: str, **_: Any) -> None:
    """The booking's story says that money went back, or could not."""
    settlement.record_refund(booking_id=reference, refund_id=refund_id, status=status)


@receiver(dispute_opened)
def tell_dispute(reference: UUID, dispute_id: UUID, **_: Any) -> None:
    """The booking's story says that the payer's bank asks for the money."""
    settlement.record_dispute(booking_id=reference, dispute_id=dispute_id)


@receiver(dispute_closed)
def tell_end_of_dispute(reference: UUID, dispute_id: UUID, **_: Any) -> None:
    """The booking's story says how that ended."""
    settlement.record_dispute(booking_id=reference, dispute_id=dispute_id)
