"""Money facts, apart from the booking's state."""

from payments.models.account import ProviderAccount, ProviderName
from payments.models.dispute import Dispute
from payments.models.event import PaymentEvent, PaymentEventDetail
from payments.models.ledger import LedgerEntry, LedgerTransaction
from payments.models.payment import Payment
from payments.models.provider_event import ProviderEvent
from payments.models.reconciliation import Reconciliation
from payments.models.refund import Refund
from payments.models.voucher import Voucher, VoucherEntry

__all__ = [
    "Dispute", "LedgerEntry", "LedgerTransaction", "Payment", "PaymentEvent", "PaymentEventDetail", "ProviderAccount",
    "ProviderEvent", "ProviderName", "Reconciliation", "Refund", "Voucher", "VoucherEntry",
]  # fmt: skip
