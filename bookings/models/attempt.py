"""Every submitted checkout, refused ones too."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from config.kit.ids import uuid7
from config.tenants.models import TenantModel


class Attempt(TenantModel):
    """Somebody tried to book: what for, and what came of it. Written in a transaction of its own, so that it stays."""

    erasable = True  # kept for as long as the organization keeps personal data

    class Outcome(models.TextChoices):
        BOOKED = "booked"
        REFUSED = "refused"
        FAILED = "failed"  # by a fault of ours

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    channel = models.CharField(max_length=20)  # web, widget, api, octo, admin
    outcome = models.CharField(max_length=8, choices=Outcome.choices)
    codes = ArrayField(models.CharField(max_length=60), default=list)  # of the refusal and of its errors
    sessions = ArrayField(models.UUIDField(), default=list)
    party_size = models.PositiveIntegerField(default=0)  # people, of all lines
    email_digest = models.CharField(max_length=64, blank=True)  # keyed: counts attempts of one address, says no address
    address_digest = models.CharField(max_length=64, blank=True)  # of the network prefix, keyed
    booking_id = models.UUIDField(null=True, blank=True)
    actor_kind = models.CharField(max_length=10)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.CheckConstraint(
                condition=models.Q(outcome__in=["booked", "refused", "failed"]), name="attempt_outcome_known"
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "at"], name="attempt_by_day"),
            models.Index(fields=["email_digest", "at"], name="attempt_by_email"),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} {self.at}"
