"""What was cancelled, counted from the facts: how long before, by whom, why, and of what. One statement.

Days are those of each venue's own clock. What was never confirmed is no cancellation of a booking, and is left out.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from config.kit.facts import ActorKind

# From how long before the start on each band begins; the first one is also of what was cancelled after the start.
BANDS: Mapping[str, timedelta] = {
    "Less than 1 hour": timedelta(0),
    "1 to 24 hours": timedelta(hours=1),
    "1 to 3 days": timedelta(days=1),
    "3 to 7 days": timedelta(days=3),
    "7 days or more": timedelta(days=7),
}
ACTORS: Mapping[str, str] = {
    ActorKind.CUSTOMER: "Customer",
    ActorKind.STAFF: "Staff",
    ActorKind.POLICY: "Policy",
    ActorKind.API_KEY: "Program with a key",
}
NO_CODE = "No code"

# A cancelled line counts once in each grouping. The venue's clock judges; within days of UTC, an index finds.
STATEMENT = """
WITH cancelled AS (
    SELECT width_bucket(s.starts_at - e.at, %(bounds)s::interval[])::text AS band, e.actor_kind, e.reason_code,
        a.id::text AS activity_id, a.name || ', ' || v.name AS activity, b.currency,
        (e.after->>'places')::bigint AS places,
        (e.before->>'amount_minor')::bigint - coalesce((e.before->>'discount_minor')::bigint, 0)
            - (e.after->>'fee_minor')::bigint AS given_up_minor
    FROM bookings_bookingevent e
    JOIN bookings_booking b ON b.id = e.booking_id
    JOIN scheduling_session s ON s.id = (e.after->>'session')::uuid
    JOIN scheduling_activity a ON a.id = s.activity_id
    JOIN scheduling_venue v ON v.id = a.venue_id
    WHERE e.kind = 'line_cancelled' AND e.to_status = 'confirmed' AND e.organization_id = %(organization)s
        AND e.at >= %(since)s::date - 2 AND e.at < %(until)s::date + 3
        AND (e.at AT TIME ZONE v.timezone)::date BETWEEN %(since)s AND %(until)s
), booked AS (
    SELECT count(*) AS lines
    FROM bookings_booking b
    JOIN bookings_line l ON l.booking_id = b.id
    JOIN scheduling_session s ON s.id = l.session_id
    JOIN scheduling_activity a ON a.id = s.activity_id
    JOIN scheduling_venue v ON v.id = a.venue_id
    WHERE b.organization_id = %(organization)s AND b.status IN ('confirmed', 'cancelled')
        AND b.created_at >= %(since)s::date - 2 AND b.created_at < %(until)s::date + 3
        AND (b.created_at AT TIME ZONE v.timezone)::date BETWEEN %(since)s AND %(until)s
        AND EXISTS (SELECT FROM bookings_bookingevent e WHERE e.booking_id = b.id AND e.kind = 'booking_confirmed')
)
SELECT g.grouping, g.key, g.label, c.currency, count(*), sum(c.places)::bigint, sum(c.given_up_minor)::bigint
FROM cancelled c CROSS JOIN LATERAL (VALUES
    ('all', '', ''), ('lead', c.band, ''), ('actor', c.actor_kind, ''), ('reason', c.reason_code, ''),
    ('activity', c.activity_id, c.activity)
) AS g (grouping, key, label)
GROUP BY g.grouping, g.key, g.label, c.currency
UNION ALL SELECT 'booked', '', '', '', lines, 0, 0 FROM booked
ORDER BY 1, 2, 4
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """Cancelled lines of one kind: how many, their places, and the money given up, in minor units by currency."""

    label: str
    lines: int = 0
    places: int = 0
    given_up_minor: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CancellationReport:
    """What was cancelled in a span of days, in whole and four times in parts that each add up to the whole."""

    booked_lines: int  # in the same days, cancelled since or not
    total: Figures
    by_lead: Sequence[Figures]  # every band, the shortest first
    by_actor: Sequence[Figures]  # everybody who can
    by_reason: Sequence[Figures]  # codes that occur, the most frequent first
    by_activity: Sequence[Figures]

    def percent(self, figures: Figures) -> float | None:
        """Return these lines in percent of those that were booked; None when none was."""
        return 100 * figures.lines / self.booked_lines if self.booked_lines else None


def report_cancellations(*, organization_id: UUID, since: date, until: date) -> CancellationReport:
    """Count an organization's cancelled lines, from the first to the last of these days."""
    bounds = list(BANDS.values())[1:]
    values: dict[str, Any] = {"organization": organization_id, "since": since, "until": until, "bounds": bounds}
    with connection.cursor() as cursor:
        cursor.execute(STATEMENT, values)
        rows = [_Row(*row) for row in cursor.fetchall()]
    found: defaultdict[str, dict[str, list[_Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        found[row.grouping][row.key].append(row)
    return CancellationReport(
        booked_lines=found["booked"][""][0].lines,
        total=_figures("All", found["all"].get("", ())),
        by_lead=[_figures(label, found["lead"].get(str(band), ())) for band, label in enumerate(BANDS)],
        by_actor=[_figures(label, found["actor"].get(kind, ())) for kind, label in ACTORS.items()],
        by_reason=_most_first(_figures(code or NO_CODE, parts) for code, parts in found["reason"].items()),
        by_activity=_most_first(_figures(parts[0].label, parts) for parts in found["activity"].values()),
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """What the statement returns: one part of one grouping, in one currency."""

    grouping: str
    key: str
    label: str
    currency: str
    lines: int
    places: int
    given_up_minor: int


def _figures(label: str, rows: Iterable[_Row]) -> Figures:
    rows = list(rows)
    money = {row.currency: row.given_up_minor for row in rows}
    return Figures(label, sum(row.lines for row in rows), sum(row.places for row in rows), money)


def _most_first(parts: Iterable[Figures]) -> list[Figures]:
    return sorted(parts, key=lambda figures: (-figures.lines, figures.label))
