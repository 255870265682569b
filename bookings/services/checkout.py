"""From a basket, or from lines, to a booking, confirmed or waiting for its money: all of it in one transaction."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import ParamSpec
from uuid import UUID

from django.db import transaction

from bookings.models import Booking, Line, LineParticipant, Participant
from bookings.orders import Contact, Person, Terms, Wanted
from bookings.services import (
    amendments,
    attempts,
    begun,
    confirmation,
    customers,
    duplicates,
    lifecycle,
    promo_codes,
)  # fmt: skip
from bookings.services.validation import Order, TotalDiffers, Verdict, validate_booking
from config.kit import idempotency
from config.kit.clock import database_now
from config.kit.facts import Actor
from config.kit.idempotency import Claim
from config.kit.ids import uuid7
from config.kit.refusals import NotFound, invalid
from config.kit.retries import retry_on_deadlock
from payments.methods import PaymentMethod, PaymentRequired
from scheduling.models import Reservation, Session
from scheduling.services import capacity, events, reservations
from scheduling.services.alternatives import naming_alternatives
from scheduling.services.handing_on import handing_on

__all__ = [
    "Contact", "Person", "Terms", "TotalDiffers", "Wanted", "book_basket", "book_lines", "confirm_reservation",
]  # fmt: skip


P = ParamSpec("P")
TRIES = 3


@dataclass(frozen=True, slots=True)
class _Deal:
    """What is about to be booked: sessions and reservations under lock, found to be right."""

    sessions: Mapping[UUID, Session]
    reservations: Sequence[Reservation]
    order: Order
    verdict: Verdict


def _again_when_begun_meanwhile(act: Callable[P, Booking]) -> Callable[P, Booking]:
    """Look again when a second click was a moment faster: what it began is found then, and goes on."""

    @functools.wraps(act)
    def again(*args: P.args, **kwargs: P.kwargs) -> Booking:
        for _ in range(TRIES - 1):
            with suppress(begun.BegunMeanwhile):
                return act(*args, **kwargs)
        return act(*args, **kwargs)

    return again


@attempts.leave_an_attempt
@duplicates.leave_a_trace
@naming_alternatives(lambda *, lines, **_: [line.party for line in lines])
@handing_on
@retry_on_deadlock
@transaction.atomic
def book_lines(
    *, lines: Sequence[Wanted], contact: Contact, terms: Terms, actor: Actor, organization_id: UUID | None = None,
    claim: Claim | None = None, overbook_reason: str = "",
) -> Booking:  # fmt: skip
    """Take places for every line and book them as one booking, or change nothing.

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
    sessions = capacity.lock_sessions(line.party.session_id for line in lines)
    capacity.reclaim_lapsed(sessions)
    order = Order(
        contact, terms, lines=lines, organization_id=owner, overbook=bool(overbook_reason), asked_by=actor.kind,
        look=duplicates.look_under_lock,
    )  # fmt: skip
    verdict = validate_booking(order)
    verdict.require()
    assessed = [line.assessed for line in verdict.lines if line.assessed]
    held = reservations.reserve_assessed(assessed, email=contact.email, overbook=bool(overbook_reason))
    _say_what_is_beyond(held, actor, overbook_reason)
    return _book(_Deal(sessions, held, order, verdict), booking_id=booking_id, actor=actor)


@attempts.leave_an_attempt
@duplicates.leave_a_trace
@_again_when_begun_meanwhile
@retry_on_deadlock
@transaction.atomic
def book_basket(
    *, basket: UUID, contact: Contact, terms: Terms, actor: Actor,
    people: Mapping[UUID, tuple[Person, ...]] | None = None, claim: Claim | None = None, settled_only: bool = False,
) -> Booking:  # fmt: skip
    """Book every held reservation of a basket as one booking, or change nothing; `people` come by reservation.

    The same order again is the same booking, paid or not yet; another one takes the place of one that is not paid.
    Refuses with ReservationLapsed when one of them is over: the basket is bought whole; and with DuplicateBooking.
    With `settled_only` what would have to be paid first is refused with PaymentRequired.
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
    ids = [reservation_id for reservation_id, _, _ in found]
    before = begun.lock_begun(ids)
    sessions = capacity.lock_sessions(session_id for _, session_id, _ in found)
    held = capacity.lock_reservations(ids)
    if before and _goes_on(before, held, contact, terms, people or {}):
        return before
    if before:
        begun.leave(before, actor=actor)
    begun.require_unbegun(ids)
    order = Order(
        contact, terms, held=held, held_people=people or {}, asked_by=actor.kind, look=duplicates.look_under_lock
    )
    verdict = validate_booking(order)
    verdict.require()
    if settled_only and verdict.due_now_minor and verdict.method == PaymentMethod.ONLINE:
        raise PaymentRequired
    return _book(_Deal(sessions, held, order, verdict), booking_id=booking_id, actor=actor)


def _goes_on(
    booking: Booking, held: Sequence[Reservation], contact: Contact, terms: Terms,
    people: Mapping[UUID, tuple[Person, ...]],
) -> bool:  # fmt: skip
    """Is this basket booked already, or just this order begun?"""
    if booking.status == Booking.Status.CONFIRMED and booking.customer.email == contact.email:
        return True
    now = database_now()
    for reservation in held:
        reservations.check_held(reservation, at=now)
    return booking.status == Booking.Status.PENDING and begun.is_same(booking, held, contact, terms, people)


def confirm_reservation(
    *, reservation_id: UUID, contact: Contact, actor: Actor, confirm_duplicate: bool = False,
    people: Mapping[UUID, tuple[Person, ...]] | None = None, claim: Claim | None = None,
) -> Booking:  # fmt: skip
    """Confirm a reservation's whole basket: paid already, free, or on arrival where allowed; else PaymentRequired."""
    basket = Reservation.objects.filter(id=reservation_id).values_list("basket", flat=True).first()
    if basket is None:
        raise NotFound
    terms = Terms(confirm_duplicate=confirm_duplicate)
    return book_basket(
        basket=basket, contact=contact, terms=terms, actor=actor, people=people, claim=claim, settled_only=True
    )


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


def _book(deal: _Deal, *, booking_id: UUID, actor: Actor) -> Booking:
    """Write customer, booking and lines; confirm what is settled, let the rest wait for its money."""
    booking, terms, verdict = _write_booking(deal, booking_id), deal.order.terms, deal.verdict
    waits = verdict.method == PaymentMethod.ONLINE
    lines, twins = _lines(booking, deal, waits=waits), verdict.twins
    duplicates.write_lines(lines, {} if waits else twins)
    started = confirmation.told(booking, lines) if waits else {}  # what is confirmed at once says it then
    lifecycle.record_event(booking, kind="booking_started", to_status=booking.status, actor=actor, after=started)
    _write_participants(booking, lines, deal)
    attempts.record_booked(booking, lines, actor=actor, email=deal.order.contact.email)
    if verdict.promo:
        promo_codes.take_promo_use(verdict.promo, booking, amount_minor=verdict.discount_minor)
    if waits:
        begun.await_money(booking, deal.reservations, verdict, actor=actor, email=deal.order.contact.email)
    else:
        by_name = amendments.with_note(actor, terms.duplicate_reason)
        duplicates.record_overrides(booking, lines, twins, actor=by_name)
        confirmation.confirm(booking, lines, deal.reservations, deal.sessions, actor=actor)
        begun.take_voucher(booking, verdict, actor=actor)
    return booking


def _write_booking(deal: _Deal, booking_id: UUID) -> Booking:
    first, contact, verdict = deal.reservations[0], deal.order.contact, deal.verdict
    assert verdict.method and verdict.total_minor is not None  # noqa: S101, PT018 the verdict is without fault
    customer = customers.customer_of(first.organization_id, contact)
    return Booking.objects.create(
        id=booking_id, organization_id=first.organization_id, customer=customer, contact_name=contact.name,
        contact_phone=contact.phone, payment_method=verdict.method, currency=first.currency,
        total_minor=verdict.total_minor, deposit_minor=verdict.deposit_minor, balance_due_at=verdict.balance_due_at,
    )  # fmt: skip


def _lines(booking: Booking, deal: _Deal, *, waits: bool) -> list[Line]:
    """Return one line per reservation, not yet written; what waits for its money is in nobody's way as a duplicate."""
    return [
        Line(
            organization_id=booking.organization_id, booking=booking, session_id=reservation.session_id,
            reservation=reservation, party_size=reservation.party_size, amount_minor=reservation.amount_minor,
            quote=reservation.quote, terms=line.terms, discount_minor=line.discount_minor,
            duplicate_key="" if waits else key,
        )
        for reservation, line, key in zip(deal.reservations, deal.verdict.lines, deal.verdict.keys, strict=True)
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
