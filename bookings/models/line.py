"""What a booking is made of."""

from django.db import models

from bookings.models.booking import Booking
from bookings.models.customer import Participant
from config.kit.transitions import Transitions
from config.tenants.models import Organization, TenantModel
from scheduling.models import Reservation, Session


class Line(TenantModel):
    """One reservation in a booking; can be cancelled alone; attendance is the line's."""

    class Status(models.TextChoices):
        LIVE = "live"
        CANCELLED = "cancelled"

    class Attendance(models.TextChoices):
        EXPECTED = "expected"
        ARRIVED = "arrived"
        COMPLETED = "completed"
        NO_SHOW = "no_show"

    TRANSITIONS = Transitions(
        initial=frozenset({Status.LIVE}),
        moves={Status.LIVE: frozenset({Status.CANCELLED})},
    )
    ATTENDANCE_TRANSITIONS = Transitions(
        initial=frozenset({Attendance.EXPECTED}),
        moves={
            Attendance.EXPECTED: frozenset({Attendance.ARRIVED, Attendance.COMPLETED, Attendance.NO_SHOW}),
            Attendance.ARRIVED: frozenset({Attendance.EXPECTED, Attendance.COMPLETED}),
            # Corrections, each with a reason in its fact.
            Attendance.COMPLETED: frozenset({Attendance.NO_SHOW, Attendance.ARRIVED}),
            Attendance.NO_SHOW: frozenset({Attendance.COMPLETED, Attendance.ARRIVED}),
        },
    )

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    booking = models.ForeignKey(Booking, on_delete=models.PROTECT, related_name="lines", db_constraint=False)
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="lines", db_constraint=False)
    # The one that holds its places now; a move or a late payment brings a new one. Of several lines of one reservation
    # (a checkout that was begun anew) one is live.
    reservation = models.ForeignKey(
        Reservation, on_delete=models.PROTECT, related_name="lines", db_constraint=False, db_index=False
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.LIVE)
    attendance = models.CharField(max_length=10, choices=Attendance.choices, default=Attendance.EXPECTED)
    party_size = models.PositiveIntegerField()
    amount_minor = models.PositiveIntegerField()  # as quoted
    discount_minor = models.PositiveIntegerField(default=0, db_default=0)  # its share of a promo code
    quote = models.JSONField()  # as it stood on the reservation
    terms = models.JSONField(null=True, editable=False)  # the activity's, when it was booked; None: those of now
    cancelled_at = models.DateTimeField(null=True, blank=True, editable=False)
    fee_minor = models.PositiveIntegerField(default=0, db_default=0)  # kept of its amount when it was cancelled
    # Who booked, and who comes, as a digest; services/duplicates.py. An override names the line that it repeats.
    duplicate_key = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    duplicate_override_of = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    participants = models.ManyToManyField(Participant, through="LineParticipant", related_name="lines")

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.CheckConstraint(condition=models.Q(status__in=["live", "cancelled"]), name="line_status_known"),
            models.CheckConstraint(
                condition=models.Q(attendance__in=["expected", "arrived", "completed", "no_show"]),
                name="line_attendance_known",
            ),
            models.CheckConstraint(condition=models.Q(party_size__gte=1), name="line_has_somebody"),
            models.CheckConstraint(
                condition=models.Q(status="live", cancelled_at=None)
                | models.Q(status="cancelled", cancelled_at__isnull=False),
                name="line_cancelled_has_a_time",
            ),
            models.CheckConstraint(
                condition=models.Q(fee_minor__lte=models.F("amount_minor")), name="line_fee_within_amount"
            ),
            models.CheckConstraint(
                condition=models.Q(discount_minor__lte=models.F("amount_minor")), name="line_discount_within_amount"
            ),
            models.UniqueConstraint(
                fields=["reservation"], condition=models.Q(status="live"), name="line_reservation_once"
            ),
            models.UniqueConstraint(
                fields=["duplicate_key"],
                condition=models.Q(status="live", duplicate_override_of=None) & ~models.Q(duplicate_key=""),
                name="line_duplicate_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.party_size} in {self.session_id}"

    @property
    def people(self) -> list[Participant]:
        """Who comes, in the order in which they were named; prefetch `links__participant` where several are shown."""
        links = sorted(self.links.all(), key=lambda link: link.id)
        return [link.participant for link in links if link.left_at is None]


class LineParticipant(TenantModel):
    """That a person comes on a line."""

    line = models.ForeignKey(Line, on_delete=models.PROTECT, related_name="links", db_constraint=False, db_index=False)
    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    left_at = models.DateTimeField(null=True, blank=True, editable=False)  # comes no more; the row stays

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["line", "participant"], name="line_participant_once"),
        ]

    def __str__(self) -> str:
        return f"{self.participant_id} on {self.line_id}"
