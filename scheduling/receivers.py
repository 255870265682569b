"""What scheduling hears; one line each."""

from typing import Any
from uuid import UUID

from corsheaders.signals import check_request_enabled
from django.dispatch import receiver
from django.http import HttpRequest

from scheduling.display_cache import forget
from scheduling.models import Venue
from scheduling.signals import availability_changed


@receiver(availability_changed)
def move_display_versions(sessions: list[UUID], activities: list[UUID], **_: Any) -> None:
    """A display of these activities is old now; without sessions it is the activities themselves that changed."""
    forget(activities, is_activity=not sessions)


@receiver(check_request_enabled)
def allow_venues_own_sites(request: HttpRequest, **_: Any) -> bool:
    """A site that may frame a venue's widget may also read the API, and nothing else, with its own scripts."""
    return request.path.startswith("/api/") and Venue.objects.framed_by(request.headers.get("Origin", "")).exists()
