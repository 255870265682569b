"""The picture of a week: every session is a block, inside the day's hours, and none covers another."""

from datetime import time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling.schedule_rules import MINUTE, DayHours, Rules
from scheduling.week_picture import COLUMN, HOUR, LEFT, MOST_BLOCKS, TOP, Block, draw_week

CLOCKS = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
LENGTHS = st.integers(5, 240).map(lambda minutes: minutes * MINUTE)


@st.composite
def weeks(draw: st.DrawFn) -> Rules:
    hours = draw(st.dictionaries(st.integers(0, 6), st.builds(DayHours, CLOCKS, CLOCKS), min_size=1))
    if draw(st.booleans()):
        return Rules(hours, None, None)
    return Rules(hours, draw(LENGTHS), draw(LENGTHS))


@given(weeks())
def test_every_session_is_a_block_within_its_day(rules: Rules) -> None:
    picture = draw_week(rules)
    for weekday, column in enumerate(picture.columns):
        hours = rules.weekly.get(weekday)
        starts = rules.starts_within(hours.span) if hours else range(0)
        assert len(column.blocks) == (len(starts) if len(starts) <= MOST_BLOCKS else 0)
        assert (column.open is None) == (hours is None)
        for block in column.blocks:
            assert column.open is not None
            assert column.open.x <= block.x
            assert block.x + block.width <= column.open.x + column.open.width
            assert column.open.y <= block.y
            assert block.y + block.height <= column.open.y + column.open.height + 1
        assert column.open is None or column.open.y + column.open.height <= picture.height


@given(weeks())
def test_sessions_that_follow_each_other_do_not_cover_each_other(rules: Rules) -> None:
    if rules.slot_interval is None or rules.duration is None or rules.duration > 4 * rules.slot_interval:
        return
    for column in draw_week(rules).columns:
        for one, other in pairwise(column.blocks):
            assert not covers(one, other)


def covers(one: Block, other: Block) -> bool:
    beside = one.x + one.width <= other.x or other.x + other.width <= one.x
    apart = one.y + one.height <= other.y or other.y + other.height <= one.y
    return not beside and not apart and min(one.height, other.height) > 1


@pytest.mark.parametrize(
    ("opens", "closes", "first", "last", "midnights"),
    [(time(9), time(17), "09:00", "17:00", 0), (time(20), time(2), "20:00", "02:00", 1),
     (time(0), time(0), "00:00", "00:00", 1), (time(9, 30), time(16, 45), "09:00", "17:00", 0)],
)  # fmt: skip
def test_the_hours_run_from_the_first_opening_to_the_last_closing(
    opens: time, closes: time, first: str, last: str, midnights: int
) -> None:
    picture = draw_week(Rules({4: DayHours(opens, closes)}, timedelta(hours=1), timedelta(hours=1)))
    assert (picture.lines[0].label, picture.lines[-1].label) == (first, last)
    assert sum(line.is_midnight for line in picture.lines) == midnights


def test_a_session_is_drawn_to_the_minute_with_its_time() -> None:
    rules = Rules({1: DayHours(time(9), time(12))}, timedelta(minutes=90), timedelta(hours=1))
    first, second = draw_week(rules).columns[1].blocks
    assert (first.x, first.y, first.label) == (LEFT + COLUMN + 3, TOP, "09:00")
    assert (second.y - first.y, second.label) == (HOUR + HOUR // 2, "10:30")
    assert first.height == HOUR - 1


def test_sessions_that_overlap_stand_side_by_side() -> None:
    rules = Rules({0: DayHours(time(9), time(12))}, timedelta(minutes=30), timedelta(hours=1))
    blocks = draw_week(rules).columns[0].blocks
    assert len({block.x for block in blocks}) == 2
    assert blocks[0].x == blocks[2].x != blocks[1].x


def test_a_pass_is_one_block_a_day() -> None:
    rules = Rules({5: DayHours(time(10), time(18))}, None, None)
    (block,) = draw_week(rules).columns[5].blocks
    assert (block.y, block.height) == (TOP, 8 * HOUR - 1)
