"""What scheduling hears; one line each."""

from typing import Any
from uuid import UUID

from corsheaders.signals import check_request_enabled
from django.dispatch import receiver
from django.http import HttpRequest

from scheduling.models import Venue
from scheduling.months import nudges
from scheduling.signals import availability_changed


@receiver(availability_changed)
def move_month_versions(activities: list[UUID], **_: Any) -> None:
    """A display of these activities is old now."""
    nudges.add(activities)


@receiver(check_request_enabled)
def allow_venues_own_sites(request: HttpRequest, **_: Any) -> bool:
    """A site that may frame a venue's widget may also read the API, and nothing else, with its own scripts."""
    return request.path.startswith("/api/") and Venue.objects.framed_by(request.headers.get("Origin", "")).exists()
