"""What a waiting party sees of its wait: where it stands, why, until when, and what is offered to it."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Min

from bookings.models import WaitlistChoice, WaitlistEntry
from config.kit.clock import database_now
from config.kit.refusals import NotFound
from scheduling.models import Activity, Reservation, Session

Turns = dict[UUID, list[tuple[int, datetime, UUID]]]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the sessions: the party's position in its queue (1: the next), and what stands in its way."""

    session: Session
    rank: int
    position: int | None  # None: it does not wait here any more
    is_open: bool  # for booking
    free: int  # places that would go to whoever fits
    held_until: datetime | None  # when the first hold of it ends, if somebody keeps places now


@dataclass(frozen=True, slots=True)
class Wait:
    """A waiting party with its choices, and its offer while that binds."""

    entry: WaitlistEntry
    activity: Activity
    choices: tuple[Choice, ...]
    offer: Reservation | None
    seconds_left: int  # of the offer

    @property
    def zone(self) -> ZoneInfo:
        """The venue's."""
        return self.activity.venue.zone

    @property
    def state(self) -> str:
        """Its status; `over` when no session is open any more or the offer has lapsed, before a sweep says so."""
        status = self.entry.status
        if status == WaitlistEntry.Status.WAITING and not any(choice.is_open for choice in self.choices):
            return "over"
        return "over" if status == WaitlistEntry.Status.OFFERED and self.offer is None else status

    @property
    def clock_left(self) -> str:
        """The offer's time left as a clock: 29:59."""
        return f"{self.seconds_left // 60}:{self.seconds_left % 60:02}"

    @property
    def first(self) -> Choice | None:
        """The open session in whose queue it stands foremost."""
        standing = [choice for choice in self.choices if choice.is_open and choice.position]
        return min(standing, key=lambda choice: (choice.position, choice.rank), default=None)

    @property
    def offered(self) -> Choice | None:
        """The choice that was offered, also once it is over."""
        session_id = self.entry.reservation and self.entry.reservation.session_id
        return next((choice for choice in self.choices if choice.session.id == session_id), None)


def wait_of(entry_id: UUID) -> Wait:
    """Gather a wait in a few queries, or raise NotFound."""
    rows = WaitlistEntry.objects.select_related("activity__venue", "organization", "reservation", "booking")
    entry = rows.filter(id=entry_id).first()
    if entry is None:
        raise NotFound
    now = database_now()
    is_offered = entry.status == WaitlistEntry.Status.OFFERED and entry.reservation is not None
    offer = entry.reservation if is_offered and entry.reservation.is_held(at=now) else None  # type: ignore[union-attr]
    left = ceil((offer.expires_at - now).total_seconds()) if offer else 0
    return Wait(entry, entry.activity, tuple(_choices(entry, now)), offer, left)


def contact_of_offer(basket: UUID) -> dict[str, str]:
    """Return who a basket was offered to, if it was: whoever books it need not write it twice."""
    rows = WaitlistEntry.objects.filter(reservation__basket=basket)
    entry = rows.first()
    return {"name": entry.name, "email": entry.email, "phone": entry.phone} if entry else {}


def positions(session_ids: list[UUID]) -> dict[tuple[UUID, UUID], int]:
    """Return the position of every waiting party in each of these sessions' queues, by (session, entry)."""
    rows = WaitlistChoice.objects.filter(session__in=session_ids, entry__status=WaitlistEntry.Status.WAITING)
    turns: Turns = defaultdict(list)
    for session_id, priority, joined_at, entry_id in rows.order_by().values_list(
        "session_id", "entry__priority", "entry__joined_at", "entry_id"
    ):
        turns[session_id].append((-priority, joined_at, entry_id))
    return {
        (session_id, entry_id): position
        for session_id, queue in turns.items()
        for position, (_, _, entry_id) in enumerate(sorted(queue), start=1)
    }


def _choices(entry: WaitlistEntry, now: datetime) -> list[Choice]:
    chosen = list(entry.choices.select_related("session").order_by("rank"))
    ids = [choice.session_id for choice in chosen]
    standing = positions(ids) if entry.status == WaitlistEntry.Status.WAITING else {}
    held = Reservation.objects.held().filter(session__in=ids, expires_at__gt=now).order_by()
    held_until = dict(held.values_list("session").annotate(Min("expires_at")))
    return [
        Choice(
            choice.session, choice.rank, standing.get((choice.session_id, entry.id)), _is_open(choice.session, now),
            choice.session.capacity_remaining, held_until.get(choice.session_id),
        )
        for choice in chosen
    ]  # fmt: skip


def _is_open(session: Session, now: datetime) -> bool:
    return session.closes_at > now and session.status in (Session.Status.PUBLISHED, Session.Status.CLOSED)
