"""Sessions from a timetable."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from config.kit.clock import database_now
from config.kit.refusals import InvalidRequest
from scheduling.models import Activity, ScheduleVersion, Session, Venue
from scheduling.schedule_rules import Rules, rules_document
from scheduling.services.catalogue import set_activity_status
from scheduling.services.generation import (
    PlannedSlot,
    due_venues,
    generate_activity_sessions,
    generate_due_sessions,
    plan_activity,
)
from scheduling.services.schedules import publish_schedule
from tests.factories import STAFF, book, hold, make_activity, make_session, make_venue
from tests.scheduling.test_timetable import any_rules

WEEK = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
SEED = {
    "operatingDays": WEEK,
    "startTime": "09:00",
    "endTime": "22:00",
    "slotInterval": 60,
    "customHours": {"Saturday": {"enabled": True, "startTime": "10:00", "endTime": "23:00"}},
}
MONDAY = date(2035, 3, 5)  # far ahead: what is past by the database's clock is left alone


def scheduled(rules: dict[str, Any] = SEED, *, start: date = MONDAY, timezone: str = "Europe/London") -> Activity:
    activity = make_activity(make_venue(timezone=timezone), capacity=12)
    publish_schedule(activity_id=activity.id, rules=rules, effective_from=start)
    return activity


def generate(activity: Activity, *, start: date = MONDAY, days: int = 7) -> int:
    return generate_activity_sessions(activity_id=activity.id, start_date=start, days_ahead=days)


def starts(activity: Activity) -> list[datetime]:
    return list(Session.objects.filter(activity=activity).order_by("starts_at").values_list("starts_at", flat=True))


@pytest.mark.django_db
def test_a_week_of_the_seeds_own_timetable_has_these_sessions() -> None:
    activity = scheduled()
    made = generate(activity)
    saturday = MONDAY + timedelta(days=5)
    expected = [
        datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
        for day in (MONDAY + timedelta(days=n) for n in range(7))
        for hour in (range(10, 23) if day == saturday else range(9, 22))
    ]
    assert (made, starts(activity)) == (91, expected)
    session = Session.objects.earliest("starts_at")
    assert (session.ends_at - session.starts_at, session.capacity_total, session.closes_at) == (
        timedelta(hours=1), 12, session.starts_at,
    )  # fmt: skip
    assert session.schedule == activity.schedules.get()


@pytest.mark.django_db
def test_again_makes_nothing_and_touches_nothing() -> None:
    activity = scheduled()
    generate(activity)
    Session.objects.filter(starts_at__hour=9).update(status="closed", capacity_total=3)
    before = list(Session.objects.order_by("id").values())
    assert generate(activity) == 0
    assert list(Session.objects.order_by("id").values()) == before


@pytest.mark.django_db
def test_a_withdrawn_session_comes_back_with_its_time_and_one_that_staff_closed_stays_closed() -> None:
    activity = scheduled()
    generate(activity, days=1)
    first, second, third = Session.objects.order_by("starts_at")[:3]
    Session.objects.filter(id=first.id).update(status="withdrawn")
    Session.objects.filter(id=second.id).update(is_legacy=True)
    Session.objects.filter(id=third.id).update(status="closed", is_legacy=True)
    assert generate(activity, days=1) == 3
    rows = Session.objects.filter(id__in=[first.id, second.id, third.id]).order_by("starts_at")
    assert [(row.status, row.is_legacy) for row in rows] == [
        ("published", False), ("published", False), ("closed", False),
    ]  # fmt: skip


@pytest.mark.django_db
def test_what_comes_back_takes_the_plans_times_and_capacity_unless_it_is_booked_or_staff_set_another() -> None:
    activity = scheduled()
    generate(activity, days=1)
    plain, sized, booked, other_end = Session.objects.order_by("starts_at")[:4]
    Session.objects.update(opens_at=database_now())
    book(booked)
    book(other_end)
    later = timedelta(minutes=30)
    Session.objects.filter(id__in=[plain.id, sized.id]).update(status="withdrawn", capacity_total=3)
    Session.objects.filter(id=sized.id).update(own_capacity=True)
    Session.objects.filter(id__in=[booked.id, other_end.id]).update(is_legacy=True, capacity_total=3)
    Session.objects.filter(id__in=[plain.id, sized.id, other_end.id]).update(ends_at=F("ends_at") + later)
    Activity.objects.update(closes_minutes_before=60, notice_days=1)
    untouched = Session.objects.filter(id=other_end.id).values().get()
    assert generate(activity, days=1) == 3
    midnight = datetime(2035, 3, 5, tzinfo=UTC)
    rows = Session.objects.filter(id__in=[plain.id, sized.id, booked.id]).order_by("starts_at")
    assert [(row.ends_at - row.starts_at, row.closes_at, row.capacity_total, row.is_legacy) for row in rows] == [
        (timedelta(hours=1), midnight, 12, False),
        (timedelta(hours=1), midnight, 3, False),
        (timedelta(hours=1), midnight, 3, False),
    ]
    assert Session.objects.filter(id=other_end.id).values().get() == untouched
    assert generate(activity, days=1) == 0


@pytest.mark.django_db
def test_sessions_that_have_begun_are_left_as_they_are() -> None:
    monday = MONDAY - timedelta(days=52 * 7 * 14)
    activity = scheduled(start=monday)
    generate(activity, start=monday, days=1)
    Session.objects.filter(starts_at__hour=9).update(is_legacy=True)
    Session.objects.filter(starts_at__hour=10).update(status="withdrawn", capacity_total=1)
    before = list(Session.objects.order_by("id").values())
    assert generate(activity, start=monday, days=1) == 0
    assert list(Session.objects.order_by("id").values()) == before


@pytest.mark.django_db
def test_a_pass_has_one_session_a_day_that_is_sold_until_its_end() -> None:
    activity = make_activity(make_venue(), kind="pass", capacity=50, closes_minutes_before=30)
    rules = {"operatingDays": WEEK, "startTime": "10:00", "endTime": "18:00", "capacity": 80}
    publish_schedule(activity_id=activity.id, rules=rules, effective_from=MONDAY)
    assert generate(activity) == 7
    first = Session.objects.earliest("starts_at")
    assert (first.starts_at, first.ends_at, first.closes_at, first.capacity_total) == (
        datetime(2035, 3, 5, 10, tzinfo=UTC), datetime(2035, 3, 5, 18, tzinfo=UTC),
        datetime(2035, 3, 5, 17, 30, tzinfo=UTC), 80,
    )  # fmt: skip
    with pytest.raises(InvalidRequest, match="whole day"):
        publish_schedule(activity_id=activity.id, rules=SEED, effective_from=MONDAY)


@pytest.mark.django_db
def test_the_plan_is_what_is_generated() -> None:
    activity = scheduled()
    publish_schedule(activity_id=activity.id, rules={**SEED, "capacity": 4}, effective_from=MONDAY + timedelta(days=2))
    plan = plan_activity(activity, start=MONDAY, days=4)
    generate(activity, days=4)
    rows = Session.objects.order_by("starts_at").values_list(
        "starts_at", "ends_at", "opens_at", "closes_at", "capacity_total", "schedule_id"
    )
    assert list(plan.slots) == [PlannedSlot(*row) for row in rows]
    assert [slot.capacity for slot in plan.slots] == [12] * 26 + [4] * 26
    assert (plan.skipped, plan.doubled, plan.closed) == ((), (), ())


@pytest.mark.django_db
def test_the_venues_clock_is_meant_across_the_change_to_summer_time() -> None:
    sunday = date(2035, 3, 25)
    rules = {"operatingDays": ["Saturday", "Sunday"], "startTime": "00:30", "endTime": "03:30", "slotInterval": 60}
    activity = scheduled(rules, start=sunday - timedelta(days=1))
    generate(activity, start=sunday - timedelta(days=1), days=2)
    assert starts(activity) == [
        datetime(2035, 3, 24, 0, 30, tzinfo=UTC),
        datetime(2035, 3, 24, 1, 30, tzinfo=UTC),
        datetime(2035, 3, 24, 2, 30, tzinfo=UTC),
        datetime(2035, 3, 25, 0, 30, tzinfo=UTC),
        datetime(2035, 3, 25, 1, 30, tzinfo=UTC),  # 02:30 in summer time; 01:30 does not exist
    ]


@pytest.mark.django_db
def test_each_date_is_made_by_the_version_in_force() -> None:
    activity = scheduled({**SEED, "customHours": {}})
    second = publish_schedule(
        activity_id=activity.id,
        rules={
            "operatingDays": ["Tuesday"],
            "startTime": "12:00",
            "endTime": "13:00",
            "slotInterval": 30,
            "capacity": 4,
        },
        effective_from=MONDAY + timedelta(days=1),
    )
    assert generate(activity) == 13 + 2
    made = Session.objects.filter(schedule=second).order_by("starts_at").values_list("starts_at", "capacity_total")
    assert list(made) == [
        (datetime(2035, 3, 6, 12, 0, tzinfo=UTC), 4),
        (datetime(2035, 3, 6, 12, 30, tzinfo=UTC), 4),
    ]
    assert [(v.version, v.effective_to) for v in activity.schedules.order_by("version")] == [
        (1, MONDAY + timedelta(days=1)), (2, None),
    ]  # fmt: skip


@pytest.mark.django_db
def test_sessions_of_a_draft_are_made_but_not_on_sale_until_it_is_published() -> None:
    activity = scheduled()
    set_activity_status(activity_id=activity.id, status=Activity.Status.DRAFT, actor=STAFF)
    future = datetime.now(UTC).date() + timedelta(days=400)
    ScheduleVersion.objects.update(effective_from=future)
    generate(activity, start=future, days=1)
    on_sale = Session.objects.values_list("on_sale", flat=True)
    assert set(on_sale) == {False}
    set_activity_status(activity_id=activity.id, status=Activity.Status.PUBLISHED, actor=STAFF)
    assert set(on_sale.all()) == {True}


@pytest.mark.django_db
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(any_rules(), st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5)), min_size=1, max_size=4))
def test_whatever_spans_are_generated_again_and_again_each_start_is_one_session(
    rules: Rules, spans: list[tuple[int, int]]
) -> None:
    assume(sum(len(rules.starts_within(hours.span)) for hours in rules.weekly.values()) <= 300)
    activity = scheduled(rules_document(rules))
    dates = {first + n for first, days in spans for n in range(days)}
    planned = [plan_activity(activity, start=MONDAY + timedelta(n), days=1) for n in sorted(dates)]
    wanted = [slot.starts_at for plan in planned for slot in plan.slots]
    made = [generate(activity, start=MONDAY + timedelta(first), days=days) for first, days in spans * 2]
    assert (sum(made), made[len(spans) :]) == (len(wanted), [0] * len(spans))
    assert starts(activity) == wanted


@pytest.mark.django_db
def test_one_start_cannot_be_two_sessions() -> None:
    activity = scheduled()
    generate(activity, days=1)
    made = Session.objects.earliest("starts_at")
    with pytest.raises(IntegrityError, match="session_once_a_time"), transaction.atomic():
        make_session(activity, starts_at=made.starts_at, ends_at=made.ends_at, closes_at=made.closes_at)


def test_eight_generators_at_once_make_each_session_once(committed_db: None) -> None:
    activity = scheduled()

    def run(_: int) -> int:
        try:
            return generate(activity, days=30)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        made = sorted(pool.map(run, range(8)))
    assert made == [0] * 7 + [30 * 13]
    assert len(starts(activity)) == len(set(starts(activity))) == 390


def test_a_hold_and_a_generator_do_not_wait_for_each_other(committed_db: None) -> None:
    today = datetime.now(UTC).date()
    activity = scheduled(start=today)
    generate(activity, start=today, days=3)
    session = Session.objects.latest("starts_at")

    def aside(act: Callable[[], Any]) -> Any:
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            generate(activity, start=today, days=4)  # holds the activity's row, and thirteen new sessions
            assert pool.submit(aside, lambda: hold(session).places).result(timeout=2) == 1
        with transaction.atomic():
            Session.objects.select_for_update(no_key=True).get(id=session.id)
            assert pool.submit(aside, lambda: generate(activity, start=today, days=5)).result(timeout=2) == 13


# Due ----------------------------------------------------------------------------------------------------------------


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


@pytest.mark.django_db
def test_a_venue_is_due_once_its_own_clock_has_passed_two() -> None:
    make_activity(make_venue(timezone="America/New_York"))
    venue = Venue.objects.get()
    Venue.objects.update(generated_on=date(2035, 3, 5))
    two_in_new_york = datetime(2035, 3, 6, 7, 0, tzinfo=UTC)
    due = [due_venues(at=at) for at in (two_in_new_york - timedelta(minutes=1), two_in_new_york)]
    assert due == [[], [venue]]
    generate_due_sessions(at=two_in_new_york)
    assert due_venues(at=two_in_new_york + timedelta(hours=20)) == []
    assert due_venues(at=two_in_new_york + timedelta(days=1)) == [venue]


@pytest.mark.django_db
def test_thirty_days_are_full_after_the_job_and_a_missed_week_is_caught_up() -> None:
    activity = scheduled()
    for day in (MONDAY, MONDAY + timedelta(days=1), MONDAY + timedelta(days=9)):
        generate_due_sessions(at=noon(day))
        assert generate_due_sessions(at=noon(day)) == 0
        assert max(starts(activity)).date() >= day + timedelta(days=30)
    assert len({start.date() for start in starts(activity)}) == 9 + 31


# Bad input ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"endTime": "25:00"}, "endTime", "not_a_time"),
        ({"endTime": "soon"}, "endTime", "not_a_time"),
        ({"slotInterval": 0}, "slotInterval", "not_positive"),
        ({"operatingDays": ["Funday"]}, "operatingDays.0", "unknown_day"),
        ({"colour": 1}, "colour", "unknown_key"),
    ],
)
def test_a_bad_timetable_is_refused_by_field_and_nothing_is_written(
    change: dict[str, Any], field: str, code: str
) -> None:
    activity = make_activity()
    with pytest.raises(InvalidRequest) as refused:
        publish_schedule(activity_id=activity.id, rules={**SEED, **change}, effective_from=MONDAY)
    assert (field, code) in [(error.field, error.code) for error in refused.value.errors]
    assert not activity.schedules.exists()


@pytest.mark.django_db
def test_an_absurd_span_is_refused() -> None:
    activity = scheduled()
    for days in (0, -1, 732):
        with pytest.raises(InvalidRequest, match="days at a time"):
            generate(activity, days=days)
    assert Session.objects.count() == 0


@pytest.mark.django_db
def test_two_versions_cannot_overlap_whoever_writes_them() -> None:
    first = scheduled().schedules.get()
    with pytest.raises(IntegrityError, match="schedule_versions_do_not_overlap"), transaction.atomic():
        ScheduleVersion.objects.create(
            organization_id=first.organization_id, activity_id=first.activity_id, version=2, rules=SEED,
            effective_from=MONDAY + timedelta(days=3),
        )  # fmt: skip
