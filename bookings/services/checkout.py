"""From a basket, or from lines, to a confirmed booking: places, booking, lines and fact in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from django.db import transaction

from bookings.models import Booking, Customer, Line, LineParticipant, Participant
from bookings.orders import Contact, Person, Terms, Wanted
from bookings.services import amendments, attempts, customers, duplicates, lifecycle, line_rows, waitlist_offers
from bookings.services.validation import Order, TotalDiffers, Verdict, validate_booking
from config.kit import idempotency
from config.kit.clock import database_now
from config.kit.facts import Actor
from config.kit.idempotency import Claim
from config.kit.ids import uuid7
from config.kit.refusals import NotFound, invalid
from config.kit.retries import retry_on_deadlock
from scheduling import limits
from scheduling.models import Reservation, Session
from scheduling.services import capacity, events, reservations
from scheduling.services.handing_on import handing_on

__all__ = [
    "Contact", "Person", "Terms", "TotalDiffers", "Wanted", "book_basket", "book_lines", "confirm_reservation",
    "customer_of",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Deal:
    """What is about to be booked: reservations under lock, found to be right."""

    reservations: Sequence[Reservation]
    order: Order
    verdict: Verdict

    @property
    def total_minor(self) -> int:
        return sum(reservation.amount_minor for reservation in self.reservations)


@attempts.leave_an_attempt
@duplicates.leave_a_trace
@handing_on
@retry_on_deadlock
@transaction.atomic
def book_lines(
    *, lines: Sequence[Wanted], contact: Contact, terms: Terms, actor: Actor, organization_id: UUID | None = None,
    claim: Claim | None = None, overbook_reason: str = "",
) -> Booking:  # fmt: skip
    """Take places for every line and confirm them as one booking, or change nothing.

    A reason to overbook, given by a person whom the caller found to be permitted, books beyond the capacity where
    places are short: honoured, marked on the reservation, and a fact of the activity.

    Refuses with everything that stands against it at once (validation.py): lines of two organizations, no room,
    another total; and with DuplicateBooking what this address has booked for the same people already, unless the terms
    say that it is meant.
    """
    booking_id = uuid7()
    owner = _owner([line.party.session_id for line in lines], organization_id)
    prior = idempotency.record(claim, organization_id=owner, effect_id=booking_id)
    if prior:
        return Booking.objects.get(id=prior)
    capacity.reclaim_lapsed(capacity.lock_sessions(line.party.session_id for line in lines))
    order = Order(
        contact, terms, lines=lines, organization_id=owner, overbook=bool(overbook_reason), asked_by=actor.kind,
        look=duplicates.look_under_lock,
    )  # fmt: skip
    verdict = validate_booking(order)
    verdict.require()
    assessed = [line.assessed for line in verdict.lines if line.assessed]
    held = reservations.reserve_assessed(assessed, email=contact.email, overbook=bool(overbook_reason))
    _say_what_is_beyond(held, actor, overbook_reason)
    return _confirm(_Deal(held, order, verdict), booking_id=booking_id, actor=actor)


@attempts.leave_an_attempt
@duplicates.leave_a_trace
@retry_on_deadlock
@transaction.atomic
def book_basket(
    *, basket: UUID, contact: Contact, terms: Terms, actor: Actor,
    people: Mapping[UUID, tuple[Person, ...]] | None = None, claim: Claim | None = None,
) -> Booking:  # fmt: skip
    """Confirm every held reservation of a basket as one booking, or change nothing; `people` come by reservation.

    Refuses with ReservationLapsed when one of them is over: the basket is bought whole; and with DuplicateBooking.
    """
    booking_id = uuid7()
    rows = Reservation.objects.of_basket(basket).exclude(status=Reservation.Status.RELEASED)
    found = list(rows.values_list("id", "session_id", "organization_id"))
    if not found:
        raise NotFound
    owner = _one_owner({organization_id for _, _, organization_id in found})
    prior = idempotency.record(claim, organization_id=owner, effect_id=booking_id)
    if prior:
        return Booking.objects.get(id=prior)
    capacity.lock_sessions(session_id for _, session_id, _ in found)
    held = capacity.lock_reservations(reservation_id for reservation_id, _, _ in found)
    order = Order(
        contact, terms, held=held, held_people=people or {}, asked_by=actor.kind, look=duplicates.look_under_lock
    )
    verdict = validate_booking(order)
    verdict.require()
    booking = _confirm(_Deal(held, order, verdict), booking_id=booking_id, actor=actor)
    waitlist_offers.convert_offers(held, booking, actor=actor)
    return booking


def confirm_reservation(
    *, reservation_id: UUID, contact: Contact, actor: Actor, confirm_duplicate: bool = False,
    people: Mapping[UUID, tuple[Person, ...]] | None = None, claim: Claim | None = None,
) -> Booking:  # fmt: skip
    """Confirm a reservation's whole basket; free, or paid on arrival where that is allowed, else PaymentRequired."""
    basket = Reservation.objects.filter(id=reservation_id).values_list("basket", flat=True).first()
    if basket is None:
        raise NotFound
    terms = Terms(confirm_duplicate=confirm_duplicate)
    return book_basket(basket=basket, contact=contact, terms=terms, actor=actor, people=people, claim=claim)


def _say_what_is_beyond(held: Iterable[Reservation], actor: Actor, reason: str) -> None:
    """Write a fact about each reservation beyond its session's capacity, with the reason beside it."""
    person = replace(actor, detail={**actor.detail, "note": reason})
    for reservation in held:
        if reservation.overbooked:
            events.record_schedule_event(
                organization_id=reservation.organization_id, activity_id=reservation.session.activity_id,
                session_id=reservation.session_id, kind="session_overbooked", actor=person,
                after={"reservation": str(reservation.id), "places": reservation.places},
            )  # fmt: skip


# Under the locks --------------------------------------------------------------------------------------------------


def _owner(session_ids: Sequence[UUID], organization_id: UUID | None) -> UUID:
    """Return the organization that owns every one of the sessions, or raise NotFound or InvalidRequest."""
    owners = dict(Session.objects.filter(id__in=session_ids).values_list("id", "organization_id"))
    missing = [session_id for session_id in session_ids if session_id not in owners]
    if missing or organization_id not in (None, *owners.values()):
        raise NotFound
    return _one_owner(set(owners.values()))


def _one_owner(owners: set[UUID]) -> UUID:
    if len(owners) > 1:
        raise invalid("lines", "several_organizations", "One booking is for sessions of one organization.")
    return next(iter(owners))


def _confirm(deal: _Deal, *, booking_id: UUID, actor: Actor) -> Booking:
    """Write customer, booking and lines, confirm the places, and say so in a fact."""
    booking, terms = _write_booking(deal, booking_id), deal.order.terms
    lifecycle.record_event(booking, kind="booking_started", to_status=booking.status, actor=actor)
    lines, twins = _lines(booking, deal), deal.verdict.twins
    duplicates.write_lines(lines, twins)
    _write_participants(booking, lines, deal)
    duplicates.record_overrides(booking, lines, twins, actor=amendments.with_note(actor, terms.duplicate_reason))
    capacity.confirm_places(deal.reservations, at=database_now())
    lifecycle.transition(
        booking, to=Booking.Status.CONFIRMED, kind="booking_confirmed", actor=actor,
        after={
            "reservations": [str(reservation.id) for reservation in deal.reservations],
            "lines": [line_rows.placed(line) for line in lines],  # what the time machine begins with
            "customer": str(booking.customer_id),
            "total_minor": booking.total_minor,
            "currency": booking.currency,
        },
    )  # fmt: skip
    attempts.record_booked(booking, lines, actor=actor, email=deal.order.contact.email)
    limits.let_go_on_commit([reservation.id for reservation in deal.reservations], is_bought=True)
    return booking


def _write_booking(deal: _Deal, booking_id: UUID) -> Booking:
    first, contact, method = deal.reservations[0], deal.order.contact, deal.verdict.method
    assert method  # noqa: S101 the verdict is without fault
    customer = customer_of(first.organization_id, contact)
    return Booking.objects.create(
        id=booking_id, organization_id=first.organization_id, customer=customer, contact_name=contact.name,
        contact_phone=contact.phone, payment_method=method, currency=first.currency,
        total_minor=deal.total_minor,
    )  # fmt: skip


def customer_of(organization_id: UUID, contact: Contact) -> Customer:
    """Return the organization's customer with this address, kept from being erased meanwhile."""
    return customers.customer_of(organization_id, email=contact.email, name=contact.name, phone=contact.phone)


def _lines(booking: Booking, deal: _Deal) -> list[Line]:
    """Return one line per reservation, not yet written."""
    return [
        Line(
            organization_id=booking.organization_id, booking=booking, session_id=reservation.session_id,
            reservation=reservation, party_size=reservation.party_size, amount_minor=reservation.amount_minor,
            quote=reservation.quote, duplicate_key=key,
        )
        for reservation, key in zip(deal.reservations, deal.verdict.keys, strict=True)
    ]  # fmt: skip


def _write_participants(booking: Booking, lines: Sequence[Line], deal: _Deal) -> None:
    """Write who comes on each line."""
    for line, people in zip(lines, deal.order.people, strict=True):
        new = [customers.new_participant(booking.customer, person) for person in people if person.id is None]
        known = [person.id for person in people if person.id]
        if people:
            Participant.objects.bulk_create(new)
            LineParticipant.objects.bulk_create(
                LineParticipant(organization_id=booking.organization_id, line=line, participant_id=participant_id)
                for participant_id in [*known, *(participant.id for participant in new)]
            )
