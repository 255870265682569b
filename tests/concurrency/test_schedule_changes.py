"""A change of timetable meets buyers, generators and itself."""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from alerts.services.auditor import check_invariants
from bookings.models import AffectedLine
from bookings.services import schedule_changes
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from scheduling.models import Activity, ScheduleChange, Session
from scheduling.services import session_effects
from scheduling.services.generation import generate_activity_sessions
from scheduling.services.schedules import publish_schedule
from tests.concurrency.races import Background, race, somebody_elses_transaction, tally
from tests.factories import book, make_activity, stranger

pytestmark = pytest.mark.usefixtures("committed_db")

STAFF = Actor(kind=ActorKind.STAFF, channel="admin")
RULES = {
    "operatingDays": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    "startTime": "10:00", "endTime": "18:00", "slotInterval": 60, "capacity": 3,
}  # fmt: skip


def make_running() -> Activity:
    activity = make_activity()
    today = database_now().astimezone(activity.venue.zone).date()
    publish_schedule(activity_id=activity.id, rules=RULES, effective_from=today)
    generate_activity_sessions(activity_id=activity.id, start_date=today, days_ahead=14)
    return activity


def closing_tomorrow(activity: Activity) -> tuple[ScheduleChange, list[Session]]:
    """A rehearsed closure, and the sessions that it is about."""
    tomorrow = database_now().astimezone(activity.venue.zone).date() + timedelta(days=1)
    change = schedule_changes.rehearse_change(
        kind="closure", venue_id=activity.venue_id, activity_id=activity.id, author=None,
        parameters={"first_date": str(tomorrow), "last_date": str(tomorrow), "reason": "Storm"},
    )  # fmt: skip
    begins = datetime.combine(tomorrow, time(0), tzinfo=activity.venue.zone)
    sessions = Session.objects.filter(activity=activity, starts_at__range=(begins, begins + timedelta(days=1)))
    return change, list(sessions.order_by("starts_at"))


def apply(change: ScheduleChange) -> ScheduleChange:
    return schedule_changes.apply_change(change_id=change.id, actor=STAFF)


def test_a_rehearsal_locks_no_session() -> None:
    activity = make_running()
    with transaction.atomic():
        closing_tomorrow(activity)
        with somebody_elses_transaction() as other:
            locked = other.execute("SELECT id FROM scheduling_session FOR UPDATE NOWAIT").fetchall()
    assert len(locked) == Session.objects.count()


@pytest.mark.parametrize("_again", range(5))
def test_buyers_and_a_closure_end_in_one_of_two_whole_states(_again: int) -> None:
    activity = make_running()
    change, sessions = closing_tomorrow(activity)
    buyers: list[Callable[[], Any]] = [partial(book, session, contact=stranger()) for session in sessions[:7]]
    acts: list[Callable[[], Any]] = [*buyers, partial(apply, change)]
    *bought, applied = race(acts)

    statuses = Session.objects.filter(id__in=[s.id for s in sessions]).values_list("status", "is_legacy")
    if isinstance(applied, ScheduleChange):
        assert set(statuses) == {("withdrawn", False)}
        assert set(tally(bought)) == {"NotBookable"}
    else:
        assert type(applied).__name__ == "ChangeMoved"
        assert set(statuses) == {("published", False)}
        assert "Booking" in tally(bought)
        assert AffectedLine.objects.count() == 0
    assert check_invariants() == []


def booking_between_plan_and_write(monkeypatch: pytest.MonkeyPatch, session: Session) -> list[Background]:
    """Let a buyer come when the plan is made and nothing is written; give him half a second to get through."""
    buyers: list[Background] = []
    write = session_effects.write_timetable

    def slowly(plan: Any) -> None:
        buyers.append(Background(partial(book, session, contact=stranger())))
        buyers[0].join(timeout=0.5)
        write(plan)

    monkeypatch.setattr(session_effects, "write_timetable", slowly)
    return buyers


def test_a_buyer_waits_for_the_change_and_is_told_that_it_is_not_on_sale(monkeypatch: pytest.MonkeyPatch) -> None:
    change, sessions = closing_tomorrow(make_running())
    buyers = booking_between_plan_and_write(monkeypatch, sessions[0])
    apply(change)
    assert type(buyers[0].outcome()).__name__ == "NotBookable"
    assert check_invariants() == []


def test_without_the_locks_a_buyer_slips_in_and_the_database_refuses_the_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    change, sessions = closing_tomorrow(make_running())
    buyers = booking_between_plan_and_write(monkeypatch, sessions[0])
    monkeypatch.setattr(session_effects, "lock_touched", lambda _effects: None)
    with pytest.raises(IntegrityError, match="session_withdrawn_is_empty"):
        apply(change)
    connection.rollback()
    assert type(buyers[0].outcome()).__name__ == "Booking"


def test_of_eight_who_apply_the_same_change_one_does() -> None:
    change, _ = closing_tomorrow(make_running())
    assert tally(race([partial(apply, change)] * 8)) == {"ScheduleChange": 1, "ChangeApplied": 7}


def test_generators_at_the_same_time_do_not_bring_back_what_a_closure_took() -> None:
    activity = make_running()
    today = database_now().astimezone(activity.venue.zone).date()
    change, sessions = closing_tomorrow(activity)
    generate = partial(generate_activity_sessions, activity_id=activity.id, start_date=today, days_ahead=14)
    acts: list[Callable[[], Any]] = [generate, generate, partial(apply, change), generate]
    outcomes = race(acts)
    generate()
    assert tally(outcomes) == {"int": 3, "ScheduleChange": 1}
    assert {session.status for session in Session.objects.filter(id__in=[s.id for s in sessions])} == {"withdrawn"}
