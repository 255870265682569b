"""What staff of the demo have changed since people began to book: rehearsed and applied as staff do it."""

from datetime import date, timedelta
from uuid import UUID

from bookings.services import schedule_changes
from config.demo.plans import ChangePlan, OrganizationPlan
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from config.tenants.models import User
from scheduling.models import Activity, Venue


def make_changes(plan: OrganizationPlan, venue: Venue, *, author: User) -> None:
    """Make the organization's changes in their order; what they touch of bookings goes on its work list."""
    today = database_now().astimezone(venue.zone).date()
    actor = Actor(kind=ActorKind.STAFF, channel="admin", id=author.id)
    for change in plan.changes:
        rehearsed = schedule_changes.rehearse_change(
            kind=change.kind,
            venue_id=venue.id,
            activity_id=_activity(venue, change),
            parameters={**_dates(change, today), **change.parameters},
            author=author,
        )
        schedule_changes.apply_change(change_id=rehearsed.id, actor=actor, applied_by=author)


def _activity(venue: Venue, change: ChangePlan) -> UUID | None:
    return Activity.objects.get(venue=venue, slug=change.activity).id if change.activity else None


def _dates(change: ChangePlan, today: date) -> dict[str, str]:
    first, last = (today + timedelta(days=days) for days in change.days)
    return {"first_date": first.isoformat(), "last_date": last.isoformat()}
