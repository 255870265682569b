"""What an activity offers a party: who may come, what they may have beside their places, and what it costs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, Sum
from django.db.models.expressions import RawSQL

from scheduling.models import Activity, Extra, Reservation, ReservationExtra, Session, Unit
from scheduling.parties import ExtraTerms, PartyTerms, UnitTerms, WantedParty, added_up
from scheduling.price_lists import PriceList, SessionRow, price_lists
from scheduling.prices import ExtraCount, Quote, UnitCount, quote_party

BINDING = Q(reservation__expires_at__gt=RawSQL("(SELECT clock_timestamp())", ()))


@dataclass(frozen=True, slots=True)
class Offer:
    """One activity's terms, price list and extras."""

    activity: Activity
    terms: PartyTerms
    prices: PriceList
    extras: Mapping[UUID, Extra]

    def quote(self, wanted: WantedParty, session_row: SessionRow) -> Quote:
        """Price a party that has been found to be right; it takes its prices from this moment."""
        priced = {each.unit.id: each for each in self.prices.unit_prices(session_row)}
        counts = [
            UnitCount(each.unit.id, each.unit.name, count, each.price_minor, each.unit.places, each.rules)
            for each, count in ((priced[unit_id], count) for unit_id, count in wanted.counts(self.terms).items())
        ]
        extras = [
            ExtraCount(extra.id, extra.name, count, extra.price_minor)
            for extra, count in ((self.extras[extra_id], count) for extra_id, count in added_up(wanted.extras).items())
        ]
        return quote_party(counts, extras)


def offers_of(activity_ids: Iterable[UUID], *, sessions: Iterable[UUID]) -> dict[UUID, Offer]:
    """Return what these activities offer in these sessions, in a few queries however many there are."""
    activities = Activity.objects.select_related("venue").in_bulk(list(set(activity_ids)))
    lists = price_lists(activities, sessions=sessions)
    extras: dict[UUID, list[Extra]] = {}
    for extra in Extra.objects.filter(activity__in=activities, is_offered=True).order_by("position", "id"):
        extras.setdefault(extra.activity_id, []).append(extra)
    return {
        activity.id: offer_of(activity, lists[activity.id], extras.get(activity.id, ()))
        for activity in activities.values()
    }


def offer_of(activity: Activity, prices: PriceList, extras: Iterable[Extra]) -> Offer:
    """Put together what was gathered."""
    listed = {extra.id: extra for extra in extras if extra.is_offered}
    return Offer(activity, terms_of(activity, prices.units, listed.values()), prices, listed)


def terms_of(activity: Activity, units: Iterable[Unit], extras: Iterable[Extra]) -> PartyTerms:
    """Read what an activity asks of a party from its rows."""
    return PartyTerms(
        units=tuple(_unit_terms(unit) for unit in units),
        extras=tuple(ExtraTerms(extra.id, extra.name, extra.maximum_per_party) for extra in extras),
        smallest_party=activity.smallest_party,
        largest_party=activity.largest_party,
    )


def _unit_terms(unit: Unit) -> UnitTerms:
    return UnitTerms(
        id=unit.id, name=unit.name, places=unit.places, minimum_count=unit.minimum_count,
        maximum_count=unit.maximum_count, minimum_age=unit.minimum_age, maximum_age=unit.maximum_age,
        needs_accompaniment=unit.needs_accompaniment, can_accompany=unit.can_accompany, is_default=unit.is_default,
    )  # fmt: skip


def row_of(session: Session, offer: Offer, *, now: datetime, free: int) -> dict[str, object]:
    """Write a locked session as the price list reads it; `free` is before the party that is priced."""
    return {
        "id": session.id,
        "starts_at": session.starts_at,
        "timezone": offer.activity.venue.timezone,
        "now": now,
        "free": free,
        "capacity_total": session.capacity_total,
        "schedule_id": session.schedule_id,
        "price_minor": session.price_minor,
    }


def extras_left(session_id: UUID, extras: Iterable[Extra], *, after_lapse: bool = True) -> dict[UUID, int]:
    """Return how many are left in a session of each extra that has a stock.

    What a lapsed hold keeps is free for displays, since the next buyer reclaims it; a decision, which comes after the
    reclaiming, counts every live row as the database's own guard does (`after_lapse=False`).
    """
    stocks = {extra.id: extra.stock_per_session for extra in extras if extra.stock_per_session is not None}
    if not stocks:
        return {}
    live = Q(reservation__status=Reservation.Status.CONFIRMED)
    live |= Q(reservation__status=Reservation.Status.HELD) & (BINDING if after_lapse else Q())
    rows = ReservationExtra.objects.filter(live, reservation__session=session_id, extra__in=stocks)
    taken = dict(rows.order_by().values_list("extra").annotate(Sum("count")))
    return {extra_id: max(stock - taken.get(extra_id, 0), 0) for extra_id, stock in stocks.items()}
