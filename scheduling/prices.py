"""Prices, pure: what a party costs, in minor units of one currency, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class UnitCount:
    """So many of one unit, at its price (minor units each) and with the places that one takes."""

    unit: UUID
    name: str
    count: int
    price_minor: int
    places: int


@dataclass(frozen=True, slots=True)
class Quote:
    """What was offered: stored on the reservation and honoured while it is held."""

    party_size: int
    places: int
    amount_minor: int
    lines: list[dict[str, Any]]  # [{unit, name, count, amount_minor, why}]; the plain hold's SQL makes the same


def why(count: int, name: str, price_minor: int) -> str:
    """Say how a line came about: prices in minor units, for the record; displays write it in their own way."""
    return f"{count} x {name} at {price_minor}"


def quote_party(counts: Sequence[UnitCount]) -> Quote:
    """Add up a party."""
    return Quote(
        party_size=sum(c.count * max(c.places, 1) for c in counts),  # a family of four places is four people
        places=sum(c.count * c.places for c in counts),
        amount_minor=sum(c.count * c.price_minor for c in counts),
        lines=[
            {
                "unit": str(c.unit),
                "name": c.name,
                "count": c.count,
                "amount_minor": c.count * c.price_minor,
                "why": why(c.count, c.name, c.price_minor),
            }
            for c in counts
        ],
    )
