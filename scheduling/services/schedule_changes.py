"""Changes to what is sold: rehearsed first, then applied exactly so, or refused with what moved meanwhile.

One engine does both. A change declares something (a timetable, a closure, a price), then what becomes of the sessions
is planned by reading them. A rehearsal rolls the declaration back and keeps the plan; it locks no session. An apply
locks the sessions that were listed, declares, plans anew and writes, unless the two plans differ.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction

from config.kit.clock import database_now
from config.kit.facts import Actor
from config.kit.refusals import NotFound, Refusal, invalid
from config.kit.retries import retry_on_deadlock
from config.tenants.models import User
from scheduling.change_parameters import read_parameters
from scheduling.change_words import plural
from scheduling.effects import Effects, what_moved
from scheduling.models import Activity, ScheduleChange, ScheduleException, Venue
from scheduling.services import capacity, events, exceptions, price_changes, schedules, session_effects, sessions
from scheduling.services.catalogue import write_activity_status
from scheduling.services.session_effects import TimetablePlan

Kind = ScheduleChange.Kind


class ChangeMoved(Refusal):
    """What the change would do is not what its author saw; `moved` says where the two differ."""

    code, title = "change_moved", "Something has moved since this preview was made"


class ChangeApplied(Refusal):
    """A change is applied once."""

    code, title = "change_applied", "This change is in force already"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a change is about: one activity, or every activity of a venue; and who asks for it."""

    venue: Venue
    activities: tuple[Activity, ...]
    is_whole_venue: bool
    author: User | None

    @property
    def activity(self) -> Activity:
        """The one activity, or a refusal where a whole venue cannot be meant."""
        if self.is_whole_venue:
            raise invalid("activity", "required", "Choose the activity that this is about.")
        return self.activities[0]


@dataclass(frozen=True, slots=True)
class Planned:
    """What a change does, what writes it to the locked sessions, and what the fact is called."""

    effects: Effects
    write: Callable[[], None]
    kind: str
    after: Mapping[str, Any]


@transaction.atomic
def rehearse_change(
    *, kind: str, venue_id: UUID, activity_id: UUID | None, parameters: Mapping[str, Any], author: User | None
) -> ScheduleChange:
    """Return what the change would do, as a row that can be applied; nothing else is written and no session locked.

    Refuses parameters that are wrong, with field and reason, and NotFound.
    """
    scope = _scope(venue_id, activity_id, author, lock=False)
    with _rolled_back():
        planned = _DECLARE[kind](scope, read_parameters(kind, parameters))
    return ScheduleChange.objects.create(
        organization_id=scope.venue.organization_id, venue=scope.venue, activity_id=activity_id, kind=kind,
        parameters=dict(parameters), effects=planned.effects.document(), author=author,
    )  # fmt: skip


@retry_on_deadlock
@transaction.atomic
def apply_change(*, change_id: UUID, actor: Actor, applied_by: User | None = None) -> ScheduleChange:
    """Do exactly what was rehearsed, or raise ChangeMoved and change nothing; again raises ChangeApplied."""
    change = ScheduleChange.objects.select_for_update(no_key=True).filter(id=change_id).first()
    if change is None:
        raise NotFound
    if change.status == ScheduleChange.Status.APPLIED:
        raise ChangeApplied
    # The activities' rows first, as generators take them; then the sessions.
    scope = _scope(change.venue_id, change.activity_id, applied_by, lock=True)
    session_effects.lock_touched(change.effects["sessions"])
    planned = _DECLARE[change.kind](scope, read_parameters(change.kind, change.parameters))
    moved = what_moved(change.effects["sessions"], planned.effects.document()["sessions"])
    if moved:
        words = plural(
            len(moved), "session is not as the preview shows it.", "sessions are not as the preview shows them."
        )
        raise ChangeMoved(words, extra={"moved": moved})
    planned.write()
    _record(change, scope, planned, actor)
    change.status, change.applied_at, change.applied_by = ScheduleChange.Status.APPLIED, database_now(), applied_by
    change.save(update_fields=["status", "applied_at", "applied_by"])
    return change


@contextmanager
def _rolled_back() -> Iterator[None]:
    """Take back whatever is written inside."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _scope(venue_id: UUID, activity_id: UUID | None, author: User | None, *, lock: bool) -> Scope:
    venue = Venue.objects.filter(id=venue_id).first()
    rows = Activity.objects.filter(venue=venue_id).order_by("id")
    if activity_id:
        rows = rows.filter(id=activity_id)
    activities = tuple(rows.select_for_update(no_key=True) if lock else rows)
    if venue is None or (activity_id and not activities):
        raise NotFound
    for activity in activities:
        activity.venue = venue
    return Scope(venue, activities, activity_id is None, author)


def _record(change: ScheduleChange, scope: Scope, planned: Planned, actor: Actor) -> None:
    """Write one fact to each activity that the change is about, with what became of its sessions."""
    listed = planned.effects.listed
    for activity in scope.activities:
        own = [effect for effect in listed if effect.activity == activity.id]
        counts = Effects(own).document()["counts"]
        counts.pop("keep")
        events.record_schedule_event(
            organization_id=activity.organization_id, activity_id=activity.id, kind=planned.kind, actor=actor,
            after={"change": str(change.id), **planned.after, "effects": counts},
        )  # fmt: skip


# What each kind declares, and plans ----------------------------------------------------------------------------------


def _timetable(scope: Scope, asked: Mapping[str, Any]) -> Planned:
    version = schedules.publish_schedule(activity_id=scope.activity.id, author=scope.author, **asked)
    # A season's timetable is followed by what was before it: nothing after it is touched.
    last = version.effective_to and version.effective_to - session_effects.DAY
    return _by_timetable(scope, version.effective_from, last, "schedule_published", {"version": version.version})


def _exception(scope: Scope, asked: Mapping[str, Any], *, kind: str) -> Planned:
    of_venue = scope.venue.id if scope.is_whole_venue else None
    of_activity = None if scope.is_whole_venue else scope.activity.id
    exception = exceptions.add_exception(
        venue_id=of_venue, activity_id=of_activity, kind=kind, author=scope.author, **asked
    )
    return _by_timetable(scope, exception.first_date, exception.last_date, f"{kind}_added", _named(exception))


def _lift(scope: Scope, asked: Mapping[str, Any]) -> Planned:
    exception = exceptions.lift_exception(exception_id=asked["exception"], by=scope.author)
    if (exception.venue_id, exception.activity_id) not in ((scope.venue.id, None), (None, _only(scope))):
        raise NotFound
    kind = f"{exception.kind}_lifted"
    return _by_timetable(scope, exception.first_date, exception.last_date, kind, _named(exception))


def _only(scope: Scope) -> UUID | None:
    return None if scope.is_whole_venue else scope.activity.id


def _named(exception: ScheduleException) -> dict[str, str]:
    dates = {"first_date": str(exception.first_date), "last_date": str(exception.last_date)}
    return {"exception": str(exception.id), **dates}


def _by_timetable(scope: Scope, first: date, last: date | None, kind: str, after: Mapping[str, Any]) -> Planned:
    plans = [session_effects.plan_timetable(activity, first=first, last=last) for activity in scope.activities]

    def write() -> None:
        for plan in plans:
            session_effects.write_timetable(plan)

    return Planned(_together(plans), write, kind, after)


def _together(plans: list[TimetablePlan]) -> Effects:
    listed = sorted((e for plan in plans for e in plan.effects.listed), key=lambda e: (e.starts_at, e.name))
    return Effects(
        listed,
        sum(plan.effects.kept for plan in plans),
        tuple(skip for plan in plans for skip in plan.effects.skipped),
        tuple(doubled for plan in plans for doubled in plan.effects.doubled),
    )


def _capacity(scope: Scope, asked: Mapping[str, Any]) -> Planned:
    capacity.check_capacity(asked["capacity"])
    effects = session_effects.plan_capacity(scope.activity, asked["selection"], asked["capacity"])

    def write() -> None:
        session_effects.write_capacities(effects.listed, by_staff=True)

    return Planned(effects, write, "capacity_changed", {"capacity": asked["capacity"]})


def _price(scope: Scope, asked: Mapping[str, Any]) -> Planned:
    effects, write, after = price_changes.declare_prices(scope.activity, asked, author=scope.author)
    return Planned(effects, write, "price_changed", after)


def _discontinue(scope: Scope, _asked: Mapping[str, Any]) -> Planned:
    activity = scope.activity
    effects = session_effects.plan_end_of_sale(activity)

    def write() -> None:
        write_activity_status(activity_id=activity.id, status=Activity.Status.DISCONTINUED)

    return Planned(effects, write, "activity_discontinued", {})


def _close(scope: Scope, asked: Mapping[str, Any]) -> Planned:
    effects = session_effects.plan_closing(scope.activity, asked["selection"])

    def write() -> None:
        sessions.close_locked([effect.session for effect in effects.listed if effect.session])

    return Planned(effects, write, "sessions_closed", {"sessions": [str(each.session) for each in effects.listed]})


_DECLARE: Mapping[str, Callable[[Scope, Mapping[str, Any]], Planned]] = {
    Kind.TIMETABLE: _timetable,
    Kind.CLOSURE: partial(_exception, kind="closure"),
    Kind.OPENING: partial(_exception, kind="opening"),
    Kind.LIFT: _lift,
    Kind.CAPACITY: _capacity,
    Kind.PRICE: _price,
    Kind.DISCONTINUE: _discontinue,
    Kind.CLOSE: _close,
}
