"""What stands against a booking, all of it at once: the one set of rules of page, API, desk and checkout.

The same function answers a dry run, which locks and writes nothing, and decides in the checkout, under the sessions'
locks. What it says yes to is written; below it stand the conditional statements of capacity.py and the constraints.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from bookings.consent import consent_errors
from bookings.models import Line, Participant
from bookings.orders import Person
from bookings.services import duplicates, pricing
from bookings.services.verdicts import LineVerdict, Order, TotalDiffers, Verdict
from config.kit.clock import database_now
from config.kit.facts import ActorKind
from config.kit.refusals import FieldError, InvalidRequest, NotFound, Refusal, invalid
from config.tenants.models import Organization
from scheduling.availability import REASONS, Availability, judge, with_availability
from scheduling.models import Activity, Reservation, Session
from scheduling.services import assessing, extras, reservations
from scheduling.services.assessing import Assessed, NotBookable, NotEnoughPlaces

__all__ = ["LineVerdict", "Order", "TotalDiffers", "Verdict", "validate_booking"]

OVER = (Session.Status.CANCELLED, Session.Status.COMPLETED)


def validate_booking(order: Order) -> Verdict:
    """Say everything that stands against a booking, line by line; writes nothing and raises nothing.

    In a transaction that holds the sessions' locks, with what has lapsed reclaimed, the answer is a decision. The
    sessions, parties, extras, people and price of each line, then what pricing.py says of the whole, then duplicates.
    """
    lines = _held_lines(order) if order.held else _wanted_lines(order)
    known = _people_of(order, lines)
    lines = _with_people(order, lines, known)
    mixed = [*_mixed(lines)]
    priced = pricing.price_booking(order, lines) if not mixed else pricing.Priced(tuple(lines))
    keys = _keys(order, lines, known)
    twins = order.look(dict(zip(keys, (line.session_id for line in lines), strict=True))) if order.look else {}
    return Verdict(
        lines=priced.lines, refusals=(*mixed, *priced.refusals, *_duplicates(order, lines, keys, twins)),
        quote=priced.quote, promo=priced.promo, voucher=priced.voucher, twins=twins, keys=keys,
    )  # fmt: skip


# Lines to be taken ------------------------------------------------------------------------------------------------


def _wanted_lines(order: Order) -> list[LineVerdict]:
    ids = {line.party.session_id for line in order.lines}
    sessions = Session.objects.filter(id__in=ids).exclude(activity__status=Activity.Status.DRAFT)
    if order.organization_id:
        sessions = sessions.filter(organization=order.organization_id)
    answers = {row["id"]: judge(row) for row in with_availability(sessions)}
    known = {session.id: session for session in sessions}
    parties = [line.party for line in order.lines if line.party.session_id in known]
    assessed = iter(assessing.assess_parties(parties, known, at=database_now()))
    tally = _Tally()
    return [
        _wanted_line(order, number, next(assessed), answers[line.party.session_id], tally)
        if line.party.session_id in known
        else _unknown_line(number, line.party.session_id)
        for number, line in enumerate(order.lines)
    ]


def _unknown_line(number: int, session_id: UUID) -> LineVerdict:
    words = "There is no such session here."
    return LineVerdict(
        number, session_id, refusals=(NotFound(errors=[FieldError(f"lines.{number}.session", "not_found", words)]),)
    )


@dataclass(slots=True)
class _Tally:
    """What the lines before would take."""

    places: Counter[UUID] = field(default_factory=Counter)  # by session
    extras: Counter[tuple[UUID, UUID]] = field(default_factory=Counter)  # by session and extra


def _wanted_line(order: Order, number: int, found: Assessed, answer: Availability, tally: _Tally) -> LineVerdict:
    """Judge a line after those before it, and count what it takes."""
    session, quote, taken = found.session, found.quote, tally.places
    spots = max(answer.spots - taken[session.id], 0)
    refusals: list[Refusal] = []
    if found.errors:
        refusals.append(InvalidRequest(" ".join(error.detail for error in found.errors), errors=found.errors))
    places = quote.places if quote else 1
    short = assessing.refusal_from(answer, places=places, taken=taken[session.id])
    if short and not (order.overbook and isinstance(short, NotEnoughPlaces)):
        refusals.append(short)
    if quote:
        taken[session.id] += quote.places
        refusals += _short_extras(found, tally)
    return LineVerdict(
        number, session.id, session.organization_id, quote.party_size if quote else 0,
        quote.amount_minor if quote else None, found.offer.activity.currency, quote.lines if quote else (), spots,
        tuple(refusals), found,
    )  # fmt: skip


def _short_extras(found: Assessed, tally: _Tally) -> Iterator[Refusal]:
    """Yield the refusal of extras that are short, counting what the lines before have asked for."""
    session_id, wanted = found.session.id, tally.extras
    for extra_id, count in found.party.extras:
        wanted[session_id, extra_id] += count
    asked = {extra_id: wanted[session_id, extra_id] for extra_id, _ in found.party.extras}
    if asked:
        try:
            extras.check_stock(session_id, asked, path=found.party.path, after_lapse=True)
        except extras.NotEnoughExtras as refusal:
            yield refusal


# A basket ---------------------------------------------------------------------------------------------------------


def _held_lines(order: Order) -> list[LineVerdict]:
    """Judge reservations: what binds is bought as it was quoted, unless its session does not take place any more."""
    sessions = Session.objects.in_bulk([reservation.session_id for reservation in order.held])
    now = database_now()
    return [
        LineVerdict(
            number, reservation.session_id, reservation.organization_id, reservation.party_size,
            reservation.amount_minor, reservation.currency, reservation.quote,
            refusals=tuple(_not_binding(reservation, sessions[reservation.session_id], now)),
        )
        for number, reservation in enumerate(order.held)
    ]  # fmt: skip


def _not_binding(reservation: Reservation, session: Session, now: datetime) -> Iterator[Refusal]:
    """Yield why this cannot be bought; a session that was only closed keeps its promise to those who hold."""
    if session.status in OVER:
        errors = [FieldError("session", "cancelled", REASONS["cancelled"])]
        extra = {"session": session.id, "reasons": ["cancelled"]}
        yield NotBookable(REASONS["cancelled"], errors=errors, extra=extra)
    try:
        reservations.check_held(reservation, at=now)
    except Refusal as refusal:
        yield refusal


# People -----------------------------------------------------------------------------------------------------------


def _people_of(order: Order, lines: Sequence[LineVerdict]) -> dict[UUID, Participant]:
    """Return the customer's own people who are asked for by id; nobody else's."""
    asked = [person.id for people in order.people for person in people if person.id]
    owner = _owner(lines)
    if not asked or owner is None:
        return {}
    return Participant.objects.filter(customer__organization=owner, customer__email=order.contact.email).in_bulk(asked)


def _owner(lines: Sequence[LineVerdict]) -> UUID | None:
    return next((line.organization_id for line in lines if line.organization_id), None)


def _with_people(order: Order, lines: Sequence[LineVerdict], known: Mapping[UUID, Participant]) -> list[LineVerdict]:
    """Add to each line what is wrong with those who are named on it."""
    missing = _missing_consent(order, lines, known)
    return [
        _with_errors(line, [*_wrong_people(order.people[line.number], line, known), *missing.get(line.number, ())])
        for line in lines
    ]


def _with_errors(line: LineVerdict, errors: list[FieldError]) -> LineVerdict:
    if not errors:
        return line
    refusal = InvalidRequest("Some of the people named cannot come on this booking.", errors=errors)
    return replace(line, refusals=(*line.refusals, refusal))


def _missing_consent(
    order: Order, lines: Sequence[LineVerdict], known: Mapping[UUID, Participant]
) -> dict[int, list[FieldError]]:
    """Return, line by line, what is missing of minors where the organization asks for consent."""
    owner = _owner(lines)
    rule = Organization.objects.filter(id=owner).values_list("consent_under_age", flat=True).first() if owner else None
    if rule is None:
        return {}
    sessions = Session.objects.select_related("activity__venue").in_bulk([line.session_id for line in lines])
    return {
        line.number: consent_errors(
            [known.get(person.id, person) if person.id else person for person in order.people[line.number]],
            sessions[line.session_id].starts_at.astimezone(sessions[line.session_id].activity.venue.zone).date(),
            rule, party_size=line.party_size, path=f"{line.path}.participants",
        )
        for line in lines
        if line.session_id in sessions
    }  # fmt: skip


def _wrong_people(
    people: Sequence[Person], line: LineVerdict, known: Mapping[UUID, Participant]
) -> Iterator[FieldError]:
    """Yield every participant who is not the customer's own, and more people than the party has."""
    path = f"{line.path}.participants"
    if line.party_size and len(people) > line.party_size:
        yield FieldError(path, "too_many", f"{len(people)} people do not fit {line.party_size}.")
    for place, person in enumerate(people):
        if person.id and person.id not in known:
            yield FieldError(f"{path}.{place}.id", "unknown_participant", "This is not a participant of this customer.")


# The whole --------------------------------------------------------------------------------------------------------


def _mixed(lines: Sequence[LineVerdict]) -> Iterator[Refusal]:
    """Yield that lines do not go together in one booking."""
    if len({line.organization_id for line in lines if line.organization_id}) > 1:
        yield invalid("lines", "several_organizations", "One booking is for sessions of one organization.")
    if len({line.currency for line in lines if line.currency}) > 1:
        yield invalid("lines", "several_currencies", "One booking is in one currency.")


def _keys(order: Order, lines: Iterable[LineVerdict], known: Mapping[UUID, Participant]) -> list[str]:
    """Return each line's duplicate key."""
    names = [[_name_of(person, known) for person in people] for people in order.people]
    return [
        duplicates.duplicate_key(session_id=line.session_id, email=order.contact.email, people=names[line.number])
        for line in lines
    ]


def _name_of(person: Person, known: Mapping[UUID, Participant]) -> str:
    return known[person.id].name if person.id and person.id in known else person.name


def _duplicates(
    order: Order, lines: Sequence[LineVerdict], keys: Sequence[str], twins: Mapping[str, Line]
) -> Iterator[Refusal]:
    """Yield that this may be booked already, unless it is meant; staff say why it is."""
    if not twins:
        return
    if not order.terms.confirm_duplicate:
        yield duplicates.DuplicateBooking(dict(zip(keys, (line.session_id for line in lines), strict=True)))
    elif order.asked_by == ActorKind.STAFF and not order.terms.duplicate_reason.strip():
        yield invalid("duplicate_reason", "required", "Say why a second booking is meant: it is kept with the booking.")
