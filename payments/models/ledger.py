"""Double entry, append-only: what moved between which accounts of an organization, in one currency."""

from django.db import models
from django.db.models.functions import Now

from config.tenants.models import TenantModel


class LedgerTransaction(TenantModel):
    """One movement; its entries add up to zero, by a trigger at the commit."""

    append_only = True

    class Kind(models.TextChoices):
        PAYMENT_SETTLED = "payment_settled"
        REFUND_SETTLED = "refund_settled"
        REFUND_RETURNED = "refund_returned"  # the bank sent it back
        DISPUTE_WITHDRAWN = "dispute_withdrawn"
        DISPUTE_REINSTATED = "dispute_reinstated"
        DISPUTE_LOST = "dispute_lost"
        VOUCHER_ISSUED = "voucher_issued"
        VOUCHER_ENDED = "voucher_ended"

    kind = models.CharField(max_length=20, choices=Kind.choices)
    currency = models.CharField(max_length=3)
    source_id = models.UUIDField()  # the payment, refund, dispute or voucher that moved it
    occurrence = models.PositiveSmallIntegerField(default=1)  # a refund can come back, and be made again
    reference = models.UUIDField(null=True, blank=True, db_index=True)  # the booking, where there is one
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["source_id", "kind", "occurrence"], name="ledger_once"),
            models.CheckConstraint(
                condition=models.Q(
                    kind__in=[
                        "payment_settled", "refund_settled", "refund_returned", "dispute_withdrawn",
                        "dispute_reinstated", "dispute_lost", "voucher_issued", "voucher_ended",
                    ]
                ),
                name="ledger_kind_known",
            ),
        ]  # fmt: skip
        indexes = [models.Index(fields=["organization", "currency", "at"], name="ledger_by_time")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.source_id}"


class LedgerEntry(TenantModel):
    """One side of a movement: a debit is positive, a credit negative, in minor units."""

    append_only = True

    class Account(models.TextChoices):
        CLEARING = "clearing", "at the payment provider"
        TILL = "till", "at the desk"
        VOUCHERS = "vouchers", "owed on vouchers"
        GIVEN = "given", "vouchers given"
        BOOKINGS = "bookings", "paid for bookings"
        DISPUTED = "disputed", "disputed"
        LOST = "lost", "lost in disputes"

    transaction = models.ForeignKey(
        LedgerTransaction, on_delete=models.PROTECT, related_name="entries", db_constraint=False
    )
    account = models.CharField(max_length=10, choices=Account.choices)
    amount_minor = models.BigIntegerField()

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.CheckConstraint(condition=~models.Q(amount_minor=0), name="ledger_entry_moves_something"),
            models.UniqueConstraint(fields=["transaction", "account"], name="ledger_entry_once"),
            models.CheckConstraint(
                condition=models.Q(
                    account__in=["clearing", "till", "vouchers", "given", "bookings", "disputed", "lost"]
                ),
                name="ledger_account_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.amount_minor:+}"
