"""What the page shows that asks how many come: units and extras with their prices in this session, and the limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.forms import BoundField

from scheduling.forms import PartyForm
from scheduling.models import Activity, Extra
from scheduling.offers import Offer, extras_left, offer_of
from scheduling.parties import ages_in_words, limits_in_words
from scheduling.price_lists import PricedUnit, price_lists
from scheduling.prices import Quote
from scheduling.serializers import LARGEST_PARTY


@dataclass(frozen=True, slots=True)
class UnitRow:
    """A unit with its price here and its field."""

    priced: PricedUnit
    field: BoundField

    @property
    def ages(self) -> str:
        """Return its ages for people."""
        return ages_in_words(self.priced.unit.minimum_age, self.priced.unit.maximum_age)

    @property
    def most(self) -> int:
        """Return how many one may ask for."""
        maximum = self.priced.unit.maximum_count
        return LARGEST_PARTY if maximum is None else maximum


@dataclass(frozen=True, slots=True)
class ExtraRow:
    """An extra with its field, and how many are left in this session (None: no stock to run out of)."""

    extra: Extra
    field: BoundField
    left: int | None

    @property
    def most(self) -> int:
        """Return how many one may ask for."""
        limits = (self.extra.maximum_per_party, self.left, LARGEST_PARTY)
        return min(limit for limit in limits if limit is not None)


@dataclass(frozen=True, slots=True)
class PartyPage:
    """The form's rows, the limits in words, and the price of what was filled in, once it was asked for."""

    units: tuple[UnitRow, ...]
    extras: tuple[ExtraRow, ...]
    limits: tuple[str, ...]
    quote: Quote | None
    currency: str


def party_page(form: PartyForm, activity: Activity, session_row: Mapping[str, Any], *, priced: bool) -> PartyPage:
    """Gather the page for a session; `priced` adds the price of the party in a form that was found to be right."""
    prices = price_lists([activity.id], sessions=[session_row["id"]], units=form.units)[activity.id]
    offer = offer_of(activity, prices, form.extras)
    fields = {unit.id: field for unit, field in form.rows()}
    return PartyPage(
        units=tuple(UnitRow(each, fields[each.unit.id]) for each in prices.unit_prices(session_row)),
        extras=_extra_rows(form, offer, session_row),
        limits=tuple(limits_in_words(form.terms)),
        quote=offer.quote(form.wanted(), session_row) if priced else None,
        currency=activity.currency,
    )


def _extra_rows(form: PartyForm, offer: Offer, session_row: Mapping[str, Any]) -> tuple[ExtraRow, ...]:
    left = extras_left(session_row["id"], offer.extras.values())
    return tuple(ExtraRow(extra, field, left.get(extra.id)) for extra, field in form.extra_rows())
