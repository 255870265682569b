"""What scheduling hears; one line each."""

from typing import Any
from uuid import UUID

from django.dispatch import receiver

from scheduling.months import nudges
from scheduling.signals import availability_changed


@receiver(availability_changed)
def move_month_versions(activities: list[UUID], **_: Any) -> None:
    """A display of these activities is old now."""
    nudges.add(activities)
