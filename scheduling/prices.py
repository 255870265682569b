"""Prices, pure: what a party costs, in minor units of one currency, and why.

The price of one is its base (the session's own, else its timetable version's, else the unit's), and then what each
dated rule that applies makes of it, in their order, each on what the one before left.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

# Rules ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Moment:
    """What of a session the rules look at, at the moment of asking."""

    starts_at: datetime  # by the venue's clock
    lead: timedelta  # from the asking to the start
    taken: int  # places, before this party
    capacity: int  # places

    def is_taken_up_to(self, percent: int) -> bool:
        """Is at least so much of it taken? What has no places at all is taken whole."""
        taken, capacity = (self.taken, self.capacity) if self.capacity else (1, 1)
        return taken * 100 >= percent * capacity


@dataclass(frozen=True, slots=True)
class Rule:
    """When it applies, and what it does to the price of one; what is left open applies always.

    Of a pair both ends are included, but for minutes and percentages, where the second is excluded. Exactly one of
    `percent`, `amount_minor` and `price_minor` is given.
    """

    name: str
    position: int = 0  # applied in this order, each on what the one before left
    unit: UUID | None = None  # None: every unit
    weekdays: frozenset[int] = frozenset()  # 0 = Monday; empty: all
    first_date: date | None = None
    last_date: date | None = None
    from_time: time | None = None
    to_time: time | None = None
    lead_minutes_from: int | None = None
    lead_minutes_to: int | None = None
    taken_percent_from: int | None = None
    taken_percent_to: int | None = None
    percent: int | None = None  # +20, -50; rounded half up to the minor unit
    amount_minor: int | None = None  # added; a price ends at 0
    price_minor: int | None = None  # in its place
    id: UUID | None = None

    def applies(self, moment: Moment, *, unit: UUID) -> bool:
        """Does every condition hold?"""
        day, clock = moment.starts_at.date(), moment.starts_at.time()
        return (
            self.unit in (None, unit)
            and (not self.weekdays or day.weekday() in self.weekdays)
            and (self.first_date is None or self.first_date <= day)
            and (self.last_date is None or day <= self.last_date)
            and (self.from_time is None or self.from_time <= clock)
            and (self.to_time is None or clock <= self.to_time)
            and (self.lead_minutes_from is None or timedelta(minutes=self.lead_minutes_from) <= moment.lead)
            and (self.lead_minutes_to is None or moment.lead < timedelta(minutes=self.lead_minutes_to))
            and (self.taken_percent_from is None or moment.is_taken_up_to(self.taken_percent_from))
            and (self.taken_percent_to is None or not moment.is_taken_up_to(self.taken_percent_to))
        )

    def price_after(self, minor: int) -> int:
        """Return what it makes of a price."""
        if self.price_minor is not None:
            return self.price_minor
        if self.amount_minor is not None:
            return max(minor + self.amount_minor, 0)
        return (minor * (100 + (self.percent or 0)) + 50) // 100  # half up: neither factor is negative


@dataclass(frozen=True, slots=True)
class Applied:
    """A rule that changed a price: its name, and by how much the price of one."""

    name: str
    change_minor: int


@dataclass(frozen=True, slots=True)
class Price:
    """What one costs, and the rules that made it so."""

    minor: int
    rules: tuple[Applied, ...] = ()


def price_of_one(base_minor: int, rules: Iterable[Rule], moment: Moment, *, unit: UUID) -> Price:
    """Apply the rules in their order; one that changes nothing is not named."""
    minor, applied = base_minor, []
    for rule in rules:
        after = rule.price_after(minor) if rule.applies(moment, unit=unit) else minor
        if after != minor:
            applied.append(Applied(rule.name, after - minor))
        minor = after
    return Price(minor, tuple(applied))


# Quotes -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UnitCount:
    """So many of one unit, at its price (minor units each) and with the places that one takes."""

    unit: UUID
    name: str
    count: int
    price_minor: int
    places: int
    rules: tuple[Applied, ...] = ()


@dataclass(frozen=True, slots=True)
class ExtraCount:
    """So many of one extra, at its price (minor units each); no rule moves it."""

    extra: UUID
    name: str
    count: int
    price_minor: int


@dataclass(frozen=True, slots=True)
class Quote:
    """What was offered: stored on the reservation and honoured while it is held."""

    party_size: int
    places: int
    amount_minor: int
    # [{unit, name, count, amount_minor, why, rules?: [{name, change_minor}]}], then [{extra, name, count, …}] the same
    # way; the plain hold's SQL makes the same of a party without rules and extras.
    lines: list[dict[str, Any]]


def why(count: int, name: str, price_minor: int, rules: Sequence[Applied] = ()) -> str:
    """Say how a line came about: prices in minor units, for the record; displays write it in their own way."""
    made_by = ", ".join(f"{rule.name} {rule.change_minor:+}" for rule in rules)
    return f"{count} x {name} at {price_minor}" + (f": {made_by}" if made_by else "")


def party_text(lines: Iterable[Mapping[str, Any]]) -> str:
    """Say a quote's lines in short: 2 × Adult, 1 × Child."""
    return ", ".join(f"{line['count']} × {line['name']}" for line in lines)


def people_of(count: int, places: int) -> int:
    """Return how many people so many of a unit are: a family of four places is four, an infant on a lap is one."""
    return count * max(places, 1)


def quote_party(counts: Sequence[UnitCount], extras: Sequence[ExtraCount] = ()) -> Quote:
    """Add up a party, with what it has beside its places."""
    lines = [*map(_unit_line, counts), *map(_extra_line, extras)]
    return Quote(
        party_size=sum(people_of(c.count, c.places) for c in counts),
        places=sum(c.count * c.places for c in counts),
        amount_minor=sum(line["amount_minor"] for line in lines),
        lines=lines,
    )


def _unit_line(c: UnitCount) -> dict[str, Any]:
    line = {"unit": str(c.unit), "name": c.name, "count": c.count, "amount_minor": c.count * c.price_minor,
        "why": why(c.count, c.name, c.price_minor, c.rules)}  # fmt: skip
    if c.rules:
        line["rules"] = [{"name": rule.name, "change_minor": rule.change_minor} for rule in c.rules]
    return line


def _extra_line(c: ExtraCount) -> dict[str, Any]:
    return {"extra": str(c.extra), "name": c.name, "count": c.count, "amount_minor": c.count * c.price_minor,
        "why": why(c.count, c.name, c.price_minor)}  # fmt: skip
