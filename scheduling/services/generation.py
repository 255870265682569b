"""Sessions from a timetable: planned, then written as planned; set-based, idempotent, safe with many generators."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from config.kit.clock import database_now
from config.kit.refusals import invalid
from config.tenants.models import Organization
from scheduling.closures import Exceptions
from scheduling.models import Activity, ScheduleVersion, Venue
from scheduling.sale_times import SaleTimes
from scheduling.schedule_rules import stored_rules
from scheduling.services.capacity import require_transaction
from scheduling.services.exceptions import exceptions_of
from scheduling.services.schedules import lock_activity
from scheduling.signals import availability_changed
from scheduling.timetable import Closed, Skipped, Slot, expand

DAYS_AHEAD = 30
DUE_FROM = time(2)  # a venue's own clock: after the night's late changes, before its first customer
LONGEST_SPAN = 731  # days

COLUMNS = ("starts", "ends", "opens", "closes", "capacities")
_Row = tuple[datetime, datetime, datetime, datetime, int | None]  # the columns; None: the activity's own capacity

# What is withdrawn or legacy comes back, unless it has begun, or somebody is booked for another end than the plan's.
COMES_BACK = """({row}.status = 'withdrawn' OR {row}.is_legacy) AND {row}.starts_at > (SELECT clock_timestamp())
    AND ({row}.places_held + {row}.places_booked = 0 OR {row}.ends_at = {planned}.ends_at)"""

# Only what is missing or comes back is touched, so a running sale never waits for a generator.
UPSERT = f"""
INSERT INTO scheduling_session AS s (id, organization_id, activity_id, schedule_id, starts_at, ends_at, opens_at,
    closes_at, status, is_legacy, on_sale, capacity_total, places_held, places_booked, honoured_capacity, waiting,
    version)
SELECT uuid7(), %(organization)s, %(activity)s, %(schedule)s, slot.starts_at, slot.ends_at, slot.opens_at,
    slot.closes_at, 'published', false, %(on_sale)s, coalesce(slot.capacity, %(capacity)s), 0, 0, 0, 0, 1
FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[], %(opens)s::timestamptz[], %(closes)s::timestamptz[],
    %(capacities)s::int[]) AS slot(starts_at, ends_at, opens_at, closes_at, capacity)
WHERE NOT EXISTS (SELECT FROM scheduling_session e WHERE e.activity_id = %(activity)s AND e.starts_at = slot.starts_at
    AND NOT ({COMES_BACK.format(row="e", planned="slot")}))
ORDER BY slot.starts_at
ON CONFLICT (activity_id, starts_at) DO UPDATE
    SET is_legacy = false, schedule_id = excluded.schedule_id, version = s.version + 1,
        status = CASE WHEN s.status = 'withdrawn' THEN 'published' ELSE s.status END,
        ends_at = excluded.ends_at, opens_at = excluded.opens_at, closes_at = excluded.closes_at,
        capacity_total = CASE WHEN s.own_capacity OR s.places_held + s.places_booked > 0 THEN s.capacity_total
            ELSE excluded.capacity_total END
    WHERE {COMES_BACK.format(row="s", planned="excluded")}
RETURNING s.id
"""


@dataclass(frozen=True, slots=True)
class PlannedSlot:
    """A session as it should be."""

    starts_at: datetime
    ends_at: datetime
    opens_at: datetime
    closes_at: datetime
    capacity: int
    schedule_id: UUID

    @property
    def row(self) -> _Row:
        """Return its columns."""
        return self.starts_at, self.ends_at, self.opens_at, self.closes_at, self.capacity


@dataclass(frozen=True, slots=True)
class Plan:
    """The sessions of a span, ascending; the starts that no clock shows; those that come twice; what is closed."""

    slots: tuple[PlannedSlot, ...]
    skipped: tuple[Skipped, ...]
    doubled: tuple[Slot, ...]
    closed: tuple[Closed, ...]


def plan_activity(activity: Activity, *, start: date, days: int) -> Plan:
    """Return the sessions of the operating dates start .. start + days - 1, by versions and exceptions as they stand.

    A night belongs to the date on which it begins. Locks nothing and writes nothing.
    """
    parts = list(_parts(activity, start, days))
    return Plan(
        slots=tuple(slot for part in parts for slot in part.slots()),
        skipped=tuple(skip for part in parts for skip in part.stretch.skipped),
        doubled=tuple(slot for part in parts for slot in part.stretch.doubled),
        closed=tuple(close for part in parts for close in part.stretch.closed),
    )


@transaction.atomic
def generate_activity_sessions(*, activity_id: UUID, start_date: date, days_ahead: int) -> int:
    """Create the sessions of the dates start_date .. start_date + days_ahead - 1, in the venue's zone, as planned.

    Returns how many came to be or came back. Again, or eight at once, changes nothing more: the activity's row keeps
    generators apart, and (activity, start) is unique. Sessions that exist are left as they are; what comes back takes
    the plan's times, and its capacity unless it holds something or staff set another.
    """
    if not 1 <= days_ahead <= LONGEST_SPAN:
        raise invalid("days_ahead", "out_of_range", f"Sessions are made for 1 to {LONGEST_SPAN} days at a time.")
    activity = lock_activity(activity_id)
    on_sale = _lock_whether_on_sale(activity)
    made = sum(
        _upsert(activity, on_sale, part.version.id, {**part.stretch.arrays, "capacity": part.capacity})
        for part in _parts(activity, start_date, days_ahead)
    )
    if made:
        transaction.on_commit(lambda: availability_changed.send(None, sessions=[], activities=[activity.id]))
    return made


def write_slots(activity: Activity, slots: Iterable[PlannedSlot]) -> int:
    """Create, or bring back, these planned sessions of a locked activity; return how many. Nobody is told of it."""
    require_transaction()
    by_version: dict[UUID, list[PlannedSlot]] = defaultdict(list)
    for slot in slots:
        by_version[slot.schedule_id].append(slot)
    on_sale = _lock_whether_on_sale(activity)
    return sum(
        _upsert(activity, on_sale, version_id, _arrays([slot.row for slot in planned]) | {"capacity": None})
        for version_id, planned in by_version.items()
    )


def _lock_whether_on_sale(activity: Activity) -> bool:
    """Say whether new sessions are on sale; a suspension of the organization waits until they can be seen by it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT status FROM tenants_organization WHERE id = %s FOR SHARE", [activity.organization_id])
        status = cursor.fetchone()[0]
    return activity.status == Activity.Status.PUBLISHED and status == Organization.Status.ACTIVE


# The plan ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The slots of some dates under one version's rules; shared by all activities that have the same."""

    rows: list[_Row]
    arrays: Mapping[str, Any]  # of the rows; written once, not for each activity
    skipped: tuple[Skipped, ...]
    doubled: tuple[Slot, ...]
    closed: tuple[Closed, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """What one version says of the dates that are its own."""

    version: ScheduleVersion
    capacity: int  # where the timetable does not say
    stretch: _Stretch

    def slots(self) -> Iterator[PlannedSlot]:
        for starts_at, ends_at, opens_at, closes_at, own in self.stretch.rows:
            capacity = self.capacity if own is None else own
            yield PlannedSlot(starts_at, ends_at, opens_at, closes_at, capacity, self.version.id)


def _parts(activity: Activity, start: date, days: int) -> Iterator[_Part]:
    """Yield the versions in force during a span, each with its slots."""
    exceptions = exceptions_of(activity, first=start, days=days)
    sale = SaleTimes(
        opens_before=timedelta(days=activity.opens_days_before),
        closes_before=timedelta(minutes=activity.closes_minutes_before),
        notice_days=activity.notice_days,
        to_the_end=activity.is_pass,
    )
    for version, first, length in _spans(activity, start, days):
        document, zone = json.dumps(version.rules), activity.venue.zone
        stretch = _expand(document, zone=zone, first=first, days=length, exceptions=exceptions, sale=sale)
        yield _Part(version, activity.capacity, stretch)


def _spans(activity: Activity, start: date, days: int) -> Iterator[tuple[ScheduleVersion, date, int]]:
    """Yield each version in force during the span, with the dates that are its own, in order of time."""
    end = start + timedelta(days=days)
    for version in activity.schedules.filter(effective_from__lt=end).order_by("effective_from", "version"):
        first, last = max(start, version.effective_from), min(end, version.effective_to or end)
        if first < last:
            yield version, first, (last - first).days


@lru_cache(maxsize=256)
def _expand(
    document: str, *, zone: ZoneInfo, first: date, days: int, exceptions: Exceptions, sale: SaleTimes
) -> _Stretch:
    """Expand once for all activities that share rules, zone, dates and terms; the canonical document is the key."""
    rules = stored_rules(json.loads(document))
    timetable = expand(rules, zone=zone, first=first, days=days, exceptions=exceptions)
    rows = [
        (slot.starts_at, slot.ends_at, *sale.of(slot, zone), rules.capacity if slot.capacity is None else slot.capacity)
        for slot in timetable.slots
    ]
    return _Stretch(rows, _arrays(rows), timetable.skipped, timetable.doubled, timetable.closed)


def _arrays(rows: Sequence[_Row]) -> dict[str, Any]:
    """Return the rows by columns, each an array in PostgreSQL's own words."""
    return {name: _array([row[place] for row in rows]) for place, name in enumerate(COLUMNS)}


def _array(values: Iterable[datetime | int | None]) -> str:
    texts = (value.isoformat() if isinstance(value, datetime) else str(value) for value in values)
    return f"{{{','.join(texts).replace('None', 'NULL')}}}"


def _upsert(activity: Activity, on_sale: bool, version_id: UUID, slots: Mapping[str, Any]) -> int:
    """Write slots, `COLUMNS` as arrays and the `capacity` of those without; return how many came or came back."""
    values = {"organization": activity.organization_id, "activity": activity.id, "schedule": version_id, **slots}
    with connection.cursor() as cursor:
        cursor.execute(UPSERT, {**values, "on_sale": on_sale})
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
