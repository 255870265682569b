"""Rows to measure on, made as the application's role."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import LiteralString
from uuid import UUID

from config.kit.ids import uuid7
from config.tenants.models import Organization
from scheduling.models import Activity, ScheduleVersion, Session, Unit, Venue
from tests.bench.ground import Ground

TIMEZONE = "Europe/London"
ALL_WEEK = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
SLOTS_A_DAY = 13
RULES = {"operatingDays": ALL_WEEK, "startTime": "09:00", "endTime": "22:00", "slotInterval": 60, "duration": 60}
DATABASE_BATCH = 1000
# Holds of other buyers, with their keys: an empty table flatters no plan and slows some.
HOLDS: LiteralString = """
WITH full_sessions AS (
    UPDATE scheduling_session SET places_held = %(each)s, capacity_total = greatest(capacity_total, %(each)s)
    WHERE id = ANY(%(sessions)s) RETURNING id, organization_id
), made AS (
    INSERT INTO scheduling_reservation (id, organization_id, session_id, basket, status, party_size, places, email,
        currency, amount_minor, quote, held_at, expires_at, extended, token_version)
    SELECT uuid7(), s.organization_id, s.id, uuid7(), 'held', 1, 1, 'other@example.com', 'GBP', 4500, '[]',
        now() - interval '20 minutes', now() + %(expires)s, false, 1
    FROM full_sessions s, generate_series(1, %(each)s) RETURNING id, organization_id
)
INSERT INTO kit_idempotencykey (id, organization_id, fingerprint, effect_id, created_at)
SELECT gen_random_uuid(), organization_id, gen_random_uuid(), id, now() FROM made"""


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


def create_holds(ground: Ground, sessions: Sequence[UUID], *, each: int, expires: timedelta) -> None:
    """Hold so many places of each session, one by one, until so long from now (negative: lapsed)."""
    ground.sql(HOLDS, {"sessions": list(sessions), "each": each, "expires": expires})
    ground.settle()
