"""What beat asks of scheduling; each calls one service and is safe to run twice."""

from celery import shared_task
from django.core.cache import cache

from scheduling.services import generation, reservations

SWEEP_RAN = "sweep-ran"  # in the cache while the sweep is known to run: the auditor judges its promptness only then
SWEEP_IS_FRESH_SECONDS = 150


@shared_task
def release_expired_reservations() -> int:
    """Every minute: tidy up lapsed holds."""
    places = reservations.release_expired_reservations()
    cache.set(SWEEP_RAN, places, timeout=SWEEP_IS_FRESH_SECONDS)
    return places


@shared_task
def generate_sessions() -> int:
    """Every 15 minutes: fill the venues that are due."""
    return generation.generate_due_sessions()
