"""Reserve, extend and release places: the hold's life until it is confirmed or over."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F

from config.kit import idempotency
from config.kit.clock import database_now
from config.kit.idempotency import Claim
from config.kit.ids import uuid7
from config.kit.refusals import InvalidRequest, NotFound, Refusal
from config.kit.retries import retry_on_deadlock
from scheduling import limits
from scheduling.models import Reservation, Session
from scheduling.services import capacity, extras
from scheduling.services.alternatives import naming_alternatives, with_alternatives
from scheduling.services.assessing import Assessed, NotEnoughPlaces, Party, agreed, assess_parties, refusal_for, too_few
from scheduling.services.handing_on import handing_on

EXTENSION = timedelta(minutes=3)  # once: what paying, or one click, adds


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
        refusal = too_few(max(seen.room + seen.lapsed, 0), seen.earliest_lapse)
        raise with_alternatives(refusal, session_id=seen.session, party_size=party_size)
    return None


def _replay(reservation_id: UUID) -> Reservation:
    return Reservation.objects.get(id=reservation_id)


@naming_alternatives(lambda parties, **_: parties)
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
    return [_reserve(deal, email=email, basket=basket, overbook=overbook) for deal in agreed(assessed)]


def _check_basket(basket: UUID, organizations: set[UUID]) -> None:
    """Refuse what could never be bought together: a basket is one organization's, and bought once."""
    members = Reservation.objects.filter(basket=basket).values_list("organization_id", "status")
    if any(status == Reservation.Status.CONFIRMED for _, status in members):
        raise BasketClosed("What is in this basket is booked already. Please begin a new one.")
    if len(organizations | {organization_id for organization_id, _ in members}) > 1:
        raise BasketClosed("A basket is for sessions of one organization. Please begin a new one.")


def _is_there(session: Session | None, organization_id: UUID | None) -> bool:
    return session is not None and organization_id in (None, session.organization_id)


def _reserve(deal: Assessed, *, email: str, basket: UUID, overbook: bool) -> Reservation:
    session, quote, activity = deal.session, deal.price, deal.offer.activity
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
        deal = agreed(assess_parties([party], {session.id: session}, at=database_now()))[0]
    except InvalidRequest:
        return None
    quote, activity = deal.price, deal.offer.activity
    if quote.places != places or not capacity.take_places(session_id=session.id, places=places, for_waiter=True):
        return None
    at = database_now()
    return Reservation.objects.create(
        organization_id=session.organization_id, session=session, party_size=quote.party_size, places=places,
        email=email, currency=activity.currency, amount_minor=quote.amount_minor, quote=quote.lines, held_at=at,
        expires_at=min(at + timedelta(minutes=activity.offer_minutes), session.closes_at), extended=True,
    )  # fmt: skip


def hold_again(ended: Reservation) -> Reservation | None:
    """Take the places of an ended hold anew, in its locked session, as they were quoted; None when they are gone.

    For whoever has paid for them meanwhile. Those who wait come first, and a session that is closed stays closed.
    """
    try:
        with transaction.atomic():  # extras that are gone give the places back
            if not capacity.take_places(session_id=ended.session_id, places=ended.places):
                return None
            at = database_now()
            reservation = Reservation.objects.create(
                organization_id=ended.organization_id, session_id=ended.session_id, basket=ended.basket,
                party_size=ended.party_size, places=ended.places, email=ended.email, currency=ended.currency,
                amount_minor=ended.amount_minor, quote=ended.quote, held_at=at, expires_at=at + EXTENSION,
                extended=True,
            )  # fmt: skip
            extras.take_extras(reservation)
            return reservation
    except extras.NotEnoughExtras:
        return None


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
        raise refusal or too_few(0, None, session_id)
    return False


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
