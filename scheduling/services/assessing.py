"""A party in a session, before anything is taken: what is wrong with it, its price, and whether there is room."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from config.kit.clock import database_now
from config.kit.display import money_text
from config.kit.money import MOST_MINOR
from config.kit.refusals import FieldError, InvalidRequest, Refusal
from scheduling import availability
from scheduling.availability import Availability
from scheduling.models import Reservation, Session
from scheduling.offers import Offer, offers_of, row_of
from scheduling.parties import Counts, WantedParty, party_errors
from scheduling.prices import Quote


class NotEnoughPlaces(Refusal):
    """The party does not fit: says how many would, and when a held place may come back."""

    code, title = "not_enough_places", "There are not enough places left for your party"


class NotBookable(Refusal):
    """The session takes no bookings: closed, past, not open yet, not on sale, or others wait."""

    code, title = "not_bookable", "This session cannot be booked"


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

    @property
    def people(self) -> int:
        """Return how many come, as asked for: nobody has looked yet whether they may."""
        return self.party_size or sum(count for _, count in self.units)


@dataclass(frozen=True, slots=True)
class Assessed:
    """A party as its session's activity sees it: what is wrong with it, or its price."""

    party: Party
    session: Session
    offer: Offer
    errors: tuple[FieldError, ...]
    quote: Quote | None

    @property
    def price(self) -> Quote:
        """Return the price of a party with which nothing is wrong."""
        assert self.quote  # noqa: S101 agreed: without errors there is one
        return self.quote


# The party and its price ---------------------------------------------------------------------------------------------


def quote_of(party: Party, session: Session) -> Quote:
    """Price a party in a session as it is now, or refuse with everything that is wrong with the party."""
    return agreed(assess_parties([party], {session.id: session}, at=database_now()))[0].price


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
            wrong = too_much_money(quote.amount_minor, offer.activity.currency, path=f"{party.path}party_size")
        found.append(Assessed(party, session, offer, tuple(wrong), None if wrong else quote))
    return found


def too_much_money(amount_minor: int, currency: str, *, path: str) -> list[FieldError]:
    """Return the error of what comes to more than can be written, or nothing."""
    if amount_minor <= MOST_MINOR:
        return []
    words = f"That comes to more than can be booked together: {money_text(MOST_MINOR, currency)} at most."
    return [FieldError(path, "too_much_money", words)]


def agreed(assessed: Sequence[Assessed]) -> Sequence[Assessed]:
    """Return the parties when nothing is wrong with any of them, or refuse with everything that is."""
    errors = [error for each in assessed for error in each.errors]
    if errors:
        raise InvalidRequest(" ".join(dict.fromkeys(error.detail for error in errors)), errors=errors)
    return assessed


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


# Room ----------------------------------------------------------------------------------------------------------------


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
    return too_few(left, first and first[0], session_id)


def too_few(spots: int, earliest_lapse: datetime | None, session_id: UUID | None = None) -> NotEnoughPlaces:
    """Return the refusal that says how many places are left, and when a held one may come back."""
    detail = (
        "This session is full." if spots == 0 else f"Only {spots} of these places {'is' if spots == 1 else 'are'} left."
    )
    extra: dict[str, Any] = {"available_spots": spots, "earliest_lapse": earliest_lapse, "alternatives": []}
    if session_id:
        extra["session"] = session_id
    return NotEnoughPlaces(detail, extra=extra)
