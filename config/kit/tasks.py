"""What beat asks of kit."""

from celery import shared_task

from config.kit import idempotency


@shared_task
def forget_old_keys() -> int:
    """Every hour: forget idempotency keys of more than a day ago."""
    return idempotency.forget_old_keys()
