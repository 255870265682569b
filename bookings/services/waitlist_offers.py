"""Freed places go to those who wait, in the transaction that frees them and under its locks.

Whoever frees places holds their session's lock, so nobody else sees them free. Lock order: sessions, reservations,
then waiting parties by id. A party that is offered places stops waiting elsewhere; a session that somebody else has
locked at that moment keeps counting it until it is looked at again, so `Session.waiting` overstates, never understates.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, F, Min, OuterRef, Q

from bookings.models import Booking, WaitlistChoice, WaitlistEntry
from bookings.queues import Waiter, in_order, next_turn
from bookings.services.waitlist_events import Status, move_entry
from bookings.signals import lapse_awaited
from config.kit.clock import database_now
from config.kit.facts import SYSTEM, Actor
from scheduling.models import Reservation, Session
from scheduling.services import capacity, reservations
from scheduling.services.assessing import Party

LIVE = (Status.WAITING, Status.OFFERED)
OFFER_LAPSED, OFFER_DECLINED, BOOKING_CLOSED = "offer_lapsed", "offer_declined", "booking_closed"  # reason codes


def offer_freed_places(session_ids: Iterable[UUID]) -> None:
    """Offer what is free in these locked sessions to those whose turn it is, and count anew who waits.

    An offer is a reservation: the places are the party's until it ends. An offer whose reservation is over ends here.
    """
    capacity.require_transaction()
    concerned = _where_somebody_waits(session_ids)
    if not concerned:
        return
    capacity.reclaim_lapsed(concerned)  # what came back comes here by its own signal: the rest is then done
    entries = _lock_entries(concerned)
    _end_dead_offers(entries)
    elsewhere = _offer_in_turn(concerned, [entry for entry in entries if entry.status == Status.WAITING])
    count_waiters([*concerned, *capacity.lock_sessions(elsewhere - set(concerned), skip_locked=True)])
    _await_lapses(concerned)


def count_waiters(session_ids: Iterable[UUID]) -> None:
    """Write how many parties wait for each of these locked sessions."""
    ids = set(session_ids)
    rows = WaitlistChoice.objects.filter(session__in=ids, entry__status=Status.WAITING).order_by()
    counted = dict(rows.values_list("session").annotate(Count("id")))
    capacity.set_waiters({session_id: counted.get(session_id, 0) for session_id in ids})


def convert_offers(held: Iterable[Reservation], booking: Booking, *, actor: Actor) -> None:
    """Let the parties whose offers these locked reservations are have their booking."""
    entries = WaitlistEntry.objects.filter(reservation__in=[r.id for r in held], status=Status.OFFERED)
    for entry in entries.order_by("id").select_for_update(no_key=True):
        move_entry(entry, to=Status.CONVERTED, actor=actor, booking=booking, after={"booking": str(booking.id)})


# Leaves -----------------------------------------------------------------------------------------------------------


def _where_somebody_waits(session_ids: Iterable[UUID]) -> list[UUID]:
    """Return those of the sessions that a live entry names, or that are counted as waited for, in ascending order."""
    live = WaitlistChoice.objects.filter(session=OuterRef("id"), entry__status__in=LIVE)
    rows = Session.objects.filter(Q(waiting__gt=0) | Exists(live), id__in=set(session_ids))
    return list(rows.order_by("id").values_list("id", flat=True))


def _lock_entries(session_ids: Sequence[UUID]) -> list[WaitlistEntry]:
    """Lock the live entries that name one of these sessions, in one order for everybody."""
    named = WaitlistChoice.objects.filter(session__in=session_ids, entry__status__in=LIVE).values("entry")
    rows = WaitlistEntry.objects.filter(id__in=named, status__in=LIVE)
    return list(rows.order_by("id").select_for_update(no_key=True))


def _end_dead_offers(entries: Iterable[WaitlistEntry]) -> None:
    """End the offers whose places went back: nobody took them in time, or they were given back by hand."""
    offered = {e.reservation_id: e for e in entries if e.status == Status.OFFERED and e.reservation_id}
    ended = Reservation.objects.filter(id__in=offered, ended_at__isnull=False)
    for reservation_id, status in ended.values_list("id", "status"):
        lapsed = status == Reservation.Status.EXPIRED
        move_entry(
            offered[reservation_id], to=Status.LAPSED if lapsed else Status.LEFT, actor=SYSTEM,
            reason_code=OFFER_LAPSED if lapsed else OFFER_DECLINED,
        )  # fmt: skip


def _offer_in_turn(session_ids: Sequence[UUID], waiting: Sequence[WaitlistEntry]) -> set[UUID]:
    """Offer until nobody fits any more; return the sessions for which those who were offered places waited besides."""
    entries = {entry.id: entry for entry in waiting}
    queue = in_order(_waiters(waiting))
    free = _free_places(session_ids, at=database_now()) if queue else {}
    skips: Counter[UUID] = Counter()
    no_more: set[UUID] = set()
    while turn := next_turn(queue, free):
        waiter = next(each for each in queue if each.id == turn.waiter)
        queue.remove(waiter)
        if not _offer(entries[waiter.id], turn.session):
            continue
        free[turn.session] -= waiter.places
        skips.update(turn.passed_over)
        no_more.update(waiter.sessions)
    for entry_id, times in skips.items():
        WaitlistEntry.objects.filter(id=entry_id).update(skips=F("skips") + times)
    return no_more


def _waiters(entries: Sequence[WaitlistEntry]) -> list[Waiter]:
    """Return the parties with all sessions that they wait for, the best first."""
    sessions: dict[UUID, list[UUID]] = {entry.id: [] for entry in entries}
    for entry_id, session_id in (
        WaitlistChoice.objects.filter(entry__in=sessions).order_by("rank").values_list("entry_id", "session_id")
    ):
        sessions[entry_id].append(session_id)
    return [Waiter(e.id, e.priority, e.joined_at, e.places, tuple(sessions[e.id])) for e in entries]


def _free_places(session_ids: Iterable[UUID], *, at: datetime) -> dict[UUID, int]:
    """Return how many places are free in those of the locked sessions that may be sold now."""
    rows = Session.objects.filter(
        id__in=session_ids, status=Session.Status.PUBLISHED, is_legacy=False, on_sale=True, opens_at__lte=at,
        closes_at__gt=at,
    )  # fmt: skip
    return {session.id: session.capacity_total - session.places_held - session.places_booked for session in rows}


def _offer(entry: WaitlistEntry, session_id: UUID) -> bool:
    """Hold the party's places for it, and say so; False when that cannot be done any more."""
    party = Party(session_id, None, tuple((UUID(unit["unit"]), unit["count"]) for unit in entry.units))
    session = Session.objects.get(id=session_id)  # as it is after the offers before
    reservation = reservations.hold_for_waiter(party, session, places=entry.places, email=entry.email)
    if reservation is None:
        return False
    move_entry(
        entry, to=Status.OFFERED, actor=SYSTEM, reservation=reservation,
        after={"session": str(session_id), "reservation": str(reservation.id), "places": entry.places},
    )  # fmt: skip
    return True


# What beat, and time itself, bring ----------------------------------------------------------------------------------

LONGEST_WAIT = timedelta(minutes=30)  # then it is looked at again: a task that waits longer is handed out twice


def _await_lapses(session_ids: Iterable[UUID]) -> None:
    """Ask, after the commit, to be called when the next hold of a session with waiters lapses."""
    waited_for = WaitlistChoice.objects.filter(session__in=session_ids, entry__status__in=LIVE).values("session")
    rows = Reservation.objects.held().filter(session__in=waited_for).order_by()
    now = database_now()
    for session_id, first in rows.values_list("session").annotate(Min("expires_at")):
        wait = min(first - now, LONGEST_WAIT)
        tell = partial(lapse_awaited.send, None, session_id=session_id, at=first, seconds=max(wait.total_seconds(), 0))
        transaction.on_commit(tell, robust=True)


RECENTLY = timedelta(days=1)


def sweep_waitlist() -> int:
    """Do what was missed: offer what is free, count who waits, end the waits whose time is over; return how many.

    Tidying only: freed places are offered as they are freed. A session that somebody has locked is left for the next.
    """
    missed = [session_id for session_id in _waited_for() if _is_missed(session_id)]
    return sum(map(_look_again, missed)) + sum(map(_lapse_if_over, _waits_that_are_over()))


def _waited_for() -> list[UUID]:
    """Return the sessions that are waited for, or were until lately."""
    since = database_now() - RECENTLY
    lately = Q(entry__offered_at__gte=since) | Q(entry__ended_at__gte=since)
    rows = WaitlistChoice.objects.filter(Q(entry__status__in=LIVE) | lately)
    return sorted(set(rows.values_list("session_id", flat=True)))


def _is_missed(session_id: UUID) -> bool:
    """Is there room that may be offered, or a count that is off?"""
    waiting = WaitlistChoice.objects.filter(session=session_id, entry__status=Status.WAITING).count()
    now = database_now()
    held = Reservation.objects.held().filter(session=session_id, expires_at__lte=now)
    session = Session.objects.get(id=session_id)
    has_room = bool(_free_places([session_id], at=now).get(session_id, 0)) or held.exists()
    return session.waiting != waiting or (waiting > 0 and has_room)


@transaction.atomic
def _look_again(session_id: UUID) -> int:
    locked = list(capacity.lock_sessions([session_id], skip_locked=True))
    offer_freed_places(locked)
    return len(locked)


def _waits_that_are_over() -> list[UUID]:
    """Return the waiting entries that no session is left for."""
    open_yet = WaitlistChoice.objects.filter(
        entry=OuterRef("id"), session__closes_at__gt=database_now(),
        session__status__in=[Session.Status.PUBLISHED, Session.Status.CLOSED],
    )  # fmt: skip
    rows = WaitlistEntry.objects.filter(~Exists(open_yet), status=Status.WAITING)
    return list(rows.order_by("id").values_list("id", flat=True))


@transaction.atomic
def _lapse_if_over(entry_id: UUID) -> int:
    """End a wait for sessions that take no bookings any more; a time of booking once over does not come back."""
    sessions = WaitlistChoice.objects.filter(entry=entry_id).values_list("session_id", flat=True)
    locked = capacity.lock_sessions(sessions)
    entry = WaitlistEntry.objects.select_for_update(no_key=True).get(id=entry_id)
    now = database_now()
    if entry.status != Status.WAITING or any(_takes_bookings(session, at=now) for session in locked.values()):
        return 0
    move_entry(entry, to=Status.LAPSED, actor=SYSTEM, reason_code=BOOKING_CLOSED)
    count_waiters(locked)
    return 1


def _takes_bookings(session: Session, *, at: datetime) -> bool:
    """May it be sold still, or again?"""
    return session.closes_at > at and session.status in (Session.Status.PUBLISHED, Session.Status.CLOSED)
