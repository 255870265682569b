"""Lines of Stripe's statement as movements."""

from collections.abc import Mapping
from typing import Any

from payments.providers.amounts import from_stripe
from payments.providers.base import Movement, MovementKind
from payments.providers.shapes import instant, payment_id_of, ref_of, uuid_of

KINDS = {
    "charge": MovementKind.PAYMENT,
    "payment": MovementKind.PAYMENT,
    "refund": MovementKind.REFUND,
    "payment_refund": MovementKind.REFUND,
    "refund_failure": MovementKind.REFUND_RETURNED,
    "payment_failure_refund": MovementKind.REFUND_RETURNED,
}
ADJUSTMENTS = {
    "dispute": MovementKind.DISPUTE_WITHDRAWN,
    "dispute_reversal": MovementKind.DISPUTE_REINSTATED,
}


def movement_of(line: Mapping[str, Any]) -> Movement:
    """Read a line whose `source` stands there whole.

    A line is in the account's own currency; of what was paid in another one, the source says how much it was.
    """
    source = line.get("source")
    whole: Mapping[str, Any] = source if isinstance(source, Mapping) else {}
    amount, currency = line["amount"], line["currency"].upper()
    if line.get("exchange_rate") and whole.get("amount"):
        amount, currency = (-1 if amount < 0 else 1) * whole["amount"], whole["currency"].upper()
    return Movement(
        ref=line["id"], kind=_kind(line), amount_minor=from_stripe(amount, currency), currency=currency,
        at=instant(line["created"]), source_ref=ref_of(source), intent_ref=ref_of(whole.get("payment_intent")),
        payment_id=payment_id_of(whole), refund_id=uuid_of((whole.get("metadata") or {}).get("refund")),
    )  # fmt: skip


def _kind(line: Mapping[str, Any]) -> MovementKind:
    if line["type"] == "adjustment":
        return ADJUSTMENTS.get(line.get("reporting_category") or "", MovementKind.OTHER)
    return KINDS.get(line["type"], MovementKind.OTHER)
