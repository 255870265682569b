"""Money and its states in the words of staff."""

from collections.abc import Mapping

from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from config.kit.display import money_text
from payments.models import Dispute, LedgerEntry, LedgerTransaction, Payment, ProviderName, Refund

PAYMENT: Mapping[str, str] = {
    Payment.Status.CREATED: "not paid yet",
    Payment.Status.PROCESSING: "at the provider",
    Payment.Status.SUCCEEDED: "paid",
    Payment.Status.FAILED: "failed",
    Payment.Status.CANCELLED: "not paid, closed",
}
REFUND: Mapping[str, str] = {
    Refund.Status.REQUESTED: "on its way to the provider",
    Refund.Status.SUBMITTED: "on its way to the payer",
    Refund.Status.SUCCEEDED: "back with the payer",
    Refund.Status.FAILED: "failed: somebody must look",
}
TO_HAND_BACK = "to be handed back at the desk"
DISPUTE: Mapping[str, str] = {
    Dispute.Status.OPEN: "open: answer it at the provider",
    Dispute.Status.WON: "won: the money is ours",
    Dispute.Status.LOST: "lost: the money is gone",
}
MOVED: Mapping[str, str] = {
    LedgerTransaction.Kind.PAYMENT_SETTLED: "Paid",
    LedgerTransaction.Kind.REFUND_SETTLED: "Given back",
    LedgerTransaction.Kind.REFUND_RETURNED: "A refund came back",
    LedgerTransaction.Kind.DISPUTE_WITHDRAWN: "Taken by the bank in a dispute",
    LedgerTransaction.Kind.DISPUTE_REINSTATED: "Put back by the bank",
    LedgerTransaction.Kind.DISPUTE_LOST: "Lost in a dispute",
    LedgerTransaction.Kind.VOUCHER_ISSUED: "Voucher issued",
    LedgerTransaction.Kind.VOUCHER_ENDED: "Voucher ended",
}


def payment_words(payment: Payment) -> str:
    """Return how far a payment is."""
    return PAYMENT[payment.status]


def refund_words(refund: Refund) -> str:
    """Return how far a refund is; what was paid at the desk waits for a hand."""
    at_desk = refund.payment.provider == ProviderName.ON_ARRIVAL
    waits = refund.status == Refund.Status.REQUESTED
    return TO_HAND_BACK if at_desk and waits else REFUND[refund.status]


def dispute_words(dispute: Dispute) -> str:
    """Return how a dispute is, and what to do."""
    return DISPUTE[dispute.status]


def moved_words(moved: LedgerTransaction) -> str:
    """Return what moved."""
    return MOVED[moved.kind]


def between(moved: LedgerTransaction) -> str:
    """Return from which account to which: credited first."""
    sides = sorted(moved.entries.all(), key=lambda entry: entry.amount_minor)
    return " → ".join(str(LedgerEntry.Account(entry.account).label) for entry in sides)


def amount_of(row: Payment | Refund | Dispute) -> str:
    """Return how much."""
    return money_text(row.amount_minor, row.currency)


def link_to(row: Model, text: str) -> SafeString:
    """Lead to a row's own page."""
    address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a class="story-link" href="{}">{}</a>', address, text)
