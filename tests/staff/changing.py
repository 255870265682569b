"""How staff fill in the pages that change what is sold."""

from datetime import date, timedelta
from typing import Any

from django.test import Client
from django.urls import reverse

from bookings.services import schedule_changes
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from scheduling.models import (
    Activity,
    PriceRule,
    ScheduleChange,
    ScheduleEvent,
    ScheduleException,
    ScheduleVersion,
    Session,
)
from scheduling.schedule_rules import DAY_NAMES
from scheduling.services import generation, schedules

RULES: dict[str, Any] = {
    "operatingDays": list(DAY_NAMES), "startTime": "10:00", "endTime": "14:00", "slotInterval": 60, "duration": 60,
    "capacity": 8,
}  # fmt: skip


def address(name: str, *arguments: Any) -> str:
    """Return where a page is."""
    return reverse(f"admin:scheduling_schedulechange_{name}", args=arguments)


def today_at(activity: Activity) -> date:
    """Return the venue's own today."""
    return database_now().astimezone(activity.venue.zone).date()


def in_days(activity: Activity, days: int) -> date:
    """Return a date of the venue."""
    return today_at(activity) + timedelta(days=days)


def run_daily(activity: Activity, **rules: Any) -> ScheduleVersion:
    """Give an activity a timetable of every day, four sessions each, and its sessions of the next 30 days."""
    version = schedules.publish_schedule(
        activity_id=activity.id, rules={**RULES, **rules}, effective_from=today_at(activity)
    )
    start = in_days(activity, 1)
    generation.generate_activity_sessions(activity_id=activity.id, start_date=start, days_ahead=30)
    return version


def first_on(activity: Activity, day: date) -> Session:
    """Return the first session of a date."""
    zone = activity.venue.zone
    found = activity.sessions.select_related("activity__venue", "organization").order_by("starts_at")
    return next(session for session in found if session.starts_at.astimezone(zone).date() == day)


def fill_in_timetable(activity: Activity, **overrides: Any) -> dict[str, Any]:
    """Return the editor's fields: every day from 10:00 to 14:00; None leaves one out."""
    fields = {
        "effective_from": in_days(activity, 3), "start_time": "10:00", "end_time": "14:00", "slot_interval": 60,
        "duration": 60, "capacity": 8, **{f"{name}_open": "on" for name in DAY_NAMES}, "preview": "1",
    }  # fmt: skip
    return {name: value for name, value in {**fields, **overrides}.items() if value is not None}


def send_timetable(client: Client, activity: Activity, **overrides: Any) -> Any:
    """Fill in the editor and press Preview."""
    return client.post(f"{address('timetable')}?activity={activity.id}", fill_in_timetable(activity, **overrides))


def closure(activity: Activity, **overrides: Any) -> dict[str, Any]:
    """Return a closure of the activity in three days, as the form sends it."""
    fields = {
        "kind": "closure", "place": f"activity:{activity.id}", "first_date": in_days(activity, 3),
        "reason": "Closed for the regatta",
    }  # fmt: skip
    return {**fields, **overrides}


def rehearse_closure(activity: Activity, *, day: date | None = None) -> ScheduleChange:
    """Rehearse a closure of one day, in three days."""
    day = day or in_days(activity, 3)
    parameters = {"first_date": str(day), "last_date": str(day), "reason": "Closed for the regatta"}
    return schedule_changes.rehearse_change(
        kind="closure", venue_id=activity.venue_id, activity_id=activity.id, parameters=parameters, author=None
    )


def everything() -> dict[str, Any]:
    """Return what no rehearsal and no refused form may change."""
    return {
        "sessions": list(Session.objects.order_by("id").values("id", "status", "capacity_total", "version")),
        "versions": ScheduleVersion.objects.count(),
        "exceptions": list(ScheduleException.objects.order_by("id").values("id", "lifted_at")),
        "facts": ScheduleEvent.objects.count(),
    }


def make_changes(session: Session) -> None:
    """Create a row of everything that changes a session's timetable: version, closure, price rule, change, work."""
    owned = {"organization": session.organization, "activity": session.activity}
    ScheduleVersion.objects.create(**owned, version=1, effective_from="2026-01-01", rules=RULES)
    ScheduleException.objects.create(
        **owned, kind="closure", first_date="2031-01-01", last_date="2031-01-02", reason="Frost"
    )
    PriceRule.objects.create(**owned, name="Weekend", percent=20)
    change = schedule_changes.rehearse_change(
        kind="capacity", venue_id=session.activity.venue_id, activity_id=session.activity_id, author=None,
        parameters={"capacity": 1, "sessions": [str(session.id)]},
    )  # fmt: skip
    schedule_changes.apply_change(change_id=change.id, actor=Actor(kind=ActorKind.STAFF, channel="admin"))
