"""Waiting for a full session: join, leave, accept what is offered. Who is asked, and when: waitlist_offers.py."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from bookings.models import WaitlistChoice, WaitlistEntry
from bookings.services.checkout import Contact
from bookings.services.waitlist_events import Status, WaitIsOver, move_entry, record_waitlist_event
from bookings.services.waitlist_offers import LIVE, offer_freed_places
from config.kit import idempotency
from config.kit.clock import database_now
from config.kit.facts import Actor
from config.kit.idempotency import Claim
from config.kit.ids import uuid7
from config.kit.refusals import FieldError, NotFound, Refusal, invalid
from config.kit.retries import retry_on_deadlock
from scheduling.availability import Availability, check_slot_availability
from scheduling.models import Activity, Reservation, Session
from scheduling.parties import Counts
from scheduling.prices import Quote
from scheduling.services import assessing, capacity, reservations
from scheduling.services.assessing import NotBookable, Party

MOST_SESSIONS = 5
ABOUT_ROOM = frozenset({"waiting_list"})  # a reason that stands against a buyer, not against one who waits


class WaitlistClosed(Refusal):
    """The activity keeps no waiting list."""

    code, title = "waitlist_closed", "There is no waiting list for this activity"


class AlreadyWaiting(Refusal):
    """This address waits for one of the sessions already; its link is in the mail."""

    code, title = "already_waiting", "This e-mail address is on the waiting list already"


class NotFull(Refusal):
    """There is room for the party: it can be booked, and nobody need wait."""

    code, title = "not_full", "There is room for your party: book it now"


class NoOffer(Refusal):
    """The party waits still."""

    code, title = "no_offer", "No places have come free for you yet"


@dataclass(frozen=True, slots=True)
class Wish:
    """A party, and up to five sessions of one activity that it would come to, the best first."""

    sessions: tuple[UUID, ...]
    party_size: int | None = None
    units: Counts = ()  # (unit, how many)


@retry_on_deadlock
@transaction.atomic
def join_waitlist(
    *, wish: Wish, contact: Contact, actor: Actor, language: str = "", organization_id: UUID | None = None,
    priority: int = 0, claim: Claim | None = None,
) -> WaitlistEntry:  # fmt: skip
    """Let a party wait for sessions in which it does not fit now; what is free and its turn is offered at once.

    Refuses with InvalidRequest, NotFound, WaitlistClosed, NotBookable (which no waiting would help), NotFull and
    AlreadyWaiting. The same claim again returns the entry that it made. A higher priority, which staff give, is asked
    first. Without a language it is the organization's.
    """
    sessions = _lock_wished(wish, organization_id)
    entry_id, activity = uuid7(), _activity_of(sessions)
    prior = idempotency.record(claim, organization_id=activity.organization_id, effect_id=entry_id)
    if prior:
        return WaitlistEntry.objects.get(id=prior)
    answers = _answers(sessions)
    quote = _quote(wish, sessions)
    _require_full(answers, quote.places)
    email = contact.email.lower()
    _require_once(email, sessions)
    entry = WaitlistEntry.objects.create(
        id=entry_id, organization_id=activity.organization_id, activity=activity, kind=_kind(answers, quote.places),
        priority=priority, email=email, name=contact.name, phone=contact.phone,
        language=language or activity.organization.language, units=_units(quote), party_size=quote.party_size,
        places=quote.places,
    )  # fmt: skip
    WaitlistChoice.objects.bulk_create(
        WaitlistChoice(organization_id=entry.organization_id, entry=entry, session_id=session_id, rank=rank)
        for rank, session_id in enumerate(wish.sessions, start=1)
    )
    record_waitlist_event(
        entry, kind="waitlist_joined", actor=actor,
        after={"sessions": [str(each) for each in wish.sessions], "places": entry.places, "kind": entry.kind},
    )  # fmt: skip
    offer_freed_places(sessions)
    entry.refresh_from_db()
    return entry


@retry_on_deadlock
@transaction.atomic
def leave_waitlist(*, entry_id: UUID, actor: Actor, reason_code: str = "") -> WaitlistEntry:
    """Wait no more, and give back what was offered, to the next in turn; again is harmless.

    Refuses with NotFound, and with WaitIsOver when the party has booked: a booking is cancelled, not left.
    """
    sessions = capacity.lock_sessions(_sessions_of(entry_id))
    offers = Reservation.objects.filter(waitlist_entry=entry_id).values_list("id", flat=True)
    offered = capacity.lock_reservations(offers)
    entry = _lock_entry(entry_id)
    if entry.status == Status.CONVERTED:
        raise WaitIsOver("This party has booked. Cancel the booking to give the places back.")
    if entry.status not in LIVE:
        return entry
    move_entry(entry, to=Status.LEFT, actor=actor, reason_code=reason_code)
    capacity.release_places(offered, at=database_now())
    offer_freed_places(sessions)
    return entry


def accept_offer(*, entry_id: UUID) -> Reservation:
    """Return the places that are offered, to be booked as any that are held: their basket is what is checked out.

    Refuses with NotFound, NoOffer while the party waits, WaitIsOver, or ReservationLapsed when the time is over.
    Nothing is written: whether the offer still binds when it is booked is decided then, under its session's lock.
    """
    entry = WaitlistEntry.objects.select_related("reservation").filter(id=entry_id).first()
    if entry is None:
        raise NotFound
    if entry.status == Status.WAITING:
        raise NoOffer
    if entry.status != Status.OFFERED or entry.reservation is None:
        raise WaitIsOver
    reservations.check_held(entry.reservation, at=database_now())
    return entry.reservation


@transaction.atomic
def set_priority(*, entry_id: UUID, priority: int, actor: Actor) -> WaitlistEntry:
    """Ask a waiting party sooner (higher) or later; refuses with WaitIsOver when it does not wait any more."""
    entry = _lock_entry(entry_id)
    if entry.status != Status.WAITING:
        raise WaitIsOver
    before, entry.priority = entry.priority, priority
    WaitlistEntry.objects.filter(id=entry_id).update(priority=priority)
    record_waitlist_event(
        entry, kind="waitlist_priority_set", actor=actor, from_status=entry.status, before={"priority": before},
        after={"priority": priority},
    )  # fmt: skip
    return entry


# Leaves -----------------------------------------------------------------------------------------------------------


def _sessions_of(entry_id: UUID) -> list[UUID]:
    return list(WaitlistChoice.objects.filter(entry=entry_id).values_list("session_id", flat=True))


def _lock_entry(entry_id: UUID) -> WaitlistEntry:
    """Lock an entry, after its sessions, or raise NotFound."""
    entry = WaitlistEntry.objects.select_for_update(no_key=True).filter(id=entry_id).first()
    if entry is None:
        raise NotFound
    return entry


def _lock_wished(wish: Wish, organization_id: UUID | None) -> dict[UUID, Session]:
    """Lock the sessions and give back what has lapsed in them, or refuse what is no list of sessions to wait for."""
    if not 1 <= len(wish.sessions) <= MOST_SESSIONS or len(set(wish.sessions)) < len(wish.sessions):
        raise invalid("sessions", "wrong_number", f"Name 1 to {MOST_SESSIONS} different sessions, the best first.")
    sessions = capacity.lock_sessions(wish.sessions)
    owners = {session.organization_id for session in sessions.values()}
    if len(sessions) < len(wish.sessions) or (organization_id and owners != {organization_id}):
        raise NotFound
    if len({session.activity_id for session in sessions.values()}) > 1:
        raise invalid("sessions", "several_activities", "Name sessions of one activity.")
    capacity.reclaim_lapsed(sessions)
    return capacity.lock_sessions(sessions)


def _activity_of(sessions: Mapping[UUID, Session]) -> Activity:
    """Return what the sessions are of, if it keeps a waiting list."""
    activity_id = next(iter(sessions.values())).activity_id
    activity = Activity.objects.select_related("organization").get(id=activity_id)
    if not activity.waitlist_open:
        raise WaitlistClosed
    return activity


def _answers(sessions: Iterable[UUID]) -> list[Availability]:
    """Ask about each locked session, and refuse those for which waiting is of no use."""
    answers = [check_slot_availability(session_id=session_id) for session_id in sessions]
    for answer in answers:
        blocked = [reason for reason in answer.blocked if reason not in ABOUT_ROOM]
        if blocked:
            words = {reason: answer.words[reason] for reason in blocked}
            raise NotBookable(
                " ".join(words.values()),
                errors=[FieldError("sessions", reason, text) for reason, text in words.items()],
                extra={"session": answer.session["id"], "reasons": blocked},
            )
    return answers


def _quote(wish: Wish, sessions: Mapping[UUID, Session]) -> Quote:
    """Count the party, or refuse one that may not come at all, or never fits into one of its sessions."""
    first = sessions[wish.sessions[0]]
    quote = assessing.quote_of(Party(first.id, wish.party_size, wish.units), first)
    smallest = min(session.capacity_total for session in sessions.values())
    if quote.places > smallest:
        raise invalid("party_size", "larger_than_session", f"A session here has {smallest} places.")
    return quote


def _units(quote: Quote) -> list[dict[str, object]]:
    return [{"unit": line["unit"], "count": line["count"]} for line in quote.lines if "unit" in line]


def _require_full(answers: Iterable[Availability], places: int) -> None:
    """Refuse to let a party wait where it could book."""
    for answer in answers:
        if answer.session["waiting"] == 0 and answer.session["free"] >= places:
            raise NotFull(extra={"session": answer.session["id"], "available_spots": answer.session["free"]})


def _require_once(email: str, sessions: Iterable[UUID]) -> None:
    """Refuse a second entry of one address for one session, under the session's lock."""
    waits = WaitlistChoice.objects.filter(session__in=list(sessions), entry__status__in=LIVE, entry__email=email)
    named = sorted(set(waits.values_list("session_id", flat=True)))
    if named:
        raise AlreadyWaiting(
            "This e-mail address is on the waiting list already. The link to its place is in the mail.",
            extra={"sessions": named},
        )


def _kind(answers: Iterable[Availability], places: int) -> WaitlistEntry.Kind:
    """Is it next in line, where nothing but holds that may lapse stands before the party?"""
    return next(
        (WaitlistEntry.Kind.NEXT_IN_LINE for answer in answers if _only_holds_before(answer, places)),
        WaitlistEntry.Kind.WAITLIST,
    )


def _only_holds_before(answer: Availability, places: int) -> bool:
    session = answer.session
    ahead = WaitlistChoice.objects.filter(session=session["id"], entry__status=Status.WAITING)
    before = ahead.aggregate(places=Sum("entry__places"))["places"] or 0
    unbooked = session["capacity_total"] - session["places_booked"] - before
    return bool(session["places_held"] > 0 and unbooked >= places)
