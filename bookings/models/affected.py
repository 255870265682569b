"""The work list of a schedule change: each line that it touches, until somebody has decided what becomes of it."""

from django.db import models
from django.db.models.functions import Now

from bookings.models.line import Line
from config.kit.transitions import Transitions
from config.tenants.models import TenantModel, User
from scheduling.models import ScheduleChange


class AffectedLine(TenantModel):
    """A booked line that a change left outside the timetable, or over the capacity. The change itself moved nothing."""

    class Status(models.TextChoices):
        OPEN = "open"
        CONTACTED = "contacted"
        KEEP = "keep"
        MOVE = "move"
        REFUND = "refund"

    TRANSITIONS = Transitions(
        initial=frozenset({Status.OPEN}),
        moves={
            Status.OPEN: frozenset({Status.CONTACTED, Status.KEEP, Status.MOVE, Status.REFUND}),
            Status.CONTACTED: frozenset({Status.KEEP, Status.MOVE, Status.REFUND}),
            # Customers change their minds, and so do we.
            Status.KEEP: frozenset({Status.CONTACTED, Status.MOVE, Status.REFUND}),
            Status.MOVE: frozenset({Status.CONTACTED, Status.KEEP, Status.REFUND}),
            Status.REFUND: frozenset({Status.CONTACTED, Status.KEEP, Status.MOVE}),
        },
    )

    change = models.ForeignKey(
        ScheduleChange, on_delete=models.PROTECT, related_name="affected_lines", db_constraint=False, db_index=False
    )
    line = models.ForeignKey(Line, on_delete=models.PROTECT, related_name="affected_by", db_constraint=False)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    effect = models.CharField(max_length=12)  # what became of its session: legacy, honoured …
    decided_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["change", "line"], name="affected_line_once"),
            models.CheckConstraint(
                condition=models.Q(status="open", decided_at=None)
                | (~models.Q(status="open") & models.Q(decided_at__isnull=False)),
                name="affected_line_decision_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"line {self.line_id}: {self.status}"
