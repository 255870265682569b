"""Money that a payer's bank asks back."""

from django.db import models
from django.db.models.functions import Now

from config.kit.display import money_text
from config.kit.transitions import Transitions
from config.tenants.models import TenantModel
from payments.models.payment import Payment


class Dispute(TenantModel):
    """A payer's bank reverses a payment, until it is won or lost. The booking stays: a person decides about it."""

    class Status(models.TextChoices):
        OPEN = "open"
        WON = "won"
        LOST = "lost"

    TRANSITIONS = Transitions(
        initial=frozenset({Status.OPEN}),
        moves={Status.OPEN: frozenset({Status.WON, Status.LOST})},
    )

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="disputes", db_constraint=False)
    provider_ref = models.CharField(max_length=120)  # dp_…
    amount_minor = models.PositiveIntegerField()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=6, choices=Status.choices, default=Status.OPEN)
    reason = models.CharField(max_length=60, blank=True)  # the bank's word for it
    is_withdrawn = models.BooleanField(default=False)  # the bank has taken the money for the time being, or for good
    answer_by = models.DateTimeField(null=True, blank=True)  # until when the bank takes evidence
    opened_at = models.DateTimeField(db_default=Now(), editable=False)
    closed_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.CheckConstraint(condition=models.Q(status__in=["open", "won", "lost"]), name="dispute_status_known"),
            models.CheckConstraint(condition=models.Q(amount_minor__gte=1), name="dispute_is_of_something"),
            models.CheckConstraint(
                condition=models.Q(status="open", closed_at=None)
                | (~models.Q(status="open") & models.Q(closed_at__isnull=False)),
                name="dispute_closed_has_a_time",
            ),
            models.UniqueConstraint(fields=["payment", "provider_ref"], name="dispute_once"),
        ]

    def __str__(self) -> str:
        return f"{money_text(self.amount_minor, self.currency)} disputed, {self.status}"
