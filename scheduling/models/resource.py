"""Rooms and equipment: what a session needs beside people."""

from django.db import models
from django.db.models.functions import Now

from config.kit.transitions import Transitions
from config.tenants.models import TenantModel
from scheduling.models.session import Session
from scheduling.models.venue import Venue


class Resource(TenantModel):
    """A room (one of it), or a pool of equipment (so many)."""

    venue = models.ForeignKey(Venue, on_delete=models.PROTECT, related_name="resources", db_constraint=False)
    name = models.CharField(max_length=200)
    quantity = models.PositiveIntegerField(default=1)

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["venue", "name"], name="resource_name_once"),
            models.CheckConstraint(condition=models.Q(quantity__gte=1), name="resource_has_some"),
        ]

    def __str__(self) -> str:
        return self.name


class ResourceUse(TenantModel):
    """So many of a resource for a session. While active, a trigger keeps all uses of a moment within the quantity."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        ENDED = "ended"

    TRANSITIONS = Transitions(initial=frozenset({Status.ACTIVE}), moves={Status.ACTIVE: frozenset({Status.ENDED})})

    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="uses", db_constraint=False)
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="resource_uses", db_constraint=False)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    quantity = models.PositiveIntegerField(default=1)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.CheckConstraint(condition=models.Q(quantity__gte=1), name="resource_use_takes_some"),
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")), name="resource_use_ends_after_start"
            ),
            models.CheckConstraint(
                condition=models.Q(status="active", ended_at=None) | models.Q(status="ended", ended_at__isnull=False),
                name="resource_use_end_has_a_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["resource", "starts_at"], condition=models.Q(status="active"), name="resource_use_active"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of {self.resource_id} from {self.starts_at}"
