"""A change to what is sold, rehearsed and then applied: what was asked for, and what it does to sessions."""

from django.db import models
from django.db.models.functions import Now

from config.kit.transitions import Transitions
from config.tenants.models import TenantModel, User
from scheduling.models.activity import Activity
from scheduling.models.venue import Venue


class ScheduleChange(TenantModel):
    """One change as its author saw it before it was applied. `effects` is kept as read: the apply must do just that."""

    class Kind(models.TextChoices):
        TIMETABLE = "timetable"
        CLOSURE = "closure"
        OPENING = "opening"
        LIFT = "lift", "lifted closure or opening"
        CAPACITY = "capacity"
        PRICE = "price"
        DISCONTINUE = "discontinue", "end of sale"
        CLOSE = "close", "sessions that will not take place"

    class Status(models.TextChoices):
        REHEARSED = "rehearsed"
        APPLIED = "applied"

    TRANSITIONS = Transitions(
        initial=frozenset({Status.REHEARSED}), moves={Status.REHEARSED: frozenset({Status.APPLIED})}
    )

    venue = models.ForeignKey(Venue, on_delete=models.PROTECT, related_name="changes", db_constraint=False)
    activity = models.ForeignKey(
        Activity, null=True, blank=True, on_delete=models.PROTECT, related_name="changes", db_constraint=False
    )  # None: every activity of the venue
    kind = models.CharField(max_length=12, choices=Kind.choices)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.REHEARSED)
    parameters = models.JSONField()  # what was asked for; its form is the kind's, see services/schedule_changes.py
    effects = models.JSONField()  # [{…}]: what it does, session by session; see services/schedule_changes.py
    author = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    applied_at = models.DateTimeField(null=True, blank=True, editable=False)
    applied_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", editable=False
    )

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.CheckConstraint(
                condition=models.Q(
                    kind__in=["timetable", "closure", "opening", "lift", "capacity", "price", "discontinue", "close"]
                ),
                name="schedule_change_kind_known",
            ),
            models.CheckConstraint(
                condition=models.Q(status="rehearsed", applied_at=None)
                | models.Q(status="applied", applied_at__isnull=False),
                name="schedule_change_applied_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.created_at:%Y-%m-%d %H:%M}"
