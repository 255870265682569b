"""What payments keep of a person: whom the provider was told to write to, and what lies beside their facts."""

from collections import defaultdict
from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db.models import Q

from config.kit.erasing import erase_rows
from payments.models import Payment, PaymentEventDetail
from payments.services.balances import require_transaction

PAYMENT = (
    "id", "provider", "status", "purpose", "amount_minor", "currency", "created_at", "settled_at", "failure_code",
)  # fmt: skip
REFUND = ("id", "status", "reason", "amount_minor", "currency", "created_at", "settled_at")


def forget_payers(*, organization_id: UUID, references: Collection[UUID], email: str, instead: str) -> None:
    """Overwrite who paid for these, and this address wherever else it paid; amounts, times and chain of facts stay.

    In the caller's transaction, which holds the locks of the references' payments.
    """
    require_transaction()
    theirs = Q(reference__in=references) | Q(organization=organization_id, payer_email=email)
    Payment.objects.filter(theirs).exclude(payer_email="").update(payer_email=instead)
    erase_rows(PaymentEventDetail.objects.filter(event__payment__reference__in=references))


def export_payments(references: Collection[UUID], *, email: str) -> dict[UUID, list[dict[str, Any]]]:
    """Return what is kept of the payments for each reference, the oldest first, each with its refunds; minor units.

    Another payer's address is left out.
    """
    found: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    payments = Payment.objects.filter(reference__in=references).order_by("created_at", "id")
    for payment in payments.prefetch_related("refunds"):
        refunds = sorted(payment.refunds.all(), key=lambda refund: refund.id)
        found[payment.reference].append(
            {
                **_picked(payment, PAYMENT),
                "payer_email": payment.payer_email if payment.payer_email == email else "",
                "refunds": [_picked(refund, REFUND) for refund in refunds],
            }
        )
    return found


def _picked(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
