"""The agreement."""

from django.db import models
from django.db.models.functions import Now

from bookings.models.customer import Customer
from config.kit.facts import ChainHead
from config.kit.ids import booking_number
from config.kit.tokens import make_token
from config.kit.transitions import Transitions
from config.tenants.models import Language, Organization, TenantModel
from payments.methods import PaymentMethod


class Booking(ChainHead, TenantModel):
    """Number, customer, lines and total. Its status is written by services/lifecycle.py alone."""

    class Status(models.TextChoices):
        PENDING = "pending"
        CONFIRMED = "confirmed"
        CANCELLED = "cancelled"
        EXPIRED = "expired"

    TRANSITIONS = Transitions(
        initial=frozenset({Status.PENDING}),
        moves={
            Status.PENDING: frozenset({Status.CONFIRMED, Status.EXPIRED, Status.CANCELLED}),
            Status.CONFIRMED: frozenset({Status.CANCELLED}),
            Status.EXPIRED: frozenset({Status.CONFIRMED}),  # a late payment, or revived by staff
        },
    )

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    number = models.CharField(max_length=8, unique=True, default=booking_number, editable=False)
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, related_name="bookings", db_constraint=False, db_index=False
    )
    contact_name = models.CharField(max_length=200)  # as given for this booking; the customer's own name may differ
    contact_phone = models.CharField(max_length=40, blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    payment_method = models.CharField(max_length=16, choices=PaymentMethod.choices)
    currency = models.CharField(max_length=3)
    total_minor = models.PositiveIntegerField()  # minor units: live lines less discounts, and fees, less the rebate
    fee_minor = models.PositiveIntegerField(default=0, db_default=0)  # of changes and cancelled lines
    rebate_minor = models.PositiveIntegerField(default=0, db_default=0)  # let off by staff, and given back where paid
    # What had to be paid to confirm it, where that is less than the total; the rest is due by then. None: all of it.
    deposit_minor = models.PositiveIntegerField(null=True, blank=True)
    balance_due_at = models.DateTimeField(null=True, blank=True)
    language = models.CharField(max_length=5, choices=Language.choices, default=Language.ENGLISH, db_default="en")
    archived_at = models.DateTimeField(
        null=True, blank=True, editable=False
    )  # out of the day's lists; still in reports
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)  # every change; the API's ETag
    token_version = models.PositiveSmallIntegerField(default=1, editable=False)

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.CheckConstraint(
                condition=models.Q(status__in=["pending", "confirmed", "cancelled", "expired"]),
                name="booking_status_known",
            ),
            models.CheckConstraint(
                condition=models.Q(payment_method__in=["online", "pay_on_arrival", "free"]),
                name="booking_payment_method_known",
            ),
            models.CheckConstraint(
                condition=~models.Q(payment_method="free") | models.Q(total_minor=0), name="booking_free_means_zero"
            ),
            models.CheckConstraint(
                condition=models.Q(deposit_minor=None, balance_due_at=None)
                | models.Q(deposit_minor__isnull=False, balance_due_at__isnull=False),
                name="booking_deposit_has_a_date",
            ),
            models.CheckConstraint(
                condition=models.Q(number__regex="^[0-9A-HJKMNP-TV-Z]{8}$"), name="booking_number_form"
            ),
        ]
        indexes = [
            models.Index(fields=["status", "created_at"], name="booking_by_status"),
            models.Index(fields=["customer", "status"], name="booking_by_customer"),
            models.Index(
                fields=["balance_due_at"], condition=models.Q(balance_due_at__isnull=False), name="booking_by_balance"
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def token(self) -> str:
        """What opens the management page, and the API's calls about this booking."""
        return make_token(purpose="booking", subject=self.id, version=self.token_version)
