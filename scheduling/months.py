"""A month of one activity at a glance, for display: made by PostgreSQL as JSON, kept for 5 seconds at most.

The version of an activity moves after each commit that touches its places; it is the ETag and half of the cache's key.
Redis away: every answer is made anew. Nothing is decided by it.
"""

import calendar
import logging
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.db import connection
from redis.exceptions import RedisError

from config.kit.gathering import Gathering
from config.kit.ids import uuid7
from config.kit.refusals import NotFound

logger = logging.getLogger(__name__)

SECONDS = 5  # the oldest a display may be
NUDGE_SECONDS = 0.05  # a change is told after this …
PAUSE_SECONDS = 0.25  # … and no sooner than this after the one before: a rush costs Redis a few writes a second

# `few` is a fifth of the day's places or less. Days without sessions are there, with "none".
MONTH = """
WITH open AS (
    SELECT (s.starts_at AT TIME ZONE v.timezone)::date AS day, s.capacity_total,
        CASE WHEN s.status = 'published' AND s.on_sale AND s.opens_at <= c.now AND s.closes_at > c.now THEN
            CASE WHEN s.waiting > 0 THEN 0 ELSE greatest(s.capacity_total - s.places_booked - s.places_held
                + CASE WHEN s.places_held = 0 THEN 0 ELSE (
                    SELECT coalesce(sum(r.places), 0)::int FROM scheduling_reservation r
                    WHERE r.session_id = s.id AND r.status = 'held' AND r.expires_at <= (SELECT clock_timestamp())
                ) END, 0) END
        END AS free
    FROM scheduling_session s
    JOIN scheduling_activity a ON a.id = s.activity_id
    JOIN scheduling_venue v ON v.id = a.venue_id
    CROSS JOIN (SELECT clock_timestamp() AS now) c
    WHERE s.activity_id = %(activity)s AND NOT s.is_legacy AND s.status <> 'withdrawn'
        AND s.starts_at >= %(first)s::date::timestamp AT TIME ZONE v.timezone
        AND s.starts_at < (%(last)s::date + 1)::timestamp AT TIME ZONE v.timezone
), days AS (
    SELECT day, count(*) AS sessions, count(free) AS bookable, coalesce(sum(free), 0)::int AS spots,
        coalesce(sum(capacity_total) FILTER (WHERE free IS NOT NULL), 0) AS capacity FROM open GROUP BY day
)
SELECT json_build_object(
    'activity', a.id, 'month', to_char(%(first)s::date, 'YYYY-MM'), 'timezone', v.timezone,
    'days', (SELECT json_agg(json_build_object('date', d.day::date, 'sessions', coalesce(days.sessions, 0),
            'available_spots', coalesce(days.spots, 0),
            'status', CASE WHEN days.day IS NULL THEN 'none' WHEN days.bookable = 0 THEN 'closed'
                WHEN days.spots = 0 THEN 'full' WHEN days.spots * 5 <= days.capacity THEN 'few' ELSE 'available' END)
            ORDER BY d.day)
        FROM generate_series(%(first)s::date, %(last)s::date, interval '1 day') d(day)
        LEFT JOIN days ON days.day = d.day::date),
    'as_of', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))::text
FROM scheduling_activity a JOIN scheduling_venue v ON v.id = a.venue_id
JOIN tenants_organization o ON o.id = a.organization_id
WHERE a.id = %(activity)s AND a.status = 'published' AND o.status = 'active'
"""


@dataclass(frozen=True, slots=True)
class Month:
    """The JSON body, and the tag that changes with it."""

    body: bytes
    etag: str


def month_availability(*, activity_id: UUID, year: int, month: int) -> Month:
    """Return the month from the display cache, or made anew; raise NotFound for what is not on sale."""
    version_key, slot = _version_key(activity_id), f"{year:04}-{month:02}"
    try:
        found = cache.get_many([version_key, key := f"month:{activity_id}:{slot}"])
    except (RedisError, OSError):
        return Month(_make(activity_id, year, month), f'"{uuid7().hex}"')
    version = found.get(version_key, "0")
    kept = found.get(key)
    if kept is not None and kept[0] == version:
        return Month(kept[2], f'"{version}-{kept[1]}"')
    made = _make(activity_id, year, month)
    stamp = uuid7().hex
    _keep(key, (version, stamp, made))
    return Month(made, f'"{version}-{stamp}"')


def _make(activity_id: UUID, year: int, month: int) -> bytes:
    last = calendar.monthrange(year, month)[1]
    values: dict[str, Any] = {"activity": activity_id, "first": date(year, month, 1), "last": date(year, month, last)}
    with connection.cursor() as cursor:
        cursor.execute(MONTH, values)
        row = cursor.fetchone()
    if row is None:
        raise NotFound
    body: str = row[0]
    return body.encode()


def _keep(key: str, value: tuple[str, str, bytes]) -> None:
    try:
        cache.set(key, value, timeout=SECONDS)
    except (RedisError, OSError):
        logger.warning("the display cache is away; months are made anew")


def _version_key(activity_id: UUID) -> str:
    return f"month-version:{activity_id}"


def move_versions(activities: set[UUID]) -> None:
    """Give each activity a new version: what was kept for the old one is not served any more."""
    try:
        cache.set_many({_version_key(activity_id): uuid7().hex for activity_id in activities}, timeout=86_400)
    except (RedisError, OSError):
        logger.warning("the display cache is away; a month may look up to %s seconds old", SECONDS)


nudges = Gathering(move_versions, name="month-nudges", gather_seconds=NUDGE_SECONDS, pause_seconds=PAUSE_SECONDS)
