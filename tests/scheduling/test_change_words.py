"""What staff read about a change before and after it is applied."""

from datetime import date, time
from typing import Any

import pytest

from scheduling import effects
from scheduling.change_words import (
    asked_in_words,
    before_and_after,
    clocks_in_words,
    dates_in_words,
    effect_in_words,
    effects_in_words,
    hours_in_words,
)
from scheduling.timetable import load_zone

LONDON = load_zone("Europe/London")


def test_each_effect_is_said_for_one_session_and_for_several() -> None:
    for effect in (*effects.LISTED, effects.KEEP):
        one, several = effect_in_words(effect, 1, over_by=3), effect_in_words(effect, 4, over_by=9)
        assert one.startswith("1 ")
        assert several.startswith("4 ")
        assert "session " in one
        assert "sessions " in several


def test_what_is_over_says_by_how_many_places() -> None:
    rows: list[dict[str, Any]] = [
        {"effect": "honour", "before": 10, "after": 5, "booked": 7, "held": 1},
        {"effect": "honour", "before": 10, "after": 5, "booked": 6, "held": 0},
    ]
    document = {"counts": {"honour": 2, "withdraw": 1, "keep": 7}, "sessions": rows}
    assert effects_in_words(document) == [
        "2 sessions are over by 4 together, honoured: nobody loses a place",
        "1 empty session is withdrawn",
        "7 sessions stay as they are",
    ]
    assert effect_in_words("honour", 1, over_by=3) == "1 session is over by 3, honoured: nobody loses a place"


def test_times_that_no_clock_shows_are_named_with_their_day() -> None:
    document = {
        "skipped": [{"date": "2026-03-29", "time": "01:30"}],
        "doubled": [{"starts_at": "2026-10-25T00:30:00+00:00"}],
    }
    assert clocks_in_words(document, LONDON) == [
        "Sun 29 Mar 2026 01:30 does not exist at the venue: left out",
        "Sun 25 Oct 2026 01:30 comes twice at the venue: the first is used",
    ]


PERIOD = {"first_date": "2026-12-03", "last_date": "2026-12-05"}


@pytest.mark.parametrize(
    ("kind", "parameters", "words"),
    [
        ("timetable", {"effective_from": "2026-12-03"}, ["In force from Thu 3 Dec 2026"]),
        (
            "timetable", {"effective_from": "2026-12-03", "effective_to": "2027-01-01"},
            ["In force from Thu 3 Dec 2026 until Fri 1 Jan 2027"],
        ),
        ("closure", {**PERIOD, "reason": "Frost"}, ["Thu 3 Dec to Sat 5 Dec 2026, the whole day", "“Frost”"]),
        (
            "opening", {**PERIOD, "from_time": "20:00", "to_time": "02:00", "capacity": 1, "reason": "Late"},
            ["Thu 3 Dec to Sat 5 Dec 2026, 20:00 to 02:00 the next day", "1 place in each session", "“Late”"],
        ),
        ("capacity", {"capacity": 4, "sessions": ["a", "b"]}, ["4 places in each", "2 sessions, chosen one by one"]),
        (
            "price", {"price_minor": 1250, **PERIOD, "weekdays": [3, 4], "from_time": "10:00", "to_time": "12:00"},
            ["£12.50 a place", "Thu 3 Dec to Sat 5 Dec 2026, Thursday and Friday, starting 10:00 to 12:00"],
        ),
        ("price", {"price_minor": None, "sessions": ["a"]}, ["Back to the usual price", "1 session, chosen by itself"]),
        ("price", {"units": {"a": 100}}, ["1 unit gets another price"]),
        ("price", {"rule": {"name": "Weekend"}}, ["A price rule: “Weekend”"]),
        ("price", {"end_rule": "a"}, ["A price rule ends"]),
        ("discontinue", {}, ["Nothing is sold any more; what is booked takes place"]),
        ("lift", {"exception": "a"}, []),
    ],
)  # fmt: skip
def test_what_is_asked_for_is_said_in_words(kind: str, parameters: dict[str, Any], words: list[str]) -> None:
    assert asked_in_words(kind, parameters, "GBP") == words


def test_numbers_are_said_before_and_after() -> None:
    assert before_and_after({"effect": "resize", "before": 10, "after": 4}, "GBP") == "10 → 4 places"
    assert before_and_after({"effect": "reprice", "before": 1000, "after": None}, "GBP") == "£10.00 → usual price"
    assert before_and_after({"effect": "withdraw", "before": None, "after": None}, "GBP") == ""


def test_days_and_hours_are_said_once() -> None:
    day = date(2026, 12, 3)
    assert dates_in_words(day, day) == "Thu 3 Dec 2026"
    assert dates_in_words(date(2026, 12, 30), date(2027, 1, 2)) == "Wed 30 Dec 2026 to Sat 2 Jan 2027"
    assert [hours_in_words(None, None), hours_in_words(time(9), None), hours_in_words(None, time(9))] == [
        "", "from 09:00", "to 09:00",
    ]  # fmt: skip
