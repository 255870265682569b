"""What alerts hears; one line each."""

from typing import Any
from uuid import UUID

from django.dispatch import receiver

from alerts.metrics import count_provider_call
from alerts.nudges import nudge
from alerts.services.privacy import erase_messages, messages_to
from alerts.services.providers import note_call
from alerts.transports.push import tell_changes
from bookings.signals import fact_recorded, personal_data_asked, personal_data_erased
from payments.signals import provider_asked
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


@receiver(provider_asked)
def count_call(seconds: float, error: BaseException | None, **_: Any) -> None:
    """How calls to payment providers end is a figure."""
    count_provider_call(seconds, error)


@receiver(provider_asked)
def remember_call(account: str, error: BaseException | None, **_: Any) -> None:
    """Whether a provider answers is known from the calls that are made anyway."""
    note_call(account, error)
