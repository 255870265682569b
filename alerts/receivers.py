"""What alerts hears; one line each."""

from typing import Any
from uuid import UUID

from django.dispatch import receiver

from alerts.nudges import nudge
from alerts.services.privacy import erase_messages, messages_to
from alerts.transports.push import tell_changes
from bookings.signals import fact_recorded, personal_data_asked, personal_data_erased
from scheduling.signals import availability_changed


@receiver(availability_changed)
def push_changes(sessions: list[UUID], activities: list[UUID], **_: Any) -> None:
    """Whoever looks at these sees them change."""
    tell_changes(sessions=sessions, activities=activities)


@receiver(fact_recorded)
def nudge_fan_out(kind: str, **_: Any) -> None:
    """Whoever wants such facts gets them soon."""
    nudge(kind)


@receiver(personal_data_asked)
def hand_out_messages(organization_id: UUID, email: str, **_: Any) -> dict[str, Any]:
    """What was written to somebody is theirs, too."""
    return {"messages": messages_to(organization_id, email)}


@receiver(personal_data_erased)
def overwrite_messages(organization_id: UUID, email: str | None, subjects: list[UUID], instead: str, **_: Any) -> None:
    """What was written to somebody goes with the rest of their data, in the same transaction."""
    erase_messages(organization_id, email=email, subjects=subjects, instead=instead)
