"""Dated exceptions from a timetable: closures and extra openings, of a venue or of one activity. Pure.

Dates are the venue's, both included; hours are of each day, by the clock on the wall. Source: design section 5.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from scheduling.schedule_rules import DAY, DayHours
from scheduling.wall_clock import midnight, moment, shown

LONGEST_DAYS = 366


@dataclass(frozen=True)
class Closure:
    """Dates on which nothing takes place: all day, or during some hours of each day."""

    first_date: date
    last_date: date
    hours: DayHours | None  # None: all day
    reason: str = ""

    def closes(self, local_date: date, starts_at: datetime, ends_at: datetime, zone: ZoneInfo) -> bool:
        """Does it take away what runs over these instants, of this operating date?

        A day that is closed whole takes its own night with it, though that ends on the next date.
        """
        if self.hours is None and self.first_date <= local_date <= self.last_date:
            return True
        return any(begins < ends_at and starts_at < ends for begins, ends in self._spans(starts_at, ends_at, zone))

    def _spans(self, starts_at: datetime, ends_at: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
        """Yield when it is closed, in UTC, of the dates that may matter: hours may have begun the night before."""
        day = max(self.first_date, shown(starts_at, zone).date() - DAY)
        last = min(self.last_date, shown(ends_at, zone).date())
        while day <= last:
            yield (
                (midnight(day, zone), midnight(day + DAY, zone)) if self.hours is None else real(day, self.hours, zone)
            )
            day += DAY


@dataclass(frozen=True)
class Opening:
    """Dates on which there is more than the timetable has: the hours, and what fits into them."""

    first_date: date
    last_date: date
    hours: DayHours
    capacity: int | None = None  # None: the timetable's own
    reason: str = ""


Exceptions = tuple[Closure | Opening, ...]  # of two openings with a capacity for the same slot, the later one's stands


def dated(
    *, kind: str, first_date: date, last_date: date, from_time: time | None, to_time: time | None,
    capacity: int | None, reason: str,
) -> Closure | Opening:  # fmt: skip
    """What an exception's row says."""
    hours = None if from_time is None or to_time is None else DayHours(from_time, to_time)
    if kind == "opening" and hours is not None:
        return Opening(first_date, last_date, hours, capacity, reason)
    return Closure(first_date, last_date, hours, reason)


def real(day: date, hours: DayHours, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The instants between which a venue is open, or closed, for these hours of a day; of 23 or 25 hours, too."""
    opens = datetime.combine(day, hours.opens)
    return moment(opens, zone), moment(opens + hours.span, zone)


def openings_on(day: date, exceptions: Exceptions) -> Iterator[Opening]:
    """Yield the openings of a date, in their order."""
    for exception in exceptions:
        if isinstance(exception, Opening) and exception.first_date <= day <= exception.last_date:
            yield exception


def closures_of(exceptions: Exceptions, *, first: date, days: int) -> tuple[Closure, ...]:
    """The closures that may reach operating dates; those run on until the end of the next day, and hours may, too."""
    earliest, latest = first - DAY, first + timedelta(days=days)
    return tuple(
        exception
        for exception in exceptions
        if isinstance(exception, Closure) and exception.first_date <= latest and earliest <= exception.last_date
    )
