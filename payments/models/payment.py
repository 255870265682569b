"""Money in."""

from django.db import models
from django.db.models.functions import Now

from config.kit.display import money_text
from config.kit.facts import ChainHead
from config.kit.tokens import make_token
from config.kit.transitions import Transitions
from config.tenants.models import Language, TenantModel
from payments.models.account import ProviderAccount, ProviderName
from payments.models.voucher import Voucher


class Payment(ChainHead, TenantModel):
    """One checkout at one provider, of one amount. Written by services/payment_rows.py alone."""

    class Status(models.TextChoices):
        CREATED = "created"  # a row; the provider may not know of it yet
        PROCESSING = "processing"  # the provider has it: to be paid, or on its way
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    class Purpose(models.TextChoices):
        WHOLE = "whole", "the whole price"
        DEPOSIT = "deposit"
        BALANCE = "balance", "what is still due"

    TRANSITIONS = Transitions(
        initial=frozenset({Status.CREATED}),
        moves={
            Status.CREATED: frozenset({Status.PROCESSING, Status.SUCCEEDED, Status.FAILED, Status.CANCELLED}),
            Status.PROCESSING: frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED}),
            # The bank has the last word: money that came after all is there, whatever we thought.
            Status.FAILED: frozenset({Status.SUCCEEDED}),
            Status.CANCELLED: frozenset({Status.SUCCEEDED}),
        },
    )

    provider = models.CharField(max_length=12, choices=ProviderName.choices)
    account = models.ForeignKey(
        ProviderAccount, null=True, blank=True, on_delete=models.PROTECT, related_name="payments", db_constraint=False,
        db_index=False,
    )  # fmt: skip
    voucher = models.ForeignKey(
        Voucher, null=True, blank=True, on_delete=models.PROTECT, related_name="payments", db_constraint=False
    )
    reference = models.UUIDField(db_index=True)  # what it is for: a booking, of which nothing is known here
    purpose = models.CharField(max_length=8, choices=Purpose.choices, default=Purpose.WHOLE)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.CREATED)
    amount_minor = models.PositiveIntegerField()
    currency = models.CharField(max_length=3)
    description = models.CharField(max_length=200, blank=True)  # what the provider's page says it is for
    payer_email = models.EmailField(blank=True)
    language = models.CharField(max_length=5, choices=Language.choices, default=Language.ENGLISH)
    provider_ref = models.CharField(max_length=120, blank=True, default="")  # the checkout: cs_…
    intent_ref = models.CharField(max_length=120, blank=True, default="")  # the money: pi_…
    redirect_url = models.TextField(blank=True, default="")  # the provider's page
    expires_at = models.DateTimeField(null=True, blank=True)  # until when we let it be paid
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    settled_at = models.DateTimeField(null=True, blank=True, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)  # failed or cancelled
    failure_code = models.CharField(max_length=80, blank=True, default="")
    looked_at = models.DateTimeField(null=True, blank=True, editable=False)  # when the provider was last asked
    looks = models.PositiveSmallIntegerField(default=0, editable=False)  # how often, for ever longer pauses

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.CheckConstraint(
                condition=models.Q(status__in=["created", "processing", "succeeded", "failed", "cancelled"]),
                name="payment_status_known",
            ),
            models.CheckConstraint(
                condition=models.Q(provider__in=["stripe", "on_arrival", "voucher"]), name="payment_provider_known"
            ),
            models.CheckConstraint(
                condition=models.Q(purpose__in=["whole", "deposit", "balance"]), name="payment_purpose_known"
            ),
            models.CheckConstraint(condition=models.Q(amount_minor__gte=1), name="payment_is_of_something"),
            models.CheckConstraint(condition=models.Q(currency__regex=r"^[A-Z]{3}$"), name="payment_currency_iso"),
            models.CheckConstraint(
                condition=models.Q(status="succeeded", settled_at__isnull=False)
                | (~models.Q(status="succeeded") & models.Q(settled_at=None)),
                name="payment_settled_has_a_time",
            ),
            models.CheckConstraint(
                condition=models.Q(provider="stripe", account__isnull=False)
                | (~models.Q(provider="stripe") & models.Q(account=None)),
                name="payment_account_of_its_provider",
            ),
            models.CheckConstraint(
                condition=models.Q(provider="voucher", voucher__isnull=False)
                | (~models.Q(provider="voucher") & models.Q(voucher=None)),
                name="payment_voucher_of_its_provider",
            ),
            # What is paid at the desk, or by a voucher, is there or not; it does not fail.
            models.CheckConstraint(
                condition=models.Q(provider="stripe") | models.Q(status__in=["created", "succeeded", "cancelled"]),
                name="payment_status_of_its_provider",
            ),
            models.UniqueConstraint(
                fields=["account", "provider_ref"], condition=~models.Q(provider_ref=""), name="payment_checkout_once"
            ),
            models.UniqueConstraint(
                fields=["account", "intent_ref"], condition=~models.Q(intent_ref=""), name="payment_intent_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"], condition=models.Q(status__in=["created", "processing"]), name="payment_open"
            ),
            models.Index(fields=["organization", "settled_at"], name="payment_by_settlement"),
        ]

    def __str__(self) -> str:
        return f"{money_text(self.amount_minor, self.currency)}, {self.status}"

    @property
    def is_open(self) -> bool:
        """May it still be paid?"""
        return self.status in (self.Status.CREATED, self.Status.PROCESSING)

    @property
    def token(self) -> str:
        """What opens the page to which the provider sends the payer back."""
        return make_token(purpose="payment", subject=self.id)
