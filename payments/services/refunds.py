"""Money back: asked for in the transaction of the act that owes it, and looked after by staff.

A refund is a row first. services/refund_submission.py asks the provider afterwards, outside any transaction;
services/refund_outcomes.py writes what the provider says of it.
"""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction

from config.kit.display import money_text
from config.kit.facts import Actor
from config.kit.refusals import FieldError, Refusal, invalid
from payments.models import Payment, ProviderName, Refund
from payments.services import refund_rows
from payments.services.balances import left_by_payment, require_transaction

# Which goes back first: cards, then what was paid at the desk, then vouchers.
BACK_BY = {ProviderName.STRIPE: 0, ProviderName.ON_ARRIVAL: 1, ProviderName.VOUCHER: 2}


class RefundTooLarge(Refusal):
    """More than what was paid, has not gone back, and is not disputed; says how much is left."""

    code, title = "refund_too_large", "That is more than can be given back"


class RefundMovedOn(Refusal):
    """It does not wait for that: it went back already, or is on its way."""

    code, title = "refund_moved_on", "This refund does not wait for that any more"


def request_refunds(
    *, reference: UUID, amount_minor: int, reason: Refund.Reason, actor: Actor, lines: Sequence[UUID] = ()
) -> list[Refund]:
    """Ask that so much (minor units) of what was paid for a reference goes back; in the caller's transaction.

    Cards come first, the newest payment of them first, then what was paid at the desk, then vouchers, which have it
    back at once. The caller has locked the reference's payments. Refuses with RefundTooLarge, and an amount of nought
    or less at its field.
    """
    require_transaction()
    if amount_minor < 1:
        raise invalid("amount_minor", "not_positive", "The amount has to be more than nothing.")
    payments = _payments_back(reference)
    left = left_by_payment(payments)
    if amount_minor > sum(left.values()):
        raise _too_large(sum(left.values()), payments[0].currency if payments else "")
    refunds, still = [], amount_minor
    for payment in payments:
        if part := min(still, left[payment.id]):
            refunds.append(refund_rows.add(payment, part, reason=reason, actor=actor, lines=lines))
            still -= part
    return refunds


@transaction.atomic
def retry_refund(refund_id: UUID, *, actor: Actor) -> Refund:
    """Try a failed refund again, as often as at first. Refuses with NotFound, RefundMovedOn, RefundTooLarge."""
    refund = refund_rows.lock_refund(refund_id)
    if refund.status != Refund.Status.FAILED or refund.payment.provider != ProviderName.STRIPE:
        raise RefundMovedOn
    left = left_by_payment([refund.payment])[refund.payment_id]
    if refund.amount_minor > left:
        raise _too_large(left, refund.currency)
    refund_rows.begin_again(refund, actor=actor)
    return refund


@transaction.atomic
def hand_back(refund_id: UUID, *, actor: Actor) -> Refund:
    """Note that money was given back at the desk; again is harmless. Refuses with NotFound, RefundMovedOn."""
    refund = refund_rows.lock_refund(refund_id)
    if refund.payment.provider != ProviderName.ON_ARRIVAL:
        raise RefundMovedOn
    if refund.status == Refund.Status.REQUESTED:
        refund_rows.settle(refund, actor=actor)
    return refund


def _payments_back(reference: UUID) -> list[Payment]:
    """Return what was paid for a reference, locked, in the order in which it goes back.

    Vouchers are locked as they have it back: in the order of their ids, as by everybody.
    """
    paid = Payment.objects.filter(reference=reference, status=Payment.Status.SUCCEEDED).order_by("id")
    newest_first = sorted(
        paid.select_for_update(no_key=True), key=lambda payment: (payment.settled_at, payment.id), reverse=True
    )
    return sorted(
        newest_first, key=lambda payment: (BACK_BY[ProviderName(payment.provider)], str(payment.voucher_id or ""))
    )


def _too_large(left_minor: int, currency: str) -> RefundTooLarge:
    words = f"{money_text(left_minor, currency) if left_minor else 'Nothing'} is left that can be given back."
    return RefundTooLarge(
        words, errors=[FieldError("amount_minor", RefundTooLarge.code, words)], extra={"refundable_minor": left_minor}
    )
