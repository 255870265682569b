"""What a change asks for and what it does, in words for staff. Pure."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date

from config.kit.display import LOCALE, clock_text, money_text
from scheduling import effects
from scheduling.schedule_rules import DAY_NAMES

# What an effect does to sessions: to one, to several.
DOES: Mapping[str, tuple[str, str]] = {
    effects.ADD: ("session is added", "sessions are added"),
    effects.RESTORE: ("session comes back on sale", "sessions come back on sale"),
    effects.RETIME: ("empty session gets another length", "empty sessions get another length"),
    effects.RESIZE: ("session gets another number of places", "sessions get another number of places"),
    effects.REPRICE: (
        "session costs something else; who has booked keeps their price",
        "sessions cost something else; who has booked keeps their price",
    ),
    effects.END_SALE: (
        "session is not sold any more; who has booked keeps their place",
        "sessions are not sold any more; who has booked keeps their place",
    ),
    effects.CLOSE: (
        "session will not take place; who has booked may move or cancel without a fee",
        "sessions will not take place; who has booked may move or cancel without a fee",
    ),
    effects.LEGACY: (
        "session stays valid for those who booked, and is not sold any more",
        "sessions stay valid for those who booked, and are not sold any more",
    ),
    effects.WITHDRAW: ("empty session is withdrawn", "empty sessions are withdrawn"),
    effects.KEEP: ("session stays as it is", "sessions stay as they are"),
}
TITLES: Mapping[str, str] = {
    "timetable": "New timetable", "closure": "Closed", "opening": "Open besides the timetable", "lift": "Lift",
    "capacity": "Other places", "price": "Another price", "discontinue": "End of sale",
    "close": "Will not take place",
}  # fmt: skip


def plural(number: int, one: str, several: str) -> str:
    """Return "1 session", "3 sessions"."""
    return f"{number} {one if number == 1 else several}"


def effect_in_words(effect: str, count: int, *, over_by: int = 0) -> str:
    """Say what becomes of so many sessions; `over_by` is how many places are honoured beyond the capacity."""
    if effect == effects.HONOUR:
        sessions = plural(count, "session is", "sessions are")
        by = f" by {over_by}{' together' if count > 1 else ''}" if over_by else ""
        return f"{sessions} over{by}, honoured: nobody loses a place"
    return plural(count, *DOES[effect])


def effects_in_words(document: Mapping[str, Any]) -> list[str]:
    """Return a line for each kind of effect that there is, in the order in which they are told."""
    counts: Mapping[str, int] = document["counts"]
    over_by = sum(over(row) for row in document["sessions"] if row["effect"] == effects.HONOUR)
    told = [*effects.LISTED, effects.KEEP]
    return [effect_in_words(name, counts[name], over_by=over_by) for name in told if counts.get(name)]


def over(row: Mapping[str, Any]) -> int:
    """Return how many places of a session are beyond its capacity after the change."""
    beyond: int = row["booked"] + row["held"] - (row["after"] or 0)
    return max(beyond, 0)


def clocks_in_words(document: Mapping[str, Any], zone: ZoneInfo) -> list[str]:
    """Say which times no clock at the venue will show, and which it will show twice."""
    lines = [
        f"{_day(date.fromisoformat(skip['date']))} {skip['time']} does not exist at the venue: left out"
        for skip in document.get("skipped", ())
    ]
    for each in document.get("doubled", ()):
        starts_at = datetime.fromisoformat(each["starts_at"])
        day, clock = _day(starts_at.astimezone(zone).date()), clock_text(starts_at, zone)
        lines.append(f"{day} {clock} comes twice at the venue: the first is used")
    return lines


def before_and_after(row: Mapping[str, Any], currency: str) -> str:
    """Say what a session's number was and becomes: places, or the price of one."""
    if row["before"] is None and row["after"] is None:
        return ""
    if row["effect"] == effects.REPRICE:
        return f"{_price(row['before'], currency)} → {_price(row['after'], currency)}"
    if row["effect"] in (effects.RESIZE, effects.HONOUR):
        return f"{row['before']} → {row['after']} places"
    return ""


def _price(amount_minor: int | None, currency: str) -> str:
    return "usual price" if amount_minor is None else money_text(amount_minor, currency)


# What was asked for -------------------------------------------------------------------------------------------------


def asked_in_words(kind: str, parameters: Mapping[str, Any], currency: str) -> list[str]:
    """Return what a change asks for, line by line; the week of a timetable, and what is lifted, are said elsewhere."""
    match kind:
        case "timetable":
            lines = _dates_in_force(parameters)
        case "closure" | "opening":
            lines = _exception_in_words(parameters)
        case "capacity":
            lines = [f"{plural(parameters['capacity'], 'place', 'places')} in each", *_selection_in_words(parameters)]
        case "price":
            lines = [*_price_in_words(parameters, currency), *_selection_in_words(parameters)]
        case "discontinue":
            lines = ["Nothing is sold any more; what is booked takes place"]
        case "close":
            lines = [*_selection_in_words(parameters), f"“{parameters['reason']}”"]
        case _:
            lines = []
    return lines


def _dates_in_force(parameters: Mapping[str, Any]) -> list[str]:
    first, until = parameters["effective_from"], parameters.get("effective_to")
    return [f"In force from {_iso(first)}" + (f" until {_iso(until)}" if until else "")]


def _exception_in_words(parameters: Mapping[str, Any]) -> list[str]:
    hours = hours_in_words(*(_time(parameters.get(name)) for name in ("from_time", "to_time")))
    first, last = (date.fromisoformat(parameters[name]) for name in ("first_date", "last_date"))
    lines = [dates_in_words(first, last) + (f", {hours}" if hours else ", the whole day")]
    if parameters.get("capacity") is not None:
        lines.append(f"{plural(parameters['capacity'], 'place', 'places')} in each session")
    return [*lines, f"“{parameters['reason']}”"]


def _price_in_words(parameters: Mapping[str, Any], currency: str) -> list[str]:
    if "price_minor" in parameters:
        price = parameters["price_minor"]
        return ["Back to the usual price" if price is None else f"{money_text(price, currency)} a place"]
    if "units" in parameters:
        return [plural(len(parameters["units"]), "unit gets another price", "units get another price")]
    if "rule" in parameters:
        return [f"A price rule: “{parameters['rule'].get('name', '')}”"]
    return ["A price rule ends"] if "end_rule" in parameters else []


def _selection_in_words(parameters: Mapping[str, Any]) -> list[str]:
    if parameters.get("sessions"):
        return [plural(len(parameters["sessions"]), "session, chosen by itself", "sessions, chosen one by one")]
    if not parameters.get("first_date"):
        return []
    first, last = (date.fromisoformat(parameters[name]) for name in ("first_date", "last_date"))
    days = [DAY_NAMES[weekday] for weekday in parameters.get("weekdays") or ()]
    hours = hours_in_words(*(_time(parameters.get(name)) for name in ("from_time", "to_time")))
    parts = [dates_in_words(first, last), _and(days), f"starting {hours}" if hours else ""]
    return [", ".join(part for part in parts if part)]


def dates_in_words(first: date, last: date) -> str:
    """Return "Thu 3 Dec 2026", or "Thu 3 Dec to Sat 5 Dec 2026"."""
    if first == last:
        return _day(first)
    pattern = "EEE d MMM" if first.year == last.year else "EEE d MMM yyyy"
    return f"{format_date(first, pattern, locale=LOCALE)} to {_day(last)}"


def hours_in_words(opens: time | None, closes: time | None) -> str:
    """Return "14:00 to 18:00"; nothing for the whole day. At or before the beginning, the end is the next day's."""
    if opens is None and closes is None:
        return ""
    if opens is None or closes is None:
        return f"from {opens:%H:%M}" if opens else f"to {closes:%H:%M}"
    return f"{opens:%H:%M} to {closes:%H:%M}{' the next day' if closes <= opens else ''}"


def _and(names: Iterable[str]) -> str:
    *first, last = [*names] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def _day(day: date) -> str:
    return str(format_date(day, "EEE d MMM yyyy", locale=LOCALE))


def _iso(text: str) -> str:
    return _day(date.fromisoformat(text))


def _time(text: str | None) -> time | None:
    return time.fromisoformat(text) if text else None
