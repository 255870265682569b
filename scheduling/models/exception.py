"""Dates on which a timetable does not hold as it is: closures and extra openings, of a venue or of one activity."""

from django.db import models
from django.db.models.functions import Now

from config.tenants.models import TenantModel, User
from scheduling.models.activity import Activity
from scheduling.models.venue import Venue


class ScheduleException(TenantModel):
    """A closure, whole days or some hours of each, or an extra opening. Never edited: it is lifted, and stays to read.

    Dates are the venue's, both included. `to_time` at or before `from_time` is the next day's, as in a timetable.
    A closure goes before an opening.
    """

    class Kind(models.TextChoices):
        CLOSURE = "closure"
        OPENING = "opening"

    venue = models.ForeignKey(
        Venue, null=True, blank=True, on_delete=models.PROTECT, related_name="exceptions", db_constraint=False
    )
    activity = models.ForeignKey(
        Activity, null=True, blank=True, on_delete=models.PROTECT, related_name="exceptions", db_constraint=False
    )
    kind = models.CharField(max_length=8, choices=Kind.choices)
    first_date = models.DateField()
    last_date = models.DateField()
    from_time = models.TimeField(null=True, blank=True)  # of each day; None: the whole day
    to_time = models.TimeField(null=True, blank=True)
    capacity = models.PositiveIntegerField(null=True, blank=True)  # of an opening; None: the timetable's own
    reason = models.CharField(max_length=200)  # in customer words: "Closed for the regatta"
    author = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    lifted_at = models.DateTimeField(null=True, blank=True, editable=False)
    lifted_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", editable=False
    )

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.CheckConstraint(condition=models.Q(kind__in=["closure", "opening"]), name="exception_kind_known"),
            models.CheckConstraint(
                condition=models.Q(venue=None, activity__isnull=False) | models.Q(venue__isnull=False, activity=None),
                name="exception_of_venue_or_activity",
            ),
            models.CheckConstraint(
                condition=models.Q(first_date__lte=models.F("last_date")), name="exception_dates_in_order"
            ),
            models.CheckConstraint(
                condition=models.Q(from_time=None, to_time=None)
                | models.Q(from_time__isnull=False, to_time__isnull=False),
                name="exception_hours_whole",
            ),
            models.CheckConstraint(
                condition=models.Q(kind="closure", capacity=None) | models.Q(kind="opening", from_time__isnull=False),
                name="exception_opening_has_hours",
            ),
        ]
        indexes = [
            models.Index(fields=["venue", "last_date"], condition=models.Q(lifted_at=None), name="exception_of_venue"),
            models.Index(
                fields=["activity", "last_date"], condition=models.Q(lifted_at=None), name="exception_of_activity"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.first_date} to {self.last_date}: {self.reason}"
