"""Something to try the API on."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from config.demo.organizations import ORGANIZATIONS
from config.kit.clock import database_now
from scheduling.models import Session


@dataclass(frozen=True, slots=True)
class Example:
    """A session with room in it, and whose it is."""

    organization: str  # its slug
    activity_id: UUID
    activity: str
    session_id: UUID
    starts: str  # on the venue's wall
    places: int

    @property
    def addresses(self) -> dict[str, str]:
        """Return what to ask, in the order in which a customer would."""
        return {
            "what is on sale": f"/api/v1/activities?organization={self.organization}",
            "one activity": f"/api/v1/activities/{self.activity_id}",
            "its month": f"/api/v1/activities/{self.activity_id}/availability?month={self.starts[:7]}",
            "one session": f"/api/v1/sessions/{self.session_id}/availability?party_size=2",
        }


def find_example() -> Example | None:
    """Return the roomiest of the next bookable sessions of the demo's first activity, or None when it is not there."""
    plan, now = ORGANIZATIONS[0], database_now()
    sessions = (
        Session.objects.visible()
        .filter(activity__slug=plan.activities[0].slug, organization__slug=plan.slug, status=Session.Status.PUBLISHED)
        .filter(starts_at__range=(now + timedelta(days=1), now + timedelta(days=3)))
    )
    session = sessions.select_related("activity__venue").order_by("-capacity_remaining", "starts_at").first()
    if session is None:
        return None
    return Example(
        organization=plan.slug,
        activity_id=session.activity_id,
        activity=session.activity.name,
        session_id=session.id,
        starts=f"{session.starts_at.astimezone(session.activity.venue.zone):%Y-%m-%d %H:%M}",
        places=session.capacity_remaining,
    )
