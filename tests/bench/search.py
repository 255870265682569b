"""A search: a day across a venue with 30 activities, live, in a table of many sessions; beside a constant body."""

from datetime import UTC, datetime, timedelta

from scheduling.services.generation import generate_activity_sessions
from tests.bench.ground import Ground, Web
from tests.bench.load import Load, run_wrk
from tests.bench.seed import create_activities
from tests.bench.table import Row, print_table, say

CLIENTS = 8
ACTIVITIES = 30
DAYS = 31
OTHERS = 200_000  # sessions of other venues
OK = 200
WARM_UP_SECONDS = 1.0
FILL = """INSERT INTO scheduling_session (id, organization_id, activity_id, starts_at, ends_at, opens_at, closes_at,
    status, is_legacy, on_sale, capacity_total, places_held, places_booked, honoured_capacity, waiting, version)
SELECT uuid7(), a.organization_id, a.id, t, t + interval '1 hour', t - interval '365 days', t, 'published', false, true,
    10, 0, 0, 0, 0, 1
FROM scheduling_activity a, generate_series(1, %(each)s) n,
    LATERAL (SELECT date_trunc('day', now()) + n * interval '1 hour' AS t) x WHERE a.id = ANY(%(activities)s)"""


def run(ground: Ground, *, rounds: int) -> None:
    """Measure in rounds: constant, then the day for anybody, then for a party of three."""
    path = _path(ground)
    constant, day, party = (
        Row(name, str(CLIENTS)) for name in ("constant body", "a venue's day", "a venue's day, for a party")
    )
    with ground.web() as web:
        _, body = web.get(path)
        with ground.web("tests.bench.constant:application", BENCH_BODY_BYTES=str(len(body))) as beside:
            for server in (web, beside):
                _read(ground, server, path, seconds=min(WARM_UP_SECONDS, ground.seconds))
            for number in range(1, rounds + 1):
                say(f"search: round {number} of {rounds}")
                bare = _add(constant, _read(ground, beside, path))
                _add(day, _read(ground, web, path), bare)
                _add(party, _read(ground, web, f"{path}&party_size=3"), bare)
    title = f"Search: GET /api/v1/venues/…/sessions?date=, {ACTIVITIES} activities among {OTHERS:,} other sessions"
    print_table(f"{title}, {len(body):,} bytes", [constant, day, party])


def _path(ground: Ground) -> str:
    tomorrow = datetime.now(tz=UTC).date() + timedelta(days=1)
    activities = create_activities(ACTIVITIES, name="search")
    for activity in activities:
        generate_activity_sessions(activity_id=activity.id, start_date=tomorrow, days_ahead=DAYS)
    others = [activity.id for activity in create_activities(200, name="elsewhere")]
    ground.sql(FILL, {"activities": others, "each": OTHERS // len(others)})
    ground.settle()
    return f"/api/v1/venues/{activities[0].venue.embed_key}/sessions?date={tomorrow}"


def _read(ground: Ground, web: Web, path: str, seconds: float | None = None) -> Load:
    load = run_wrk(ground, web, path, script="read.lua", clients=CLIENTS, arguments=["plain"], seconds=seconds)
    load.only(OK)
    return load


def _add(row: Row, load: Load, bare: Load | None = None) -> Load:
    row.samples.append(load.sample)
    if bare:
        row.ratios.append(load.sample.per_second / bare.sample.per_second)
    say(f"  {row.what:<32} {load.sample.per_second:,.0f} a second")
    return load
