"""What was paid for something, what went back, and what is on its way: one statement, whatever the number."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction

from config.kit.refusals import NotFound
from payments.models import Payment

# Money that failed to go back is still ours. A dispute counts while the bank has the money: open, or lost for good.
BALANCES = """
    SELECT p.reference, max(p.currency),
        coalesce(sum(p.amount_minor) FILTER (WHERE p.status = 'succeeded'), 0)::bigint,
        coalesce(sum(r.refunded), 0)::bigint, coalesce(sum(r.returning), 0)::bigint,
        coalesce(sum(d.disputed), 0)::bigint,
        coalesce(sum(p.amount_minor) FILTER (WHERE p.status IN ('created', 'processing')), 0)::bigint
    FROM payments_payment p
    CROSS JOIN LATERAL (SELECT
        sum(amount_minor) FILTER (WHERE status = 'succeeded') AS refunded,
        sum(amount_minor) FILTER (WHERE status IN ('requested', 'submitted')) AS returning
        FROM payments_refund WHERE payment_id = p.id) r
    CROSS JOIN LATERAL (SELECT sum(amount_minor) AS disputed
        FROM payments_dispute WHERE payment_id = p.id AND is_withdrawn AND status <> 'won') d
    WHERE p.reference = ANY(%s) GROUP BY p.reference
"""
LEFT = """
    SELECT p.id, (p.amount_minor
        - coalesce((SELECT sum(amount_minor) FROM payments_refund WHERE payment_id = p.id AND status <> 'failed'), 0)
        - coalesce((SELECT sum(amount_minor) FROM payments_dispute
            WHERE payment_id = p.id AND is_withdrawn AND status <> 'won'), 0))::bigint
    FROM payments_payment p WHERE p.id = ANY(%s) AND p.status = 'succeeded'
"""


@dataclass(frozen=True, slots=True)
class Balance:
    """What stands between a payer and us for one reference, in minor units; nothing paid: all zero, no currency."""

    paid_minor: int = 0  # payments that succeeded
    refunded_minor: int = 0  # refunds that arrived
    returning_minor: int = 0  # refunds on their way
    disputed_minor: int = 0  # what a payer's bank has taken: for the time being, or for good
    open_minor: int = 0  # payments begun, not paid yet
    currency: str = ""

    @property
    def net_minor(self) -> int:
        """What is ours now."""
        return self.paid_minor - self.refunded_minor - self.returning_minor - self.disputed_minor

    @property
    def refundable_minor(self) -> int:
        """What could still go back: never below nought."""
        return max(self.net_minor, 0)


def lock_payments(reference: UUID) -> None:
    """Lock every payment of a reference in ascending id order, before what they are for is locked."""
    lock_all_payments([reference])


def lock_all_payments(references: Collection[UUID]) -> None:
    """Lock every payment of several references in ascending id order."""
    require_transaction()
    rows = Payment.objects.select_for_update(no_key=True).filter(reference__in=references).order_by("id")
    list(rows.values_list("id"))


def lock_payment(payment_id: UUID) -> Payment:
    """Lock a payment, with the others of its reference, and return it as it is by then; raise NotFound for none.

    With the others, because whoever hears of it locks what it is for, and with that all payments of it: held singly,
    two of them would wait for each other.
    """
    require_transaction()
    reference = Payment.objects.filter(id=payment_id).values_list("reference", flat=True).first()
    if reference is None:
        raise NotFound
    rows = Payment.objects.select_for_update(no_key=True).filter(reference=reference).order_by("id")
    return next(payment for payment in rows if payment.id == payment_id)


def require_transaction() -> None:
    """Refuse to touch money outside a transaction: a lock that ends with its statement guards nothing."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("Money is locked and moved inside a transaction only.")


def balance_of(reference: UUID) -> Balance:
    """Return the balance of one reference."""
    return balances_of([reference])[reference]


def balances_of(references: Collection[UUID]) -> dict[UUID, Balance]:
    """Return the balance of each reference, in one statement; also of those for which nothing was ever opened."""
    with connection.cursor() as cursor:
        cursor.execute(BALANCES, [list(references)])
        found = {
            reference: Balance(paid, refunded, returning, disputed, is_open, currency)
            for reference, currency, paid, refunded, returning, disputed, is_open in cursor.fetchall()
        }
    return {reference: found.get(reference, Balance()) for reference in references}


def left_by_payment(payments: Sequence[Payment]) -> Mapping[UUID, int]:
    """Return what could still go back of each payment, in minor units: what it was, less refunds and disputes.

    Of a payment that has not succeeded: nothing. The caller holds their locks when something depends on it.
    """
    with connection.cursor() as cursor:
        cursor.execute(LEFT, [[payment.id for payment in payments]])
        found = {payment_id: max(left, 0) for payment_id, left in cursor.fetchall()}
    return {payment.id: found.get(payment.id, 0) for payment in payments}
