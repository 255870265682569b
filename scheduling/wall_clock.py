"""A venue's clock on the wall, and the instants that it shows. Pure: the one module that knows about zones' changes.

Source: R-TIM-03, R-TIM-04.
"""

from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from config.kit.refusals import FieldError
from scheduling.schedule_rules import ScheduleProblem

SECOND = timedelta(seconds=1)
# Names in the zone folders that are no place: this machine's own zone, a POSIX leftover, "nobody has chosen".
NOT_PLACES = frozenset({"localtime", "posixrules", "Factory"})


def load_zone(name: object) -> ZoneInfo:
    """The IANA zone of exactly that name; refuses paths, "localtime", another letter case and what is not text."""
    if isinstance(name, str) and name in _zone_names():
        return ZoneInfo(name)
    shown = f"“{name[:60]}”" if isinstance(name, str) else "This"
    detail = f"{shown} is not a time zone that we know; use a name such as Europe/London."
    raise ScheduleProblem([FieldError("timezone", "unknown_zone", detail)])


def shown(instant: datetime, zone: ZoneInfo) -> datetime:
    """What the clock shows at an instant: wall time, naive."""
    return instant.astimezone(zone).replace(tzinfo=None)


def instant_of(wall: datetime, zone: ZoneInfo) -> datetime | None:
    """The instant, in UTC, at which the clock shows this wall time first; None where no clock will show it."""
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return instant if shown(instant, zone) == wall else None


def moment(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant, in UTC, at which the clock shows this wall time or, where that is left out, a later one.

    It never goes back when the wall time goes on, so an interval of wall times is one of instants.
    """
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    left_out = shown(instant, zone) - wall
    if not left_out:
        return instant
    earliest = instant - left_out  # before the clock was put forward
    seconds = range(left_out // SECOND)
    return earliest + bisect_left(seconds, wall, key=lambda n: shown(earliest + n * SECOND, zone)) * SECOND


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which a date of the venue begins."""
    return moment(datetime.combine(day, time()), zone)


def comes_twice(instant: datetime, zone: ZoneInfo) -> bool:
    """Does the clock show twice what it shows at this instant?"""
    local = instant.astimezone(zone)
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


@cache  # the names are found by walking the zone folders
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones()) - NOT_PLACES
