"""100,000 lapsed holds given back by the sweep beside one bare statement; how long the sweep ever holds a lock."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, LiteralString

from django.db import connection

from scheduling.services.reservations import release_expired_reservations
from tests.bench.bulk import Timed, make_twin, print_timed, timed
from tests.bench.ground import Ground
from tests.bench.seed import create_activities, create_holds, create_sessions
from tests.bench.table import WrongResult, judged, say

SESSIONS, HOLDS = 2_000, 100_000
EACH = HOLDS // SESSIONS
GOAL_SECONDS, LOCK_GOAL_MS = 5.0, 100.0
COPIES: tuple[LiteralString, ...] = (
    """INSERT INTO scheduling_session_twin (id, organization_id, activity_id, starts_at, ends_at, opens_at, closes_at,
        status, is_legacy, on_sale, capacity_total, places_held, places_booked, honoured_capacity, waiting, version)
    SELECT id, organization_id, activity_id, starts_at, ends_at, opens_at, closes_at, status,
        is_legacy, on_sale, capacity_total, places_held, places_booked, honoured_capacity, waiting, version
    FROM scheduling_session WHERE id = ANY(%(sessions)s)""",
    "INSERT INTO scheduling_reservation_twin SELECT * FROM scheduling_reservation WHERE session_id = ANY(%(sessions)s)",
)
BARE: LiteralString = """
WITH gone AS (
    UPDATE scheduling_reservation_twin SET status = 'expired', ended_at = clock_timestamp()
    WHERE status = 'held' AND expires_at <= now() RETURNING session_id, places
), f AS (SELECT session_id, sum(places)::int AS n FROM gone GROUP BY session_id), back AS (
    UPDATE scheduling_session_twin s SET places_held = s.places_held - f.n, version = s.version + 1
    FROM f WHERE s.id = f.session_id RETURNING f.n
) SELECT sum(n) FROM back"""
LEFT_OVER: LiteralString = """
SELECT (SELECT count(*) FROM scheduling_reservation WHERE session_id = ANY(%(sessions)s) AND status = 'held'),
    (SELECT sum(places_held) FROM scheduling_session WHERE id = ANY(%(sessions)s))"""


def run(ground: Ground, *, rounds: int) -> None:
    """Measure the bare statement, then the product on the same rows."""
    values = _create_lapsed(ground)
    bare = timed(ground, lambda: int(ground.sql(BARE)[0][0]))
    say(f"release: bare statement in {bare.seconds:.1f} s")
    watch = LongestUpdate()
    with connection.execute_wrapper(watch):
        swept = timed(ground, release_expired_reservations)
    if (bare.rows, swept.rows) != (HOLDS, HOLDS) or ground.sql(LEFT_OVER, values) != [(0, 0)]:
        raise WrongResult(f"wanted {HOLDS} places back: bare {bare.rows}, product {swept.rows}")
    ratio = swept.seconds / bare.seconds
    longest = Timed(watch.count, watch.seconds, 0.0)
    lock_goal = judged(met=watch.seconds * 1000 < LOCK_GOAL_MS, goal=f"< {LOCK_GOAL_MS:.0f} ms")
    rows: list[tuple[str, Timed, float | None, str]] = [
        ("one UPDATE … FROM aggregated CTE", bare, None, ""),
        ("release_expired_reservations", swept, ratio, judged(met=swept.seconds <= GOAL_SECONDS, goal="≤ 5 s")),
        ("its longest statement that holds a lock (of so many)", longest, None, lock_goal),
    ]
    print_timed("Release of 100,000 lapsed holds over 2,000 sessions", rows)


def _create_lapsed(ground: Ground) -> dict[str, object]:
    """Create the sessions full of lapsed holds, and twins of both."""
    sessions = create_sessions(create_activities(SESSIONS // 20, name="release"), each=20, capacity=EACH)
    values: dict[str, object] = {"sessions": sessions}
    say(f"release: making {HOLDS:,} lapsed holds")
    ground.sql("DROP TABLE IF EXISTS scheduling_session_twin, scheduling_reservation_twin")
    make_twin(ground, "scheduling_session")
    make_twin(ground, "scheduling_reservation")
    create_holds(ground, sessions, each=EACH, expires=timedelta(minutes=-10))
    for statement in COPIES:
        ground.sql(statement, values)
    return values


class LongestUpdate:
    """Watches the statements of this process: each is a transaction, so it holds its locks no longer than it runs."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.count = 0

    def __call__(self, execute: Callable[..., Any], statement: str, *arguments: Any) -> Any:
        """Time it when it locks."""
        if connection.in_atomic_block:
            raise WrongResult("the sweep holds its locks longer than one statement; measure its transactions instead")
        started = time.perf_counter()
        answer = execute(statement, *arguments)
        if "UPDATE" in statement:
            self.count += 1
            self.seconds = max(self.seconds, time.perf_counter() - started)
        return answer
