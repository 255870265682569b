"""Closures and extra openings: what they do to a timetable, how they are said, and which are refused."""

from collections import Counter
from datetime import date, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction

from config.kit.clock import database_now
from config.kit.refusals import InvalidRequest, NotFound
from scheduling.closures import Closure, Exceptions, Opening
from scheduling.models import Activity, ScheduleException, Session
from scheduling.schedule_rules import DayHours, parse_rules
from scheduling.schedule_words import exception_in_words
from scheduling.services import exceptions as service
from scheduling.services.exceptions import add_exception, lift_exception, read_exception
from scheduling.services.generation import generate_activity_sessions, plan_activity
from scheduling.services.schedules import publish_schedule
from scheduling.timetable import Timetable, expand
from tests.concurrency.races import Background, race, wait_until_blocked
from tests.factories import make_activity, make_organization, make_venue

WEEK = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
DAY = timedelta(days=1)
HOURLY = {"operatingDays": WEEK, "startTime": "09:00", "endTime": "12:00", "slotInterval": 60}
NIGHTS = {**HOURLY, "startTime": "22:00", "endTime": "02:00"}
WEEKDAYS = {**HOURLY, "operatingDays": WEEK[:5]}
OPEN_ALL_DAY = {"operatingDays": WEEK, "startTime": "10:00", "endTime": "18:00"}
MONDAY = date(2035, 3, 5)


def hours(opens: str, closes: str) -> DayHours:
    return DayHours(time.fromisoformat(opens), time.fromisoformat(closes))


def day(number: int) -> date:
    return date(2026, 6, number)  # 1 June 2026 is a Monday


def walls(
    rules: dict[str, Any], *exceptions: Closure | Opening, first: int = 1, days: int = 1, zone: str = "Europe/London"
) -> list[str]:
    return shown(expanded(rules, exceptions, day(first), days, zone), zone)


def expanded(
    rules: dict[str, Any], exceptions: Exceptions, first: date, days: int = 1, zone: str = "Europe/London"
) -> Timetable:
    read = parse_rules(rules, whole_days="slotInterval" not in rules)
    return expand(read, zone=ZoneInfo(zone), first=first, days=days, exceptions=exceptions)


def shown(timetable: Timetable, zone: str) -> list[str]:
    """The day of the month and the time on the wall, with the slot's own capacity if it has one."""
    return [
        f"{slot.starts_at.astimezone(ZoneInfo(zone)):%d %H:%M}" + (f" ({slot.capacity})" if slot.capacity else "")
        for slot in timetable.slots
    ]


# Closures -----------------------------------------------------------------------------------------------------------


def test_a_closed_day_has_no_slots_and_says_why() -> None:
    regatta = Closure(day(2), day(2), None, "Closed for the regatta")
    found = expanded(HOURLY, (regatta,), day(1), 3)
    assert shown(found, "Europe/London") == ["01 09:00", "01 10:00", "01 11:00", "03 09:00", "03 10:00", "03 11:00"]
    assert [(close.slot.starts_at.day, close.slot.starts_at.hour, close.closure) for close in found.closed] == [
        (2, 8, regatta), (2, 9, regatta), (2, 10, regatta),
    ]  # fmt: skip


def test_closed_hours_take_away_what_they_overlap_and_what_only_touches_them_stays() -> None:
    assert walls(HOURLY, Closure(day(1), day(1), hours("10:00", "11:00"))) == ["01 09:00", "01 11:00"]
    assert walls(HOURLY, Closure(day(1), day(1), hours("10:59", "11:01"))) == ["01 09:00"]
    assert walls(HOURLY, Closure(day(1), day(2), hours("09:30", "11:30")), days=3) == [
        "03 09:00", "03 10:00", "03 11:00",
    ]  # fmt: skip


def test_hours_that_close_overnight_reach_into_the_next_date() -> None:
    evening = Closure(day(1), day(1), hours("23:30", "00:30"))
    assert walls(NIGHTS, evening, days=2) == ["01 22:00", "02 01:00", "02 22:00", "02 23:00", "03 00:00", "03 01:00"]
    assert walls(NIGHTS, evening, first=2) == ["02 22:00", "02 23:00", "03 00:00", "03 01:00"]


def test_a_closed_day_takes_its_own_night_and_what_runs_into_it() -> None:
    whole = Closure(day(2), day(2), None)
    assert walls(NIGHTS, whole, days=3) == ["01 22:00", "01 23:00", "03 22:00", "03 23:00", "04 00:00", "04 01:00"]


def test_a_closure_goes_before_an_opening() -> None:
    opening = Opening(day(6), day(6), hours("09:00", "12:00"), 4)
    closure = Closure(day(6), day(6), hours("10:00", "11:00"))
    for both in ((opening, closure), (closure, opening)):
        assert walls(WEEKDAYS, *both, first=6) == ["06 09:00 (4)", "06 11:00 (4)"]


@pytest.mark.parametrize(
    ("zone", "when", "closed", "left"),
    [
        # In spring the hours of a closure are shorter in truth, in autumn longer: a doubled hour is closed both times.
        ("Europe/London", "2026-03-29", ("00:00", "03:00"), ["29 03:00"]),
        ("Europe/London", "2026-10-25", ("01:00", "02:00"), ["25 00:00", "25 02:00", "25 03:00"]),
        ("America/New_York", "2026-11-01", ("01:00", "02:00"), ["01 00:00", "01 02:00", "01 03:00"]),
        (
            "Australia/Lord_Howe",
            "2026-10-04",
            ("02:15", "03:30"),
            ["04 00:00", "04 01:00"],
        ),  # 02:00 to 02:30 is left out
        ("Australia/Lord_Howe", "2026-04-05", ("02:00", "03:00"), ["05 00:00", "05 01:00", "05 03:00"]),
        ("Australia/Lord_Howe", "2026-04-05", ("01:45", "03:00"), ["05 00:00", "05 03:00"]),  # 01:30 to 02:00 twice
        ("Pacific/Apia", "2026-06-02", ("01:00", "02:00"), ["02 00:00", "02 02:00", "02 03:00"]),
        ("Europe/London", "2028-02-29", ("01:00", "02:00"), ["29 00:00", "29 02:00", "29 03:00"]),
    ],
)
def test_closed_hours_are_meant_by_the_wall_when_the_clock_changes(
    zone: str, when: str, closed: tuple[str, str], left: list[str]
) -> None:
    first = date.fromisoformat(when)
    rules = {**HOURLY, "startTime": "00:00", "endTime": "04:00"}
    assert shown(expanded(rules, (Closure(first, first, hours(*closed)),), first, zone=zone), zone) == left


def test_what_is_closed_anyway_is_not_reported_as_left_out() -> None:
    first = date(2026, 3, 28)
    rules = {**HOURLY, "startTime": "23:00", "endTime": "03:00"}
    night = Closure(date(2026, 3, 29), date(2026, 3, 29), hours("01:00", "03:00"))
    found = [expanded(rules, exceptions, first).skipped for exceptions in ((), (night,))]
    assert [[(skip.local_date, skip.wall_time) for skip in skipped] for skipped in found] == [[(first, time(1))], []]
    october = date(2026, 10, 24)
    late = Closure(october + DAY, october + DAY, hours("01:00", "01:30"))
    assert expanded(rules, (), october).doubled != ()
    assert expanded(rules, (late,), october).doubled == ()


def test_the_date_that_apia_left_out_can_be_closed_and_opened_without_effect() -> None:
    left_out = date(2011, 12, 30)
    exceptions = (Closure(left_out, left_out, None), Opening(left_out, left_out, hours("13:00", "15:00")))
    plain = expanded(HOURLY, (), date(2011, 12, 29), 3, "Pacific/Apia")
    found = expanded(HOURLY, exceptions, date(2011, 12, 29), 3, "Pacific/Apia")
    assert (found.slots, found.skipped) == (plain.slots, ())
    assert len(plain.skipped) == 3


# Openings -----------------------------------------------------------------------------------------------------------


def test_an_opening_adds_slots_at_the_timetables_own_pace() -> None:
    opening = Opening(day(6), day(6), hours("13:00", "15:30"))
    assert walls(WEEKDAYS, opening, first=5, days=2) == ["05 09:00", "05 10:00", "05 11:00", "06 13:00", "06 14:00"]
    assert walls(WEEKDAYS, Opening(day(6), day(6), hours("23:00", "01:00"), 3), first=6) == [
        "06 23:00 (3)", "07 00:00 (3)",
    ]  # fmt: skip
    assert walls(WEEKDAYS, Opening(day(6), day(6), hours("13:00", "13:59")), first=6) == []


def test_a_slot_that_an_opening_shares_with_the_timetable_stays_one_with_the_openings_capacity() -> None:
    opening = Opening(day(1), day(1), hours("11:00", "13:00"), 4)
    plain = Opening(day(1), day(1), hours("11:00", "13:00"))
    assert walls(HOURLY, opening) == ["01 09:00", "01 10:00", "01 11:00 (4)", "01 12:00 (4)"]
    assert walls(HOURLY, opening, plain) == ["01 09:00", "01 10:00", "01 11:00 (4)", "01 12:00 (4)"]
    later = Opening(day(1), day(1), hours("12:00", "13:00"), 9)
    assert walls(HOURLY, opening, later)[2:] == ["01 11:00 (4)", "01 12:00 (9)"]


def test_an_opening_of_a_pass_is_one_session_and_never_shortens_a_day() -> None:
    def ends(*exceptions: Closure | Opening) -> list[tuple[int, int, int | None]]:
        found = expanded(OPEN_ALL_DAY, exceptions, day(1))
        return [(slot.starts_at.hour + 1, slot.ends_at.hour + 1, slot.capacity) for slot in found.slots]

    assert ends(Opening(day(1), day(1), hours("10:00", "22:00"), 80)) == [(10, 22, 80)]
    assert ends(Opening(day(1), day(1), hours("10:00", "12:00"), 80)) == [(10, 18, 80)]
    assert ends(Opening(day(1), day(1), hours("20:00", "23:00"))) == [(10, 18, None), (20, 23, None)]
    early_closing = Closure(day(1), day(1), hours("16:00", "18:00")), Opening(day(1), day(1), hours("10:00", "16:00"))
    assert ends(early_closing[0]) == []
    assert ends(Closure(day(1), day(1), hours("16:00", "18:00")), Opening(day(1), day(1), hours("09:00", "16:00"))) == [
        (9, 16, None)
    ]


# In words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exception", "words"),
    [
        (Closure(day(2), day(2), None, "Regatta"), "Closed on Tuesday 2 June 2026, all day: Regatta"),
        (
            Closure(day(2), day(4), hours("22:00", "02:00"), "Repairs"),
            "Closed from Tuesday 2 June 2026 to Thursday 4 June 2026, 22:00 to 02:00 the next day each day: Repairs",
        ),
        (
            Opening(day(6), day(6), hours("10:00", "14:00"), 20, "Festival"),
            "Open in addition on Saturday 6 June 2026, 10:00 to 14:00, with 20 places: Festival",
        ),
    ],
)
def test_an_exception_is_said_in_words(exception: Closure | Opening, words: str) -> None:
    assert exception_in_words(exception) == words


# Rows ---------------------------------------------------------------------------------------------------------------


def scheduled(rules: dict[str, Any] = HOURLY, **overrides: Any) -> Activity:
    activity = make_activity(capacity=12, **overrides)
    publish_schedule(activity_id=activity.id, rules=rules, effective_from=MONDAY - 30 * DAY)
    return activity


def closure(activity: Activity, **overrides: Any) -> dict[str, Any]:
    return {
        "activity_id": activity.id, "kind": "closure", "first_date": MONDAY, "last_date": MONDAY,
        "reason": "Closed for the regatta", **overrides,
    }  # fmt: skip


def refused(activity: Activity, **overrides: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as refusal:
        add_exception(**closure(activity, **overrides))
    assert not ScheduleException.objects.exists()
    return [(error.field, error.code) for error in refusal.value.errors]


OPENED: dict[str, Any] = {"kind": "opening", "from_time": time(13), "to_time": time(15)}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"last_date": MONDAY - DAY}, [("last_date", "ends_before_it_begins")]),
        ({"last_date": MONDAY + 366 * DAY}, [("last_date", "too_long")]),
        ({"first_date": date(2020, 1, 1), "last_date": date(2020, 1, 2)}, [("first_date", "in_the_past")]),
        ({"from_time": time(9)}, [("to_time", "half_given")]),
        ({"to_time": time(9)}, [("from_time", "half_given")]),
        ({"from_time": time(9), "to_time": time(9)}, [("to_time", "equal_times")]),
        ({"kind": "opening"}, [("from_time", "opening_without_hours")]),
        ({**OPENED, "to_time": time(13, 59)}, [("to_time", "shorter_than_slot")]),
        ({**OPENED, "capacity": 0}, [("capacity", "out_of_range")]),
        ({**OPENED, "first_date": MONDAY - 60 * DAY, "last_date": MONDAY - 40 * DAY}, [("first_date", "no_timetable")]),
        ({"capacity": 5}, [("capacity", "closure_with_capacity")]),
        ({"reason": "  "}, [("reason", "required")]),
        ({"reason": "x" * 201}, [("reason", "too_long")]),
        ({"kind": "holiday"}, [("kind", "unknown_kind")]),
        (
            {"last_date": MONDAY - DAY, "from_time": time(9), "reason": "", "capacity": 5},
            [
                ("last_date", "ends_before_it_begins"), ("to_time", "half_given"), ("reason", "required"),
                ("capacity", "closure_with_capacity"),
            ],
        ),
    ],
)  # fmt: skip
def test_an_impossible_exception_is_refused_by_its_fields_and_nothing_is_written(
    change: dict[str, Any], wrong: list[tuple[str, str]]
) -> None:
    assert refused(scheduled(), **change) == wrong


@pytest.mark.django_db
def test_an_exception_is_of_a_venue_or_of_an_activity_that_exist() -> None:
    activity = scheduled()
    assert refused(activity, venue_id=activity.venue_id) == [("activity", "venue_or_activity")]
    assert refused(activity, activity_id=None) == [("activity", "venue_or_activity")]
    nobodies: list[dict[str, Any]] = [
        {"activity_id": activity.venue_id}, {"activity_id": None, "venue_id": activity.id},
    ]  # fmt: skip
    for nobody in nobodies:
        with pytest.raises(NotFound):
            add_exception(**closure(activity, **nobody))


@pytest.mark.django_db
def test_the_longest_and_the_shortest_possible_are_written_as_they_were_meant() -> None:
    activity = scheduled()
    row = add_exception(**closure(activity, last_date=MONDAY + 365 * DAY, reason=" Winter "))
    opening = add_exception(**closure(activity, **{**OPENED, "to_time": time(14), "capacity": 3}))
    assert read_exception(row) == Closure(MONDAY, MONDAY + 365 * DAY, None, "Winter")
    assert read_exception(opening) == Opening(MONDAY, MONDAY, hours("13:00", "14:00"), 3, "Closed for the regatta")
    row.refresh_from_db()
    assert (row.organization_id, row.lifted_at) == (activity.organization_id, None)


@pytest.mark.django_db
def test_a_lifted_exception_stays_to_read_and_does_nothing() -> None:
    activity = scheduled()
    row = add_exception(**closure(activity))
    assert plan_activity(activity, start=MONDAY, days=1).slots == ()
    before = database_now()
    lifted = lift_exception(exception_id=row.id, by=None)
    assert lifted.lifted_at is not None
    assert before < lifted.lifted_at < database_now()
    assert len(plan_activity(activity, start=MONDAY, days=1).slots) == 3
    with pytest.raises(InvalidRequest, match="lifted already"):
        lift_exception(exception_id=row.id, by=None)
    over = add_exception(**closure(activity))
    ScheduleException.objects.filter(id=over.id).update(first_date=date(2020, 1, 1), last_date=date(2020, 1, 2))
    with pytest.raises(InvalidRequest, match="what has been is not changed"):
        lift_exception(exception_id=over.id, by=None)
    with pytest.raises(NotFound):
        lift_exception(exception_id=activity.id, by=None)


# Generation ---------------------------------------------------------------------------------------------------------


def made(activity: Activity) -> list[tuple[str, int]]:
    rows = Session.objects.filter(activity=activity).order_by("starts_at")
    return [(f"{row.starts_at:%d %H:%M}", row.capacity_total) for row in rows]


@pytest.mark.django_db
def test_sessions_are_made_around_a_closure_and_for_an_opening() -> None:
    activity = scheduled({**HOURLY, "operatingDays": ["Monday", "Tuesday"], "capacity": 8})
    add_exception(**closure(activity, from_time=time(10), to_time=time(11)))
    add_exception(**closure(activity, **OPENED, capacity=3))
    assert generate_activity_sessions(activity_id=activity.id, start_date=MONDAY, days_ahead=2) == 7
    assert made(activity) == [
        ("05 09:00", 8), ("05 11:00", 8), ("05 13:00", 3), ("05 14:00", 3), ("06 09:00", 8), ("06 10:00", 8),
        ("06 11:00", 8),
    ]  # fmt: skip
    before = list(Session.objects.order_by("id").values())
    assert generate_activity_sessions(activity_id=activity.id, start_date=MONDAY, days_ahead=2) == 0
    assert list(Session.objects.order_by("id").values()) == before


@pytest.mark.django_db
def test_a_venues_exceptions_are_for_all_its_activities_and_for_no_other_venues() -> None:
    organization = make_organization()
    venue, elsewhere = make_venue(organization), make_venue(organization)
    activities = [make_activity(place) for place in (venue, venue, elsewhere)]
    for activity in activities:
        publish_schedule(activity_id=activity.id, rules=HOURLY, effective_from=MONDAY)
    whole = closure(activities[0], activity_id=None, venue_id=venue.id)
    add_exception(**whole)
    add_exception(**{**whole, **OPENED, "first_date": MONDAY + DAY, "last_date": MONDAY + DAY, "capacity": 5})
    tuesday = {"first_date": MONDAY + DAY, "last_date": MONDAY + DAY}
    add_exception(**closure(activities[1], **OPENED, **tuesday, capacity=6))
    plans = [plan_activity(activity, start=MONDAY, days=2) for activity in activities]
    assert [[slot.capacity for slot in plan.slots] for plan in plans] == [
        [10, 10, 10, 5, 5], [10, 10, 10, 6, 6], [10] * 6,
    ]  # fmt: skip
    assert [len(plan.closed) for plan in plans] == [3, 3, 0]
    assert {close.closure.reason for plan in plans for close in plan.closed} == {"Closed for the regatta"}


def test_eight_generators_at_once_make_the_same_around_exceptions(committed_db: None) -> None:
    activity = scheduled()
    add_exception(**closure(activity, last_date=MONDAY + DAY))
    add_exception(**closure(activity, **OPENED, first_date=MONDAY + 2 * DAY, last_date=MONDAY + 3 * DAY, capacity=2))

    def generate() -> int:
        return generate_activity_sessions(activity_id=activity.id, start_date=MONDAY, days_ahead=7)

    outcomes = race([generate] * 8)
    assert Counter(outcomes) == {0: 7, 5 * 3 + 4: 1}
    plan = plan_activity(activity, start=MONDAY, days=7)
    assert [slot.starts_at for slot in plan.slots] == list(
        Session.objects.order_by("starts_at").values_list("starts_at", flat=True)
    )


@pytest.mark.parametrize("of_venue", [False, True])
def test_a_closure_waits_for_the_generator_at_work(committed_db: None, of_venue: bool) -> None:
    """So that whoever applies it sees all that was made without it."""
    activity = scheduled()
    scope = {"venue_id": activity.venue_id, "activity_id": None} if of_venue else {}
    with transaction.atomic():
        generate_activity_sessions(activity_id=activity.id, start_date=MONDAY, days_ahead=1)
        closing = Background(lambda: (add_exception(**closure(activity, **scope)), Session.objects.count()))
        wait_until_blocked()
    assert closing.outcome()[1] == 3  # type: ignore[index]


def test_without_the_lock_a_closure_passes_the_generator_by(
    committed_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    activity = scheduled()
    monkeypatch.setattr(service, "lock_activity", lambda activity_id: Activity.objects.get(id=activity_id))
    with transaction.atomic():
        generate_activity_sessions(activity_id=activity.id, start_date=MONDAY, days_ahead=1)
        closing = Background(lambda: (add_exception(**closure(activity)), Session.objects.count()))
        assert closing.outcome()[1] == 0  # type: ignore[index]
