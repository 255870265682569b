"""A booking that its customer wants to hand over: offered by the one, taken over by the other. Both consent.

The venue hands over at once (`people.transfer_booking`). The newest offer counts; the first one who takes it over ends
them all, and so does whatever else gives the booking to somebody.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from bookings.models import Booking, BookingEvent
from bookings.orders import Contact
from bookings.services import amendments, lifecycle, people
from bookings.services.amendments import Case
from bookings.transfer_links import KIND, contact_of, is_offer_token, note_of
from config.kit import idempotency
from config.kit.clock import database_now
from config.kit.facts import Actor
from config.kit.idempotency import Claim
from config.kit.refusals import NotFound, Refusal
from config.kit.retries import retry_on_deadlock

LASTS = timedelta(days=7)
MOST_OFFERS = 5  # of one booking, by whoever has it, within a day: each is mail that nobody asked for


class TransferOfferOver(Refusal):
    """Taken over, or not open any more: another offer was made, the booking was cancelled, the time is over."""

    code, title = "transfer_offer_over", "This offer is over"


class TooManyOffers(Refusal):
    """The booking was offered often enough for a day."""

    code, title, status = "too_many_offers", "This booking was offered several times today", 429


@retry_on_deadlock
@transaction.atomic
def offer_transfer(
    *, booking_id: UUID, contact: Contact, actor: Actor, version: int | None = None, claim: Claim | None = None
) -> BookingEvent:
    """Offer a booking to somebody else, by their address and name, and return the fact; it changes hands later.

    The offer ends after a week, or with the first start if that is sooner: `after["expires_at"]`, ISO 8601. Refuses
    like `people.transfer_booking`, and with TooManyOffers.
    """
    booking = lifecycle.lock_booking(booking_id)
    if effect := idempotency.prior_effect(claim):
        return BookingEvent.objects.get(id=effect)
    told = replace(actor, detail={**actor.detail, "note": note_of(contact, str(actor.detail.get("note") or ""))})
    case = amendments.open_case(booking, told, version=version, claim=claim)
    consequence = people.require_transferable(case, contact)
    _require_few(case)
    lifecycle.amend(booking)
    return amendments.record(
        case, KIND, consequence, before={},
        after={"token_version": booking.token_version, "expires_at": _expires_at(case).isoformat()},
    )  # fmt: skip


def _expires_at(case: Case) -> datetime:
    return min(case.now + LASTS, *(line.session.starts_at for line in case.live))


def _require_few(case: Case) -> None:
    own = case.booking.events.filter(kind=KIND, after__token_version=case.booking.token_version)
    if own.filter(at__gt=case.now - timedelta(days=1)).count() >= MOST_OFFERS:
        raise TooManyOffers("Ask the person to look for our message, or offer it again tomorrow.")


def open_offer(*, offer_id: UUID, token: str) -> BookingEvent:
    """Return an offer that could be taken over now; nothing is locked. Refuses with NotFound or TransferOfferOver."""
    fact = _opened_by(offer_id, token)
    require_open(fact, fact.booking)
    return fact


@retry_on_deadlock
@transaction.atomic
def accept_transfer(*, offer_id: UUID, token: str, actor: Actor, version: int | None = None) -> Booking:
    """Take over what was offered, once, as it was shown: the booking is theirs, and the giver's links are dead.

    Refuses with NotFound, TransferOfferOver, VersionMoved, ChangeNotAllowed and IllegalTransition.
    """
    fact = _opened_by(offer_id, token)
    booking = lifecycle.lock_booking(fact.booking_id)
    contact = require_open(fact, booking)
    case = amendments.open_case(booking, actor, version=version)
    consequence = people.require_transferable(case, contact)
    return people.hand_over(case, contact, consequence, offer=str(fact.id))


def _opened_by(offer_id: UUID, token: str) -> BookingEvent:
    rows = BookingEvent.objects.select_related("booking__organization", "booking__customer", "detail")
    fact = rows.filter(id=offer_id, kind=KIND).first()
    if fact is None or not is_offer_token(token, fact):
        raise NotFound
    return fact


def require_open(fact: BookingEvent, booking: Booking) -> Contact:
    """Return to whom an offer is open, or raise TransferOfferOver, with words when it was taken over."""
    contact = contact_of(fact)
    if booking.events.filter(kind="booking_transferred", after__offer=str(fact.id)).exists():
        raise TransferOfferOver("It was taken over already. The link to the booking is in our message about that.")
    newest = booking.events.filter(kind=KIND).order_by("seq").last()
    is_open = (
        booking.status == Booking.Status.CONFIRMED
        and booking.token_version == fact.after["token_version"]
        and newest == fact
        and database_now() < ends_at(fact)
    )
    if contact is None or not is_open:
        raise TransferOfferOver
    return contact


def ends_at(fact: BookingEvent) -> datetime:
    """Return when an offer ends."""
    return datetime.fromisoformat(fact.after["expires_at"])
