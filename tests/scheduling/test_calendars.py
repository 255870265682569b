"""A venue's calendar, as four parsers of others read it: the same instants, whatever the clocks do."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from scheduling import calendars
from scheduling.calendars import clock_changes, venue_calendar
from tests.calendars.readers import READERS, Entry

READ_AT = datetime(2026, 1, 1, tzinfo=UTC)
NAME = 'Archery, "the long; way" \\ 日本'
HALF_HOUR = timedelta(minutes=30)
LENGTHS = [HALF_HOUR, timedelta(minutes=150), timedelta(hours=8)]  # the last ones go on overnight
CHANGES = {
    "London in spring": ("Europe/London", 2026, 3, 28),
    "London in autumn": ("Europe/London", 2026, 10, 24),
    "Lord Howe in autumn, by half an hour": ("Australia/Lord_Howe", 2026, 4, 3),
    "Lord Howe in spring, by half an hour": ("Australia/Lord_Howe", 2026, 10, 2),
    "New York in spring": ("America/New_York", 2026, 3, 7),
    "New York in autumn": ("America/New_York", 2026, 10, 31),
    "Apia, which changes no more": ("Pacific/Apia", 2026, 4, 3),
    "Apia without 30 December 2011": ("Pacific/Apia", 2011, 12, 29),
    "Casablanca before Ramadan": ("Africa/Casablanca", 2026, 2, 14),
}


def row(number: int, starts_at: datetime, length: timedelta, **overrides: Any) -> dict[str, Any]:
    plain = {
        "id": number, "activity_name": NAME, "starts_at": starts_at, "ends_at": starts_at + length,
        "status": "published", "version": 3, "is_legacy": False, "capacity_total": 10, "places_booked": 6,
        "honoured_capacity": 0,
    }  # fmt: skip
    return {**plain, **overrides}


def every_half_hour(first: datetime, *, days: int = 3) -> list[dict[str, Any]]:
    return [row(n, first + n * HALF_HOUR, LENGTHS[n % len(LENGTHS)]) for n in range(days * 48)]


def entries(rows: Iterable[dict[str, Any]]) -> set[Entry]:
    return {
        Entry(f"{row['id']}@holdfast", row["starts_at"], row["ends_at"], f"{NAME} 6/10", "CONFIRMED") for row in rows
    }


def calendar_of(rows: Iterable[dict[str, Any]], zone: str) -> bytes:
    return venue_calendar(name="Hall", zone=ZoneInfo(zone), sessions=rows, read_at=READ_AT)


def misread(text: bytes, rows: Iterable[dict[str, Any]]) -> set[str]:
    """Name the parsers that understood something else."""
    return {name for name, read in READERS.items() if set(read(text)) != entries(rows)}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_four_parsers_read_the_same_instants_when_the_clock_changes(change: tuple[str, int, int, int]) -> None:
    zone, year, month, day = change
    rows = every_half_hour(datetime(year, month, day, tzinfo=UTC))
    text = calendar_of(rows, zone)
    assert f"DTSTART;TZID={zone}:" in text.decode()
    assert misread(text, rows) == set()


def test_the_parsers_do_not_agree_on_a_wall_time_that_comes_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: this is why such times are written in UTC."""
    monkeypatch.setattr(calendars, "_wall_times", lambda *at, zone: [one.astimezone(zone) for one in at])
    rows = every_half_hour(datetime(2026, 10, 24, tzinfo=UTC))
    assert misread(calendar_of(rows, "Europe/London"), rows) != set()


def test_two_of_the_parsers_know_the_zone_by_what_is_written_of_it_alone() -> None:
    """The control: the file's own changes of the clock are judged, not only the zone's name."""
    rows = every_half_hour(datetime(2026, 3, 7, tzinfo=UTC))
    wrong = calendar_of(rows, "America/New_York").replace(b"TZOFFSETTO:-0400", b"TZOFFSETTO:-0300")
    assert misread(wrong, rows) == {"vobject", "ical.js"}


@pytest.mark.parametrize(
    ("zone", "year", "changes"),
    [
        ("Europe/London", 2026, ["2026-03-29T01:00", "2026-10-25T01:00"]),
        ("Australia/Lord_Howe", 2026, ["2026-04-04T15:00", "2026-10-03T15:30"]),
        ("America/New_York", 2026, ["2026-03-08T07:00", "2026-11-01T06:00"]),
        ("Pacific/Apia", 2026, []),
        ("Pacific/Apia", 2011, ["2011-04-02T14:00", "2011-09-24T14:00", "2011-12-30T10:00"]),
    ],
)
def test_a_zones_changes_are_found_to_the_second(zone: str, year: int, changes: list[str]) -> None:
    found = clock_changes(ZoneInfo(zone), datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC))
    assert [at.isoformat() for at in found] == [f"{change}:00+00:00" for change in changes]


def test_long_and_awkward_names_are_folded_and_escaped_so_that_all_read_them() -> None:
    rows = [row(1, READ_AT, HALF_HOUR, activity_name=NAME + " and so on" * 20)]
    text = calendar_of(rows, "Europe/London")
    assert max(len(line) for line in text.split(b"\r\n")) <= 75
    assert {read(text)[0].summary for read in READERS.values()} == {NAME + " and so on" * 20 + " 6/10"}


def test_an_empty_calendar_is_one_too() -> None:
    text = calendar_of([], "Europe/London")
    assert [read(text) for read in READERS.values()] == [[], [], [], []]
