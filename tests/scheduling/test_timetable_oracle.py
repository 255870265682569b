"""Any timetable with any exceptions, beside a second opinion: rrule, and the zones that dateutil brings along."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from dateutil import tz
from dateutil.rrule import DAILY, MINUTELY, rrule
from dateutil.zoneinfo import get_zonefile_instance
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.closures import Closure, Exceptions, Opening
from scheduling.schedule_rules import DayHours, Rules
from scheduling.timetable import expand
from tests.scheduling.test_timetable import any_rules, clock

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
ZONES = st.sampled_from(["Europe/London", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/Havana"])
FIRSTS = st.one_of(
    st.sampled_from([date(2026, 3, 27), date(2026, 10, 23), date(2026, 3, 6), date(2026, 10, 30), date(2011, 12, 28)]),
    st.sampled_from([date(2026, 4, 3), date(2026, 10, 2), date(2028, 2, 27), date(2026, 3, 7)]),
    st.dates(date(2012, 1, 1), date(2036, 12, 31)),
)
HOURS = st.builds(DayHours, st.integers(0, 1439).map(clock), st.integers(0, 1439).map(clock))


class Told(NamedTuple):
    """A timetable as both tell it: (start, end, capacity) of slots, and (date, time) of what was left out."""

    slots: list[tuple[datetime, datetime, int | None]]
    skipped: set[tuple[date, time]]
    doubled: list[datetime]
    closed: list[tuple[datetime, str]]


@st.composite
def passes(draw: st.DrawFn) -> Rules:
    """Rules of a pass, open by 20:00 and closed before the next day's opening."""
    opens = draw(st.dictionaries(st.integers(0, 6), st.integers(0, 1200), min_size=1))
    weekly = {}
    for weekday, start in opens.items():
        latest = min(start + 1440, 1440 + opens.get((weekday + 1) % 7, 1440))
        weekly[weekday] = DayHours(clock(start), clock(draw(st.integers(start + 1, latest))))
    return Rules(weekly, None, None, None)


@st.composite
def exceptions_near(draw: st.DrawFn, first: date) -> Exceptions:
    """Up to four exceptions that begin within a few days of a date."""
    found: list[Closure | Opening] = []
    for number in range(draw(st.integers(0, 4))):
        begins = first + draw(st.integers(-4, 7)) * DAY
        ends = begins + draw(st.integers(0, 5)) * DAY
        if draw(st.booleans()):
            found.append(Closure(begins, ends, draw(st.none() | HOURS), f"closure {number}"))
        else:
            found.append(Opening(begins, ends, draw(HOURS), draw(st.none() | st.integers(1, 99)), f"opening {number}"))
    return tuple(found)


@settings(deadline=None, max_examples=200)
@given(st.data(), any_rules() | passes(), ZONES, FIRSTS, st.integers(0, 6))
def test_any_timetable_with_any_exceptions_is_what_a_second_opinion_says(
    data: st.DataObject, rules: Rules, zone: str, first: date, days: int
) -> None:
    exceptions = data.draw(exceptions_near(first))
    found = expand(rules, zone=ZoneInfo(zone), first=first, days=days, exceptions=exceptions)
    told = Told(
        [(slot.starts_at, slot.ends_at, slot.capacity) for slot in found.slots],
        {(skip.local_date, skip.wall_time) for skip in found.skipped},
        [slot.starts_at for slot in found.doubled],
        [(close.slot.starts_at, close.closure.reason) for close in found.closed],
    )
    assert told == second_opinion(rules, zone, first, days, exceptions)
    assert len(found.skipped) == len(told.skipped)


# The second opinion -------------------------------------------------------------------------------------------------


def second_opinion(rules: Rules, zone_name: str, first: date, days: int, exceptions: Exceptions) -> Told:
    """Day by day and minute by minute, without any cleverness."""
    zone = get_zonefile_instance().get(zone_name)
    assert zone is not None
    slots: dict[datetime, tuple[datetime, int | None, date]] = {}
    told = Told([], set(), [], [])
    for day in dates(first, first + (days - 1) * DAY):
        for hours, capacity in open_hours(rules, day, exceptions):
            opens = datetime.combine(day, hours.opens)
            closes = datetime.combine(day if hours.closes > hours.opens else day + DAY, hours.closes)
            for wall, start, end in day_slots(rules, opens, closes, zone):
                if start is None:
                    begins = first_instant(wall, zone)
                    ends = begins + (rules.duration or closes - opens)
                    if closed_by(exceptions, day, begins, ends, zone) is None:
                        told.skipped.add((day, wall.time()))
                    continue
                was = slots.get(start, (end, None, day))
                slots[start] = (max(was[0], end), was[1] if capacity is None else capacity, was[2])
    for start, (end, capacity, day) in sorted(slots.items()):
        reason = closed_by(exceptions, day, start, end, zone)
        if reason is not None:
            told.closed.append((start, reason))
            continue
        told.slots.append((start, end, capacity))
        if tz.datetime_ambiguous(start.astimezone(zone).replace(tzinfo=None), zone):
            told.doubled.append(start)
    return told


def dates(first: date, last: date) -> list[date]:
    return [found.date() for found in rrule(DAILY, dtstart=midnight(first), until=midnight(last))]


def midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def open_hours(rules: Rules, day: date, exceptions: Exceptions) -> Iterator[tuple[DayHours, int | None]]:
    if day.weekday() in rules.weekly:
        yield rules.weekly[day.weekday()], None
    for exception in exceptions:
        if isinstance(exception, Opening) and day in dates(exception.first_date, exception.last_date):
            yield exception.hours, exception.capacity


def day_slots(
    rules: Rules, opens: datetime, closes: datetime, zone: tzinfo
) -> Iterator[tuple[datetime, datetime | None, datetime]]:
    """Yield the wall time, the start (None: no clock shows it) and the end."""
    if rules.slot_interval is None or rules.duration is None:
        start, end = first_instant(opens, zone), first_instant(closes, zone)
        is_there = start < end and start.astimezone(zone).date() == opens.date()
        yield opens, start if is_there else None, end
        return
    every = rules.slot_interval // MINUTE
    for wall in rrule(MINUTELY, interval=every, dtstart=opens, until=closes - rules.duration):
        start = first_instant(wall, zone)
        yield wall, start if tz.datetime_exists(wall, zone) else None, start + rules.duration


def first_instant(wall: datetime, zone: tzinfo) -> datetime:
    """Return when the clock shows this first, or goes past it, found by walking back minute by minute."""
    local = wall.replace(tzinfo=zone)
    instant = tz.resolve_imaginary(local).astimezone(UTC)
    while not tz.datetime_exists(local) and (instant - MINUTE).astimezone(zone).replace(tzinfo=None) >= wall:
        instant -= MINUTE
    return instant


def closed_by(exceptions: Exceptions, day: date, start: datetime, end: datetime, zone: tzinfo) -> str | None:
    """Return the words of the first closure that touches a slot."""
    for closure in exceptions:
        if not isinstance(closure, Closure):
            continue
        for closed in dates(closure.first_date, closure.last_date):
            if closure.hours is None:
                begins, ends = midnight(closed), midnight(closed + DAY)
            else:
                begins = datetime.combine(closed, closure.hours.opens)
                overnight = closure.hours.closes <= closure.hours.opens
                ends = datetime.combine(closed + DAY if overnight else closed, closure.hours.closes)
            touches = first_instant(begins, zone) < end and start < first_instant(ends, zone)
            if touches or (closure.hours is None and closed == day):
                return closure.reason
    return None
