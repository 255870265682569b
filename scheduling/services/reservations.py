"""Reserve, extend and release places: the hold's life until it is confirmed or over."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from config.kit import idempotency
from config.kit.clock import database_now
from config.kit.idempotency import Claim
from config.kit.ids import uuid7
from config.kit.refusals import FieldError, InvalidRequest, NotFound, Refusal
from config.kit.retries import retry_on_deadlock
from scheduling import availability, limits
from scheduling.availability import Availability
from scheduling.models import Reservation, Session
from scheduling.offers import Offer, offers_of, row_of
from scheduling.parties import Counts, WantedParty, party_errors
from scheduling.prices import Quote
from scheduling.services import capacity, extras
from scheduling.services.alternatives import naming_alternatives, with_alternatives
from scheduling.services.handing_on import handing_on

EXTENSION = timedelta(minutes=3)  # once: what paying, or one click, adds


class NotEnoughPlaces(Refusal):
    """The party does not fit: says how many would, and when a held place may come back."""

    code, title = "not_enough_places", "There are not enough places left for your party"


class NotBookable(Refusal):
    """The session takes no bookings: closed, past, not open yet, not on sale, or others wait."""

    code, title = "not_bookable", "This session cannot be booked"


class ReservationLapsed(Refusal):
    """Its time is over; the places may have gone back."""

    code, title = "reservation_lapsed", "The time for which these places were kept is over"


class BasketClosed(Refusal):
    """The basket is bought already, or is another organization's: what comes next goes into a new one."""

    code, title = "basket_closed", "Nothing more can be put into this basket"


class AlreadyExtended(Refusal):
    """A hold is extended once."""

    code, title = "already_extended", "These places were kept longer once already"


class ReservationEnded(Refusal):
    """Confirmed, released or expired: there is nothing left to keep or to confirm."""

    code, title = "reservation_ended", "These places are not held any more"


@dataclass(frozen=True, slots=True)
class Party:
    """Who wants places of which session: a bare size, counted in the default unit, or counts by unit."""

    session_id: UUID
    party_size: int | None
    units: Counts = ()  # (unit, how many)
    extras: Counts = ()  # (extra, how many)
    ages: Sequence[int] = ()  # years; of those who were asked
    path: str = ""  # where it stands in the request, for the names of wrong fields
    reservation_id: UUID | None = None  # the one that it gets, when its caller must know it beforehand

    @property
    def wanted(self) -> WantedParty:
        """Return who comes, whatever the session."""
        return WantedParty(self.party_size, self.units, self.extras, self.ages)


@dataclass(frozen=True, slots=True)
class Assessed:
    """A party as its session's activity sees it: what is wrong with it, or its price."""

    party: Party
    session: Session
    offer: Offer
    errors: tuple[FieldError, ...]
    quote: Quote | None


# Reserve ----------------------------------------------------------------------------------------------------------


def reserve_slot(
    *, session_id: UUID, party_size: int, email: str, basket: UUID | None = None, organization_id: UUID | None = None,
    claim: Claim | None = None, reservation_id: UUID | None = None,
) -> Reservation:  # fmt: skip
    """Hold places of one session, counted in its default unit, for its activity's hold time (10 minutes).

    The plain hold is one statement; when it cannot tell, the slow path locks, reclaims and decides. Refuses with
    NotFound, NotBookable or NotEnoughPlaces; the same claim again returns the reservation it made.
    """
    reservation_id = reservation_id or uuid7()
    party = Party(session_id=session_id, party_size=party_size, reservation_id=reservation_id)
    if basket:  # others are in it: the slow path looks at them
        return reserve_parties([party], email=email, basket=basket, organization_id=organization_id, claim=claim)[0]
    try:
        answer = capacity.hold_places(
            session_id=session_id, places=party_size, email=email, reservation_id=reservation_id, basket=uuid7(),
            organization_id=organization_id, claim=claim,
        )  # fmt: skip
    except capacity.KeyTaken:
        prior = idempotency.prior_effect(claim)
        if prior:
            return _replay(prior)
        answer = None  # the other request was rolled back after all
    except capacity.SlowPath:
        answer = None
    if isinstance(answer, Reservation):
        return answer
    if answer is not None:
        prior = _answer_from(answer, claim=claim, party_size=party_size)
        if prior:
            return _replay(prior)
    return reserve_parties([party], email=email, organization_id=organization_id, claim=claim)[0]


def _answer_from(seen: capacity.Seen, *, claim: Claim | None, party_size: int) -> UUID | None:
    """Answer from what the plain hold saw: a replay, a refusal, or None for the slow path. The order matters."""
    if seen.session is None:
        raise NotFound
    if claim and seen.prior and seen.fingerprint:
        return claim.effect(seen.prior, seen.fingerprint)
    if seen.is_plain and seen.is_open and not seen.waiting and seen.room + seen.lapsed < party_size:
        refusal = _too_few(max(seen.room + seen.lapsed, 0), seen.earliest_lapse)
        raise with_alternatives(refusal, session_id=seen.session, party_size=party_size)
    return None


def _too_few(spots: int, earliest_lapse: datetime | None, session_id: UUID | None = None) -> NotEnoughPlaces:
    detail = (
        "This session is full." if spots == 0 else f"Only {spots} of these places {'is' if spots == 1 else 'are'} left."
    )
    extra: dict[str, Any] = {"available_spots": spots, "earliest_lapse": earliest_lapse, "alternatives": []}
    if session_id:
        extra["session"] = session_id
    return NotEnoughPlaces(detail, extra=extra)


def _replay(reservation_id: UUID) -> Reservation:
    return Reservation.objects.get(id=reservation_id)


@naming_alternatives
@handing_on
@retry_on_deadlock
@transaction.atomic
def reserve_parties(
    parties: Sequence[Party], *, email: str, basket: UUID | None = None, organization_id: UUID | None = None,
    claim: Claim | None = None, overbook: bool = False,
) -> list[Reservation]:  # fmt: skip
    """Hold places and extras for every party, or for none: lock, reclaim, decide, take.

    With `overbook`, which a permitted person asks for with a reason, places that are short are honoured beyond the
    capacity, and the reservation keeps the mark for good. Everything else is refused as ever.

    Refuses with InvalidRequest, which names everything that is wrong with any party, NotBookable, NotEnoughPlaces or
    NotEnoughExtras.

    Parties of several sessions are locked in ascending id order, so that crossed baskets wait for one another.
    The claim, when there is one, is for the first reservation.
    """
    sessions = capacity.lock_sessions(party.session_id for party in parties)
    if capacity.reclaim_lapsed(sessions):
        sessions = capacity.lock_sessions(sessions)  # as they are now: a price may depend on what is taken
    prior = idempotency.prior_effect(claim)
    if prior:
        return [_replay(prior)]
    if basket:
        _check_basket(basket, {session.organization_id for session in sessions.values()})
    basket = basket or uuid7()
    if any(not _is_there(sessions.get(party.session_id), organization_id) for party in parties):
        raise NotFound
    assessed = assess_parties(parties, sessions, at=database_now())
    reservations = reserve_assessed(assessed, email=email, basket=basket, overbook=overbook)
    idempotency.record(claim, organization_id=reservations[0].organization_id, effect_id=reservations[0].id)
    return reservations


def reserve_assessed(
    assessed: Sequence[Assessed], *, email: str, basket: UUID | None = None, overbook: bool = False
) -> list[Reservation]:
    """Hold what was looked at under the sessions' locks, at the prices found there; or refuse as reserve_parties does.

    What has lapsed in these sessions is reclaimed already.
    """
    capacity.require_transaction()
    basket = basket or uuid7()
    return [_reserve(deal, email=email, basket=basket, overbook=overbook) for deal in _deals(assessed)]


def _check_basket(basket: UUID, organizations: set[UUID]) -> None:
    """Refuse what could never be bought together: a basket is one organization's, and bought once."""
    members = Reservation.objects.filter(basket=basket).values_list("organization_id", "status")
    if any(status == Reservation.Status.CONFIRMED for _, status in members):
        raise BasketClosed("What is in this basket is booked already. Please begin a new one.")
    if len(organizations | {organization_id for organization_id, _ in members}) > 1:
        raise BasketClosed("A basket is for sessions of one organization. Please begin a new one.")


@dataclass(frozen=True, slots=True)
class _Deal:
    """A party found to be right, its locked session, what is offered there, and the price of it."""

    party: Party
    session: Session
    offer: Offer
    quote: Quote


def _is_there(session: Session | None, organization_id: UUID | None) -> bool:
    return session is not None and organization_id in (None, session.organization_id)


def _reserve(deal: _Deal, *, email: str, basket: UUID, overbook: bool) -> Reservation:
    session, quote, activity = deal.session, deal.quote, deal.offer.activity
    is_beyond = _take(session.id, quote.places, overbook=overbook)
    at = database_now()
    reservation = Reservation.objects.create(
        id=deal.party.reservation_id or uuid7(), organization_id=session.organization_id, session=session,
        basket=basket, party_size=quote.party_size,
        places=quote.places, email=email, currency=activity.currency, amount_minor=quote.amount_minor,
        quote=quote.lines, held_at=at, expires_at=at + timedelta(minutes=activity.hold_minutes), overbooked=is_beyond,
    )  # fmt: skip
    extras.take_extras(reservation, path=deal.party.path)
    return reservation


def hold_for_waiter(party: Party, session: Session, *, places: int, email: str) -> Reservation | None:
    """Hold a waiting party's places of a locked session, priced as of today; None when that cannot be done any more.

    An offer: kept for the activity's offer time, never beyond the end of booking, and not longer. None when the
    session is not open, the places are not there, or the party may not come as it is (its size may have changed).
    """
    try:
        deal = _deals(assess_parties([party], {session.id: session}, at=database_now()))[0]
    except InvalidRequest:
        return None
    quote, activity = deal.quote, deal.offer.activity
    if quote.places != places or not capacity.take_places(session_id=session.id, places=places, for_waiter=True):
        return None
    at = database_now()
    return Reservation.objects.create(
        organization_id=session.organization_id, session=session, party_size=quote.party_size, places=places,
        email=email, currency=activity.currency, amount_minor=quote.amount_minor, quote=quote.lines, held_at=at,
        expires_at=min(at + timedelta(minutes=activity.offer_minutes), session.closes_at), extended=True,
    )  # fmt: skip


def _take(session_id: UUID, places: int, *, overbook: bool) -> bool:
    """Take places of a locked session, or refuse; say whether they are beyond its capacity."""
    if capacity.take_places(session_id=session_id, places=places):
        return False
    refusal = refusal_for(session_id, places=places)
    if overbook and isinstance(refusal, NotEnoughPlaces):
        capacity.overbook_places(session_id=session_id, places=places)
        return True
    # Booking may open between the two statements; what would fit now is taken now.
    if refusal or not capacity.take_places(session_id=session_id, places=places):
        raise refusal or _too_few(0, None, session_id)
    return False


def refusal_for(session_id: UUID, *, places: int) -> Refusal | None:
    """Say why a locked session did not take these places, or None when by now it would."""
    answer = availability.check_slot_availability(session_id=session_id)  # the party itself was found to be right
    return refusal_from(answer, places=places)


def refusal_from(answer: Availability, *, places: int, taken: int = 0) -> Refusal | None:
    """Say why a session does not take these places after so many others, or None when it would."""
    session_id = answer.session["id"]
    if answer.blocked:
        return NotBookable(
            " ".join(answer.words[reason] for reason in answer.blocked),
            errors=[FieldError("session", reason, answer.words[reason]) for reason in answer.blocked],
            extra={"session": session_id, "reasons": list(answer.blocked)},
        )
    left = max(answer.spots - taken, 0)
    if left >= places:
        return None
    lapses = Reservation.objects.held().filter(session=session_id).order_by("expires_at").values_list("expires_at")
    first = lapses.first()
    return _too_few(left, first and first[0], session_id)


def quote_of(party: Party, session: Session) -> Quote:
    """Price a party in a session as it is now, or refuse with everything that is wrong with the party."""
    return _deals(assess_parties([party], {session.id: session}, at=database_now()))[0].quote


def assess_parties(parties: Sequence[Party], sessions: Mapping[UUID, Session], *, at: datetime) -> list[Assessed]:
    """Look at every party at one moment, and price those with which nothing is wrong.

    What the parties before it are about to take of its session is taken, for the price of a later one.
    """
    offers = offers_of({session.activity_id for session in sessions.values()}, sessions=sessions)
    taken: Counter[UUID] = Counter()
    found = []
    for party in parties:
        session = sessions[party.session_id]
        offer, quote = offers[session.activity_id], None
        wrong = party_errors(offer.terms, party.wanted, path=party.path)
        if not wrong:
            free = session.capacity_total - session.places_held - session.places_booked - taken[session.id]
            quote = offer.quote(party.wanted, row_of(session, offer, now=at, free=free))
            taken[session.id] += quote.places
        found.append(Assessed(party, session, offer, tuple(wrong), quote))
    return found


def _deals(assessed: Sequence[Assessed]) -> list[_Deal]:
    """Return the parties with their prices, or refuse with everything that is wrong with any of them."""
    errors = [error for each in assessed for error in each.errors]
    if errors:
        raise InvalidRequest(" ".join(dict.fromkeys(error.detail for error in errors)), errors=errors)
    return [_Deal(each.party, each.session, each.offer, each.quote) for each in assessed if each.quote]


def same_party(reservation: Reservation) -> Party:
    """Return the party of a reservation with its extras, to hold its places anew."""
    return Party(
        session_id=reservation.session_id,
        party_size=None,
        units=_counted(reservation, "unit"),
        extras=_counted(reservation, "extra"),
    )


def _counted(reservation: Reservation, kind: str) -> Counts:
    return tuple((UUID(line[kind]), line["count"]) for line in reservation.quote if kind in line)


# Keep and give back -----------------------------------------------------------------------------------------------


def lock_reservation(reservation_id: UUID) -> Reservation:
    """Lock a reservation, its session first; raise NotFound when there is none."""
    session_ids = Reservation.objects.filter(id=reservation_id).values_list("session_id", flat=True)
    capacity.lock_sessions(session_ids)
    found = capacity.lock_reservations([reservation_id])
    if not found:
        raise NotFound
    return found[0]


@retry_on_deadlock
@transaction.atomic
def extend_reservation(*, reservation_id: UUID, by: timedelta = EXTENSION, claim: Claim | None = None) -> Reservation:
    """Keep the places once longer, or raise ReservationLapsed, ReservationEnded or AlreadyExtended."""
    reservation = lock_reservation(reservation_id)
    if idempotency.record(claim, organization_id=reservation.organization_id, effect_id=reservation.id):
        return reservation
    check_held(reservation, at=database_now())
    if reservation.extended:
        raise AlreadyExtended
    Reservation.objects.filter(id=reservation.id).update(expires_at=F("expires_at") + by, extended=True)
    reservation.refresh_from_db()
    return reservation


@retry_on_deadlock
@transaction.atomic
def release_reservation(*, reservation_id: UUID) -> Reservation:
    """Give a hold's places back at once; again is harmless. What is confirmed ends by cancelling its booking.

    What has expired leaves its basket, so that the rest of it can still be bought.
    """
    reservation = lock_reservation(reservation_id)
    if reservation.status == Reservation.Status.CONFIRMED:
        raise ReservationEnded("These places are booked. Cancel the booking to give them back.")
    if reservation.status == Reservation.Status.HELD:
        capacity.release_places([reservation], at=database_now())
        limits.let_go_on_commit([reservation.id], is_bought=False)
    if reservation.status == Reservation.Status.EXPIRED:
        Reservation.objects.filter(id=reservation.id).update(basket=reservation.id)
    return reservation


def check_held(reservation: Reservation, *, at: datetime) -> None:
    """Refuse what does not bind any more."""
    if reservation.is_held(at=at):
        return
    if reservation.status in (Reservation.Status.HELD, Reservation.Status.EXPIRED):
        raise ReservationLapsed(extra={"reservation": reservation.id, "expires_at": reservation.expires_at})
    raise ReservationEnded(extra={"reservation": reservation.id, "reservation_status": reservation.status})


def release_expired_reservations() -> int:
    """Give back the places of every lapsed hold, a few sessions at a time; return how many places came back.

    Tidying only: no sale waits for it, since the next buyer reclaims what he needs. A session that somebody has
    locked is skipped; the next run, or that somebody, will do it.
    """
    total, after = capacity.sweep_lapsed()
    while after is not None:
        places, after = capacity.sweep_lapsed(after=after)
        total += places
    return total


def recalculate_capacity(*, session_id: UUID) -> capacity.Drift:
    """Recount a session's places from its reservations; repair the counters and report the drift."""
    return capacity.recount(session_id=session_id)
