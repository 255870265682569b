"""What payments hears of itself; one line each."""

from typing import Any
from uuid import UUID

from django.dispatch import receiver

from payments import nudges
from payments.signals import payments_lapsed, refund_due


@receiver(refund_due)
def submit_soon(refund_id: UUID, **_: Any) -> None:
    """Money that is owed goes back within seconds."""
    nudges.refunds.add([refund_id])


@receiver(payments_lapsed)
def close_soon(reference: UUID, **_: Any) -> None:
    """Nobody pays for what is over."""
    nudges.lapsed.add([reference])
