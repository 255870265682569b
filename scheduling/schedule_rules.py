"""Schedule rules: the weekly opening rules of an activity, read from their JSON form and written to it. Pure.

Source: design section 5; seed 004, "Schedule Configuration". Reading refuses everything that is wrong at once.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any

from config.kit.refusals import FieldError

DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WEEKDAYS = {name: weekday for weekday, name in enumerate(DAY_NAMES)}
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
MAX_MINUTES = DAY // MINUTE
MAX_CAPACITY = 1_000_000  # far above any venue, far below the database's integer

HOURS_KEYS = ("startTime", "endTime")
CUSTOM_KEYS = ("enabled", *HOURS_KEYS)
WEEK_KEYS = ("operatingDays", *HOURS_KEYS)
SLOT_KEYS = ("slotInterval", "duration")
RULES_KEYS = (*WEEK_KEYS, *SLOT_KEYS, "capacity", "customHours")
CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


class ScheduleProblem(ValueError):
    """A schedule, or a time zone, is refused; `errors` says everything that is wrong with it."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__(errors)
        self.errors = errors

    def __str__(self) -> str:
        return "; ".join(f"{error.field or 'schedule'}: {error.detail}" for error in self.errors)


@dataclass(frozen=True)
class DayHours:
    """Opening hours of one operating day; `closes` at or before `opens` is the next day's."""

    opens: time
    closes: time

    @property
    def span(self) -> timedelta:
        """How long the day is open by the clock on the wall, up to 24 hours (equal times)."""
        closes = _since_midnight(self.closes) + (DAY if self.closes <= self.opens else timedelta())
        return closes - _since_midnight(self.opens)

    def run_into(self, tomorrow: "DayHours") -> bool:
        return _since_midnight(self.opens) + self.span > DAY + _since_midnight(tomorrow.opens)


@dataclass(frozen=True)
class Rules:
    """When an activity runs: only the weekdays it operates, 0 = Monday. Capacity None is the activity's own.

    A pass has no slots: its interval and duration are None, and each day is one session from opening to closing.
    """

    weekly: Mapping[int, DayHours]
    slot_interval: timedelta | None
    duration: timedelta | None
    capacity: int | None = None

    @property
    def whole_days(self) -> bool:
        """Is each day one session, as of a pass?"""
        return self.slot_interval is None or self.duration is None

    def starts_within(self, span: timedelta) -> range:
        """In minutes after opening: when a slot may start and still end by closing; for a whole day, at once."""
        if self.slot_interval is None or self.duration is None:
            return range(1)
        return range(0, (span - self.duration) // MINUTE + 1, self.slot_interval // MINUTE)


def parse_rules(document: object, *, whole_days: bool = False) -> Rules:
    """The rules that a schedule's JSON form states, or ScheduleProblem with everything that is wrong.

    Lengths are whole minutes up to a day, times HH:MM. `duration` defaults to `slotInterval`. A custom day adds or
    overrides a weekday; `enabled: false` closes it, and its times may then be left out. A day's hours must hold one
    slot at least, and end before the next day's begin: otherwise sessions of two operating dates would overlap.
    With `whole_days`, for a pass, there are no slots: an interval or a duration is refused; without, an interval is
    required.
    """
    errors: list[FieldError] = []
    if not isinstance(document, dict):
        raise ScheduleProblem([FieldError("", "not_an_object", "A schedule is an object with named settings.")])
    form = _Form(document, "", errors)
    form.check_keys(known=RULES_KEYS, required=WEEK_KEYS if whole_days else (*WEEK_KEYS, "slotInterval"))
    week = _read_week(form)
    interval, duration = (None, None) if whole_days else _read_lengths(form)
    if whole_days:
        _refuse_lengths(form)
    capacity = form.whole_number("capacity", at_most=MAX_CAPACITY)
    _check_lengths(week, duration, errors)
    _check_nights(week, errors)
    if errors:
        raise ScheduleProblem(errors)
    weekly = {weekday: day.hours for weekday, day in week.items() if day.hours}
    return Rules(weekly, _minutes(interval), _minutes(duration), capacity)


def stored_rules(document: Mapping[str, Any]) -> Rules:
    """The rules of a published version. It was checked by its activity's kind then, so its slots say which it is."""
    return parse_rules(document, whole_days="slotInterval" not in document)


def rules_document(rules: Rules) -> dict[str, object]:
    """The canonical JSON form, which parse_rules reads back: the commonest hours are the general ones."""
    weekly = dict(sorted(rules.weekly.items()))
    general = Counter(weekly.values()).most_common(1)[0][0]
    custom = {DAY_NAMES[day]: {"enabled": True, **_hours_form(own)} for day, own in weekly.items() if own != general}
    return {
        "operatingDays": [DAY_NAMES[day] for day in weekly],
        **_hours_form(general),
        **_lengths_form(rules),
        **({} if rules.capacity is None else {"capacity": rules.capacity}),
        **({"customHours": custom} if custom else {}),
    }


@dataclass(frozen=True)
class _Form:
    """One JSON object being read: gives its values, or None where they are missing or wrong and says so in `errors`."""

    values: dict[Any, Any]
    path: str
    errors: list[FieldError]

    def refuse(self, key: object, code: str, detail: str) -> None:
        self.errors.append(FieldError(f"{self.path}{key}", code, detail))

    def check_keys(self, *, known: tuple[str, ...], required: tuple[str, ...]) -> None:
        for key in self.values:
            if key not in known:
                self.refuse(key, "unknown_key", "We do not know this setting; check its spelling or remove it.")
        for key in required:
            if key not in self.values:
                self.refuse(key, "required", "This setting is missing.")

    def whole_number(self, key: str, *, at_most: int) -> int | None:
        value = self.values.get(key)
        if key not in self.values:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.refuse(key, "not_an_integer", "Give a whole number.")
        elif value < 1:
            self.refuse(key, "not_positive", "Give a number of at least 1.")
        elif value > at_most:
            self.refuse(key, "too_large", f"Give a number of at most {at_most}.")
        else:
            return value
        return None

    def clock(self, key: str) -> time | None:
        value = self.values.get(key)
        if isinstance(value, str) and CLOCK.fullmatch(value):
            return time.fromisoformat(value)
        if key in self.values:
            self.refuse(key, "not_a_time", "Write the time as HH:MM, from 00:00 to 23:59; midnight is 00:00.")
        return None

    def hours(self) -> DayHours | None:
        opens, closes = self.clock("startTime"), self.clock("endTime")
        return None if opens is None or closes is None else DayHours(opens, closes)


def _read_lengths(form: _Form) -> tuple[int | None, int | None]:
    """Minutes from start to start, and of each slot."""
    interval = form.whole_number("slotInterval", at_most=MAX_MINUTES)
    return interval, form.whole_number("duration", at_most=MAX_MINUTES) if "duration" in form.values else interval


def _refuse_lengths(form: _Form) -> None:
    for key in SLOT_KEYS:
        if key in form.values:
            form.refuse(key, "not_for_a_pass", "A pass is for the whole day, from opening to closing: leave this out.")


@dataclass(frozen=True)
class _Day:
    """An operating weekday as stated: its hours (None if unreadable), and the field that states their end."""

    hours: DayHours | None
    end_field: str


def _read_week(form: _Form) -> dict[int, _Day]:
    """The operating weekdays in order: the listed days at the general hours, then the custom days over them."""
    general = _Day(form.hours(), "endTime")
    errors_before = len(form.errors)
    week: dict[int, _Day | None] = dict.fromkeys(_read_listed_days(form), general)
    week.update(_read_custom_days(form))
    operating = {weekday: day for weekday, day in sorted(week.items()) if day}
    if not operating and "operatingDays" in form.values and len(form.errors) == errors_before:
        form.refuse("operatingDays", "no_operating_day", "Choose at least one day of the week.")
    return operating


def _read_listed_days(form: _Form) -> list[int]:
    names = form.values.get("operatingDays", [])
    if not isinstance(names, list):
        form.refuse("operatingDays", "not_a_list", "Give a list of weekdays, such as Monday and Tuesday.")
        return []
    listed: list[int] = []
    for place, name in enumerate(names):
        weekday = WEEKDAYS.get(name) if isinstance(name, str) else None
        if weekday is None:
            form.refuse(f"operatingDays.{place}", "unknown_day", "Give the name of a weekday, such as Monday.")
        elif weekday in listed:
            form.refuse(f"operatingDays.{place}", "repeated_day", f"{name} is in the list already.")
        else:
            listed.append(weekday)
    return listed


def _read_custom_days(form: _Form) -> dict[int, _Day | None]:
    """The weekdays with hours of their own; None for a day that is closed."""
    days = form.values.get("customHours", {})
    if not isinstance(days, dict):
        form.refuse("customHours", "not_an_object", "Give each weekday with its own hours by name.")
        return {}
    custom: dict[int, _Day | None] = {}
    for name, values in days.items():
        field = f"customHours.{name}"
        if name not in WEEKDAYS:
            form.refuse(field, "unknown_day", "Give the name of a weekday, such as Monday.")
        elif not isinstance(values, dict):
            form.refuse(field, "not_an_object", "Give enabled, startTime and endTime for this day.")
        else:
            custom[WEEKDAYS[name]] = _read_custom_day(_Form(values, f"{field}.", form.errors))
    return custom


def _read_custom_day(form: _Form) -> _Day | None:
    enabled = form.values.get("enabled")
    form.check_keys(known=CUSTOM_KEYS, required=("enabled",) if enabled is False else CUSTOM_KEYS)
    if "enabled" in form.values and not isinstance(enabled, bool):
        form.refuse("enabled", "not_a_boolean", "Say true or false.")
    day = _Day(form.hours(), f"{form.path}endTime")
    return None if enabled is False else day


def _check_lengths(week: dict[int, _Day], duration: int | None, errors: list[FieldError]) -> None:
    """Refuse hours too short for one slot: such a day would silently offer nothing."""
    for day in dict.fromkeys(week.values()):
        if day.hours and duration and day.hours.span < duration * MINUTE:
            detail = f"{_in_words(day.hours)} is too short for a slot of {duration} minutes."
            errors.append(FieldError(day.end_field, "shorter_than_slot", detail))


def _check_nights(week: dict[int, _Day], errors: list[FieldError]) -> None:
    """Refuse hours that run past midnight into the next day's own."""
    for weekday, day in week.items():
        tomorrow = (weekday + 1) % 7
        following = week[tomorrow].hours if tomorrow in week else None
        if day.hours and following and day.hours.run_into(following):
            opens = following.opens.isoformat("minutes")
            detail = f"{DAY_NAMES[weekday]}'s hours run on after {DAY_NAMES[tomorrow]} has opened at {opens}."
            errors.append(FieldError(day.end_field, "overlaps_next_day", detail))


def _hours_form(hours: DayHours) -> dict[str, object]:
    return {"startTime": hours.opens.isoformat("minutes"), "endTime": hours.closes.isoformat("minutes")}


def _lengths_form(rules: Rules) -> dict[str, object]:
    lengths = zip(SLOT_KEYS, (rules.slot_interval, rules.duration), strict=True)
    return {key: length // MINUTE for key, length in lengths if length is not None}


def _minutes(number: int | None) -> timedelta | None:
    return None if number is None else number * MINUTE


def _in_words(hours: DayHours) -> str:
    return f"{hours.opens.isoformat('minutes')} to {hours.closes.isoformat('minutes')}"


def _since_midnight(clock: time) -> timedelta:
    return timedelta(hours=clock.hour, minutes=clock.minute)
