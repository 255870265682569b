"""What messages hold of a person: handed out, or overwritten, when bookings says so."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from alerts.models import Notification

SHOWN = ("kind", "channel", "recipient", "language", "status", "created_at", "sent_at", "title", "text")
Status = Notification.Status


def messages_to(organization_id: UUID, email: str) -> list[dict[str, Any]]:
    """Return what was written to an address."""
    rows = Notification.objects.filter(organization=organization_id, recipient=email).order_by("created_at", "id")
    return list(rows.values(*SHOWN))


def erase_messages(organization_id: UUID, *, email: str | None, subjects: Sequence[UUID], instead: str) -> int:
    """Overwrite the messages to an address, or about these rows; what waits is not sent any more. Return how many."""
    addressed = Q(subject_id__in=subjects) | (Q(recipient=email) if email else Q(pk__in=[]))
    rows = Notification.objects.filter(addressed, organization=organization_id)
    _overwrite(rows.filter(status=Status.QUEUED), instead, status=Status.DROPPED)
    return _overwrite(rows, instead)


def _overwrite(rows: "QuerySet[Notification]", instead: str, **fields: str) -> int:
    return rows.update(recipient=instead, title="", text="", html="", calendar="", last_error="", **fields)
