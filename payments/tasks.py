"""What beat, and nudges, ask of payments; each calls one service and is safe to run twice. Workers are patient."""

from uuid import UUID

from celery import shared_task

from payments.providers.gateway import patient
from payments.services import accounts, closing, provider_events, reconciliation, refund_submission


@shared_task
def apply_provider_events() -> int:
    """Every five seconds, and soon after an event came: apply what providers told us."""
    return provider_events.apply_due_events()


@shared_task
@patient
def close_lapsed_payments() -> int:
    """Every 15 seconds: let nobody pay for what is over."""
    return closing.close_lapsed_payments()


@shared_task
@patient
def reconcile_open_payments() -> int:
    """Every 15 seconds: look for money of which nothing was heard."""
    return closing.reconcile_open_payments()


@shared_task
@patient
def submit_refund(refund_id: str) -> None:
    """Soon after a refund was requested."""
    refund_submission.submit_refund(UUID(refund_id))


@shared_task
@patient
def submit_due_refunds() -> int:
    """Every 15 seconds: ask for the refunds that are due."""
    return refund_submission.submit_due_refunds()


@shared_task
@patient
def reconcile_accounts() -> int:
    """Every hour: lay our books beside the providers' statements."""
    return reconciliation.reconcile_accounts()


@shared_task
@patient
def retire_former_secrets() -> int:
    """Every hour: forget the secrets whose time is over."""
    return accounts.retire_former_secrets()
