"""Sessions from a timetable: set-based, idempotent, safe with many generators at once."""

import json
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from config.kit.clock import database_now
from config.kit.refusals import NotFound, invalid
from config.tenants.models import Organization
from scheduling.models import Activity, ScheduleVersion, Venue
from scheduling.schedule_rules import Rules, parse_rules
from scheduling.signals import availability_changed
from scheduling.timetable import Timetable, expand

DAYS_AHEAD = 30
DUE_FROM = time(2)  # a venue's own clock: after the night's late changes, before its first customer
LONGEST_SPAN = 731  # days

# Only what is missing, withdrawn or legacy is touched, so a running sale never waits for a generator.
UPSERT = """
INSERT INTO scheduling_session AS s (id, organization_id, activity_id, schedule_id, starts_at, ends_at, opens_at,
    closes_at, status, is_legacy, on_sale, capacity_total, places_held, places_booked, honoured_capacity, waiting,
    version)
SELECT uuid7(), %(organization)s, %(activity)s, %(schedule)s, slot.starts_at, slot.ends_at,
    slot.starts_at - %(opens_days)s * interval '1 day',
    slot.starts_at - %(closes_minutes)s * interval '1 minute',
    'published', false, %(on_sale)s, %(capacity)s, 0, 0, 0, 0, 1
FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS slot(starts_at, ends_at)
WHERE NOT EXISTS (SELECT FROM scheduling_session e WHERE e.activity_id = %(activity)s AND e.starts_at = slot.starts_at
    AND e.status <> 'withdrawn' AND NOT e.is_legacy)
ORDER BY slot.starts_at
ON CONFLICT (activity_id, starts_at) DO UPDATE
    SET is_legacy = false, schedule_id = excluded.schedule_id, version = s.version + 1,
        status = CASE WHEN s.status = 'withdrawn' THEN 'published' ELSE s.status END
    WHERE s.status = 'withdrawn' OR s.is_legacy
RETURNING s.id
"""


@transaction.atomic
def generate_activity_sessions(*, activity_id: UUID, start_date: date, days_ahead: int) -> int:
    """Create the sessions of the dates start_date .. start_date + days_ahead - 1, in the venue's zone.

    Returns how many came to be or came back. Again, or eight at once, changes nothing more: the activity's row keeps
    generators apart, and (activity, start) is unique. Sessions that exist are left as they are.
    """
    if not 1 <= days_ahead <= LONGEST_SPAN:
        raise invalid("days_ahead", "out_of_range", f"Sessions are made for 1 to {LONGEST_SPAN} days at a time.")
    activity = (
        Activity.objects.select_for_update(no_key=True, of=("self",))
        .select_related("venue")
        .filter(id=activity_id)
        .first()
    )
    if activity is None:
        raise NotFound
    on_sale = _lock_whether_on_sale(activity)
    made = sum(
        _upsert(activity, on_sale, version, *_expand(json.dumps(version.rules), activity.venue.zone, first, days))
        for version, first, days in _spans(activity, start_date, days_ahead)
    )
    if made:
        transaction.on_commit(lambda: availability_changed.send(None, sessions=[], activities=[activity.id]))
    return made


def _lock_whether_on_sale(activity: Activity) -> bool:
    """Say whether new sessions are on sale; a suspension of the organization waits until they can be seen by it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT status FROM tenants_organization WHERE id = %s FOR SHARE", [activity.organization_id])
        status = cursor.fetchone()[0]
    return activity.status == Activity.Status.PUBLISHED and status == Organization.Status.ACTIVE


def _spans(activity: Activity, start: date, days: int) -> Iterator[tuple[ScheduleVersion, date, int]]:
    """Yield each version in force during the span, with the dates that are its own."""
    end = start + timedelta(days=days)
    for version in activity.schedules.filter(effective_from__lt=end).order_by("version"):
        first, last = max(start, version.effective_from), min(end, version.effective_to or end)
        if first < last:
            yield version, first, (last - first).days


@lru_cache(maxsize=256)
def _expand(document: str, zone: ZoneInfo, first: date, days: int) -> tuple[Rules, Timetable]:
    """Expand once for all activities that share rules, zone and dates; the canonical document is the key."""
    rules = parse_rules(json.loads(document))
    return rules, expand(rules, zone=zone, first=first, days=days)


def _upsert(activity: Activity, on_sale: bool, version: ScheduleVersion, rules: Rules, timetable: Timetable) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            UPSERT,
            {
                "organization": activity.organization_id,
                "activity": activity.id,
                "schedule": version.id,
                "opens_days": activity.opens_days_before,
                "closes_minutes": activity.closes_minutes_before,
                "on_sale": on_sale,
                "capacity": activity.capacity if rules.capacity is None else rules.capacity,
                "starts": [slot.starts_at for slot in timetable.slots],
                "ends": [slot.ends_at for slot in timetable.slots],
            },
        )
        made: int = cursor.rowcount
    return made


# The horizon ------------------------------------------------------------------------------------------------------


def due_venues(*, at: datetime) -> list[Venue]:
    """Return the venues whose own clock has passed 02:00 on a date for which they were not filled yet."""
    venues = Venue.objects.filter(organization__status=Organization.Status.ACTIVE)
    return [venue for venue in venues if _due_date(venue, at=at) > (venue.generated_on or date.min)]


def _due_date(venue: Venue, *, at: datetime) -> date:
    local = at.astimezone(venue.zone)
    return local.date() if local.time() >= DUE_FROM else local.date() - timedelta(days=1)


def generate_due_sessions(*, at: datetime | None = None) -> int:
    """Keep 30 days full at every venue that is due; a missed night is caught up by the next look."""
    at = at or database_now()
    return sum(fill_venue(venue_id=venue.id, at=at) for venue in due_venues(at=at))


def fill_venue(*, venue_id: UUID, at: datetime) -> int:
    """Fill one venue's next 30 days from its own today on; each activity in a transaction of its own."""
    venue = Venue.objects.get(id=venue_id)
    today = at.astimezone(venue.zone).date()
    activities = venue.activities.exclude(status=Activity.Status.DISCONTINUED).values_list("id", flat=True)
    made = sum(
        generate_activity_sessions(activity_id=activity_id, start_date=today, days_ahead=DAYS_AHEAD + 1)
        for activity_id in activities
    )
    Venue.objects.filter(id=venue_id).update(generated_on=_due_date(venue, at=at))
    return made
