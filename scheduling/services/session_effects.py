"""From what is declared to what becomes of sessions: plans are read in one statement, and written as they were read.

A plan locks nothing, so it serves rehearsals as it is. An apply locks the sessions first, and plans in the statement
that follows, because a statement's own snapshot is older than the lock for which it waited.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Max

from config.kit.clock import database_now
from scheduling.change_parameters import Selection
from scheduling.effects import (
    ADD,
    CLOSE,
    END_SALE,
    HONOUR,
    KEEP,
    LEGACY,
    LISTED,
    RESIZE,
    RESTORE,
    RETIME,
    WITHDRAW,
    Effect,
    Effects,
)
from scheduling.models import Activity
from scheduling.services import capacity, generation
from scheduling.wall_clock import midnight

DAY = timedelta(days=1)

# What is held without what has lapsed: an apply gives that back before it plans.
HELD = """(s.places_held - CASE WHEN s.places_held = 0 THEN 0 ELSE (
    SELECT coalesce(sum(r.places), 0) FROM scheduling_reservation r
    WHERE r.session_id = s.id AND r.status = 'held' AND r.expires_at <= (SELECT clock_timestamp())) END)::int"""

# A booked session is never re-timed; what staff closed or sized themselves is theirs; what is over is left alone.
COMPARE = f"""
WITH slot AS (
    SELECT * FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[], %(capacities)s::int[])
        AS t(starts_at, ends_at, capacity) WHERE starts_at > %(now)s
), here AS (
    SELECT s.id, s.starts_at, s.ends_at, s.status, s.is_legacy, s.own_capacity, s.capacity_total, s.places_booked,
        {HELD} AS held
    FROM scheduling_session s
    WHERE s.activity_id = %(activity)s AND s.starts_at > %(now)s AND s.starts_at >= %(first)s
        AND s.starts_at < %(until)s
), compared AS (
    SELECT here.id, coalesce(slot.starts_at, here.starts_at) AS starts_at,
        coalesce(slot.ends_at, here.ends_at) AS ends_at, here.capacity_total AS before, slot.capacity AS after,
        coalesce(here.places_booked, 0) AS booked, coalesce(here.held, 0) AS held,
        CASE
            WHEN here.id IS NULL THEN 'add'
            WHEN here.status IN ('cancelled', 'completed') THEN 'keep'
            WHEN slot.starts_at IS NULL THEN CASE
                WHEN here.status = 'withdrawn' OR here.is_legacy THEN 'gone'
                WHEN here.places_booked + here.held > 0 OR here.status <> 'published' THEN 'legacy'
                ELSE 'withdraw' END
            WHEN here.status = 'withdrawn' THEN 'restore'
            WHEN here.ends_at <> slot.ends_at AND here.places_booked + here.held > 0
                THEN CASE WHEN here.is_legacy THEN 'gone' ELSE 'legacy' END
            WHEN here.is_legacy THEN 'restore'
            WHEN here.ends_at <> slot.ends_at THEN 'retime'
            WHEN here.own_capacity OR here.capacity_total = slot.capacity THEN 'keep'
            WHEN here.places_booked + here.held > slot.capacity THEN 'honour'
            ELSE 'resize'
        END AS effect
    FROM slot FULL JOIN here ON here.starts_at = slot.starts_at
)
SELECT effect, id, starts_at, ends_at, before, after, booked, held FROM compared WHERE effect <> 'gone'
ORDER BY starts_at
"""


@dataclass(frozen=True, slots=True)
class TimetablePlan:
    """What becomes of an activity's sessions, and the slots that the timetable asks for, by their start."""

    activity: Activity
    effects: Effects = field(default_factory=Effects)
    slots: Mapping[datetime, generation.PlannedSlot] = field(default_factory=dict)


def plan_timetable(activity: Activity, *, first: date, last: date | None = None) -> TimetablePlan:
    """Return what becomes of an activity's sessions of the dates `first` to `last` of its venue, both included.

    Without `last` it is as far as sessions have been made, and 30 days at least. What has begun is left alone.
    """
    now, zone = database_now(), activity.venue.zone
    horizon = _horizon(activity, now)
    last = min(last or horizon, horizon)
    # Late hours run into the next date, from the night before the first and from the last: look a day beyond each.
    window = midnight(first - DAY, zone), midnight(last + 2 * DAY, zone)
    start, end = first - 2 * DAY, min(last + DAY, horizon)
    if window[1] <= now or end < start:
        return TimetablePlan(activity)
    plan = generation.plan_activity(activity, start=start, days=(end - start).days + 1)
    slots = [slot for slot in plan.slots if window[0] <= slot.starts_at < window[1]]
    rows = _compare(
        {
            "activity": activity.id,
            "now": now,
            "first": window[0],
            "until": window[1],
            "starts": [slot.starts_at for slot in slots],
            "ends": [slot.ends_at for slot in slots],
            "capacities": [slot.capacity for slot in slots],
        }
    )
    sells = activity.status != Activity.Status.DISCONTINUED
    changed = [row for row in rows if row[0] != KEEP and (sells or row[0] not in (ADD, RESTORE))]
    effects = Effects(
        listed=[_effect(activity, row) for row in changed],
        kept=sum(row[0] == KEEP for row in rows),
        skipped=[
            {"date": skip.local_date.isoformat(), "time": skip.wall_time.isoformat("minutes")}
            for skip in plan.skipped
            if skip.local_date >= first
        ],
        doubled=[{"starts_at": slot.starts_at.isoformat()} for slot in plan.doubled if slot.local_date >= first],
    )
    return TimetablePlan(activity, effects, {slot.starts_at: slot for slot in slots})


def _horizon(activity: Activity, now: datetime) -> date:
    """Return the last date for which sessions were made, or are to be."""
    zone = activity.venue.zone
    furthest = activity.sessions.aggregate(at=Max("starts_at"))["at"] or now
    return max(now.astimezone(zone).date() + generation.DAYS_AHEAD * DAY, furthest.astimezone(zone).date())


def _compare(values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(COMPARE, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _effect(activity: Activity, row: tuple[Any, ...]) -> Effect:
    name, session_id, starts_at, ends_at, before, after, booked, held = row
    sized = name in (RESIZE, HONOUR)
    return Effect(
        name, session_id, activity.id, activity.name, starts_at, ends_at, before if sized else None,
        after if sized or name == ADD else None, booked, held,
    )  # fmt: skip


# A selection of sessions --------------------------------------------------------------------------------------------

CHOSEN = f"""
SELECT s.id, s.starts_at, s.ends_at, s.capacity_total, s.places_booked, {HELD} AS held, s.price_minor, s.on_sale
FROM scheduling_session s
WHERE s.activity_id = %(activity)s AND s.starts_at > %(now)s AND NOT s.is_legacy
    AND s.status IN ('published', 'closed') AND (%(sessions)s::uuid[] IS NULL OR s.id = ANY(%(sessions)s))
    AND (%(first)s::date IS NULL OR (s.starts_at AT TIME ZONE %(zone)s)::date >= %(first)s)
    AND (%(last)s::date IS NULL OR (s.starts_at AT TIME ZONE %(zone)s)::date <= %(last)s)
    AND (%(weekdays)s::int[] IS NULL
        OR extract(isodow FROM s.starts_at AT TIME ZONE %(zone)s)::int - 1 = ANY(%(weekdays)s))
    AND (%(from)s::time IS NULL OR (s.starts_at AT TIME ZONE %(zone)s)::time >= %(from)s)
    AND (%(to)s::time IS NULL OR (s.starts_at AT TIME ZONE %(zone)s)::time <= %(to)s)
ORDER BY s.starts_at
"""


ALL = Selection()


class Chosen(NamedTuple):
    """A session of the selection."""

    id: UUID
    starts_at: datetime
    ends_at: datetime
    capacity: int
    booked: int
    held: int
    price_minor: int | None
    on_sale: bool


def choose_sessions(activity: Activity, selection: Selection) -> list[Chosen]:
    """Return the sessions to come that are meant, in order of time; what is over or left over is never among them."""
    values: dict[str, Any] = {
        "activity": activity.id,
        "now": database_now(),
        "zone": activity.venue.timezone,
        "sessions": None if selection.sessions is None else list(selection.sessions),
        "first": selection.first_date,
        "last": selection.last_date,
        "weekdays": list(selection.weekdays) or None,  # none named: every day
        "from": selection.from_time,
        "to": selection.to_time,
    }
    with connection.cursor() as cursor:
        cursor.execute(CHOSEN, values)
        return [Chosen(*row) for row in cursor.fetchall()]


def plan_capacity(activity: Activity, selection: Selection, places: int) -> Effects:
    """Return what becomes of the chosen sessions with so many places each."""
    chosen = choose_sessions(activity, selection)
    return Effects(
        listed=[
            Effect(
                HONOUR if session.booked + session.held > places else RESIZE, session.id, activity.id, activity.name,
                session.starts_at, session.ends_at, session.capacity, places, session.booked, session.held,
            )
            for session in chosen
            if session.capacity != places
        ],
        kept=sum(session.capacity == places for session in chosen),
    )  # fmt: skip


def plan_end_of_sale(activity: Activity) -> Effects:
    """Return what becomes of the sessions to come when nothing new is sold: who has booked keeps their place."""
    chosen = choose_sessions(activity, ALL)
    return Effects(
        listed=[
            Effect(
                END_SALE, session.id, activity.id, activity.name, session.starts_at, session.ends_at,
                booked=session.booked, held=session.held,
            )
            for session in chosen
            if session.on_sale
        ],
        kept=sum(not session.on_sale for session in chosen),
    )  # fmt: skip


def plan_closing(activity: Activity, selection: Selection) -> Effects:
    """Return what becomes of the chosen sessions that will not take place: closed, until nobody is booked any more."""
    return Effects(
        listed=[
            Effect(
                CLOSE, session.id, activity.id, activity.name, session.starts_at, session.ends_at,
                booked=session.booked, held=session.held,
            )
            for session in choose_sessions(activity, selection)
        ]
    )  # fmt: skip


# Writing ------------------------------------------------------------------------------------------------------------


def lock_touched(effects: Iterable[Mapping[str, Any]]) -> None:
    """Lock the sessions that a rehearsal listed, in ascending id order, and give back what has lapsed in them."""
    ids = [UUID(effect["session"]) for effect in effects if effect["session"]]
    capacity.lock_sessions(ids)
    capacity.reclaim_lapsed(ids)


def write_timetable(plan: TimetablePlan) -> None:
    """Do to the locked sessions what the plan says; the activity's row keeps generators away."""
    chosen = {name: [e for e in plan.effects.listed if e.effect == name] for name in LISTED}
    # First what goes, then what comes: no moment shows both timetables.
    _mark(chosen[WITHDRAW], "status = 'withdrawn'")
    _mark(chosen[LEGACY], "is_legacy = true")
    generation.write_slots(plan.activity, [plan.slots[e.starts_at] for e in (*chosen[ADD], *chosen[RESTORE])])
    _retime(plan.activity, [plan.slots[e.starts_at] for e in chosen[RETIME]])
    write_capacities([*chosen[RESIZE], *chosen[HONOUR]], by_staff=False)
    capacity.announce([], [plan.activity.id])


RETIMED = """
UPDATE scheduling_session s SET ends_at = slot.ends_at, opens_at = slot.opens_at, closes_at = slot.closes_at,
    schedule_id = slot.schedule_id, version = s.version + 1,
    capacity_total = CASE WHEN s.own_capacity THEN s.capacity_total ELSE slot.capacity END
FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[], %(opens)s::timestamptz[], %(closes)s::timestamptz[],
    %(capacities)s::int[], %(schedules)s::uuid[])
    AS slot(starts_at, ends_at, opens_at, closes_at, capacity, schedule_id)
WHERE s.activity_id = %(activity)s AND s.starts_at = slot.starts_at AND s.places_held + s.places_booked = 0
"""


def _retime(activity: Activity, slots: Sequence[generation.PlannedSlot]) -> None:
    """Give empty sessions the plan's times and places."""
    if slots:
        with connection.cursor() as cursor:
            cursor.execute(
                RETIMED,
                {
                    "activity": activity.id,
                    "starts": [slot.starts_at for slot in slots],
                    "ends": [slot.ends_at for slot in slots],
                    "opens": [slot.opens_at for slot in slots],
                    "closes": [slot.closes_at for slot in slots],
                    "capacities": [slot.capacity for slot in slots],
                    "schedules": [slot.schedule_id for slot in slots],
                },
            )


def write_capacities(effects: Iterable[Effect], *, by_staff: bool) -> None:
    """Give the sessions their new number of places, by the honoured rule."""
    wanted = {e.session: e.after for e in effects if e.session and e.after is not None}
    if wanted:
        capacity.set_capacities(wanted, by_staff=by_staff)


def _mark(effects: Sequence[Effect], assignment: str) -> None:
    if effects:
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE scheduling_session SET {assignment}, version = version + 1 WHERE id = ANY(%s)",
                [[effect.session for effect in effects]],
            )
