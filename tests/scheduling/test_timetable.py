"""The timetable and its rules. Every expected instant is written out: the oracle is a clock, not this code."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.timetable import (
    DayHours,
    FieldError,
    Rules,
    ScheduleProblem,
    Skipped,
    Slot,
    Timetable,
    expand,
    load_zone,
    parse_rules,
    rules_document,
)

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MINUTE = timedelta(minutes=1)
ABSENT = object()

# Seed 004's own document, its "..." written out.
SEED_004 = json.loads("""
{
  "operatingDays": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
  "startTime": "09:00",
  "endTime": "22:00",
  "slotInterval": 60,
  "customHours": {
    "Saturday": { "enabled": true, "startTime": "10:00", "endTime": "23:00" }
  }
}
""")


def document(**changes: object) -> dict[str, object]:
    """A plain schedule, daily from 09:00 to 17:00 by the hour, with some settings changed or ABSENT."""
    plain = {"operatingDays": list(DAYS), "startTime": "09:00", "endTime": "17:00", "slotInterval": 60}
    return {key: value for key, value in {**plain, **changes}.items() if value is not ABSENT}


def daily(opens: str, closes: str, minutes: int, **changes: object) -> Rules:
    return parse_rules(document(startTime=opens, endTime=closes, slotInterval=minutes, **changes))


def on(rules: Rules, zone: str, first: str, days: int = 1) -> Timetable:
    return expand(rules, zone=ZoneInfo(zone), first=date.fromisoformat(first), days=days)


def starts(slots: tuple[Slot, ...]) -> list[str]:
    assert [slot.starts_at.tzinfo for slot in slots] == [UTC] * len(slots)
    return [f"{slot.starts_at:%Y-%m-%d %H:%MZ}" for slot in slots]


def skips(timetable: Timetable) -> list[tuple[str, str, str]]:
    return [
        (skip.local_date.isoformat(), skip.wall_time.isoformat("minutes"), skip.reason) for skip in timetable.skipped
    ]


def refused(broken: object) -> list[tuple[str, str]]:
    with pytest.raises(ScheduleProblem) as refusal:
        parse_rules(broken)
    assert [error for error in refusal.value.errors if not error.detail.endswith(".")] == []
    return [(error.field, error.code) for error in refusal.value.errors]


# ---- transitions


class Night(NamedTuple):
    """Hours as opening, closing, interval in minutes; then what is expected: starts, walls left out, doubled starts."""

    zone: str
    day: str
    hours: tuple[str, str, int]
    starts: list[str]
    skipped: list[str]
    doubled: list[str]


NIGHTS = {
    "London springs from 01:00 to 02:00": Night(
        "Europe/London", "2026-03-29", ("00:00", "04:00", 60),
        ["2026-03-29 00:00Z", "2026-03-29 01:00Z", "2026-03-29 02:00Z"],
        ["01:00"], [],
    ),
    "London springs, by the half hour": Night(
        "Europe/London", "2026-03-29", ("00:30", "02:30", 30),
        ["2026-03-29 00:30Z", "2026-03-29 01:00Z"],
        ["01:00", "01:30"], [],
    ),
    "London falls back from 02:00 to 01:00": Night(
        "Europe/London", "2026-10-25", ("00:00", "04:00", 60),
        ["2026-10-24 23:00Z", "2026-10-25 00:00Z", "2026-10-25 02:00Z", "2026-10-25 03:00Z"],
        [], ["2026-10-25 00:00Z"],
    ),
    "London falls back, by the half hour": Night(
        "Europe/London", "2026-10-25", ("00:30", "02:30", 30),
        ["2026-10-24 23:30Z", "2026-10-25 00:00Z", "2026-10-25 00:30Z", "2026-10-25 02:00Z"],
        [], ["2026-10-25 00:00Z", "2026-10-25 00:30Z"],
    ),
    "New York springs from 02:00 to 03:00": Night(
        "America/New_York", "2026-03-08", ("00:00", "05:00", 60),
        ["2026-03-08 05:00Z", "2026-03-08 06:00Z", "2026-03-08 07:00Z", "2026-03-08 08:00Z"],
        ["02:00"], [],
    ),
    "New York falls back from 02:00 to 01:00": Night(
        "America/New_York", "2026-11-01", ("00:00", "04:00", 60),
        ["2026-11-01 04:00Z", "2026-11-01 05:00Z", "2026-11-01 07:00Z", "2026-11-01 08:00Z"],
        [], ["2026-11-01 05:00Z"],
    ),
    "Lord Howe springs by half an hour, from 02:00 to 02:30": Night(
        "Australia/Lord_Howe", "2026-10-04", ("01:00", "03:30", 30),
        ["2026-10-03 14:30Z", "2026-10-03 15:00Z", "2026-10-03 15:30Z", "2026-10-03 16:00Z"],
        ["02:00"], [],
    ),
    "Lord Howe falls back by half an hour, from 02:00 to 01:30": Night(
        "Australia/Lord_Howe", "2026-04-05", ("01:00", "03:00", 30),
        ["2026-04-04 14:00Z", "2026-04-04 14:30Z", "2026-04-04 15:30Z", "2026-04-04 16:00Z"],
        [], ["2026-04-04 14:30Z"],
    ),
    "Kolkata never changes, half an hour off the others": Night(
        "Asia/Kolkata", "2026-03-29", ("00:00", "03:00", 60),
        ["2026-03-28 18:30Z", "2026-03-28 19:30Z", "2026-03-28 20:30Z"],
        [], [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("night", NIGHTS.values(), ids=NIGHTS)
def test_a_night_when_the_clock_changes_skips_what_does_not_exist_and_uses_the_first_of_what_comes_twice(
    night: Night,
) -> None:
    timetable = on(daily(*night.hours), night.zone, night.day)
    assert starts(timetable.slots) == night.starts
    assert skips(timetable) == [(night.day, wall, "nonexistent_time") for wall in night.skipped]
    assert starts(timetable.doubled) == night.doubled
    assert {slot.ends_at - slot.starts_at for slot in timetable.slots} == {timedelta(minutes=night.hours[2])}
    assert {slot.local_date.isoformat() for slot in timetable.slots} == {night.day}


def test_the_same_wall_time_moves_in_utc_when_the_clock_changes() -> None:
    rules = daily("09:00", "10:00", 60)
    assert starts(on(rules, "Europe/London", "2026-03-28", days=3).slots) == [
        "2026-03-28 09:00Z",
        "2026-03-29 08:00Z",
        "2026-03-30 08:00Z",
    ]
    assert starts(on(rules, "America/New_York", "2026-10-31", days=2).slots) == [
        "2026-10-31 13:00Z",
        "2026-11-01 14:00Z",
    ]
    assert starts(on(rules, "Australia/Lord_Howe", "2026-04-04", days=2).slots) == [
        "2026-04-03 22:00Z",
        "2026-04-04 22:30Z",
    ]
    assert starts(on(rules, "Asia/Kolkata", "2026-03-28", days=2).slots) == ["2026-03-28 03:30Z", "2026-03-29 03:30Z"]


def test_the_day_that_apia_left_out_is_skipped_whole() -> None:
    timetable = on(daily("09:00", "11:00", 60), "Pacific/Apia", "2011-12-29", days=3)
    assert timetable == Timetable(
        slots=(
            Slot(utc("2011-12-29 19:00"), utc("2011-12-29 20:00"), date(2011, 12, 29)),
            Slot(utc("2011-12-29 20:00"), utc("2011-12-29 21:00"), date(2011, 12, 29)),
            Slot(utc("2011-12-30 19:00"), utc("2011-12-30 20:00"), date(2011, 12, 31)),
            Slot(utc("2011-12-30 20:00"), utc("2011-12-30 21:00"), date(2011, 12, 31)),
        ),
        skipped=(
            Skipped(date(2011, 12, 30), time(9), "nonexistent_time"),
            Skipped(date(2011, 12, 30), time(10), "nonexistent_time"),
        ),
        doubled=(),
    )


def test_a_slot_over_the_change_lasts_its_real_duration() -> None:
    spring = on(daily("00:00", "04:00", 240), "Europe/London", "2026-03-29").slots
    assert spring == (Slot(utc("2026-03-29 00:00"), utc("2026-03-29 04:00"), date(2026, 3, 29)),)
    autumn = on(daily("00:00", "04:00", 240), "Europe/London", "2026-10-25").slots
    assert autumn == (Slot(utc("2026-10-24 23:00"), utc("2026-10-25 03:00"), date(2026, 10, 25)),)


def test_starts_around_a_half_hour_spring_may_overlap_in_real_time_but_stay_apart() -> None:
    timetable = on(daily("00:30", "03:30", 60), "Australia/Lord_Howe", "2026-10-04")
    day = date(2026, 10, 4)
    assert timetable.slots == (
        Slot(utc("2026-10-03 14:00"), utc("2026-10-03 15:00"), day),
        Slot(utc("2026-10-03 15:00"), utc("2026-10-03 16:00"), day),
        Slot(utc("2026-10-03 15:30"), utc("2026-10-03 16:30"), day),
    )
    assert timetable.skipped == ()


# ---- days and hours


def test_document_004_makes_thirteen_sessions_a_day_and_saturday_starts_an_hour_later() -> None:
    rules = parse_rules(SEED_004)
    weekday_hours = ["08", "09", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20"]
    saturday_hours = ["09", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20", "21"]
    week = on(rules, "Europe/London", "2026-06-01", days=7)
    assert starts(week.slots) == [
        *(f"2026-06-0{day} {hour}:00Z" for day in (1, 2, 3, 4, 5) for hour in weekday_hours),
        *(f"2026-06-06 {hour}:00Z" for hour in saturday_hours),
        *(f"2026-06-07 {hour}:00Z" for hour in weekday_hours),
    ]
    assert len(week.slots) == 91
    assert (week.skipped, week.doubled) == ((), ())
    assert len(on(rules, "Europe/London", "2026-06-01", days=30).slots) == 390
    assert {slot.ends_at - slot.starts_at for slot in week.slots} == {timedelta(hours=1)}
    assert rules.capacity is None


def test_overnight_hours_belong_to_the_operating_date() -> None:
    rules = daily("20:00", "02:00", 120, operatingDays=["Friday"])
    friday = date(2026, 10, 23)
    assert on(rules, "Europe/London", "2026-10-20", days=7).slots == (
        Slot(utc("2026-10-23 19:00"), utc("2026-10-23 21:00"), friday),
        Slot(utc("2026-10-23 21:00"), utc("2026-10-23 23:00"), friday),
        Slot(utc("2026-10-23 23:00"), utc("2026-10-24 01:00"), friday),
    )
    assert on(rules, "Europe/London", "2026-10-24") == Timetable((), (), ())


def test_overnight_hours_cross_the_change_of_the_next_morning() -> None:
    rules = daily("23:00", "03:00", 60, operatingDays=["Saturday"])
    spring = on(rules, "Europe/London", "2026-03-28", days=2)
    assert starts(spring.slots) == ["2026-03-28 23:00Z", "2026-03-29 00:00Z", "2026-03-29 01:00Z"]
    assert skips(spring) == [("2026-03-28", "01:00", "nonexistent_time")]
    autumn = on(rules, "America/New_York", "2026-10-31", days=2)
    assert starts(autumn.slots) == ["2026-11-01 03:00Z", "2026-11-01 04:00Z", "2026-11-01 05:00Z", "2026-11-01 07:00Z"]
    assert starts(autumn.doubled) == ["2026-11-01 05:00Z"]
    assert {slot.local_date for slot in spring.slots + autumn.slots} == {date(2026, 3, 28), date(2026, 10, 31)}


def test_an_end_at_midnight_is_the_next_midnight() -> None:
    assert starts(on(daily("22:00", "00:00", 60), "UTC", "2026-06-01").slots) == [
        "2026-06-01 22:00Z",
        "2026-06-01 23:00Z",
    ]


def test_an_end_equal_to_the_start_is_a_full_day_later() -> None:
    assert starts(on(daily("09:00", "09:00", 480), "UTC", "2026-06-01", days=2).slots) == [
        "2026-06-01 09:00Z",
        "2026-06-01 17:00Z",
        "2026-06-02 01:00Z",
        "2026-06-02 09:00Z",
        "2026-06-02 17:00Z",
        "2026-06-03 01:00Z",
    ]


def test_leap_day_is_a_tuesday_like_any_other() -> None:
    rules = daily("09:00", "10:00", 60, operatingDays=["Tuesday"])
    assert on(rules, "Europe/London", "2028-02-28", days=3).slots == (
        Slot(utc("2028-02-29 09:00"), utc("2028-02-29 10:00"), date(2028, 2, 29)),
    )


def test_a_slot_must_end_by_closing_time() -> None:
    assert starts(on(daily("09:00", "10:59", 60), "UTC", "2026-06-01").slots) == ["2026-06-01 09:00Z"]
    assert starts(on(daily("09:00", "11:00", 60), "UTC", "2026-06-01").slots) == [
        "2026-06-01 09:00Z",
        "2026-06-01 10:00Z",
    ]


def test_a_duration_of_its_own_makes_slots_rolling_or_spaced() -> None:
    rolling = on(daily("09:00", "10:30", 30, duration=60), "UTC", "2026-06-01").slots
    spaced = on(daily("09:00", "12:00", 60, duration=45), "UTC", "2026-06-01").slots
    monday = date(2026, 6, 1)
    assert rolling == (
        Slot(utc("2026-06-01 09:00"), utc("2026-06-01 10:00"), monday),
        Slot(utc("2026-06-01 09:30"), utc("2026-06-01 10:30"), monday),
    )
    assert spaced == (
        Slot(utc("2026-06-01 09:00"), utc("2026-06-01 09:45"), monday),
        Slot(utc("2026-06-01 10:00"), utc("2026-06-01 10:45"), monday),
        Slot(utc("2026-06-01 11:00"), utc("2026-06-01 11:45"), monday),
    )


def test_no_days_make_no_slots() -> None:
    assert on(daily("09:00", "17:00", 60), "UTC", "2026-06-01", days=0) == Timetable((), (), ())


def test_rules_built_by_hand_with_overlapping_nights_still_make_each_start_once() -> None:
    hours = {4: DayHours(time(22), time(2)), 5: DayHours(time(0), time(3))}
    rules = Rules(hours, 60 * MINUTE, 60 * MINUTE, None)
    friday, saturday = date(2026, 6, 5), date(2026, 6, 6)
    assert [(f"{slot.starts_at:%H}", slot.local_date) for slot in on(rules, "UTC", "2026-06-05", days=2).slots] == [
        ("22", friday),
        ("23", friday),
        ("00", friday),
        ("01", friday),
        ("02", saturday),
    ]


def test_rules_built_by_hand_with_overlapping_nights_still_ascend() -> None:
    hours = {4: DayHours(time(22), time(2)), 5: DayHours(time(0, 30), time(2, 30))}
    rules = Rules(hours, 60 * MINUTE, 60 * MINUTE, None)
    walls = [f"{slot.starts_at:%H:%M}" for slot in on(rules, "UTC", "2026-06-05", days=2).slots]
    assert walls == ["22:00", "23:00", "00:00", "00:30", "01:00", "01:30"]


# ---- reading the rules


def test_rules_are_read_with_their_capacity_duration_and_custom_days() -> None:
    custom = {
        "Saturday": {"enabled": True, "startTime": "10:00", "endTime": "02:00"},
        "Monday": {"enabled": False, "startTime": "09:00", "endTime": "17:00"},
        "Tuesday": {"enabled": False},
    }
    days = ["Wednesday", "Monday", "Tuesday"]
    read = parse_rules(document(operatingDays=days, duration=45, capacity=12, customHours=custom))
    assert read == Rules(
        weekly={2: DayHours(time(9), time(17)), 5: DayHours(time(10), time(2))},
        slot_interval=timedelta(minutes=60),
        duration=timedelta(minutes=45),
        capacity=12,
    )


def test_a_custom_day_may_be_the_only_operating_day() -> None:
    sunday = {"Sunday": {"enabled": True, "startTime": "10:00", "endTime": "12:00"}}
    read = parse_rules(document(operatingDays=[], customHours=sunday))
    assert read == Rules({6: DayHours(time(10), time(12))}, 60 * MINUTE, 60 * MINUTE, None)


def test_the_general_hours_may_be_too_short_where_no_day_uses_them() -> None:
    monday = {"Monday": {"enabled": True, "startTime": "10:00", "endTime": "12:00"}}
    read = parse_rules(document(operatingDays=["Monday"], endTime="09:30", customHours=monday))
    assert read == Rules({0: DayHours(time(10), time(12))}, 60 * MINUTE, 60 * MINUTE, None)


def test_hours_may_meet_the_next_days_opening() -> None:
    read = parse_rules(document(startTime="06:00", endTime="06:00"))
    assert read.weekly == {weekday: DayHours(time(6), time(6)) for weekday in range(7)}


def test_the_canonical_document_names_the_commonest_hours_once() -> None:
    assert rules_document(parse_rules(SEED_004)) == {**SEED_004, "duration": 60}
    closed = {"Sunday": {"enabled": False}, "Monday": {"enabled": True, "startTime": "09:00", "endTime": "17:00"}}
    assert rules_document(parse_rules(document(capacity=8, customHours=closed))) == {
        "operatingDays": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"],
        "startTime": "09:00",
        "endTime": "17:00",
        "slotInterval": 60,
        "duration": 60,
        "capacity": 8,
    }


# ---- refusals


def saturday(**changes: object) -> dict[str, object]:
    hours = {"enabled": True, "startTime": "10:00", "endTime": "23:00", **changes}
    return {"Saturday": {key: value for key, value in hours.items() if value is not ABSENT}}


@pytest.mark.parametrize("broken", [None, [], "09:00", 7, True])
def test_a_document_that_is_not_an_object_is_refused(broken: object) -> None:
    assert refused(broken) == [("", "not_an_object")]


REFUSALS: list[tuple[dict[str, object], str, str]] = [
    ({"colour": "red"}, "colour", "unknown_key"),
    ({"slot_interval": 60}, "slot_interval", "unknown_key"),
    ({"operatingDays": ABSENT}, "operatingDays", "required"),
    ({"startTime": ABSENT}, "startTime", "required"),
    ({"endTime": ABSENT}, "endTime", "required"),
    ({"slotInterval": ABSENT}, "slotInterval", "required"),
    ({"operatingDays": "Monday"}, "operatingDays", "not_a_list"),
    ({"operatingDays": None}, "operatingDays", "not_a_list"),
    ({"operatingDays": {"Monday": True}}, "operatingDays", "not_a_list"),
    ({"operatingDays": ["Monday", "Funday"]}, "operatingDays.1", "unknown_day"),
    ({"operatingDays": ["monday"]}, "operatingDays.0", "unknown_day"),
    ({"operatingDays": [0]}, "operatingDays.0", "unknown_day"),
    ({"operatingDays": [["Monday"]]}, "operatingDays.0", "unknown_day"),
    ({"operatingDays": ["Monday", "Friday", "Monday"]}, "operatingDays.2", "repeated_day"),
    ({"operatingDays": []}, "operatingDays", "no_operating_day"),
    (
        {"operatingDays": ["Saturday"], "customHours": {"Saturday": {"enabled": False}}},
        "operatingDays",
        "no_operating_day",
    ),
    ({"startTime": "9:00"}, "startTime", "not_a_time"),
    ({"startTime": "09:00:00"}, "startTime", "not_a_time"),
    ({"startTime": "09:00\n"}, "startTime", "not_a_time"),
    ({"startTime": " 09:00"}, "startTime", "not_a_time"),
    ({"startTime": "\u0660\u0669:\u0660\u0660"}, "startTime", "not_a_time"),  # digits, but not ours
    ({"startTime": "09:60"}, "startTime", "not_a_time"),
    ({"startTime": ""}, "startTime", "not_a_time"),
    ({"startTime": 9}, "startTime", "not_a_time"),
    ({"startTime": None}, "startTime", "not_a_time"),
    ({"endTime": "24:00"}, "endTime", "not_a_time"),
    ({"endTime": "17.00"}, "endTime", "not_a_time"),
    *(
        ({key: value}, key, code)
        for key in ("slotInterval", "duration", "capacity")
        for value, code in [
            (0, "not_positive"),
            (-60, "not_positive"),
            (True, "not_an_integer"),
            (60.0, "not_an_integer"),
            ("60", "not_an_integer"),
            (None, "not_an_integer"),
            (10**30, "too_large"),
        ]
    ),
    ({"slotInterval": 1441}, "slotInterval", "too_large"),
    ({"duration": 1441}, "duration", "too_large"),
    ({"capacity": 1_000_001}, "capacity", "too_large"),
    ({"slotInterval": 481}, "endTime", "shorter_than_slot"),
    ({"duration": 481}, "endTime", "shorter_than_slot"),
    ({"customHours": saturday(endTime="10:59")}, "customHours.Saturday.endTime", "shorter_than_slot"),
    ({"customHours": saturday(endTime="10:00")}, "customHours.Saturday.endTime", "overlaps_next_day"),
    (
        {"customHours": saturday(startTime="22:00", endTime="09:01")},
        "customHours.Saturday.endTime",
        "overlaps_next_day",
    ),
    ({"endTime": "08:59", "customHours": saturday(startTime="08:58", endTime="09:58")}, "endTime", "overlaps_next_day"),
    ({"customHours": ["Saturday"]}, "customHours", "not_an_object"),
    ({"customHours": None}, "customHours", "not_an_object"),
    ({"customHours": {"Caturday": {"enabled": False}}}, "customHours.Caturday", "unknown_day"),
    ({"customHours": {"saturday": {"enabled": False}}}, "customHours.saturday", "unknown_day"),
    ({"customHours": {"Saturday": False}}, "customHours.Saturday", "not_an_object"),
    ({"customHours": {"Saturday": None}}, "customHours.Saturday", "not_an_object"),
    ({"customHours": saturday(capacity=4)}, "customHours.Saturday.capacity", "unknown_key"),
    ({"customHours": saturday(enabled=ABSENT)}, "customHours.Saturday.enabled", "required"),
    ({"customHours": saturday(startTime=ABSENT)}, "customHours.Saturday.startTime", "required"),
    ({"customHours": saturday(endTime=ABSENT)}, "customHours.Saturday.endTime", "required"),
    ({"customHours": saturday(enabled="false")}, "customHours.Saturday.enabled", "not_a_boolean"),
    ({"customHours": saturday(enabled=1)}, "customHours.Saturday.enabled", "not_a_boolean"),
    ({"customHours": saturday(enabled=0)}, "customHours.Saturday.enabled", "not_a_boolean"),
    ({"customHours": saturday(enabled=None)}, "customHours.Saturday.enabled", "not_a_boolean"),
    ({"customHours": saturday(startTime="ten")}, "customHours.Saturday.startTime", "not_a_time"),
    ({"customHours": saturday(enabled=False, endTime="24:00")}, "customHours.Saturday.endTime", "not_a_time"),
]


@pytest.mark.parametrize(("changes", "field", "code"), REFUSALS)
def test_each_fault_is_refused_by_its_field_and_code(changes: dict[str, object], field: str, code: str) -> None:
    assert refused(document(**changes)) == [(field, code)]


def test_an_empty_document_names_every_missing_setting() -> None:
    assert refused({}) == [
        ("operatingDays", "required"),
        ("startTime", "required"),
        ("endTime", "required"),
        ("slotInterval", "required"),
    ]


def test_all_faults_are_named_at_once() -> None:
    custom = {
        **saturday(enabled="yes", startTime="25:00", note="late"),
        "Sunday": {"enabled": True, "startTime": "10:00", "endTime": "10:30"},
        "Someday": {},
    }
    broken = document(
        operatingDays=["Monday", "Moonday"],
        startTime="soon",
        endTime=ABSENT,
        duration=90,
        slotInterval=0,
        capacity=1.5,
        colour="red",
        customHours=custom,
    )
    assert refused(broken) == [
        ("colour", "unknown_key"),
        ("endTime", "required"),
        ("startTime", "not_a_time"),
        ("operatingDays.1", "unknown_day"),
        ("customHours.Saturday.note", "unknown_key"),
        ("customHours.Saturday.enabled", "not_a_boolean"),
        ("customHours.Saturday.startTime", "not_a_time"),
        ("customHours.Someday", "unknown_day"),
        ("slotInterval", "not_positive"),
        ("capacity", "not_an_integer"),
        ("customHours.Sunday.endTime", "shorter_than_slot"),
    ]


def test_a_refusal_speaks_plain_words() -> None:
    custom = saturday(startTime="22:00", endTime="09:30")
    with pytest.raises(ScheduleProblem) as refusal:
        parse_rules(document(capacity=0, duration=500, customHours=custom))
    assert refusal.value.errors == [
        FieldError("capacity", "not_positive", "Give a number of at least 1."),
        FieldError("endTime", "shorter_than_slot", "09:00 to 17:00 is too short for a slot of 500 minutes."),
        FieldError(
            "customHours.Saturday.endTime",
            "overlaps_next_day",
            "Saturday's hours run on after Sunday has opened at 09:00.",
        ),
    ]
    assert str(refusal.value) == (
        "capacity: Give a number of at least 1.; "
        "endTime: 09:00 to 17:00 is too short for a slot of 500 minutes.; "
        "customHours.Saturday.endTime: Saturday's hours run on after Sunday has opened at 09:00."
    )


# ---- zones


@pytest.mark.parametrize("name", ["Europe/London", "Australia/Lord_Howe", "America/Argentina/Buenos_Aires", "UTC"])
def test_a_zone_is_loaded_by_its_name(name: str) -> None:
    assert load_zone(name) is ZoneInfo(name)


WRONG_ZONES = ["Europe/Londonn", "europe/london", " Europe/London", "Europe", "", ".", "BST", "+01:00"]
WRONG_ZONES += ["../../etc/passwd", "/usr/share/zoneinfo/Europe/London", "Europe/../Europe/London", "Europe/London\0"]
WRONG_ZONES += [
    "localtime",
    "posixrules",
    "Factory",
    "posix/Europe/London",
    "right/Europe/London",
    "zone.tab",
    "tzdata.zi",
]


@pytest.mark.parametrize("name", WRONG_ZONES)
def test_a_name_that_is_no_zone_is_refused_and_named(name: str) -> None:
    with pytest.raises(ScheduleProblem) as refusal:
        load_zone(name)
    detail = f"“{name}” is not a time zone that we know; use a name such as Europe/London."
    assert refusal.value.errors == [FieldError("timezone", "unknown_zone", detail)]


@pytest.mark.parametrize("name", [None, 1, True, b"Europe/London", ["Europe/London"], ZoneInfo("UTC")])
def test_what_is_not_text_is_no_zone(name: object) -> None:
    with pytest.raises(ScheduleProblem) as refusal:
        load_zone(name)
    detail = "This is not a time zone that we know; use a name such as Europe/London."
    assert refusal.value.errors == [FieldError("timezone", "unknown_zone", detail)]


# ---- properties


ZONES = st.sampled_from(
    ["Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "UTC"]
)
# Days at which one of the zones changes its clock, and any other day.
FIRSTS = st.one_of(
    st.sampled_from([date(2026, 3, 28), date(2026, 10, 24), date(2026, 3, 7), date(2026, 10, 31)]),
    st.sampled_from([date(2026, 4, 4), date(2026, 10, 3), date(2011, 12, 29), date(2028, 2, 28)]),
    st.dates(date(2000, 1, 1), date(2040, 1, 1)),
)


@st.composite
def any_rules(draw: st.DrawFn) -> Rules:
    """Rules with hours that hold a slot and end before the next day's begin: opening by 20:00, slots up to 4 hours."""
    duration = draw(st.integers(1, 240))
    opens = draw(st.dictionaries(st.integers(0, 6), st.integers(0, 1200), min_size=1))
    weekly: dict[int, DayHours] = {}
    for weekday, start in opens.items():
        latest = min(start + 1440, 1440 + opens.get((weekday + 1) % 7, 1440))
        weekly[weekday] = DayHours(clock(start), clock(draw(st.integers(start + duration, latest))))
    interval = draw(st.one_of(st.sampled_from([15, 30, 45, 60, 90]), st.integers(1, 1440)))
    return Rules(weekly, interval * MINUTE, duration * MINUTE, draw(st.none() | st.integers(1, 1_000_000)))


@settings(deadline=None)
@given(any_rules())
def test_any_rules_survive_being_written_and_read(rules: Rules) -> None:
    assert parse_rules(json.loads(json.dumps(rules_document(rules)))) == rules


@settings(deadline=None)
@given(any_rules(), ZONES, FIRSTS, st.integers(0, 9))
def test_any_timetable_is_ascending_and_each_slot_is_inside_its_opening_hours_by_the_wall(
    rules: Rules, zone: str, first: date, days: int
) -> None:
    assert rules.duration
    assert rules.slot_interval
    timetable = on(rules, zone, first.isoformat(), days)
    instants = [slot.starts_at for slot in timetable.slots]
    assert instants == sorted(set(instants))
    for slot in timetable.slots:
        wall = slot.starts_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        opens, closes = opening(rules.weekly, slot.local_date)
        assert opens <= wall <= closes - rules.duration
        assert (wall - opens) % rules.slot_interval == timedelta(0)
        assert slot.ends_at - slot.starts_at == rules.duration
    assert len(timetable.slots) + len(timetable.skipped) == sum(
        ((closes - opens - rules.duration) // rules.slot_interval) + 1
        for opens, closes in (
            opening(rules.weekly, day)
            for day in (first + timedelta(n) for n in range(days))
            if day.weekday() in rules.weekly
        )
    )


@settings(deadline=None)
@given(any_rules(), ZONES, FIRSTS, st.integers(0, 5), st.integers(0, 5))
def test_any_timetable_is_the_sum_of_its_parts(rules: Rules, zone: str, first: date, early: int, late: int) -> None:
    whole = on(rules, zone, first.isoformat(), early + late)
    head, tail = (
        on(rules, zone, first.isoformat(), early),
        on(rules, zone, (first + timedelta(early)).isoformat(), late),
    )
    assert whole == Timetable(head.slots + tail.slots, head.skipped + tail.skipped, head.doubled + tail.doubled)


def opening(weekly: Mapping[int, DayHours], day: date) -> tuple[datetime, datetime]:
    hours = weekly[day.weekday()]
    closing_day = day if hours.closes > hours.opens else day + timedelta(days=1)
    return datetime.combine(day, hours.opens), datetime.combine(closing_day, hours.closes)


def clock(minutes: int) -> time:
    return time(minutes // 60 % 24, minutes % 60)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")
