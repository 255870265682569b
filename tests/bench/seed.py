"""Rows to measure on, made as the application's role."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from config.kit.ids import uuid7
from config.tenants.models import Organization
from scheduling.models import Activity, ScheduleVersion, Session, Unit, Venue

TIMEZONE = "Europe/London"
ALL_WEEK = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
SLOTS_A_DAY = 13
RULES = {"operatingDays": ALL_WEEK, "startTime": "09:00", "endTime": "22:00", "slotInterval": 60, "duration": 60}
DATABASE_BATCH = 1000


def create_activities(count: int, *, name: str) -> list[Activity]:
    """Create an organization, a venue and so many activities on sale, each with a default unit and a timetable."""
    slug = f"{name}-{uuid7().hex[-8:]}"
    organization = Organization.objects.create(name=name, slug=slug)
    venue = Venue.objects.create(organization=organization, name=name, timezone=TIMEZONE)
    activities = Activity.objects.bulk_create(
        Activity(organization=organization, venue=venue, name=f"{name} {n}", slug=f"{name}-{n}", status="published")
        for n in range(count)
    )
    Unit.objects.bulk_create(
        Unit(organization=organization, activity=activity, name="Adult", price_minor=4500, is_default=True)
        for activity in activities
    )
    ScheduleVersion.objects.bulk_create(
        ScheduleVersion(
            organization=organization, activity=activity, version=1, effective_from=date(2026, 1, 1), rules=RULES
        )
        for activity in activities
    )
    return activities


def create_sessions(activities: Sequence[Activity], *, each: int, capacity: int) -> list[UUID]:
    """Create so many sessions of each activity, one hour each from tomorrow on; return their ids."""
    tomorrow = datetime.combine(datetime.now(tz=UTC).date() + timedelta(days=1), time(9), tzinfo=UTC)
    rows = [
        Session(
            organization_id=activity.organization_id,
            activity=activity,
            starts_at=(start := tomorrow + timedelta(hours=hour)),
            ends_at=start + timedelta(hours=1),
            opens_at=tomorrow - timedelta(days=365),
            closes_at=start,
            capacity_total=capacity,
        )
        for activity in activities
        for hour in range(each)
    ]
    return [session.id for session in Session.objects.bulk_create(rows, batch_size=DATABASE_BATCH)]
