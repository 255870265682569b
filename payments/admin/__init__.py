"""Money, for staff: to look at, and the few acts that need no booking. One module per noun; payments themselves, with
the bookings that they are for, are in bookings/admin/payments.py.
"""

from payments.admin.accounts import ProviderAccountAdmin
from payments.admin.disputes import DisputeAdmin
from payments.admin.ledger import LedgerTransactionAdmin
from payments.admin.reconciliations import ReconciliationAdmin
from payments.admin.refunds import RefundAdmin
from payments.admin.vouchers import VoucherAdmin

__all__ = [
    "DisputeAdmin", "LedgerTransactionAdmin", "ProviderAccountAdmin", "ReconciliationAdmin", "RefundAdmin",
    "VoucherAdmin",
]  # fmt: skip
