"""What alerts hears; one line each."""

from typing import Any
from uuid import UUID

from django.dispatch import receiver

from alerts.nudges import nudge
from alerts.transports.push import tell_changes
from bookings.signals import fact_recorded
from scheduling.signals import availability_changed


@receiver(availability_changed)
def push_changes(sessions: list[UUID], activities: list[UUID], **_: Any) -> None:
    """Whoever looks at these sees them change."""
    tell_changes(sessions=sessions, activities=activities)


@receiver(fact_recorded)
def nudge_fan_out(kind: str, **_: Any) -> None:
    """Whoever wants such facts gets them soon."""
    nudge(kind)
