"""A line's quote when its party changes: who stays keeps the price, who is added pays today's. Pure.

A quote is the list that was stored with the hold: `{unit, name, count, amount_minor, why, rules?}`, then extras. Of one
unit there are several entries when some of them were added later, at another price.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from scheduling.prices import Applied, why

Entry = Mapping[str, Any]


def unit_counts(quote: Sequence[Entry]) -> dict[UUID, int]:
    """Return how many of each unit come."""
    counts: dict[UUID, int] = {}
    for entry in quote:
        if "unit" in entry:
            unit = UUID(entry["unit"])
            counts[unit] = counts.get(unit, 0) + entry["count"]
    return counts


def differences(quote: Sequence[Entry], wanted: Mapping[UUID, int]) -> tuple[dict[UUID, int], dict[UUID, int]]:
    """Return how many of each unit are added, and how many leave."""
    now = unit_counts(quote)
    changes = {unit: wanted.get(unit, 0) - now.get(unit, 0) for unit in {**now, **wanted}}
    return (
        {unit: number for unit, number in changes.items() if number > 0},
        {unit: -number for unit, number in changes.items() if number < 0},
    )


def without(quote: Sequence[Entry], leaving: Mapping[UUID, int]) -> list[dict[str, Any]]:
    """Return the quote of those who stay; of one unit those who came last leave first. Extras stay as they are."""
    left = dict(leaving)
    kept = []
    for entry in reversed(quote):
        unit = UUID(entry["unit"]) if "unit" in entry else None
        gone = min(left.get(unit, 0), entry["count"]) if unit else 0
        if unit and gone:
            left[unit] -= gone
        if entry["count"] > gone:
            kept.append(_counted(entry, entry["count"] - gone))
    return kept[::-1]


def joined(quote: Sequence[Entry], added: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return the quote with those who are added; at the same price they join the entry of the others."""
    entries = [dict(entry) for entry in quote]
    for new in added:
        place = next((n for n, entry in enumerate(entries) if _is_alike(entry, new)), None)
        if place is None:
            units = sum("unit" in entry for entry in entries)
            entries.insert(units, dict(new))
        else:
            entries[place] = _counted(entries[place], entries[place]["count"] + new["count"])
    return entries


def amount_of(quote: Sequence[Entry]) -> int:
    """Add up, in minor units."""
    return sum(entry["amount_minor"] for entry in quote)


def _price_of_one(entry: Entry) -> int:
    return int(entry["amount_minor"]) // int(entry["count"])


def _is_alike(entry: Entry, other: Entry) -> bool:
    """Is it of the same unit, at the same price, made by the same rules?"""
    same = all(entry.get(name) == other.get(name) for name in ("unit", "name", "rules"))
    return same and "unit" in entry and _price_of_one(entry) == _price_of_one(other)


def _counted(entry: Entry, count: int) -> dict[str, Any]:
    """Return the entry for so many."""
    if count == entry["count"]:
        return dict(entry)
    price = _price_of_one(entry)
    rules = [Applied(rule["name"], rule["change_minor"]) for rule in entry.get("rules", ())]
    return {**entry, "count": count, "amount_minor": count * price, "why": why(count, entry["name"], price, rules)}
