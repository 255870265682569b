"""What staff must know."""

from django.db import models
from django.db.models.functions import Now

from config.kit.transitions import Transitions
from config.tenants.models import ApiKey, TenantModel, User


class Alert(TenantModel):
    """Something for the staff of one organization, made from a fact, at most one of a type per fact.

    Its fields are those of the source document's `admin_alerts`. No personal data: `metadata` has ids and numbers.
    """

    class Severity(models.TextChoices):
        LOW = "low"
        MEDIUM = "medium"
        HIGH = "high"
        CRITICAL = "critical"

    class Status(models.TextChoices):
        UNREAD = "unread"
        ACKNOWLEDGED = "acknowledged"
        RESOLVED = "resolved"

    TRANSITIONS = Transitions(
        initial=frozenset({Status.UNREAD}),
        moves={
            Status.UNREAD: frozenset({Status.ACKNOWLEDGED}),
            Status.ACKNOWLEDGED: frozenset({Status.RESOLVED}),
        },
    )

    type = models.CharField(max_length=50)
    severity = models.CharField(max_length=20, choices=Severity.choices)
    title = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    metadata = models.JSONField(default=dict)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.UNREAD)
    fact_id = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    acknowledged_by_key = models.ForeignKey(
        ApiKey, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["fact_id", "type"], name="alert_once_per_fact"),
            models.CheckConstraint(
                condition=models.Q(severity__in=["low", "medium", "high", "critical"]), name="alert_severity_known"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=["unread", "acknowledged", "resolved"]), name="alert_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(status="unread", acknowledged_at=None)
                | models.Q(status__in=["acknowledged", "resolved"], acknowledged_at__isnull=False),
                name="alert_acknowledged_has_a_time",
            ),
        ]
        indexes = [models.Index(fields=["organization", "-id"], name="alert_newest_first")]

    def __str__(self) -> str:
        return self.title
