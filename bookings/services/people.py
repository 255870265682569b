"""Who comes on a booked line, and whose the booking is.

Handing over takes no place and gives none back, so it works when everything is sold out. The links of the one who gave
it away are dead from then on: their tokens are of an older version.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from bookings.consent import consent_errors
from bookings.models import Booking, Customer, Line, LineParticipant, Participant
from bookings.orders import Contact, Person
from bookings.policies import Act, Consequence
from bookings.services import amendments, customers, duplicates, lifecycle, line_rows
from bookings.services.amendments import Case, ChangeNotAllowed, money_of
from config.kit import idempotency
from config.kit.clock import database_now
from config.kit.facts import Actor
from config.kit.idempotency import Claim
from config.kit.refusals import FieldError, InvalidRequest, invalid
from config.kit.retries import retry_on_deadlock

# Who comes --------------------------------------------------------------------------------------------------------


@duplicates.leave_a_trace
@retry_on_deadlock
@transaction.atomic
def change_participants(
    *, line_id: UUID, participants: Sequence[Person], actor: Actor, reason_code: str = "", version: int | None = None,
    confirm_duplicate: bool = False, claim: Claim | None = None,
) -> Booking:  # fmt: skip
    """Say anew who comes on a line: the customer's own people by id, new ones by name. The same again is harmless.

    Refuses with NotFound, VersionMoved, ChangeNotAllowed, DuplicateBooking and InvalidRequest: more people than are
    booked, or somebody else's people.
    """
    booking = lifecycle.lock_booking(amendments.booking_of(line_id))
    if idempotency.prior_effect(claim):
        return booking
    case = amendments.open_case(booking, actor, reason_code=reason_code, version=version, claim=claim)
    line = amendments.live_line(case, line_id)
    amendments.require_allowed(preview(case, Act.NAME_PEOPLE, [line]))
    before = [str(person.id) for person in line.people]
    people = _people(case.booking, line, participants)
    if {str(person.id) for person in people} == set(before):
        return booking
    names = [person.name for person in people]
    key, twin = line_rows.key_under_lock(line, line.session_id, people=names, confirmed=confirm_duplicate)
    _link(line, people)
    line_rows.write(line, duplicate_key=key, duplicate_override_of=twin)
    lifecycle.amend(booking)
    amendments.record(
        case, "participants_changed", preview(case, Act.NAME_PEOPLE, []),
        before={"line": str(line.id), "participants": before},
        after={"line": str(line.id), "participants": [str(person.id) for person in people]},
    )  # fmt: skip
    line_rows.record_override(line, actor=actor)
    return booking


def preview(case: Case, act: Act, lines: Sequence[Line]) -> Consequence:
    """Return the consequence of what costs nothing and moves no place: whether the terms allow it."""
    return case.consequence(map(money_of, case.lines), obstacles=case.obstacles(act, lines))


def preview_participants(booking: Booking, line_id: UUID, actor: Actor) -> Consequence:
    """Say whether the people of a line can be named anew; nothing is locked or changed."""
    case = amendments.read_case(booking, actor)
    return preview(case, Act.NAME_PEOPLE, [amendments.live_line(case, line_id)])


def preview_transfer(booking: Booking, actor: Actor) -> Consequence:
    """Say whether a booking can be handed over; nothing is locked or changed."""
    case = amendments.read_case(booking, actor)
    amendments.require_confirmed(case)
    return preview(case, Act.TRANSFER, case.live)


def _people(booking: Booking, line: Line, asked: Sequence[Person]) -> list[Participant]:
    """Return the participants that are meant, new ones written; or refuse with everything that is wrong."""
    known = {row.id: row for row in Participant.objects.filter(customer=booking.customer_id)}
    errors = [
        FieldError(f"participants.{place}.id", "unknown_participant", "This is not a participant of this customer.")
        for place, person in enumerate(asked)
        if person.id and person.id not in known
    ]
    if len(asked) > line.party_size:
        words = f"{len(asked)} people do not fit a party of {line.party_size}."
        errors.append(FieldError("participants", "too_many", words))
    on = line.session.starts_at.astimezone(line.session.activity.venue.zone).date()
    errors += consent_errors(
        [known.get(person.id, person) if person.id else person for person in asked], on,
        booking.organization.consent_under_age,
    )  # fmt: skip
    if errors:
        raise InvalidRequest(" ".join(dict.fromkeys(error.detail for error in errors)), errors=errors)
    new = {place: _new(booking, person) for place, person in enumerate(asked) if person.id is None}
    Participant.objects.bulk_create(new.values())
    return [new[place] if person.id is None else known[person.id] for place, person in enumerate(asked)]


def _new(booking: Booking, person: Person) -> Participant:
    return customers.new_participant(booking.customer, person)


def _link(line: Line, people: Sequence[Participant]) -> None:
    """Link a line to these people: who comes no more is marked so, and who comes again comes again."""
    wanted = {person.id for person in people}
    links = {link.participant_id: link for link in line.links.all()}
    _mark(line, [link.id for who, link in links.items() if who not in wanted and not link.left_at], database_now())
    _mark(line, [link.id for who, link in links.items() if who in wanted and link.left_at], None)
    LineParticipant.objects.bulk_create(
        LineParticipant(organization_id=line.organization_id, line=line, participant=person)
        for person in people
        if person.id not in links
    )


def _mark(line: Line, link_ids: Sequence[UUID], left_at: datetime | None) -> None:
    if link_ids:
        LineParticipant.objects.filter(line=line, id__in=link_ids).update(left_at=left_at)


# Whose it is ------------------------------------------------------------------------------------------------------


@retry_on_deadlock
@transaction.atomic
def transfer_booking(
    *, booking_id: UUID, contact: Contact, actor: Actor, reason_code: str = "", version: int | None = None,
    claim: Claim | None = None,
) -> Booking:  # fmt: skip
    """Hand a whole booking over to somebody else at once, by their address and name, as the venue alone may.

    No place moves, the old links are dead. Both are told by the fact, which names both customers. Refuses with
    NotFound, VersionMoved, ChangeNotAllowed (a customer among others, who offers it: `transfers.offer_transfer`),
    IllegalTransition, and InvalidRequest when it is theirs already.
    """
    if actor.kind not in amendments.VENUE:
        raise ChangeNotAllowed("The other person has to agree first.", extra={"reasons": ["consent_missing"]})
    booking = lifecycle.lock_booking(booking_id)
    if idempotency.prior_effect(claim):
        return booking
    case = amendments.open_case(booking, actor, reason_code=reason_code, version=version, claim=claim)
    return hand_over(case, contact, require_transferable(case, contact))


def require_transferable(case: Case, contact: Contact) -> Consequence:
    """Return what it comes to that this person gets a booking, or refuse."""
    amendments.require_confirmed(case)
    consequence = preview(case, Act.TRANSFER, case.live)
    amendments.require_allowed(consequence)
    if case.booking.customer.email == contact.email:
        raise invalid("email", "same_customer", "The booking is theirs already.")
    return consequence


def hand_over(case: Case, contact: Contact, consequence: Consequence, **after: str) -> Booking:
    """Give a locked booking to somebody, with the fact; the caller has seen to it that it may be."""
    booking = case.booking
    before = {"customer": str(booking.customer_id)}
    customer = customers.customer_of(booking.organization_id, contact)
    _give(case, customer, contact)
    after |= {"customer": str(customer.id)}
    amendments.record(case, "booking_transferred", consequence, before=before, after=after)
    for line in case.live:
        line_rows.record_override(line, actor=case.actor)
    return booking


def _give(case: Case, customer: Customer, contact: Contact) -> None:
    """Make the booking the new customer's: its contact, its tokens, its people, its keys of duplicates."""
    lifecycle.amend(
        case.booking, customer=customer, contact_name=contact.name, contact_phone=contact.phone,
        language=customer.language, token_version=case.booking.token_version + 1,
    )  # fmt: skip
    for line in case.lines:
        people = _copied(line, customer)
        if line.status == Line.Status.LIVE:
            # Handing over is meant, and must not tell the one what the other has booked: a twin is noted, not refused.
            names = [person.name for person in people]
            key, twin = line_rows.key_under_lock(
                line, line.session_id, people=names, confirmed=True, email=customer.email
            )
            line_rows.write(line, duplicate_key=key, duplicate_override_of=twin)


def _copied(line: Line, customer: Customer) -> list[Participant]:
    """Let those who were named stay named, as people of the new customer: their names go along, nothing else does."""
    links = list(LineParticipant.objects.filter(line=line, left_at=None).select_related("participant").order_by("id"))
    copies = [
        Participant(organization_id=line.organization_id, customer=customer, name=link.participant.name)
        for link in links
    ]
    Participant.objects.bulk_create(copies)
    for link, copy in zip(links, copies, strict=True):
        LineParticipant.objects.filter(id=link.id).update(participant_id=copy.id)
    return copies
