"""Money back."""

from django.db import models
from django.db.models.functions import Now

from config.kit.display import money_text
from config.kit.facts import ActorKind
from config.kit.transitions import Transitions
from config.tenants.models import TenantModel
from payments.models.payment import Payment


class Refund(TenantModel):
    """So much of one payment goes back. A trigger keeps a payment's refunds within it, under the payment's lock."""

    class Status(models.TextChoices):
        REQUESTED = "requested"  # a row; the provider is asked soon, or again
        SUBMITTED = "submitted"  # the provider has taken it
        SUCCEEDED = "succeeded"
        FAILED = "failed"  # after every try; somebody must look

    class Reason(models.TextChoices):
        CANCELLED = "cancelled", "cancelled"
        CHANGED = "changed", "changed to something cheaper"
        LATE = "late", "paid when the places were gone"
        OVERPAID = "overpaid", "more was paid than was due"
        GOODWILL = "goodwill", "goodwill"
        AT_PROVIDER = "at_provider", "made at the provider"

    TRANSITIONS = Transitions(
        initial=frozenset({Status.REQUESTED}),
        moves={
            Status.REQUESTED: frozenset({Status.SUBMITTED, Status.SUCCEEDED, Status.FAILED}),
            Status.SUBMITTED: frozenset({Status.SUCCEEDED, Status.FAILED, Status.REQUESTED}),
            # A bank can send a refund back days later; staff can try a failed one again.
            Status.SUCCEEDED: frozenset({Status.REQUESTED, Status.FAILED}),
            Status.FAILED: frozenset({Status.REQUESTED, Status.SUCCEEDED}),
        },
    )

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds", db_constraint=False)
    reference = models.UUIDField(db_index=True)  # the payment's
    amount_minor = models.PositiveIntegerField()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.REQUESTED)
    reason = models.CharField(max_length=12, choices=Reason.choices)
    lines = models.JSONField(default=list, blank=True)  # ids of the lines for which it is
    actor_kind = models.CharField(max_length=10, choices=ActorKind.choices)
    actor_id = models.UUIDField(null=True, blank=True)
    attempt = models.PositiveSmallIntegerField(default=1, editable=False)  # a new one after a definite no
    tries = models.PositiveSmallIntegerField(default=0, editable=False)  # of this attempt
    next_try_at = models.DateTimeField(null=True, blank=True, db_default=Now(), editable=False)  # None: nobody tries
    provider_ref = models.CharField(max_length=120, blank=True, default="")  # re_…, of the last attempt
    failure_code = models.CharField(max_length=80, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    settled_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.CheckConstraint(
                condition=models.Q(status__in=["requested", "submitted", "succeeded", "failed"]),
                name="refund_status_known",
            ),
            models.CheckConstraint(
                condition=models.Q(reason__in=["cancelled", "changed", "late", "overpaid", "goodwill", "at_provider"]),
                name="refund_reason_known",
            ),
            models.CheckConstraint(condition=models.Q(amount_minor__gte=1), name="refund_is_of_something"),
            models.CheckConstraint(
                condition=models.Q(status="succeeded", settled_at__isnull=False)
                | (~models.Q(status="succeeded") & models.Q(settled_at=None)),
                name="refund_settled_has_a_time",
            ),
            models.UniqueConstraint(
                fields=["payment", "provider_ref"], condition=~models.Q(provider_ref=""), name="refund_once"
            ),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], condition=models.Q(next_try_at__isnull=False), name="refund_due"),
        ]

    def __str__(self) -> str:
        return f"{money_text(self.amount_minor, self.currency)} back, {self.status}"
