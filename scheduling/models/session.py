"""One dated occurrence of an activity; its row is the lock on its places."""

from datetime import UTC, datetime
from typing import Self

from django.db import models
from django.db.models.functions import Greatest, Now

from config.kit.transitions import Transitions
from config.tenants.models import Organization, TenantModel
from scheduling.models.activity import Activity
from scheduling.models.schedule import ScheduleVersion

TAKEN = models.F("places_held") + models.F("places_booked")


class SessionQuerySet(models.QuerySet["Session"]):
    """Sessions by what can be done with them."""

    def visible(self) -> Self:
        """What the public may know of: neither withdrawn nor of a draft or another's suspended activity."""
        return self.filter(
            activity__status=Activity.Status.PUBLISHED, organization__status=Organization.Status.ACTIVE, is_legacy=False
        ).exclude(status=Session.Status.WITHDRAWN)

    def upcoming(self, *, at: datetime) -> Self:
        """Not yet begun."""
        return self.filter(starts_at__gt=at)


class Session(TenantModel):
    """Places at a time. Counters are sums over Reservation, written by services/capacity.py alone.

    A hot table: no index names a counter (so updates stay HOT), and its keys are the composite ones only.
    """

    class Status(models.TextChoices):
        PUBLISHED = "published"
        CLOSED = "closed"
        COMPLETED = "completed"
        CANCELLED = "cancelled"
        WITHDRAWN = "withdrawn"

    TRANSITIONS = Transitions(
        initial=frozenset({Status.PUBLISHED, Status.CLOSED}),
        moves={
            Status.PUBLISHED: frozenset({Status.CLOSED, Status.COMPLETED, Status.CANCELLED, Status.WITHDRAWN}),
            Status.CLOSED: frozenset({Status.PUBLISHED, Status.COMPLETED, Status.CANCELLED}),
            Status.WITHDRAWN: frozenset({Status.PUBLISHED}),
        },
    )

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    activity = models.ForeignKey(
        Activity, on_delete=models.PROTECT, related_name="sessions", db_constraint=False, db_index=False
    )
    schedule = models.ForeignKey(
        ScheduleVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_constraint=False,
        db_index=False,
    )  # fmt: skip
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    opens_at = models.DateTimeField()  # booking opens …
    closes_at = models.DateTimeField()  # … and closes
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PUBLISHED)
    is_legacy = models.BooleanField(default=False)
    on_sale = models.BooleanField(default=True)  # its activity is published and its organization active; catalogue.py
    price_minor = models.PositiveIntegerField(null=True, blank=True)  # of the default unit, when not the unit's own

    capacity_total = models.PositiveIntegerField()
    own_capacity = models.BooleanField(db_default=False, default=False)  # set by staff: a timetable leaves it alone
    places_held = models.PositiveIntegerField(default=0, editable=False)
    places_booked = models.PositiveIntegerField(default=0, editable=False)
    honoured_capacity = models.PositiveIntegerField(default=0, editable=False)
    capacity_remaining = models.GeneratedField(
        expression=Greatest(models.F("capacity_total") - TAKEN, 0),
        output_field=models.IntegerField(),
        db_persist=True,
    )
    waiting = models.PositiveIntegerField(default=0, editable=False)  # parties; may overstate, never understate
    version = models.PositiveIntegerField(default=1, editable=False)  # every change of places or status
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = SessionQuerySet.as_manager()

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["activity", "starts_at"], name="session_once_a_time"),
            models.CheckConstraint(
                condition=models.Q(status__in=["published", "closed", "completed", "cancelled", "withdrawn"]),
                name="session_status_known",
            ),
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")), name="session_ends_after_start"
            ),
            models.CheckConstraint(
                condition=models.Q(closes_at__lte=models.F("ends_at")), name="session_closes_before_end"
            ),
            # No oversell, by any writer: what is taken is within the capacity, or was honoured, to the place.
            models.CheckConstraint(
                condition=models.Q(
                    honoured_capacity=models.Case(
                        models.When(models.Q(capacity_total__lt=TAKEN), then=TAKEN), default=models.Value(0)
                    )
                ),
                name="session_never_oversold",
            ),
            models.CheckConstraint(
                condition=~models.Q(status="withdrawn") | models.Q(places_held=0, places_booked=0),
                name="session_withdrawn_is_empty",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "starts_at"], name="session_by_day"),
        ]

    def __str__(self) -> str:
        return f"{self.starts_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

    @property
    def over_by(self) -> int:
        """Return how many places are honoured beyond the capacity."""
        return max(self.honoured_capacity - self.capacity_total, 0)
