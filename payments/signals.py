"""What payments tells those above it: inside the transaction, with the `payment_id` and the `reference` it is for."""

from django.dispatch import Signal

payment_succeeded = Signal()  # money is there; also `actor`
payment_failed = Signal()  # it failed, or was cancelled; also `status`
refund_settled = Signal()  # money went back, or could not: also `refund_id`, `status` (succeeded, failed)
dispute_opened = Signal()  # also `dispute_id`
dispute_closed = Signal()  # also `dispute_id`, `status` (won, lost)
refund_due = Signal()  # after the commit: a refund may be submitted; `refund_id` alone
payments_lapsed = Signal()  # after the commit: what is open for a `reference` may not be paid any more
provider_asked = Signal()  # after each try, outside transactions: `account`, `seconds`, and the `error` or None
