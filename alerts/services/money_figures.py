"""How payments and refunds are, in numbers. Short statements; nobody outside is asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection
from django.db.models import Count, Q

from config.kit.clock import database_now
from config.kit.ids import first_id
from payments.models import Dispute, Payment, Refund

A_DAY = timedelta(days=1)
ENDED = (Payment.Status.SUCCEEDED, Payment.Status.FAILED, Payment.Status.CANCELLED)
# Of each account the last one counts: what was open before it is in it again.
DIFFERENCES = """SELECT coalesce(sum(open_count), 0) FROM (
    SELECT DISTINCT ON (account_id) open_count FROM payments_reconciliation ORDER BY account_id, created_at DESC) r"""


@dataclass(frozen=True, slots=True)
class PaymentFigures:
    """Payments opened in the last day, and what is on its way back, or should be."""

    by_status: Mapping[tuple[str, str], int]  # (provider, status)
    refunds_waiting: int
    refunds_failed: int
    open_disputes: int
    differences: int

    @property
    def success_ratio(self) -> float | None:
        """Of the online payments that ended: the share that was paid; None while none has ended."""
        ended = {status: self.by_status.get(("stripe", status), 0) for status in ENDED}
        return ended[Payment.Status.SUCCEEDED] / sum(ended.values()) if sum(ended.values()) else None


def payment_figures() -> PaymentFigures:
    """Return how payments are, in four statements."""
    recent = Payment.objects.filter(id__gte=first_id(database_now() - A_DAY)).order_by()
    rows = recent.values_list("provider", "status").annotate(number=Count("id"))
    waiting = Q(status__in=[Refund.Status.REQUESTED, Refund.Status.SUBMITTED])
    refunds = Refund.objects.aggregate(
        waiting=Count("id", filter=waiting), failed=Count("id", filter=Q(status=Refund.Status.FAILED))
    )
    return PaymentFigures(
        by_status={(provider, status): number for provider, status, number in rows},
        refunds_waiting=refunds["waiting"],
        refunds_failed=refunds["failed"],
        open_disputes=Dispute.objects.filter(status=Dispute.Status.OPEN).count(),
        differences=_differences(),
    )


def _differences() -> int:
    with connection.cursor() as cursor:
        cursor.execute(DIFFERENCES)
        row = cursor.fetchone()
    return int(row[0])
