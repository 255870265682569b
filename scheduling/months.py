"""A month of an activity, or of a venue, at a glance, for display: made by PostgreSQL as JSON, kept 5 seconds at most.

It is made of the same numbers as a session's own answer (scheduling/availability.py), and decides nothing.
"""

import calendar
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.db import connection

from config.kit.refusals import NotFound
from config.tenants.models import Organization
from scheduling.display_cache import kept
from scheduling.models import Activity, Venue

SECONDS = 5  # the oldest a month may be

# What is on sale, its sessions, and their sums by day. `few` is a fifth of the day's places or less. A day on which
# nothing can be booked and that a closure covers whole says the closure's words.
PARTS = """
WITH shown AS MATERIALIZED (
    SELECT a.id, a.slug, a.name, a.venue_id, v.timezone,
        %(first)s::date::timestamp AT TIME ZONE v.timezone AS begins,
        (%(last)s::date + 1)::timestamp AT TIME ZONE v.timezone AS ends
    FROM scheduling_activity a JOIN scheduling_venue v ON v.id = a.venue_id
    JOIN tenants_organization o ON o.id = a.organization_id
    WHERE {scope} AND a.status = 'published' AND o.status = 'active'
), open AS (
    SELECT s.activity_id, (s.starts_at AT TIME ZONE x.timezone)::date AS day, s.capacity_total,
        CASE WHEN s.status = 'published' AND s.on_sale AND s.opens_at <= c.now AND s.closes_at > c.now THEN
            CASE WHEN s.waiting > 0 THEN 0 ELSE greatest(s.capacity_total - s.places_booked - s.places_held
                + CASE WHEN s.places_held = 0 THEN 0 ELSE (
                    SELECT coalesce(sum(r.places), 0)::int FROM scheduling_reservation r
                    WHERE r.session_id = s.id AND r.status = 'held' AND r.expires_at <= (SELECT clock_timestamp())
                ) END, 0) END
        END AS free
    FROM shown x
    JOIN scheduling_session s ON s.activity_id = x.id AND s.starts_at >= x.begins AND s.starts_at < x.ends
    CROSS JOIN (SELECT clock_timestamp() AS now) c
    WHERE NOT s.is_legacy AND s.status <> 'withdrawn'
), days AS (
    SELECT activity_id, day, count(*) AS sessions, count(free) AS bookable, coalesce(sum(free), 0)::int AS spots,
        coalesce(sum(capacity_total) FILTER (WHERE free IS NOT NULL), 0) AS capacity
    FROM open GROUP BY GROUPING SETS ((activity_id, day), (day))
), dates AS MATERIALIZED (
    SELECT d::date AS day FROM generate_series(%(first)s::date, %(last)s::date, interval '1 day') d
), closures AS MATERIALIZED (
    SELECT e.activity_id, e.first_date, e.last_date, e.reason FROM (
        SELECT * FROM scheduling_scheduleexception WHERE lifted_at IS NULL AND venue_id = {venue}
            AND last_date >= %(first)s::date
        UNION ALL
        SELECT x.* FROM shown JOIN scheduling_scheduleexception x ON x.lifted_at IS NULL AND x.activity_id = shown.id
            AND x.last_date >= %(first)s::date
    ) e WHERE e.kind = 'closure' AND e.from_time IS NULL AND e.first_date <= %(last)s::date
)
"""

# The days of one activity, or of all together when there is none.
DAYS = """(SELECT json_agg(json_build_object('date', dates.day, 'sessions', coalesce(days.sessions, 0),
        'available_spots', coalesce(days.spots, 0), 'status', CASE
            WHEN coalesce(days.bookable, 0) = 0 AND (days.day IS NOT NULL OR shut.reason IS NOT NULL) THEN 'closed'
            WHEN days.day IS NULL THEN 'none' WHEN days.spots = 0 THEN 'full'
            WHEN days.spots * 5 <= days.capacity THEN 'few' ELSE 'available' END,
        'reason', CASE WHEN coalesce(days.bookable, 0) = 0 THEN shut.reason END) ORDER BY dates.day)
    FROM dates LEFT JOIN days ON days.day = dates.day AND days.activity_id IS NOT DISTINCT FROM {activity}
    LEFT JOIN LATERAL (SELECT e.reason FROM closures e WHERE dates.day BETWEEN e.first_date AND e.last_date
        AND (e.activity_id IS NULL OR e.activity_id = {activity}) LIMIT 1) shut ON true)"""
AS_OF = """'as_of', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""
HEAD = "'month', to_char(%(first)s::date, 'YYYY-MM'), 'timezone'"

MONTH = f"""{PARTS.format(scope="a.id = %(activity)s", venue="(SELECT venue_id FROM shown)")}
SELECT json_build_object('activity', x.id, {HEAD}, x.timezone, 'days', {DAYS.format(activity="x.id")}, {AS_OF})::text
FROM shown x
"""

VENUE_MONTH = f"""{PARTS.format(scope="a.venue_id = %(venue)s", venue="%(venue)s")}
SELECT json_build_object(
    'venue', json_build_object('id', v.id, 'name', v.name), {HEAD}, v.timezone,
    'days', {DAYS.format(activity="NULL::uuid")},
    'activities', coalesce((SELECT json_agg(json_build_object('id', x.id, 'slug', x.slug, 'name', x.name,
        'days', {DAYS.format(activity="x.id")}) ORDER BY x.name, x.id) FROM shown x), '[]'::json), {AS_OF})::text
FROM scheduling_venue v WHERE v.id = %(venue)s
"""


@dataclass(frozen=True, slots=True)
class Month:
    """The JSON body, the tag that changes with it, and the activities of which it tells, with their versions."""

    body: bytes
    etag: str
    activities: tuple[UUID, ...]
    versions: Mapping[str, str] | None


def month_availability(*, activity_id: UUID, year: int, month: int, is_fresh: bool = False) -> Month:
    """Return an activity's month, kept or made anew (`is_fresh`: anew); raise NotFound for what is not on sale."""
    key = f"month:{activity_id}:{year:04}-{month:02}"

    def make() -> bytes:
        return _make(MONTH, year, month, activity=activity_id)

    return _month(key, lambda: [activity_id], make, is_fresh=is_fresh)


def venue_month(*, venue: Venue, year: int, month: int, is_fresh: bool = False) -> Month:
    """Return the month of all that a venue has on sale, kept or made anew (`is_fresh`: anew)."""
    key = f"month:{venue.id}:{year:04}-{month:02}"

    def activities() -> list[UUID]:
        return list(Activity.objects.on_sale().filter(venue=venue).values_list("id", flat=True))

    def make() -> bytes:
        return _make(VENUE_MONTH, year, month, venue=venue.id)

    return _month(key, activities, make, is_fresh=is_fresh)


def find_venue(embed_key: str) -> Venue:
    """Return the venue of an active organization that has this public key, or raise NotFound."""
    rows = Venue.objects.filter(embed_key=embed_key, organization__status=Organization.Status.ACTIVE)
    found = rows.select_related("organization").first()
    if found is None:
        raise NotFound
    return found


def _month(key: str, of: Callable[[], list[UUID]], make: Callable[[], bytes], *, is_fresh: bool) -> Month:
    found = kept(key, of=of, make=make, seconds=SECONDS, is_fresh=is_fresh)
    return Month(found.value, found.etag, found.activities, found.versions)


def _make(statement: str, year: int, month: int, **about: UUID) -> bytes:
    last = calendar.monthrange(year, month)[1]
    values: dict[str, Any] = {**about, "first": date(year, month, 1), "last": date(year, month, last)}
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone()
    if row is None:
        raise NotFound
    body: str = row[0]
    return body.encode()
