"""Stored value."""

from django.db import models
from django.db.models.functions import Now, Upper

from config.tenants.models import TenantModel, User


class Voucher(TenantModel):
    """A code that is worth money, spent in parts. Its balance is written by services/vouchers.py alone."""

    code = models.CharField(max_length=20)  # 16 Crockford letters in groups of four: unguessable
    currency = models.CharField(max_length=3)
    issued_minor = models.PositiveIntegerField()
    balance_minor = models.PositiveIntegerField()
    expires_on = models.DateField(null=True, blank=True)  # the last day, by UTC
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)  # taken back by staff
    note = models.CharField(max_length=200, blank=True)  # for staff
    issued_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    issued_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["organization", "code"], name="voucher_code_once"),
            models.CheckConstraint(condition=models.Q(code=Upper("code")), name="voucher_code_is_upper"),
            models.CheckConstraint(condition=models.Q(currency__regex=r"^[A-Z]{3}$"), name="voucher_currency_iso"),
            models.CheckConstraint(condition=models.Q(issued_minor__gte=1), name="voucher_is_of_something"),
            models.CheckConstraint(
                condition=models.Q(balance_minor__gte=0, balance_minor__lte=models.F("issued_minor")),
                name="voucher_balance_within",
            ),
        ]

    def __str__(self) -> str:
        return f"… {self.code[-4:]}"  # a code is money: logs and titles have its end


class VoucherEntry(TenantModel):
    """What happened to a voucher's value; the balance is their sum."""

    append_only = True

    class Kind(models.TextChoices):
        ISSUED = "issued"
        REDEEMED = "redeemed"
        RETURNED = "returned"
        ENDED = "ended"

    voucher = models.ForeignKey(Voucher, on_delete=models.PROTECT, related_name="entries", db_constraint=False)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    amount_minor = models.IntegerField()  # signed: what it did to the balance
    source_id = models.UUIDField()  # the payment, the refund, the voucher itself; of an end, its fact
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["source_id", "kind"], name="voucher_entry_once"),
            models.CheckConstraint(
                condition=models.Q(kind__in=["issued", "returned"], amount_minor__gt=0)
                | models.Q(kind__in=["redeemed", "ended"], amount_minor__lt=0),
                name="voucher_entry_has_its_sign",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount_minor:+}"
