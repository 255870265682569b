"""Passes, and when booking ends: by the clock on the wall. Every expected instant is written out."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from config.kit.refusals import FieldError
from scheduling.closures import Closure
from scheduling.sale_times import SaleTimes
from scheduling.schedule_rules import DayHours, Rules, ScheduleProblem, parse_rules, rules_document, stored_rules
from scheduling.schedule_words import week_in_words
from scheduling.timetable import Slot, expand
from scheduling.wall_clock import load_zone, midnight

WEEK = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
HOUR = timedelta(hours=1)


def opening_hours(opens: str, closes: str, **more: Any) -> Rules:
    return parse_rules({"operatingDays": WEEK, "startTime": opens, "endTime": closes, **more}, whole_days=True)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def days_of(opens: str, closes: str, zone: str, first: str, days: int = 1) -> list[tuple[str, str]]:
    found = expand(opening_hours(opens, closes), zone=ZoneInfo(zone), first=date.fromisoformat(first), days=days)
    return [(f"{slot.starts_at:%Y-%m-%d %H:%M}", f"{slot.ends_at:%Y-%m-%d %H:%M}") for slot in found.slots]


# Days by the wall ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "day", "opens", "closes", "found"),
    [
        ("Europe/London", "2026-07-01", "10:00", "18:00", ("2026-07-01 09:00", "2026-07-01 17:00")),
        ("Europe/London", "2026-03-29", "00:00", "00:00", ("2026-03-29 00:00", "2026-03-29 23:00")),  # 23 hours
        ("Europe/London", "2026-10-25", "00:00", "00:00", ("2026-10-24 23:00", "2026-10-26 00:00")),  # 25 hours
        ("America/New_York", "2026-03-08", "00:00", "12:00", ("2026-03-08 05:00", "2026-03-08 16:00")),  # 11 hours
        ("America/New_York", "2026-11-01", "00:00", "12:00", ("2026-11-01 04:00", "2026-11-01 17:00")),  # 13 hours
        ("America/New_York", "2026-10-31", "22:00", "04:00", ("2026-11-01 02:00", "2026-11-01 09:00")),  # its night
        ("Australia/Lord_Howe", "2026-10-04", "00:00", "06:00", ("2026-10-03 13:30", "2026-10-03 19:00")),  # 5½ hours
        ("Australia/Lord_Howe", "2026-04-05", "00:00", "06:00", ("2026-04-04 13:00", "2026-04-04 19:30")),  # 6½ hours
        ("Pacific/Apia", "2026-07-01", "10:00", "18:00", ("2026-06-30 21:00", "2026-07-01 05:00")),
        ("Europe/London", "2028-02-29", "10:00", "18:00", ("2028-02-29 10:00", "2028-02-29 18:00")),  # leap day
        # An opening that the clock leaves out is the moment at which it is put forward; an end, too.
        ("Europe/London", "2026-03-29", "01:30", "06:00", ("2026-03-29 01:00", "2026-03-29 05:00")),
        ("Europe/London", "2026-03-28", "20:00", "01:30", ("2026-03-28 20:00", "2026-03-29 01:00")),
        ("Europe/London", "2026-10-25", "01:30", "06:00", ("2026-10-25 00:30", "2026-10-25 06:00")),  # the first of two
    ],
)
def test_a_pass_has_one_session_a_day_from_opening_to_closing_on_the_wall(
    zone: str, day: str, opens: str, closes: str, found: tuple[str, str]
) -> None:
    assert days_of(opens, closes, zone, day) == [found]


def test_a_date_that_apia_left_out_has_no_pass_and_the_days_beside_it_have_one_each() -> None:
    rules = opening_hours("10:00", "18:00")
    found = expand(rules, zone=ZoneInfo("Pacific/Apia"), first=date(2011, 12, 29), days=3)
    assert [slot.local_date.day for slot in found.slots] == [29, 31]
    assert [(skip.local_date.day, skip.wall_time.hour) for skip in found.skipped] == [(30, 10)]
    assert days_of("20:00", "02:00", "Pacific/Apia", "2011-12-30") == []


def test_midnight_is_when_the_date_begins_even_where_the_clock_leaves_it_out() -> None:
    havana = ZoneInfo("America/Havana")  # at 00:00 on 8 March 2026 the clock goes to 01:00
    assert midnight(date(2026, 3, 8), havana) == utc("2026-03-08 05:00")
    assert midnight(date(2026, 3, 9), havana) == utc("2026-03-09 04:00")
    assert midnight(date(2011, 12, 30), ZoneInfo("Pacific/Apia")) == utc("2011-12-30 10:00")
    assert midnight(date(2011, 12, 31), ZoneInfo("Pacific/Apia")) == utc("2011-12-30 10:00")


# Rules --------------------------------------------------------------------------------------------------------------


def test_a_passs_rules_survive_being_written_and_read() -> None:
    saturday = {"Saturday": {"enabled": True, "startTime": "09:00", "endTime": "22:00"}}
    rules = opening_hours("10:00", "18:00", capacity=50, customHours=saturday)
    document = rules_document(rules)
    assert document == {
        "operatingDays": WEEK, "startTime": "10:00", "endTime": "18:00", "capacity": 50, "customHours": saturday,
    }  # fmt: skip
    assert stored_rules(document) == rules
    assert (rules.whole_days, rules.slot_interval, rules.duration) == (True, None, None)


def test_a_pass_has_no_slots_and_everything_else_has() -> None:
    hours = {"operatingDays": WEEK, "startTime": "10:00", "endTime": "18:00"}
    words = "A pass is for the whole day, from opening to closing: leave this out."
    with pytest.raises(ScheduleProblem) as refused:
        parse_rules({**hours, "slotInterval": 60, "duration": 30}, whole_days=True)
    assert refused.value.errors == [
        FieldError("slotInterval", "not_for_a_pass", words),
        FieldError("duration", "not_for_a_pass", words),
    ]
    with pytest.raises(ScheduleProblem) as refused:
        parse_rules(hours)
    assert refused.value.errors == [FieldError("slotInterval", "required", "This setting is missing.")]


def test_a_passs_week_is_said_in_words() -> None:
    assert week_in_words(opening_hours("10:00", "18:00", capacity=50)) == [
        "Monday to Sunday: 10:00 to 18:00",
        "A pass for each day, from opening to closing, with 50 places: 7 a week",
    ]


# When booking ends --------------------------------------------------------------------------------------------------


def booking_ends(
    starts_at: str, *, zone: str, notice_days: int, minutes: int = 0, hours: int = 1, to_the_end: bool = False
) -> str:
    terms = SaleTimes(timedelta(days=30), timedelta(minutes=minutes), notice_days, to_the_end)
    start = utc(starts_at)
    slot = Slot(start, start + hours * HOUR, start.date())
    opens_at, closes_at = terms.of(slot, ZoneInfo(zone))
    assert opens_at == start - timedelta(days=30)
    return f"{closes_at:%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("zone", "starts_at", "notice_days", "ends"),
    [
        ("Europe/London", "2026-07-10 13:00", 0, "2026-07-10 13:00"),
        ("Europe/London", "2026-07-10 13:00", 1, "2026-07-09 23:00"),  # the midnight before, in summer time
        ("Europe/London", "2026-07-10 13:00", 3, "2026-07-07 23:00"),
        ("Europe/London", "2026-03-30 13:00", 1, "2026-03-29 23:00"),  # summer time begins on the 29th …
        ("Europe/London", "2026-03-30 13:00", 2, "2026-03-29 00:00"),  # … so this is 23 hours earlier
        ("Europe/London", "2026-10-26 13:00", 1, "2026-10-26 00:00"),
        ("Europe/London", "2026-10-26 13:00", 2, "2026-10-24 23:00"),  # 25 hours earlier
        ("America/New_York", "2026-07-10 01:00", 1, "2026-07-09 04:00"),  # the evening of the 9th there
        ("Australia/Lord_Howe", "2026-10-04 22:00", 2, "2026-10-03 13:30"),
        ("Pacific/Apia", "2026-06-30 21:00", 1, "2026-06-30 11:00"),  # 1 July there
        ("Europe/London", "2028-03-01 12:00", 2, "2028-02-29 00:00"),  # a leap day
    ],
)
def test_notice_ends_with_a_day_of_the_venue(zone: str, starts_at: str, notice_days: int, ends: str) -> None:
    assert booking_ends(starts_at, zone=zone, notice_days=notice_days) == ends


def test_the_earlier_of_cutoff_and_notice_counts() -> None:
    start, zone = "2026-07-10 13:00", "Europe/London"
    ends = [booking_ends(start, zone=zone, notice_days=1, minutes=minutes) for minutes in (24 * 60, 60)]
    assert ends == ["2026-07-09 13:00", "2026-07-09 23:00"]


def test_a_pass_is_sold_until_its_cutoff_before_the_end_and_anything_else_until_before_its_start() -> None:
    def ends(notice_days: int, to_the_end: bool) -> str:
        start, zone = "2026-07-10 09:00", "Europe/London"
        return booking_ends(start, zone=zone, notice_days=notice_days, minutes=90, hours=8, to_the_end=to_the_end)

    assert ends(0, to_the_end=True) == "2026-07-10 15:30"
    assert ends(0, to_the_end=False) == "2026-07-10 07:30"
    assert ends(1, to_the_end=True) == "2026-07-09 23:00"


def test_hours_that_no_clock_shows_are_not_missed_on_a_day_that_is_closed() -> None:
    rules = parse_rules({"operatingDays": ["Sunday"], "startTime": "00:00", "endTime": "00:01"}, whole_days=True)
    zone, day = load_zone("America/Havana"), date(2026, 3, 8)
    closure = Closure(day, day, DayHours(time(0), time(0)), "Storm")
    assert len(expand(rules, zone=zone, first=day, days=1).skipped) == 1
    assert expand(rules, zone=zone, first=day, days=1, exceptions=(closure,)).skipped == ()


def test_a_closed_day_of_23_hours_ends_with_its_own_midnight() -> None:
    rules = parse_rules({"operatingDays": WEEK, "startTime": "00:00", "endTime": "02:00", "slotInterval": 60})
    zone, short = load_zone("Europe/London"), date(2026, 3, 29)
    found = expand(rules, zone=zone, first=short, days=2, exceptions=(Closure(short, short, None, "Storm"),))
    assert [slot.starts_at for slot in found.slots] == [utc("2026-03-29 23:00"), utc("2026-03-30 00:00")]
