"""Who teaches: skills, languages, days off, and what they are assigned to."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, RangeOperators
from django.db import models
from django.db.models.functions import Now

from config.kit.transitions import Transitions
from config.tenants.models import TenantModel, User
from scheduling.models.activity import Activity
from scheduling.models.session import Session
from scheduling.models.venue import Venue


class InstantRange(models.Func):
    """PostgreSQL's tstzrange(from, to, '[)'): half-open, so that one may begin when another ends."""

    function = "tstzrange"
    output_field = models.TextField()


def during() -> InstantRange:
    """Return the row's own time, `[starts_at, ends_at)`."""
    return InstantRange("starts_at", "ends_at", models.Value("[)"))


class Instructor(TenantModel):
    """Somebody who teaches; with a user, they see their own day."""

    venue = models.ForeignKey(Venue, on_delete=models.PROTECT, related_name="instructors", db_constraint=False)
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=200)
    languages = ArrayField(models.CharField(max_length=8), default=list, blank=True)  # BCP 47: "en", "de"
    left_on = models.DateField(null=True, blank=True)  # teaches no more from this date on

    class Meta(TenantModel.Meta):
        pass

    def __str__(self) -> str:
        return self.name


class InstructorSkill(TenantModel):
    """An activity that an instructor teaches, up to a level."""

    instructor = models.ForeignKey(Instructor, on_delete=models.PROTECT, related_name="skills", db_constraint=False)
    activity = models.ForeignKey(Activity, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    highest_level = models.PositiveSmallIntegerField(null=True, blank=True)  # None: every level

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["instructor", "activity"], name="instructor_skill_once"),
        ]

    def __str__(self) -> str:
        return f"{self.instructor_id} teaches {self.activity_id}"


class InstructorAbsence(TenantModel):
    """A time at which an instructor does not teach: a day off, a holiday, an appointment."""

    instructor = models.ForeignKey(Instructor, on_delete=models.PROTECT, related_name="absences", db_constraint=False)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=200, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")), name="absence_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.starts_at} to {self.ends_at}"


class Assignment(TenantModel):
    """An instructor in a session. While active, the database lets nobody else have that instructor's time."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        ENDED = "ended"

    TRANSITIONS = Transitions(initial=frozenset({Status.ACTIVE}), moves={Status.ACTIVE: frozenset({Status.ENDED})})

    instructor = models.ForeignKey(
        Instructor, on_delete=models.PROTECT, related_name="assignments", db_constraint=False
    )
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="assignments", db_constraint=False)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    starts_at = models.DateTimeField()  # of the instructor's time; a session may need some before and after
    ends_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")), name="assignment_ends_after_start"
            ),
            models.CheckConstraint(
                condition=models.Q(status="active", ended_at=None) | models.Q(status="ended", ended_at__isnull=False),
                name="assignment_end_has_a_time",
            ),
            ExclusionConstraint(
                name="instructor_one_place_at_a_time",
                expressions=[("instructor", RangeOperators.EQUAL), (during(), RangeOperators.OVERLAPS)],
                condition=models.Q(status="active"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instructor_id} from {self.starts_at}"
