"""The timetable: weekly opening rules, with dated exceptions, expanded into slots. Pure: no Django, no database.

Rules speak the time on the venue's wall, slots are instants in UTC. Source: design section 5; R-SES-02, R-TIM-03.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from config.kit.refusals import FieldError
from scheduling.closures import Closure, Exceptions, closures_of, openings_on, real
from scheduling.schedule_rules import (
    MINUTE,
    DayHours,
    Rules,
    ScheduleProblem,
    parse_rules,
    rules_document,
)
from scheduling.wall_clock import comes_twice, instant_of, load_zone, moment, shown

__all__ = [
    "Closed",
    "DayHours",
    "FieldError",
    "Rules",
    "ScheduleProblem",
    "Skipped",
    "Slot",
    "Timetable",
    "expand",
    "load_zone",
    "parse_rules",
    "rules_document",
]

NONEXISTENT_TIME = "nonexistent_time"


@dataclass(frozen=True)
class Slot:
    """One dated occurrence, `[starts_at, ends_at)` in UTC; past midnight `local_date` is still the operating date."""

    starts_at: datetime
    ends_at: datetime
    local_date: date
    capacity: int | None = None  # an extra opening's own; None: the timetable's

    def joined(self, other: "Slot") -> "Slot":
        """One slot for two with the same start: the later end, and the later one's capacity if it has one."""
        capacity = self.capacity if other.capacity is None else other.capacity
        return replace(self, ends_at=max(self.ends_at, other.ends_at), capacity=capacity)

    @property
    def lasting_a_moment(self) -> "Slot":
        """A slot of no time at all, whose hours the clock left out, as one that a closure can overlap."""
        return replace(self, ends_at=max(self.ends_at, self.starts_at + timedelta.resolution))


@dataclass(frozen=True)
class Skipped:
    """A start that the rules ask for but no clock will show; `local_date` is the operating date."""

    local_date: date
    wall_time: time
    reason: str


@dataclass(frozen=True)
class Closed:
    """A slot that does not take place, and the closure that took it away, with its words."""

    slot: Slot
    closure: Closure


@dataclass(frozen=True)
class Timetable:
    """The slots, ascending; the starts left out; the slots whose wall time comes twice, at the first of the two; and
    what closures took away.
    """

    slots: tuple[Slot, ...]
    skipped: tuple[Skipped, ...]
    doubled: tuple[Slot, ...]
    closed: tuple[Closed, ...] = ()


_Wanted = tuple[Slot, Skipped | None]  # a slot; one that is left out stands where the clock springs


def expand(rules: Rules, *, zone: ZoneInfo, first: date, days: int, exceptions: Exceptions = ()) -> Timetable:
    """The slots of the operating dates `first` to `first + days - 1`, ascending, no two with the same start.

    A start is a time on the wall; the end is `duration` of real time later. Whether a slot fits the opening hours is
    judged on the wall, so a day of 23 or 25 hours offers the same slots as any other, but for times that do not exist.
    Where the clock springs within a slot, the next start comes sooner in real time than on the wall, so the two may
    overlap (unless the interval divides the shift); both stand, as the rules ask for both and each counts its places.

    A pass's day goes from the opening to the closing on the wall; where the clock leaves its opening out, from the
    moment of the change. Openings add slots, and a closure then takes away every slot that it overlaps, theirs too.
    """
    closures = closures_of(exceptions, first=first, days=days)
    slots: dict[datetime, Slot] = {}
    skipped: dict[Skipped, None] = {}
    for slot, skip in _wanted(rules, zone, first, days, exceptions):
        if skip is None:
            there = slots.get(slot.starts_at)
            slots[slot.starts_at] = there.joined(slot) if there else slot
        elif _closure_of(slot.lasting_a_moment, closures, zone) is None:  # within a closure nobody misses it
            skipped.setdefault(skip)
    ascending = [slots[starts_at] for starts_at in sorted(slots)]
    closed = [Closed(slot, closure) for slot in ascending if (closure := _closure_of(slot, closures, zone))]
    gone = {close.slot.starts_at for close in closed}
    kept = tuple(slot for slot in ascending if slot.starts_at not in gone)
    doubled = tuple(slot for slot in kept if comes_twice(slot.starts_at, zone))
    return Timetable(kept, tuple(skipped), doubled, tuple(closed))


def _wanted(rules: Rules, zone: ZoneInfo, first: date, days: int, exceptions: Exceptions) -> Iterator[_Wanted]:
    """Each operating date's slots: the timetable's own, then those of each opening."""
    for local_date in (first + timedelta(days=n) for n in range(days)):
        hours = rules.weekly.get(local_date.weekday())
        if hours:
            yield from _day(rules, zone, local_date, hours)
        for opening in openings_on(local_date, exceptions):
            yield from _day(rules, zone, local_date, opening.hours, opening.capacity)


def _day(
    rules: Rules, zone: ZoneInfo, local_date: date, hours: DayHours, capacity: int | None = None
) -> Iterator[_Wanted]:
    """One day's slots within some hours."""
    if rules.duration is None:
        yield _whole_day(zone, local_date, hours, capacity)
        return
    opens = datetime.combine(local_date, hours.opens)
    for minutes in rules.starts_within(hours.span):
        wall = opens + minutes * MINUTE
        found = instant_of(wall, zone)
        starts_at = found or moment(wall, zone)
        skip = None if found else Skipped(local_date, wall.time(), NONEXISTENT_TIME)
        yield Slot(starts_at, starts_at + rules.duration, local_date, capacity), skip


def _whole_day(zone: ZoneInfo, local_date: date, hours: DayHours, capacity: int | None) -> _Wanted:
    """A pass's day; left out when the clock leaves out the day, or all of its hours."""
    starts_at, ends_at = real(local_date, hours, zone)
    there = starts_at < ends_at and shown(starts_at, zone).date() == local_date
    skip = None if there else Skipped(local_date, hours.opens, NONEXISTENT_TIME)
    return Slot(starts_at, ends_at, local_date, capacity), skip


def _closure_of(slot: Slot, closures: tuple[Closure, ...], zone: ZoneInfo) -> Closure | None:
    """The first closure that takes a slot away."""
    found = (c for c in closures if c.closes(slot.local_date, slot.starts_at, slot.ends_at, zone))
    return next(found, None)
