"""What beat, and time, ask of bookings; each calls one service and is safe to run twice."""

import logging
from uuid import UUID

from celery import shared_task

from bookings.services import attendance, expiry, retention, waitlist_offers
from scheduling.services import capacity

logger = logging.getLogger(__name__)


@shared_task
def sweep_waitlist() -> int:
    """Every minute: offer what was missed, and end the waits whose time is over."""
    return waitlist_offers.sweep_waitlist()


@shared_task
def hand_on_places(session_id: str) -> None:
    """When a hold lapses that somebody waits behind."""
    capacity.hand_on([UUID(session_id)])


@shared_task
def settle_outcomes() -> int:
    """Every five minutes: who came and who did not, where a policy is switched on."""
    return attendance.settle_outcomes()


@shared_task
def retain_personal_data() -> dict[str, int]:
    """Every six hours: archive and erase what is older than its organization keeps it, and say how much."""
    done = retention.retain_personal_data()
    logger.info("retention: %s", ", ".join(f"{name} {count}" for name, count in done.items()))
    return done


@shared_task
def expire_pending_bookings() -> int:
    """Every quarter of a minute: let go what was not paid in time."""
    return expiry.expire_pending_bookings()


@shared_task
def tell_balances() -> int:
    """Every ten minutes: remind of balances, and say which are overdue."""
    return expiry.tell_balances()
