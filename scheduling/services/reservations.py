"""Reserve, extend and release places: the hold's life until it is confirmed or over."""

from collections.abc import Sequence
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
from scheduling import availability
from scheduling.models import Reservation, Session, Unit
from scheduling.prices import Quote, UnitCount, quote_party
from scheduling.services import capacity

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
    units: tuple[tuple[UUID, int], ...] = ()


# Reserve ----------------------------------------------------------------------------------------------------------


def reserve_slot(
    *, session_id: UUID, party_size: int, email: str, basket: UUID | None = None, organization_id: UUID | None = None,
    claim: Claim | None = None,
) -> Reservation:  # fmt: skip
    """Hold places of one session, counted in its default unit, for its activity's hold time (10 minutes).

    The plain hold is one statement; when it cannot tell, the slow path locks, reclaims and decides. Refuses with
    NotFound, NotBookable or NotEnoughPlaces; the same claim again returns the reservation it made.
    """
    party = Party(session_id=session_id, party_size=party_size)
    if basket:  # others are in it: the slow path looks at them
        return reserve_parties([party], email=email, basket=basket, organization_id=organization_id, claim=claim)[0]
    try:
        answer = capacity.hold_places(
            session_id=session_id, places=party_size, email=email, reservation_id=uuid7(), basket=uuid7(),
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
    if seen.is_open and not seen.waiting and seen.room + seen.lapsed < party_size:
        raise _too_few(max(seen.room + seen.lapsed, 0), seen.earliest_lapse)
    return None


def _too_few(spots: int, earliest_lapse: datetime | None, session_id: UUID | None = None) -> NotEnoughPlaces:
    detail = "This session is full." if spots == 0 else f"Only {spots} of these places are left."
    extra: dict[str, Any] = {"available_spots": spots, "earliest_lapse": earliest_lapse, "alternatives": []}
    if session_id:
        extra["session"] = session_id
    return NotEnoughPlaces(detail, extra=extra)


def _replay(reservation_id: UUID) -> Reservation:
    return Reservation.objects.get(id=reservation_id)


@retry_on_deadlock
@transaction.atomic
def reserve_parties(
    parties: Sequence[Party], *, email: str, basket: UUID | None = None, organization_id: UUID | None = None,
    claim: Claim | None = None,
) -> list[Reservation]:  # fmt: skip
    """Hold places for every party, or for none: lock, reclaim, decide, take.

    Parties of several sessions are locked in ascending id order, so that crossed baskets wait for one another.
    The claim, when there is one, is for the first reservation.
    """
    sessions = capacity.lock_sessions(party.session_id for party in parties)
    capacity.reclaim_lapsed(sessions)
    prior = idempotency.prior_effect(claim)
    if prior:
        return [_replay(prior)]
    if basket:
        _check_basket(basket, {session.organization_id for session in sessions.values()})
    basket = basket or uuid7()
    reservations = [_reserve(party, sessions, email, basket, organization_id) for party in parties]
    idempotency.record(claim, organization_id=reservations[0].organization_id, effect_id=reservations[0].id)
    return reservations


def _check_basket(basket: UUID, organizations: set[UUID]) -> None:
    """Refuse what could never be bought together: a basket is one organization's, and bought once."""
    members = Reservation.objects.filter(basket=basket).values_list("organization_id", "status")
    if any(status == Reservation.Status.CONFIRMED for _, status in members):
        raise BasketClosed("What is in this basket is booked already. Please begin a new one.")
    if len(organizations | {organization_id for organization_id, _ in members}) > 1:
        raise BasketClosed("A basket is for sessions of one organization. Please begin a new one.")


def _reserve(
    party: Party, sessions: dict[UUID, Session], email: str, basket: UUID, organization_id: UUID | None
) -> Reservation:
    session = sessions.get(party.session_id)
    if session is None or organization_id not in (None, session.organization_id):
        raise NotFound
    quote = quote_of(party, session)
    if not capacity.take_places(session_id=session.id, places=quote.places):
        refusal = refusal_for(session.id, places=quote.places)
        # Booking may open between the two statements; what would fit now is taken now.
        if refusal or not capacity.take_places(session_id=session.id, places=quote.places):
            raise refusal or _too_few(0, None, session.id)
    at = database_now()
    minutes = session.activity.hold_minutes
    return Reservation.objects.create(
        organization_id=session.organization_id, session=session, basket=basket, party_size=quote.party_size,
        places=quote.places, email=email, currency=session.activity.currency, amount_minor=quote.amount_minor,
        quote=quote.lines, held_at=at, expires_at=at + timedelta(minutes=minutes),
    )  # fmt: skip


def refusal_for(session_id: UUID, *, places: int) -> Refusal | None:
    """Say why a locked session did not take these places, or None when by now it would."""
    answer = availability.check_slot_availability(session_id=session_id, party_size=places)
    blocked = [reason for reason in answer.reasons if reason not in ("full", "not_enough_places")]
    if blocked:
        return NotBookable(
            " ".join(availability.REASONS[reason] for reason in blocked),
            errors=[FieldError("session", reason, availability.REASONS[reason]) for reason in blocked],
            extra={"session": session_id, "reasons": blocked},
        )
    if answer.is_available:
        return None
    lapses = Reservation.objects.held().filter(session=session_id).order_by("expires_at").values_list("expires_at")
    first = lapses.first()
    return _too_few(answer.spots, first and first[0], session_id)


def quote_of(party: Party, session: Session) -> Quote:
    """Price a party by its units, or refuse with every unit that is wrong."""
    units = {unit.id: unit for unit in Unit.objects.filter(activity=session.activity_id)}
    counts = party.units or tuple((unit.id, party.party_size or 0) for unit in units.values() if unit.is_default)
    unknown = [
        FieldError(f"units.{position}.unit", "unknown_unit", "This activity has no such kind of participant.")
        for position, (unit_id, _) in enumerate(counts)
        if unit_id not in units
    ]
    if unknown or not counts:
        raise InvalidRequest("This activity cannot be booked for these participants.", errors=unknown)
    quote = quote_party([_count(units[unit_id], count, session) for unit_id, count in counts])
    if party.party_size not in (None, quote.party_size):
        detail = f"The units add up to {quote.party_size}, not {party.party_size}."
        raise InvalidRequest(detail, errors=[FieldError("party_size", "disagrees_with_units", detail)])
    if quote.places == 0:
        detail = "Somebody who takes a place must come along."
        raise InvalidRequest(detail, errors=[FieldError("units", "takes_no_place", detail)])
    return quote


def _count(unit: Unit, count: int, session: Session) -> UnitCount:
    own_price = session.price_minor if unit.is_default else None
    price = unit.price_minor if own_price is None else own_price
    return UnitCount(unit.id, unit.name, count, price, unit.places)


def same_party(reservation: Reservation) -> Party:
    """Return the party of a reservation, to hold its places anew."""
    units = tuple((UUID(line["unit"]), line["count"]) for line in reservation.quote)
    return Party(session_id=reservation.session_id, party_size=None, units=units)


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
