"""A timetable in words, for whoever writes one: the week, day by day, and its exceptions. Pure."""

from datetime import date

from scheduling.closures import Closure, Opening
from scheduling.schedule_rules import DAY_NAMES, MINUTE, DayHours, Rules


def week_in_words(rules: Rules) -> list[str]:
    """Return a line for each run of days with the same hours, and one for what a session is like."""
    lines = [_run_in_words(first, last, hours) for first, last, hours in _runs(rules)]
    return [*lines, _sessions_in_words(rules)]


def exception_in_words(exception: Closure | Opening) -> str:
    """Return when, what and why, in one line."""
    places = ""
    if isinstance(exception, Opening) and exception.capacity is not None:
        places = f", with {exception.capacity} places"
    what = "Closed" if isinstance(exception, Closure) else "Open in addition"
    return f"{what} {_dates_in_words(exception)}, {_hours_of(exception)}{places}: {exception.reason}"


def _dates_in_words(exception: Closure | Opening) -> str:
    if exception.first_date == exception.last_date:
        return f"on {_date_in_words(exception.first_date)}"
    return f"from {_date_in_words(exception.first_date)} to {_date_in_words(exception.last_date)}"


def _date_in_words(day: date) -> str:
    return f"{day:%A} {day.day} {day:%B %Y}"


def _hours_of(exception: Closure | Opening) -> str:
    if exception.hours is None:
        return "all day"
    each = "" if exception.first_date == exception.last_date else " each day"
    return f"{_hours_in_words(exception.hours)}{each}"


def _hours_in_words(hours: DayHours) -> str:
    night = " the next day" if hours.closes <= hours.opens else ""
    return f"{hours.opens:%H:%M} to {hours.closes:%H:%M}{night}"


def _runs(rules: Rules) -> list[tuple[int, int, DayHours | None]]:
    """Return (first weekday, last weekday, hours) of neighbours that are alike; None is closed."""
    runs: list[tuple[int, int, DayHours | None]] = []
    for weekday in range(len(DAY_NAMES)):
        hours = rules.weekly.get(weekday)
        if runs and runs[-1][2] == hours:
            runs[-1] = (runs[-1][0], weekday, hours)
        else:
            runs.append((weekday, weekday, hours))
    return runs


def _run_in_words(first: int, last: int, hours: DayHours | None) -> str:
    days = DAY_NAMES[first] if first == last else f"{DAY_NAMES[first]} to {DAY_NAMES[last]}"
    return f"{days}: closed" if hours is None else f"{days}: {_hours_in_words(hours)}"


def _sessions_in_words(rules: Rules) -> str:
    places = "the activity's own number of" if rules.capacity is None else str(rules.capacity)
    a_week = sum(len(rules.starts_within(hours.span)) for hours in rules.weekly.values())
    if rules.slot_interval is None or rules.duration is None:
        return f"A pass for each day, from opening to closing, with {places} places: {a_week} a week"
    every, length = rules.slot_interval // MINUTE, rules.duration // MINUTE
    return f"A session every {every} minutes, {length} minutes long, with {places} places: {a_week} a week"
