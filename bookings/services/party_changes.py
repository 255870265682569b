"""Let more people come on a booked line, or fewer: in the same session, and in the same reservation.

Who stays keeps the price at which they were booked, and who is added pays today's. Of what those who leave had cost the
terms keep the share that cancelling would cost; of one unit those who were added last leave first.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from bookings import policies, quotes
from bookings.discounts import Rebate
from bookings.models import Booking, Line
from bookings.policies import Act, Consequence, LineMoney
from bookings.services import amendments, lifecycle, line_rows, promo_codes, settlement
from bookings.services.amendments import Case, money_of, net_of
from config.kit import idempotency
from config.kit.facts import Actor
from config.kit.idempotency import Claim
from config.kit.refusals import InvalidRequest, invalid
from config.kit.retries import retry_on_deadlock
from payments.models import Refund
from scheduling.models import Session
from scheduling.offers import Offer, offers_of, row_of
from scheduling.parties import Counts, PartyTerms, WantedParty, added_up, party_errors
from scheduling.prices import Quote, people_of
from scheduling.services import assessing, capacity


@dataclass(frozen=True, slots=True)
class _Resized:
    """A line as it would be with another party: its quote, and the places and people that it has then."""

    quote: list[dict[str, Any]]
    places: int
    party_size: int
    released_minor: int  # what those who leave had cost
    discount_minor: int  # of the booking's promo code

    @property
    def amount_minor(self) -> int:
        return quotes.amount_of(self.quote)

    @property
    def net_minor(self) -> int:
        return self.amount_minor - self.discount_minor


@retry_on_deadlock
@transaction.atomic
def change_party(
    *, line_id: UUID, actor: Actor, party_size: int | None = None, units: Counts = (), reason_code: str = "",
    version: int | None = None, waive_fee: bool = False, expected_total: int | None = None, claim: Claim | None = None,
) -> Booking:  # fmt: skip
    """Let more people come on a line, or fewer: by units, or by a bare size of the default unit. The same is harmless.

    Refuses with NotFound, VersionMoved, ChangeNotAllowed, InvalidRequest (what the activity asks of a party),
    NotBookable, NotEnoughPlaces and PaymentRequired, and then nothing has changed.
    """
    booking = lifecycle.lock_booking(amendments.booking_of(line_id))
    if idempotency.prior_effect(claim):
        return booking
    case = amendments.open_case(
        booking, actor, reason_code=reason_code, version=version, waive_fee=waive_fee, claim=claim,
        expected_total=expected_total,
    )  # fmt: skip
    line = amendments.live_line(case, line_id)
    if capacity.reclaim_lapsed([line.session_id]):
        line.session.refresh_from_db()
    resized = _resize(line, WantedParty(party_size, units), at=case.now)
    _require_fewer_names(line, resized)
    consequence = _after_resize(case, line, resized)
    amendments.require_allowed(consequence)
    amendments.require_shown(case, consequence)
    if resized.quote != line.quote:
        _write_party(case, line, resized, consequence)
    return booking


def preview_party(
    booking: Booking, line_id: UUID, actor: Actor, *, party_size: int | None = None, units: Counts = (),
    waive_fee: bool = False,
) -> Consequence:  # fmt: skip
    """Say what another party would come to, or refuse as the change itself would now; nothing is locked or changed."""
    case = amendments.read_case(booking, actor, waive_fee=waive_fee)
    line = amendments.live_line(case, line_id)
    resized = _resize(line, WantedParty(party_size, units), at=case.now)
    _require_fewer_names(line, resized)
    consequence = _after_resize(case, line, resized)
    amendments.require_allowed(consequence)
    refusal = assessing.refusal_for(line.session_id, places=consequence.places) if consequence.places > 0 else None
    if refusal:
        raise refusal
    return consequence


def _resize(line: Line, wanted: WantedParty, *, at: datetime) -> _Resized:
    """Quote another party of a line: who stays as quoted, who is added as of now; or refuse the party."""
    session = line.session
    offer = offers_of([session.activity_id], sessions=[session.id])[session.activity_id]
    counts = _wanted_counts(line, offer.terms, wanted)
    added, leaving = quotes.differences(line.quote, counts)
    kept = quotes.without(line.quote, leaving)
    new = _quote_added(offer, session, added, at=at)
    gone_places, gone_people = _size_of(offer.terms, leaving)
    quote, rebate = quotes.joined(kept, new.lines if new else ()), promo_codes.rebate_on(line)
    return _Resized(
        quote=quote,
        places=line.reservation.places - gone_places + (new.places if new else 0),
        party_size=line.party_size - gone_people + (new.party_size if new else 0),
        released_minor=_released_minor(line, quotes.amount_of(kept), rebate),
        discount_minor=promo_codes.discount_of_changed(line, quotes.amount_of(quote), rebate),
    )


def _released_minor(line: Line, kept_minor: int, rebate: Rebate | None) -> int:
    """Return what those who leave had cost, after their share of the code."""
    return max(net_of(line) - kept_minor + promo_codes.discount_of_changed(line, kept_minor, rebate), 0)


def _require_fewer_names(line: Line, resized: _Resized) -> None:
    """Refuse to shrink below the people who are named: only a person can say who of them stays away."""
    named = len(line.people)
    if resized.party_size < named:
        words = f"{named} people are named on it. Say first who comes no more, then make it smaller."
        raise invalid("party_size", "more_are_named", words)


def _wanted_counts(line: Line, terms: PartyTerms, wanted: WantedParty) -> dict[UUID, int]:
    """Return how many of each unit are to come, or refuse a party that may not."""
    default = {unit.id for unit in terms.units if unit.is_default}
    if not wanted.units and not set(quotes.unit_counts(line.quote)) <= default:
        raise invalid("units", "say_which", "Several kinds of people are booked: say by units who is to come.")
    errors = party_errors(terms, wanted)
    if errors:
        raise InvalidRequest(" ".join(dict.fromkeys(error.detail for error in errors)), errors=errors)
    return added_up(tuple(wanted.counts(terms).items()))


def _quote_added(offer: Offer, session: Session, added: dict[UUID, int], *, at: datetime) -> Quote | None:
    if not added:
        return None
    free = session.capacity_total - session.places_held - session.places_booked
    return offer.quote(WantedParty(units=tuple(added.items())), row_of(session, offer, now=at, free=free))


def _size_of(terms: PartyTerms, counts: dict[UUID, int]) -> tuple[int, int]:
    """Return how many places so many of each unit take, and how many people they are."""
    places = {unit.id: unit.places for unit in terms.units}
    return (
        sum(count * places.get(unit, 1) for unit, count in counts.items()),
        sum(people_of(count, places.get(unit, 1)) for unit, count in counts.items()),
    )


def _after_resize(case: Case, line: Line, resized: _Resized) -> Consequence:
    money = [LineMoney(resized.net_minor) if each.id == line.id else money_of(each) for each in case.lines]
    fee = 0 if case.waive_fee else policies.cancel_fee(resized.released_minor, case.situation(line))
    return case.consequence(
        money, fee_minor=fee, places=resized.places - line.reservation.places,
        obstacles=case.obstacles(Act.RESIZE, [line]),
    )  # fmt: skip


def _write_party(case: Case, line: Line, resized: _Resized, consequence: Consequence) -> None:
    """Take or give back the places, and write reservation, line, booking and fact."""
    before = {**line_rows.placed(line), "quote": line.quote}
    money = amendments.settle(case, consequence.total_minor, case.live)
    _take(line, resized, more=consequence.places)
    line_rows.write(
        line, party_size=resized.party_size, amount_minor=resized.amount_minor, discount_minor=resized.discount_minor,
        quote=resized.quote,
    )  # fmt: skip
    fields = {**money, "fee_minor": case.booking.fee_minor + consequence.fee_minor}
    balance = settlement.amend_total(case.booking, fields, at=case.now)
    after = {**line_rows.placed(line), "quote": line.quote}
    amendments.record(case, "party_changed", consequence, before=before, after=after)
    settlement.settle_up(case.booking, actor=case.actor, reason=Refund.Reason.CHANGED, lines=[line.id], balance=balance)


def _take(line: Line, resized: _Resized, *, more: int) -> None:
    """Make the reservation as large as the party, or say why what is added does not fit."""
    fits = capacity.resize_reservation(
        line.reservation, places=resized.places, party_size=resized.party_size, amount_minor=resized.amount_minor,
        quote=resized.quote,
    )  # fmt: skip
    if not fits:
        raise assessing.refusal_for(line.session_id, places=more) or assessing.NotEnoughPlaces(
            extra={"session": line.session_id, "available_spots": 0, "earliest_lapse": None, "alternatives": []}
        )
