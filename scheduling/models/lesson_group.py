"""A subgroup of a collective session: one level, one instructor, so many pupils."""

from django.db import models

from config.tenants.models import TenantModel
from scheduling.models.instructor import Assignment
from scheduling.models.session import Session


class LessonGroup(TenantModel):
    """Places of a session, kept for one level. Its row is the lock on them; the session's is taken first."""

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="lesson_groups", db_constraint=False)
    assignment = models.ForeignKey(
        Assignment, null=True, blank=True, on_delete=models.PROTECT, related_name="lesson_groups", db_constraint=False
    )
    name = models.CharField(max_length=60)
    level = models.PositiveSmallIntegerField()  # 0 for those who begin
    language = models.CharField(max_length=8, blank=True)  # BCP 47
    capacity_total = models.PositiveIntegerField()
    places_held = models.PositiveIntegerField(default=0, editable=False)
    places_booked = models.PositiveIntegerField(default=0, editable=False)
    honoured_capacity = models.PositiveIntegerField(default=0, editable=False)

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["session", "name"], name="lesson_group_name_once"),
            models.CheckConstraint(
                condition=models.Q(
                    honoured_capacity=models.Case(
                        models.When(
                            models.Q(capacity_total__lt=models.F("places_held") + models.F("places_booked")),
                            then=models.F("places_held") + models.F("places_booked"),
                        ),
                        default=models.Value(0),
                    )
                ),
                name="lesson_group_never_oversold",
            ),
        ]

    def __str__(self) -> str:
        return self.name
