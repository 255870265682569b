"""A venue's sessions as calendar entries (RFC 5545), in the venue's own time. Pure: no database, no clock.

A time is written as the wall shows it, with TZID, and the zone's own changes of the clock come with it (VTIMEZONE), so
that it is right in a program that knows no zones, too. Of a wall time that comes twice programs take either (RFC 5545,
3.3.5, means the first): what touches one is written in UTC.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, Timezone, TimezoneDaylight, TimezoneStandard, vDuration

READ_AGAIN = timedelta(minutes=15)  # how often a program ought to ask
SCAN = timedelta(hours=6)  # no zone changes its clock twice within this
LONG_AGO = datetime(1970, 1, 1)  # noqa: DTZ001 a wall time; some programs ask for a time before any of ours
SECOND = timedelta(seconds=1)
CANCELLED = "cancelled"
LEFT_OVER = "Left over from an older timetable: kept for those who booked, not sold any more."


def venue_calendar(*, name: str, zone: ZoneInfo, sessions: Iterable[Mapping[str, Any]], read_at: datetime) -> bytes:
    """Return the .ics file; a session is a row with id, activity_name, starts_at, ends_at, status, version, is_legacy,
    capacity_total, places_booked and honoured_capacity. The UID is the session's for its whole life.
    """  # fmt: skip
    calendar = Calendar()
    calendar.add("prodid", "-//Holdfast//Venue//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")  # so DTSTAMP is when this file was made, and the file says no more of revisions
    for property_name in ("name", "x-wr-calname"):
        calendar.add(property_name, name)
    calendar.add("x-wr-timezone", zone.key)
    calendar.add("refresh-interval", READ_AGAIN, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", vDuration(READ_AGAIN))
    rows = list(sessions)
    if rows:
        first, last = min(row["starts_at"] for row in rows), max(row["ends_at"] for row in rows)
        calendar.add_component(zone_component(zone, first=first, last=last))
    for row in rows:
        calendar.add_component(_event(row, zone=zone, location=name, read_at=read_at))
    return bytes(calendar.to_ical())


def zone_component(zone: ZoneInfo, *, first: datetime, last: datetime) -> Timezone:
    """Return the zone's VTIMEZONE: how its clock stood before, and each change from the year of `first` to the year
    after that of `last`: programs may keep what they have read of a zone.
    """  # fmt: skip
    since, until = datetime(first.year - 1, 12, 31, tzinfo=UTC), datetime(last.year + 2, 1, 1, tzinfo=UTC)
    component = Timezone()
    component.add("tzid", zone.key)
    component.add_component(_observance(LONG_AGO, before=_offset(since, zone), since=since, zone=zone))
    for at in clock_changes(zone, since, until):
        before = _offset(at - SECOND, zone)
        local = at.replace(tzinfo=None) + before  # the onset, by the clock that ends with it
        component.add_component(_observance(local, before=before, since=at, zone=zone))
    return component


@lru_cache(maxsize=128)
def clock_changes(zone: ZoneInfo, since: datetime, until: datetime) -> tuple[datetime, ...]:
    """Return the instants between two UTC midnights from which the zone's clock is another."""
    steps = (since + SCAN * n for n in range((until - since) // SCAN))
    return tuple(_change_after(at, zone) for at in steps if _state(at, zone) != _state(at + SCAN, zone))


def _change_after(at: datetime, zone: ZoneInfo) -> datetime:
    """Return the first second, within the scan, that is not like this one."""
    was = _state(at, zone)
    seconds = range(SCAN // SECOND)
    return at + SECOND * bisect_left(seconds, True, key=lambda second: _state(at + SECOND * second, zone) != was)


def _state(at: datetime, zone: ZoneInfo) -> tuple[timedelta | None, str | None]:
    local = at.astimezone(zone)
    return local.utcoffset(), local.tzname()


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def _observance(
    local: datetime, *, before: timedelta, since: datetime, zone: ZoneInfo
) -> TimezoneStandard | TimezoneDaylight:
    here = since.astimezone(zone)
    observance = TimezoneDaylight() if here.dst() else TimezoneStandard()
    observance.add("dtstart", local)
    observance.add("tzoffsetfrom", before)
    observance.add("tzoffsetto", here.utcoffset())
    observance.add("tzname", here.tzname())
    return observance


def _event(row: Mapping[str, Any], *, zone: ZoneInfo, location: str, read_at: datetime) -> Event:
    event = Event()
    event.add("uid", f"{row['id']}@holdfast")
    event.add("dtstamp", read_at)
    event.add("sequence", row["version"])
    starts_at, ends_at = _wall_times(row["starts_at"], row["ends_at"], zone=zone)
    event.add("dtstart", starts_at)
    event.add("dtend", ends_at)
    event.add("summary", f"{row['activity_name']} {row['places_booked']}/{row['capacity_total']}")
    event.add("location", location)
    if notes := _notes(row):
        event.add("description", " ".join(notes))
    event.add("status", "CANCELLED" if row["status"] == CANCELLED else "CONFIRMED")
    return event


def _wall_times(*instants: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return the instants by the venue's clock, or in UTC when it shows one of them twice."""
    local = [instant.astimezone(zone) for instant in instants]
    if any(at.replace(fold=0).utcoffset() != at.replace(fold=1).utcoffset() for at in local):
        return [instant.astimezone(UTC) for instant in instants]
    return local


def _notes(row: Mapping[str, Any]) -> list[str]:
    over = row["honoured_capacity"] - row["capacity_total"]
    return [
        *([LEFT_OVER] if row["is_legacy"] else []),
        *(["Closed for new bookings."] if row["status"] == "closed" else []),
        *([f"Over by {over}, honoured."] if over > 0 else []),
    ]
