"""A new timetable over 10,000 sessions, some of them booked: its preview and its apply, beside reading them."""

from datetime import UTC, date, datetime, timedelta
from typing import LiteralString

from bookings.services import checkout, schedule_changes
from bookings.services.checkout import Contact, Terms, Wanted
from config.kit.facts import Actor, ActorKind
from scheduling.models import Activity, ScheduleChange, Session
from scheduling.services.assessing import Party
from scheduling.services.generation import generate_activity_sessions
from tests.bench.bulk import Timed, print_timed, timed
from tests.bench.ground import Ground
from tests.bench.seed import ALL_WEEK, RULES, SLOTS_A_DAY, create_activities
from tests.bench.table import WrongResult, judged, say

DAYS = (400, 370)
SESSIONS = sum(DAYS) * SLOTS_A_DAY
BOOKED_EVERY = 40
GOAL_SECONDS = 2.0
CUSTOMER = Actor(kind=ActorKind.CUSTOMER, channel="web")
STAFF = Actor(kind=ActorKind.STAFF, channel="admin")
# Half past instead of the full hour, four days instead of seven: every session goes, and thousands come.
MOVED = {**RULES, "operatingDays": ALL_WEEK[3:], "startTime": "09:30", "endTime": "21:30"}
READ: LiteralString = """
WITH read AS MATERIALIZED (SELECT * FROM scheduling_session WHERE activity_id = %s ORDER BY starts_at)
SELECT count(*) FROM read WHERE places_booked >= 0 AND status <> ''"""


def run(ground: Ground, *, rounds: int) -> None:
    """Measure a bare read, the preview, and the apply."""
    activity = create_activities(1, name="preview")[0]
    Activity.objects.filter(id=activity.id).update(pay_on_arrival=True, opens_days_before=1000)
    _fill(activity)
    read = timed(ground, lambda: int(ground.sql(READ, [activity.id])[0][0]))
    previews, changes = [], list[ScheduleChange]()
    for number in range(rounds):
        previews.append(timed(ground, lambda: _preview(activity, changes)))
        say(f"preview: round {number + 1} of {rounds}, {previews[-1].seconds:.2f} s")
    applied = timed(ground, lambda: _apply(changes[-1]))
    _check(activity, changes[-1])
    best = sorted(previews, key=lambda t: t.seconds)[len(previews) // 2]
    goal = judged(met=best.seconds <= GOAL_SECONDS, goal=f"≤ {GOAL_SECONDS:.0f} s")
    rows: list[tuple[str, Timed, float | None, str]] = [
        ("reading the sessions", read, None, ""),
        ("rehearse_change: a new timetable", best, best.seconds / read.seconds, goal),
        ("apply_change: the same", applied, applied.seconds / read.seconds, ""),
    ]
    counts = ", ".join(f"{number:,} {effect}" for effect, number in changes[-1].effects["counts"].items() if number)
    print_timed(f"Preview over {SESSIONS:,} sessions: {counts}", rows)


def _fill(activity: Activity) -> None:
    """Sessions from tomorrow on, one in so many booked."""
    start = datetime.now(tz=UTC).date() + timedelta(days=1)
    for days in DAYS:
        generate_activity_sessions(activity_id=activity.id, start_date=start, days_ahead=days)
        start += timedelta(days=days)
    ids = list(Session.objects.filter(activity=activity).order_by("starts_at").values_list("id", flat=True))
    if len(ids) != SESSIONS:
        raise WrongResult(f"wanted {SESSIONS:,} sessions, made {len(ids):,}")
    for number, session_id in enumerate(ids[::BOOKED_EVERY]):
        contact = Contact(email=f"guest-{number}@example.com", name="Guest")
        checkout.book_lines(lines=[Wanted(Party(session_id, 2))], contact=contact, terms=Terms(), actor=CUSTOMER)


def _preview(activity: Activity, changes: list[ScheduleChange]) -> int:
    first: date = datetime.now(tz=UTC).date() + timedelta(days=1)
    parameters = {"rules": MOVED, "effective_from": first.isoformat()}
    change = schedule_changes.rehearse_change(
        kind="timetable", venue_id=activity.venue_id, activity_id=activity.id, parameters=parameters, author=None
    )
    changes.append(change)
    return len(change.effects["sessions"])


def _apply(change: ScheduleChange) -> int:
    schedule_changes.apply_change(change_id=change.id, actor=STAFF)
    return len(change.effects["sessions"])


def _check(activity: Activity, change: ScheduleChange) -> None:
    """Nothing booked was withdrawn, and what was shown happened."""
    rows = Session.objects.filter(activity=activity)
    found = {
        "legacy": rows.filter(is_legacy=True).count(),
        "withdraw": rows.filter(status="withdrawn").count(),
    }
    shown = {effect: change.effects["counts"].get(effect, 0) for effect in found}
    if found != shown or rows.filter(is_legacy=True, places_booked=0).exists():
        raise WrongResult(f"shown {shown}, found {found}")
