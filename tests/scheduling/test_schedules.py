"""Versions of a timetable: they follow each other, and history is kept."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import ProtectedError

from config.kit.clock import database_now
from config.kit.refusals import InvalidRequest, NotFound
from config.tenants.models import User
from scheduling.models import Activity, ScheduleVersion, Session, UnitPrice
from scheduling.services import schedules
from scheduling.services.generation import generate_activity_sessions
from scheduling.services.schedules import publish_schedule, version_in_force, versions
from tests.concurrency.races import race, tally
from tests.conftest import RunSql
from tests.factories import book, make_activity, make_venue

DAY = timedelta(days=1)
MONDAY = date(2035, 3, 5)
WEEK = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def rules(capacity: int = 1) -> dict[str, Any]:
    """A timetable that is known by its capacity."""
    return {"operatingDays": WEEK, "startTime": "09:00", "endTime": "12:00", "slotInterval": 60, "capacity": capacity}


def publish(activity: Activity, first: int, until: int | None = None, *, capacity: int = 1) -> ScheduleVersion:
    """Publish from so many days after the Monday."""
    return publish_schedule(
        activity_id=activity.id, rules=rules(capacity), effective_from=MONDAY + first * DAY,
        effective_to=None if until is None else MONDAY + until * DAY,
    )  # fmt: skip


def told(activity: Activity) -> list[tuple[int, int, int | None, int]]:
    """Each version with its range in days after the Monday, and the capacity by which its rules are known."""
    return [
        (
            version.version,
            (version.effective_from - MONDAY).days,
            None if version.effective_to is None else (version.effective_to - MONDAY).days,
            version.parsed().capacity or 0,
        )
        for version in versions(activity.id)
    ]


def refused(activity: Activity, **change: Any) -> list[tuple[str, str]]:
    before = list(ScheduleVersion.objects.order_by("id").values())
    plain = {"activity_id": activity.id, "rules": rules(), "effective_from": MONDAY}
    with pytest.raises(InvalidRequest) as refusal:
        publish_schedule(**{**plain, **change})
    assert list(ScheduleVersion.objects.order_by("id").values()) == before
    return [(error.field, error.code) for error in refusal.value.errors]


def today_at(activity: Activity) -> date:
    return database_now().astimezone(activity.venue.zone).date()


# How ranges follow each other ---------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_version_in_force_ends_where_the_next_begins() -> None:
    activity = make_activity()
    publish(activity, 0, capacity=1)
    publish(activity, 10, capacity=2)
    assert told(activity) == [(1, 0, 10, 1), (2, 10, None, 2)]


@pytest.mark.django_db
def test_a_version_put_before_a_later_one_ends_where_that_begins() -> None:
    activity = make_activity()
    publish(activity, 0, capacity=1)
    publish(activity, 20, capacity=2)
    publish(activity, 10, capacity=3)
    assert told(activity) == [(1, 0, 10, 1), (2, 20, None, 2), (3, 10, 20, 3)]
    before_all = make_activity()
    publish(before_all, 10, capacity=1)
    publish(before_all, 0, capacity=2)
    assert told(before_all) == [(1, 10, None, 1), (2, 0, 10, 2)]


@pytest.mark.django_db
def test_after_a_version_for_a_while_what_was_in_force_goes_on_with_its_rules_and_prices() -> None:
    activity = make_activity()
    first = publish(activity, 0, capacity=1)
    unit = activity.units.get()
    UnitPrice.objects.create(organization_id=activity.organization_id, unit=unit, schedule=first, price_minor=750)
    publish(activity, 10, 20, capacity=2)
    assert told(activity) == [(1, 0, 10, 1), (2, 10, 20, 2), (3, 20, None, 1)]
    prices = UnitPrice.objects.order_by("schedule__version").values_list("schedule__version", "unit", "price_minor")
    assert list(prices) == [(1, unit.id, 750), (3, unit.id, 750)]
    publish(activity, 20, 25, capacity=4)
    assert told(activity)[2:] == [(3, 20, 20, 1), (4, 20, 25, 4), (5, 25, None, 1)]


@pytest.mark.django_db
def test_a_version_for_a_while_may_fill_a_gap_or_end_where_the_next_begins() -> None:
    activity = make_activity()
    publish(activity, 0, 10, capacity=1)
    publish(activity, 30, capacity=2)
    publish(activity, 15, 30, capacity=3)
    publish(activity, 5, 10, capacity=4)
    assert told(activity) == [(1, 0, 5, 1), (2, 30, None, 2), (3, 15, 30, 3), (4, 5, 10, 4)]


@pytest.mark.django_db
def test_a_version_from_the_same_date_replaces_the_other_which_is_kept() -> None:
    activity = make_activity()
    publish(activity, 0, capacity=1)
    publish(activity, 10, capacity=2)
    publish(activity, 10, capacity=3)
    publish(activity, 0, capacity=4)
    assert told(activity) == [(1, 0, 0, 1), (2, 10, 10, 2), (3, 10, None, 3), (4, 0, 10, 4)]


# What is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_only_the_first_version_may_begin_before_the_venues_today() -> None:
    activity = make_activity(make_venue(timezone="Pacific/Kiritimati"))  # a day ahead of most
    today = today_at(activity)
    publish_schedule(activity_id=activity.id, rules=rules(), effective_from=today - 400 * DAY)
    assert refused(activity, effective_from=today - DAY) == [("effective_from", "past_date")]
    publish_schedule(activity_id=activity.id, rules=rules(2), effective_from=today)
    assert versions(activity.id).count() == 2


@pytest.mark.django_db
def test_dates_that_cannot_be_are_refused_by_their_fields_all_at_once_and_nothing_is_written() -> None:
    activity = make_activity()
    for first in (True, False):
        assert refused(activity, effective_to=MONDAY) == [("effective_to", "not_after_start")]
        assert refused(activity, effective_to=MONDAY - DAY) == [("effective_to", "not_after_start")]
        if first:
            publish(activity, 20)
    assert refused(activity, effective_to=MONDAY + 21 * DAY) == [("effective_to", "overlaps_version")]
    past = date(2020, 1, 1)
    wrong = {"rules": {**rules(), "colour": 1}, "effective_from": past, "effective_to": past}
    assert refused(activity, **wrong) == [
        ("colour", "unknown_key"), ("effective_from", "past_date"), ("effective_to", "not_after_start"),
    ]  # fmt: skip
    with pytest.raises(NotFound):
        publish_schedule(activity_id=activity.venue_id, rules=rules(), effective_from=MONDAY)


@pytest.mark.django_db
def test_a_version_may_end_on_the_very_day_on_which_the_next_begins() -> None:
    activity = make_activity()
    publish(activity, 20, capacity=1)
    publish(activity, 0, 20, capacity=2)
    assert told(activity) == [(1, 20, None, 1), (2, 0, 20, 2)]


# History ------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_schedule_in_force_on_a_past_date_can_be_asked_for_after_any_change() -> None:
    activity = make_activity()
    today = today_at(activity)
    first = publish_schedule(activity_id=activity.id, rules=rules(1), effective_from=today - 100 * DAY)
    second = publish_schedule(activity_id=activity.id, rules=rules(2), effective_from=today)
    replaced = publish_schedule(activity_id=activity.id, rules=rules(3), effective_from=today + 10 * DAY)
    third = publish_schedule(activity_id=activity.id, rules=rules(4), effective_from=today + 10 * DAY)
    in_force = {days: version_in_force(activity.id, on=today + days * DAY) for days in (-101, -100, -1, 0, 9, 10, 999)}
    assert in_force == {-101: None, -100: first, -1: first, 0: second, 9: second, 10: third, 999: third}
    assert list(versions(activity.id)) == [first, second, replaced, third]
    assert version_in_force(make_activity().id, on=today) is None


@pytest.mark.django_db
def test_a_new_version_leaves_each_sessions_own_version_and_one_is_in_force_on_any_date() -> None:
    activity = make_activity()
    author = User.objects.create_user("ada@example.org", None, name="Ada")
    first = publish_schedule(activity_id=activity.id, rules=rules(1), effective_from=MONDAY, author=author)
    generate_activity_sessions(activity_id=activity.id, start_date=MONDAY, days_ahead=3)
    before = list(Session.objects.order_by("id").values())
    second = publish(activity, 1, 2, capacity=2)
    assert list(Session.objects.order_by("id").values()) == before
    assert set(Session.objects.values_list("schedule_id", flat=True)) == {first.id}
    generate_activity_sessions(activity_id=activity.id, start_date=MONDAY, days_ahead=4)
    assert Session.objects.exclude(schedule=first).values_list("schedule__version", flat=True)[0] == 3
    first.refresh_from_db()
    assert (first.version, first.effective_from, first.author) == (1, MONDAY, author)
    assert first.created_at <= ScheduleVersion.objects.get(id=second.id).created_at
    ranges = {day: [v for v in versions(activity.id) if _holds(v, MONDAY + day * DAY)] for day in range(-1, 5)}
    assert {day: len(found) for day, found in ranges.items()} == {-1: 0, 0: 1, 1: 1, 2: 1, 3: 1, 4: 1}


def _holds(version: ScheduleVersion, day: date) -> bool:
    return version.effective_from <= day and (version.effective_to is None or day < version.effective_to)


@pytest.mark.parametrize("past_django", [False, True])
def test_a_session_or_a_version_with_bookings_cannot_be_deleted(
    committed_db: None, admin_sql: RunSql, past_django: bool
) -> None:
    activity = make_activity()
    version = publish(activity, 0)
    generate_activity_sessions(activity_id=activity.id, start_date=MONDAY, days_ahead=1)
    session = Session.objects.earliest("starts_at")
    Session.objects.update(opens_at=database_now() - DAY)
    book(session)
    if not past_django:
        for row in (session, version):
            with pytest.raises(ProtectedError):
                row.delete()
    else:
        for table, row in (("scheduling_session", session), ("scheduling_scheduleversion", version)):
            with pytest.raises(DatabaseError, match="permission denied"), connection.cursor() as cursor:
                cursor.execute(f"DELETE FROM {table} WHERE id = %s", [row.id])
        for statement in (  # even as the superuser
            "DELETE FROM scheduling_session WHERE places_booked > 0",
            "DELETE FROM scheduling_scheduleversion",
        ):
            with pytest.raises(Exception, match="violates foreign key constraint"):
                admin_sql(statement)
    assert (Session.objects.filter(id=session.id).count(), ScheduleVersion.objects.count()) == (1, 1)


# Together -----------------------------------------------------------------------------------------------------------


def test_eight_publishers_at_once_make_eight_versions_of_which_the_last_is_in_force(committed_db: None) -> None:
    activity = make_activity()
    outcomes = race([lambda: publish(activity, 0)] * 8)
    assert tally(outcomes) == {"ScheduleVersion": 8}
    assert [row[1:3] for row in told(activity)] == [(0, 0)] * 7 + [(0, None)]


def test_without_the_lock_publishers_run_into_each_other(committed_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    activity = make_activity()
    publish(activity, 0)
    monkeypatch.setattr(
        schedules, "lock_activity", lambda activity_id: Activity.objects.select_related("venue").get(id=activity_id)
    )
    with transaction.atomic():
        publish(activity, 5)
        (other,) = race([lambda: _impatient(activity)])
    assert isinstance(other, (IntegrityError, DatabaseError))


def _impatient(activity: Activity) -> ScheduleVersion:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '200ms'")
        return publish(activity, 10)
