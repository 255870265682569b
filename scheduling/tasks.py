"""What beat asks of scheduling; each calls one service and is safe to run twice."""

from celery import shared_task

from scheduling.services import generation, reservations


@shared_task
def release_expired_reservations() -> int:
    """Every minute: tidy up lapsed holds."""
    return reservations.release_expired_reservations()


@shared_task
def generate_sessions() -> int:
    """Every 15 minutes: fill the venues that are due."""
    return generation.generate_due_sessions()
