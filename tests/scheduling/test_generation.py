"""Sessions from a timetable."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from config.kit.refusals import InvalidRequest
from scheduling.models import Activity, ScheduleVersion, Session, Venue
from scheduling.services.catalogue import set_activity_status
from scheduling.services.generation import due_venues, generate_activity_sessions, generate_due_sessions
from scheduling.services.schedules import publish_schedule
from tests.factories import hold, make_activity, make_session, make_venue

WEEK = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
SEED = {
    "operatingDays": WEEK,
    "startTime": "09:00",
    "endTime": "22:00",
    "slotInterval": 60,
    "customHours": {"Saturday": {"enabled": True, "startTime": "10:00", "endTime": "23:00"}},
}
MONDAY = date(2027, 3, 1)


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
def test_the_venues_clock_is_meant_across_the_change_to_summer_time() -> None:
    sunday = date(2027, 3, 28)
    rules = {"operatingDays": ["Saturday", "Sunday"], "startTime": "00:30", "endTime": "03:30", "slotInterval": 60}
    activity = scheduled(rules, start=sunday - timedelta(days=1))
    generate(activity, start=sunday - timedelta(days=1), days=2)
    assert starts(activity) == [
        datetime(2027, 3, 27, 0, 30, tzinfo=UTC),
        datetime(2027, 3, 27, 1, 30, tzinfo=UTC),
        datetime(2027, 3, 27, 2, 30, tzinfo=UTC),
        datetime(2027, 3, 28, 0, 30, tzinfo=UTC),
        datetime(2027, 3, 28, 1, 30, tzinfo=UTC),  # 02:30 in summer time; 01:30 does not exist
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
        (datetime(2027, 3, 2, 12, 0, tzinfo=UTC), 4),
        (datetime(2027, 3, 2, 12, 30, tzinfo=UTC), 4),
    ]
    assert [(v.version, v.effective_to) for v in activity.schedules.order_by("version")] == [
        (1, MONDAY + timedelta(days=1)), (2, None),
    ]  # fmt: skip


@pytest.mark.django_db
def test_sessions_of_a_draft_are_made_but_not_on_sale_until_it_is_published() -> None:
    activity = scheduled()
    set_activity_status(activity_id=activity.id, status=Activity.Status.DRAFT)
    future = datetime.now(UTC).date() + timedelta(days=400)
    ScheduleVersion.objects.update(effective_from=future)
    generate(activity, start=future, days=1)
    on_sale = Session.objects.values_list("on_sale", flat=True)
    assert set(on_sale) == {False}
    set_activity_status(activity_id=activity.id, status=Activity.Status.PUBLISHED)
    assert set(on_sale.all()) == {True}


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
    Venue.objects.update(generated_on=date(2027, 3, 1))
    two_in_new_york = datetime(2027, 3, 2, 7, 0, tzinfo=UTC)
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
def test_a_version_before_the_newest_and_an_absurd_span_are_refused() -> None:
    activity = scheduled()
    with pytest.raises(InvalidRequest, match="newest timetable"):
        publish_schedule(activity_id=activity.id, rules=SEED, effective_from=MONDAY - timedelta(days=1))
    for days in (0, -1, 732):
        with pytest.raises(InvalidRequest, match="days at a time"):
            generate(activity, days=days)
    assert (activity.schedules.count(), Session.objects.count()) == (1, 0)


@pytest.mark.django_db
def test_two_versions_cannot_overlap_whoever_writes_them() -> None:
    first = scheduled().schedules.get()
    with pytest.raises(IntegrityError, match="schedule_versions_do_not_overlap"), transaction.atomic():
        ScheduleVersion.objects.create(
            organization_id=first.organization_id, activity_id=first.activity_id, version=2, rules=SEED,
            effective_from=MONDAY + timedelta(days=3),
        )  # fmt: skip
