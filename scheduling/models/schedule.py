"""When an activity runs: versions of its timetable, which do not overlap."""

from typing import Any

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models.functions import Now

from config.tenants.models import TenantModel, User
from scheduling.models.activity import Activity
from scheduling.schedule_rules import Rules, stored_rules


class DateRange(models.Func):
    """PostgreSQL's daterange(from, to, '[)'); an empty end is open."""

    function = "daterange"
    output_field: Any = models.TextField()


class ScheduleVersion(TenantModel):
    """A timetable in force from one date until another (exclusive); never edited, only followed by the next."""

    activity = models.ForeignKey(Activity, on_delete=models.PROTECT, related_name="schedules", db_constraint=False)
    version = models.PositiveIntegerField()
    effective_from = models.DateField()  # in the venue's zone
    effective_to = models.DateField(null=True, blank=True)
    rules = models.JSONField()
    author = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["activity", "version"], name="schedule_version_once"),
            models.CheckConstraint(
                condition=models.Q(effective_to=None) | models.Q(effective_to__gte=models.F("effective_from")),
                name="schedule_dates_in_order",
            ),
            ExclusionConstraint(
                name="schedule_versions_do_not_overlap",
                expressions=[
                    ("activity", RangeOperators.EQUAL),
                    (DateRange("effective_from", "effective_to", models.Value("[)")), RangeOperators.OVERLAPS),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"version {self.version} from {self.effective_from}"

    def parsed(self) -> Rules:
        """Return the rules as the timetable reads them."""
        return stored_rules(self.rules)
