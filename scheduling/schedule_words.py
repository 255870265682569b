"""A timetable in words, for whoever writes one: the week, day by day. Pure."""

from scheduling.schedule_rules import DAY_NAMES, MINUTE, DayHours, Rules


def week_in_words(rules: Rules) -> list[str]:
    """Return a line for each run of days with the same hours, and one for what a session is like."""
    lines = [_run_in_words(first, last, hours) for first, last, hours in _runs(rules)]
    return [*lines, _sessions_in_words(rules)]


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
    if hours is None:
        return f"{days}: closed"
    night = " the next day" if hours.closes <= hours.opens else ""
    return f"{days}: {hours.opens:%H:%M} to {hours.closes:%H:%M}{night}"


def _sessions_in_words(rules: Rules) -> str:
    every, length = rules.slot_interval // MINUTE, rules.duration // MINUTE
    places = "the activity's own number of" if rules.capacity is None else str(rules.capacity)
    a_week = sum((hours.span - rules.duration) // rules.slot_interval + 1 for hours in rules.weekly.values())
    return f"A session every {every} minutes, {length} minutes long, with {places} places: {a_week} a week"
