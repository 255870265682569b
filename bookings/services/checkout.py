"""From a basket, or from lines, to a confirmed booking: places, booking, lines and fact in one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from django.db import transaction

from bookings.models import Booking, Customer, Line, LineParticipant, Participant
from bookings.services import duplicates, lifecycle
from config.kit import idempotency
from config.kit.clock import database_now
from config.kit.facts import Actor
from config.kit.idempotency import Claim
from config.kit.ids import uuid7
from config.kit.refusals import FieldError, InvalidRequest, NotFound, Refusal, invalid
from config.kit.retries import retry_on_deadlock
from payments.methods import PaymentMethod, settling_method
from scheduling.availability import REASONS
from scheduling.models import Activity, Reservation, Session
from scheduling.services import capacity, reservations
from scheduling.services.reservations import Party


class TotalDiffers(Refusal):
    """The customer was shown another total; compared, never believed."""

    code, title = "total_differs", "The price is not the one that you were shown"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who comes: known already by id, or new by name."""

    id: UUID | None = None
    name: str = ""
    birth_date: date | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """Who books."""

    email: str
    name: str
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A line as asked for: a party of one session, and who they are."""

    party: Party
    participants: tuple[Person, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """How it is paid for, the total the customer was shown, and whether a second booking of the same is meant."""

    payment_method: str | None = None
    expected_total: int | None = None  # minor units
    confirm_duplicate: bool = False


@dataclass(frozen=True, slots=True)
class _Deal:
    """What is about to be booked: reservations under lock, and the people on each."""

    reservations: Sequence[Reservation]
    people: Sequence[tuple[Person, ...]] = field(default_factory=tuple)

    @property
    def total_minor(self) -> int:
        return sum(reservation.amount_minor for reservation in self.reservations)


@duplicates.leave_a_trace
@retry_on_deadlock
@transaction.atomic
def book_lines(
    *, lines: Sequence[Wanted], contact: Contact, terms: Terms, actor: Actor, organization_id: UUID | None = None,
    claim: Claim | None = None,
) -> Booking:  # fmt: skip
    """Take places for every line and confirm them as one booking, or change nothing.

    The sessions' organization is the booking's; lines of two organizations are refused, and so is what this address
    has booked for the same people already (DuplicateBooking), unless the terms say that it is meant.
    """
    booking_id = uuid7()
    owner = _owner([line.party.session_id for line in lines], organization_id)
    prior = idempotency.record(claim, organization_id=owner, effect_id=booking_id)
    if prior:
        return Booking.objects.get(id=prior)
    held = reservations.reserve_parties([line.party for line in lines], email=contact.email, organization_id=owner)
    deal = _Deal(held, [line.participants for line in lines])
    return _confirm(deal, booking_id=booking_id, contact=contact, terms=terms, actor=actor)


@duplicates.leave_a_trace
@retry_on_deadlock
@transaction.atomic
def book_basket(*, basket: UUID, contact: Contact, terms: Terms, actor: Actor, claim: Claim | None = None) -> Booking:
    """Confirm every held reservation of a basket as one booking, or change nothing.

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
    sessions = capacity.lock_sessions(session_id for _, session_id, _ in found)
    _require_taking_place(sessions.values())
    held = capacity.lock_reservations(reservation_id for reservation_id, _, _ in found)
    now = database_now()
    for reservation in held:
        reservations.check_held(reservation, at=now)
    return _confirm(_Deal(held), booking_id=booking_id, contact=contact, terms=terms, actor=actor)


def confirm_reservation(
    *, reservation_id: UUID, contact: Contact, actor: Actor, confirm_duplicate: bool = False,
    claim: Claim | None = None,
) -> Booking:  # fmt: skip
    """Confirm a reservation's whole basket; free, or paid on arrival where that is allowed, else PaymentRequired."""
    basket = Reservation.objects.filter(id=reservation_id).values_list("basket", flat=True).first()
    if basket is None:
        raise NotFound
    terms = Terms(confirm_duplicate=confirm_duplicate)
    return book_basket(basket=basket, contact=contact, terms=terms, actor=actor, claim=claim)


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


def _require_taking_place(sessions: Iterable[Session]) -> None:
    """Refuse to book what does not take place any more; a session that was only closed keeps its promise to holders."""
    over = [s for s in sessions if s.status in (Session.Status.CANCELLED, Session.Status.COMPLETED)]
    if over:
        raise reservations.NotBookable(REASONS["cancelled"], extra={"session": over[0].id, "reasons": ["cancelled"]})


def _confirm(deal: _Deal, *, booking_id: UUID, contact: Contact, terms: Terms, actor: Actor) -> Booking:
    """Write customer, booking and lines, confirm the places, and say so in a fact."""
    booking = _write_booking(deal, booking_id, contact, terms)
    lifecycle.record_event(booking, kind="booking_started", to_status=booking.status, actor=actor)
    lines = _lines(booking, deal, contact)
    twins = duplicates.write_lines(lines, confirmed=terms.confirm_duplicate)
    _write_participants(booking, lines, deal)
    duplicates.record_overrides(booking, lines, twins, actor=actor)
    capacity.confirm_places(deal.reservations, at=database_now())
    lifecycle.transition(
        booking, to=Booking.Status.CONFIRMED, kind="booking_confirmed", actor=actor,
        after={
            "reservations": [str(reservation.id) for reservation in deal.reservations],
            "total_minor": booking.total_minor,
            "currency": booking.currency,
        },
    )  # fmt: skip
    return booking


def _write_booking(deal: _Deal, booking_id: UUID, contact: Contact, terms: Terms) -> Booking:
    method = _settle(deal, terms)
    first = deal.reservations[0]
    customer = _customer(first.organization_id, contact)
    return Booking.objects.create(
        id=booking_id, organization_id=first.organization_id, customer=customer, contact_name=contact.name,
        contact_phone=contact.phone, payment_method=method, currency=first.currency, total_minor=deal.total_minor,
    )  # fmt: skip


def _settle(deal: _Deal, terms: Terms) -> PaymentMethod:
    """Return how it is settled, or refuse: another total, two currencies, or money that must come first."""
    currencies = {reservation.currency for reservation in deal.reservations}
    if len(currencies) > 1:
        raise invalid("lines", "several_currencies", "One booking is in one currency.")
    if terms.expected_total not in (None, deal.total_minor):
        raise TotalDiffers(
            f"The total is {deal.total_minor}, not {terms.expected_total} (in minor units of {currencies.pop()}).",
            extra={"total_minor": deal.total_minor},
        )
    session_ids = [reservation.session_id for reservation in deal.reservations]
    on_arrival = not Activity.objects.filter(sessions__in=session_ids, pay_on_arrival=False).exists()
    return settling_method(chosen=terms.payment_method, total_minor=deal.total_minor, on_arrival_allowed=on_arrival)


def _customer(organization_id: UUID, contact: Contact) -> Customer:
    """Return the organization's customer with this address; what a stranger types changes no known record."""
    customer, _ = Customer.objects.get_or_create(
        organization_id=organization_id, email=contact.email, defaults={"name": contact.name, "phone": contact.phone}
    )
    return customer


def _lines(booking: Booking, deal: _Deal, contact: Contact) -> list[Line]:
    """Return one line per reservation, not yet written."""
    names = _names_by_reservation(deal)
    return [
        Line(
            organization_id=booking.organization_id, booking=booking, session_id=reservation.session_id,
            reservation=reservation, party_size=reservation.party_size, amount_minor=reservation.amount_minor,
            quote=reservation.quote,
            duplicate_key=duplicates.duplicate_key(
                session_id=reservation.session_id, email=contact.email, people=people
            ),
        )
        for reservation, people in zip(deal.reservations, names, strict=True)
    ]  # fmt: skip


def _names_by_reservation(deal: _Deal) -> list[list[str]]:
    """Return who comes on each reservation, by name, whether named now or known by id."""
    ids = [person.id for people in deal.people for person in people if person.id]
    known = dict(Participant.objects.filter(id__in=ids).values_list("id", "name")) if ids else {}
    people_of = deal.people or [()] * len(deal.reservations)
    return [[known.get(person.id, "") if person.id else person.name for person in people] for people in people_of]


def _write_participants(booking: Booking, lines: Sequence[Line], deal: _Deal) -> None:
    """Write who comes on each line."""
    if not any(deal.people):
        return
    errors = list(_wrong_people(booking.customer, deal))
    if errors:
        raise InvalidRequest("Some of the people named cannot come on this booking.", errors=errors)
    for line, people in zip(lines, deal.people, strict=True):
        new = [
            Participant(
                organization_id=booking.organization_id, customer=booking.customer, name=person.name,
                birth_date=person.birth_date,
            )
            for person in people
            if person.id is None
        ]  # fmt: skip
        Participant.objects.bulk_create(new)
        known = [person.id for person in people if person.id]
        LineParticipant.objects.bulk_create(
            LineParticipant(organization_id=booking.organization_id, line=line, participant_id=participant_id)
            for participant_id in [*known, *(participant.id for participant in new)]
        )


def _wrong_people(customer: Customer, deal: _Deal) -> "list[FieldError]":
    """Name every participant who is not the customer's own, and every line with more people than its party."""
    asked = [person.id for people in deal.people for person in people if person.id]
    own = set(Participant.objects.filter(customer=customer, id__in=asked).values_list("id", flat=True))
    errors = []
    for number, (reservation, people) in enumerate(zip(deal.reservations, deal.people, strict=True)):
        path = f"lines.{number}.participants"
        if len(people) > reservation.party_size:
            errors.append(FieldError(path, "too_many", f"{len(people)} people do not fit {reservation.party_size}."))
        errors += [
            FieldError(f"{path}.{place}.id", "unknown_participant", "This is not a participant of this customer.")
            for place, person in enumerate(people)
            if person.id and person.id not in own
        ]
    return errors
