"""The timetable: weekly opening rules expanded into dated slots. Pure: no Django, no database.

Rules speak the time on the venue's wall, slots are instants in UTC. Source: design section 5; R-SES-02, R-TIM-03.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from config.kit.refusals import FieldError
from scheduling.schedule_rules import (
    MINUTE,
    DayHours,
    Rules,
    ScheduleProblem,
    parse_rules,
    rules_document,
)

__all__ = [
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
# Names in the zone folders that are no place: this machine's own zone, a POSIX leftover, "nobody has chosen".
NOT_PLACES = frozenset({"localtime", "posixrules", "Factory"})


@dataclass(frozen=True)
class Slot:
    """One dated occurrence, `[starts_at, ends_at)` in UTC; past midnight `local_date` is still the operating date."""

    starts_at: datetime
    ends_at: datetime
    local_date: date


@dataclass(frozen=True)
class Skipped:
    """A start that the rules ask for but no clock will show; `local_date` is the operating date."""

    local_date: date
    wall_time: time
    reason: str


@dataclass(frozen=True)
class Timetable:
    """The slots, ascending; the starts left out; and the slots whose wall time comes twice, at the first of the two."""

    slots: tuple[Slot, ...]
    skipped: tuple[Skipped, ...]
    doubled: tuple[Slot, ...]


def expand(rules: Rules, *, zone: ZoneInfo, first: date, days: int) -> Timetable:
    """The slots of the operating dates `first` to `first + days - 1`, ascending, no two with the same start.

    A start is a time on the wall; the end is `duration` of real time later. Whether a slot fits the opening hours is
    judged on the wall, so a day of 23 or 25 hours offers the same slots as any other, but for times that do not exist.
    Where the clock springs within a slot, the next start comes sooner in real time than on the wall, so the two may
    overlap (unless the interval divides the shift); both stand, as the rules ask for both and each counts its places.
    """
    slots: dict[datetime, Slot] = {}
    skipped: list[Skipped] = []
    for local_date, wall in _wall_starts(rules, first, days):
        starts_at = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if starts_at.astimezone(zone).replace(tzinfo=None) != wall:
            skipped.append(Skipped(local_date, wall.time(), NONEXISTENT_TIME))
        else:
            slots.setdefault(starts_at, Slot(starts_at, starts_at + rules.duration, local_date))
    ascending = tuple(slots[starts_at] for starts_at in sorted(slots))
    doubled = tuple(slot for slot in ascending if _comes_twice(slot.starts_at.astimezone(zone)))
    return Timetable(ascending, tuple(skipped), doubled)


def load_zone(name: object) -> ZoneInfo:
    """The IANA zone of exactly that name; refuses paths, "localtime", another letter case and what is not text."""
    if isinstance(name, str) and name in _zone_names():
        return ZoneInfo(name)
    shown = f"“{name[:60]}”" if isinstance(name, str) else "This"
    detail = f"{shown} is not a time zone that we know; use a name such as Europe/London."
    raise ScheduleProblem([FieldError("timezone", "unknown_zone", detail)])


@cache  # the names are found by walking the zone folders
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones()) - NOT_PLACES


def _wall_starts(rules: Rules, first: date, days: int) -> Iterator[tuple[date, datetime]]:
    """Each operating date with each of its starts, naive wall time, whose slot ends by closing time."""
    for local_date in (first + timedelta(days=n) for n in range(days)):
        hours = rules.weekly.get(local_date.weekday())
        if hours:
            opens = datetime.combine(local_date, hours.opens)
            last = (hours.span - rules.duration) // MINUTE
            for minutes in range(0, last + 1, rules.slot_interval // MINUTE):
                yield local_date, opens + minutes * MINUTE


def _comes_twice(local: datetime) -> bool:
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
