"""Asks the worker to look at once: nudges, which may be lost; the sweeps find everything without them.

Sent from a thread beside the request, so that nobody waits for the broker.
"""

from uuid import UUID

from config.kit.gathering import Gathering
from payments import tasks

GATHER_SECONDS = 0.05
EXPIRES_SECONDS = 15  # the sweep has come by then


def apply_events(_: set[UUID]) -> None:
    """Queue one task for all events since the last. With the broker away this fails and is logged."""
    tasks.apply_provider_events.apply_async(expires=EXPIRES_SECONDS, retry=False)


def submit_refunds(due: set[UUID]) -> None:
    """Queue a task for each refund."""
    for refund_id in due:
        tasks.submit_refund.apply_async((str(refund_id),), expires=EXPIRES_SECONDS, retry=False)


def close_payments(_: set[UUID]) -> None:
    """Queue one task for all that is over."""
    tasks.close_lapsed_payments.apply_async(expires=EXPIRES_SECONDS, retry=False)


events: Gathering[UUID] = Gathering(apply_events, name="provider-event-nudges", gather_seconds=GATHER_SECONDS)
refunds: Gathering[UUID] = Gathering(submit_refunds, name="refund-nudges", gather_seconds=GATHER_SECONDS)
lapsed: Gathering[UUID] = Gathering(close_payments, name="lapsed-payment-nudges", gather_seconds=GATHER_SECONDS)
