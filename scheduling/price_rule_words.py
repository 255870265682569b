"""A price rule in words, for staff: when it applies, and what it does to a price."""

from collections.abc import Iterator
from datetime import timedelta

from config.kit.display import change_text, length_text, money_text
from scheduling.models import PriceRule
from scheduling.schedule_rules import DAY_NAMES


def effect_in_words(rule: PriceRule, currency: str) -> str:
    """Say what it does to the price of one: "+20 %", "+£2.00", "£9.00 instead"."""
    if rule.percent is not None:
        return f"{rule.percent:+} %".replace("-", "−")
    if rule.amount_minor is not None:
        return change_text(rule.amount_minor, currency)
    return f"{money_text(rule.price_minor or 0, currency)} instead"


def conditions_in_words(rule: PriceRule) -> str:
    """Say when, and for whom: "Saturday, Sunday; for Adult"."""
    return "; ".join(_conditions(rule)) or "always"


def _conditions(rule: PriceRule) -> Iterator[str]:
    if rule.weekdays:
        yield ", ".join(DAY_NAMES[day] for day in sorted(rule.weekdays))
    yield from _between(rule.first_date, rule.last_date)
    yield from _between(rule.from_time and f"{rule.from_time:%H:%M}", rule.to_time and f"{rule.to_time:%H:%M}")
    if rule.lead_minutes_from is not None:
        yield f"booked {_length(rule.lead_minutes_from)} before the start or earlier"
    if rule.lead_minutes_to is not None:
        yield f"booked less than {_length(rule.lead_minutes_to)} before the start"
    if rule.taken_percent_from is not None:
        yield f"once {rule.taken_percent_from} % is taken"
    if rule.taken_percent_to is not None:
        yield f"until {rule.taken_percent_to} % is taken"
    if rule.unit is not None:
        yield f"for {rule.unit}"


def _between(first: object, last: object) -> Iterator[str]:
    if first is not None and last is not None:
        yield f"{first} to {last}"
    elif first is not None:
        yield f"from {first}"
    elif last is not None:
        yield f"until {last}"


def _length(minutes: int) -> str:
    days, rest = divmod(minutes, 24 * 60)
    if days and not rest:
        return "1 day" if days == 1 else f"{days} days"
    return length_text(timedelta(minutes=minutes)) or "0 min"
