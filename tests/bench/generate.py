"""390,000 sessions from timetables beside one bare INSERT … SELECT generate_series."""

from datetime import UTC, datetime, timedelta
from typing import LiteralString

from scheduling.models import Activity
from scheduling.services.generation import generate_activity_sessions
from tests.bench.bulk import Timed, make_twin, print_timed, timed
from tests.bench.ground import Ground
from tests.bench.seed import SLOTS_A_DAY, create_activities
from tests.bench.table import WrongResult, judged, say

ACTIVITIES, DAYS = 1_000, 30
SESSIONS = ACTIVITIES * DAYS * SLOTS_A_DAY
GOAL = 3.0
# The same columns and values that the product writes; the times come from a series instead of a timetable.
BARE: LiteralString = """
WITH made AS (
    INSERT INTO scheduling_session_twin (id, organization_id, activity_id, schedule_id, starts_at, ends_at,
        opens_at, closes_at, status, is_legacy, on_sale,
        capacity_total, places_held, places_booked, honoured_capacity, waiting, version)
    SELECT gen_random_uuid(), a.organization_id, a.id, v.id, slot, slot + interval '1 hour',
        slot - interval '365 days', slot, 'published', false, true, a.capacity, 0, 0, 0, 0, 1
    FROM scheduling_activity a JOIN scheduling_scheduleversion v ON v.activity_id = a.id,
        generate_series(0, %(days)s - 1) day, generate_series(0, %(slots)s - 1) hour,
        LATERAL (SELECT %(start)s::timestamptz + day * interval '1 day' + hour * interval '1 hour' AS slot) s
    WHERE a.organization_id = %(organization)s
    RETURNING 1
) SELECT count(*) FROM made"""


def run(ground: Ground, *, rounds: int) -> None:
    """Measure bare, product, bare; then the product again, when there is nothing left to do."""
    activities = create_activities(ACTIVITIES, name="generate")
    make_twin(ground, "scheduling_session")
    bare = [_bare(ground, activities[0])]
    made = timed(ground, lambda: _generate(activities))
    again = timed(ground, lambda: _generate(activities))
    bare += [_bare(ground, activities[0]) for _ in range(min(rounds, 2) - 1)]
    if (made.rows, again.rows, *(b.rows for b in bare)) != (SESSIONS, 0, *[SESSIONS] * len(bare)):
        raise WrongResult(f"wanted {SESSIONS} sessions, then none: made {made.rows}, then {again.rows}")
    mean = sum(b.seconds for b in bare) / len(bare)
    ratio = made.seconds / mean
    least = min(bare, key=lambda b: b.seconds)
    rows = [
        ("one INSERT … SELECT generate_series", Timed(SESSIONS, mean, least.db_cpu_seconds), None, ""),
        ("generate_activity_sessions, 1,000 activities", made, ratio, judged(met=ratio <= GOAL, goal=f"≤ {GOAL:.0f}")),
        ("the same again, nothing to do", again, None, ""),
    ]
    print_timed("Generation of 390,000 sessions", rows)


def _generate(activities: list[Activity]) -> int:
    today, made = datetime.now(tz=UTC).date() + timedelta(days=1), 0
    for number, activity in enumerate(activities, start=1):
        made += generate_activity_sessions(activity_id=activity.id, start_date=today, days_ahead=DAYS)
        if number % 250 == 0:
            say(f"generate: {number:,} of {len(activities):,} activities, {made:,} sessions")
    return made


def _bare(ground: Ground, activity: Activity) -> Timed:
    ground.sql("TRUNCATE scheduling_session_twin")
    start = datetime.now(tz=UTC).replace(hour=9, minute=0, second=0, microsecond=0) + timedelta(days=1)
    values = {"organization": activity.organization_id, "start": start, "days": DAYS, "slots": SLOTS_A_DAY}
    found = timed(ground, lambda: int(ground.sql(BARE, values)[0][0]))
    say(f"generate: bare INSERT … SELECT in {found.seconds:.1f} s")
    return found
