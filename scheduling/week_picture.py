"""A picture of a timetable's week: days as columns, sessions as blocks by the time on the wall. Pure.

What comes after midnight is drawn below the day that opened, as the timetable means it. The picture has no scale of
its own: units are the SVG's, a day is `COLUMN` wide and an hour `HOUR` high.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from scheduling.schedule_rules import DAY_NAMES, MINUTE, DayHours, Rules

COLUMN, HOUR, LEFT, TOP, BOTTOM = 96, 28, 56, 26, 8
GAP = 3  # between columns, and between blocks
MOST_BLOCKS = 96  # a day; a finer timetable is drawn by its opening hours alone
MOST_LANES = 4  # sessions that overlap stand side by side
LABEL_HEIGHT = 15  # a lower block has no room for its time
DAY_HOURS, HOUR_MINUTES = 24, 60


@dataclass(frozen=True, slots=True)
class Block:
    """A session, or opening hours, as a rectangle."""

    x: int
    y: int
    width: int
    height: int
    label: str = ""

    @property
    def label_x(self) -> int:
        """Where its time is written."""
        return self.x + 5

    @property
    def label_y(self) -> int:
        """Where its time is written: the line that letters stand on."""
        return self.y + 12


@dataclass(frozen=True, slots=True)
class Column:
    """A weekday."""

    name: str
    x: int  # of its middle
    open: Block | None  # its opening hours; None: closed
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class HourLine:
    """A line across the week, at a full hour."""

    y: int
    label: str
    is_midnight: bool


@dataclass(frozen=True, slots=True)
class WeekPicture:
    """Everything that the template draws."""

    width: int
    height: int
    columns: tuple[Column, ...]
    lines: tuple[HourLine, ...]

    @property
    def right(self) -> int:
        """Where lines end."""
        return self.width - GAP


def draw_week(rules: Rules) -> WeekPicture:
    """Draw the week from the first opening to the last closing."""
    first = min((_minutes(hours) for hours in rules.weekly.values()), default=0) // HOUR_MINUTES
    ends = (_minutes(hours) + hours.span // MINUTE for hours in rules.weekly.values())
    last = -(-max(ends, default=HOUR_MINUTES) // HOUR_MINUTES)
    return WeekPicture(
        width=LEFT + COLUMN * len(DAY_NAMES),
        height=TOP + (last - first) * HOUR + BOTTOM,
        columns=tuple(_column(rules, weekday, first) for weekday in range(len(DAY_NAMES))),
        lines=tuple(_line(hour, first) for hour in range(first, last + 1)),
    )


def _column(rules: Rules, weekday: int, first: int) -> Column:
    left, hours = LEFT + weekday * COLUMN, rules.weekly.get(weekday)
    middle = left + COLUMN // 2
    if hours is None:
        return Column(DAY_NAMES[weekday], middle, None, ())
    top, height = _y(_minutes(hours), first), _length(hours.span // MINUTE)
    opened = Block(left + GAP, top, COLUMN - 2 * GAP, height)
    return Column(DAY_NAMES[weekday], middle, opened, tuple(_blocks(rules, hours, left, first)))


def _blocks(rules: Rules, hours: DayHours, left: int, first: int) -> Iterator[Block]:
    """Yield a day's sessions; those that overlap stand beside each other."""
    opens, starts = _minutes(hours), rules.starts_within(hours.span)
    if len(starts) > MOST_BLOCKS:
        return
    length = (rules.duration or hours.span) // MINUTE
    lanes = min(-(-length // starts.step), MOST_LANES) if len(starts) > 1 else 1
    width = (COLUMN - 2 * GAP) // lanes
    for number, start in enumerate(starts):
        height = max(_length(length) - 1, 1)
        label = _clock(opens + start) if height >= LABEL_HEIGHT and lanes <= 2 else ""  # noqa: PLR2004 it would not fit
        yield Block(left + GAP + number % lanes * width, _y(opens + start, first), width - 1, height, label)


def _line(hour: int, first: int) -> HourLine:
    return HourLine(TOP + (hour - first) * HOUR, _clock(hour * HOUR_MINUTES), hour == DAY_HOURS)


def _minutes(hours: DayHours) -> int:
    return hours.opens.hour * HOUR_MINUTES + hours.opens.minute


def _y(minutes: int, first: int) -> int:
    return TOP + _length(minutes - first * HOUR_MINUTES)


def _length(minutes: int) -> int:
    return minutes * HOUR // HOUR_MINUTES


def _clock(minutes: int) -> str:
    hour, minute = divmod(minutes, HOUR_MINUTES)
    return f"{hour % DAY_HOURS:02}:{minute:02}"
