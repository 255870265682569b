"""A change to what is sold, with the people and the money it touches; it moves neither, and lists both for staff.

scheduling/services/schedule_changes.py says what becomes of sessions; here are the bookings in those that are left
outside the timetable, or over the capacity. Their lines are part of what the author agreed to.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from bookings.models import AffectedLine, Booking, Line
from bookings.services import lifecycle
from config.kit.clock import database_now
from config.kit.facts import SYSTEM, Actor
from config.kit.refusals import NotFound
from config.kit.retries import retry_on_deadlock
from config.tenants.models import User
from scheduling.effects import TOUCHING_PEOPLE
from scheduling.models import ScheduleChange, Session
from scheduling.services import schedule_changes
from scheduling.services.schedule_changes import ChangeMoved

TOTALS = """
SELECT count(DISTINCT l.booking_id), count(DISTINCT b.customer_id), coalesce(sum(l.party_size), 0)
FROM bookings_line l JOIN bookings_booking b ON b.id = l.booking_id WHERE l.id = ANY(%s)
"""
MONEY = """
SELECT b.currency, sum(l.amount_minor - l.discount_minor)::bigint
FROM bookings_line l JOIN bookings_booking b ON b.id = l.booking_id
WHERE l.id = ANY(%s) GROUP BY b.currency ORDER BY b.currency
"""


@transaction.atomic
def rehearse_change(
    *, kind: str, venue_id: UUID, activity_id: UUID | None, parameters: Mapping[str, Any], author: User | None
) -> ScheduleChange:
    """Return what the change would do to sessions, bookings, customers and money; nothing is changed by it.

    `effects` gains `lines` (ids) and `people`: {bookings, customers, people, money: {currency: minor units}}.
    """
    change = schedule_changes.rehearse_change(
        kind=kind, venue_id=venue_id, activity_id=activity_id, parameters=parameters, author=author
    )
    lines = _touched_lines(change.effects)
    change.effects = {**change.effects, "lines": [str(line_id) for line_id in lines], "people": _people(lines)}
    change.save(update_fields=["effects"])
    return change


@retry_on_deadlock
@transaction.atomic
def apply_change(*, change_id: UUID, actor: Actor, applied_by: User | None = None) -> ScheduleChange:
    """Do exactly what was rehearsed and put the bookings it touches on the work list, or raise ChangeMoved.

    No booking, line or reservation is changed: people decide about each, one by one.
    """
    bookings = _lock_bookings(change_id)
    change = schedule_changes.apply_change(change_id=change_id, actor=actor, applied_by=applied_by)
    lines = _touched_lines(change.effects)
    if {str(line_id) for line_id in lines} != set(change.effects["lines"]):
        raise ChangeMoved("Other bookings are touched than the preview shows.", extra={"moved": []})
    _list_for_work(change, lines)
    if change.kind == ScheduleChange.Kind.CLOSE:
        _offer(change, lines, bookings, actor)
    return change


def _lock_bookings(change_id: UUID) -> dict[UUID, Booking]:
    """Lock the bookings to which a closing makes its offers: before the sessions, as every act on a booking does."""
    rows = ScheduleChange.objects.filter(id=change_id, kind=ScheduleChange.Kind.CLOSE)
    effects = rows.values_list("effects", flat=True).first() or {}
    found = Booking.objects.filter(lines__in=effects.get("lines", ())).values("id")
    locked = Booking.objects.filter(id__in=found).order_by("id").select_for_update(no_key=True)
    return {booking.id: booking for booking in locked}


def _offer(change: ScheduleChange, lines: Sequence[UUID], bookings: Mapping[UUID, Booking], actor: Actor) -> None:
    """Say in a fact of each booking that its session will not take place, and that it may move or cancel freely."""
    touched: dict[UUID, list[tuple[UUID, UUID]]] = {}
    rows = Line.objects.filter(id__in=lines).order_by("id").values_list("booking_id", "id", "session_id")
    for booking_id, line_id, session_id in rows:
        touched.setdefault(booking_id, []).append((line_id, session_id))
    for booking_id, found in sorted(touched.items()):
        booking = bookings[booking_id]
        lifecycle.record_event(
            booking, kind="session_closed_offers", to_status=booking.status, actor=actor, reason_code="session_closed",
            after={
                "change": str(change.id),
                "lines": [str(line_id) for line_id, _ in found],
                "sessions": [str(session_id) for _, session_id in found],
            },
        )  # fmt: skip


def offer_way_out(booking: Booking, lines: Sequence[Line]) -> None:
    """Offer what everybody in a closed session was offered to who held places then, and has just booked them.

    The booking and the sessions are locked. A session that was only closed for sale takes place: nothing is offered.
    """
    late: dict[UUID, list[UUID]] = {}
    for line in lines:
        closing = _closing_of(line.session)
        if closing:
            late.setdefault(closing.id, []).append(line.id)
    for closing in ScheduleChange.objects.filter(id__in=late).order_by("id"):
        _list_for_work(closing, late[closing.id])
        _offer(closing, late[closing.id], {booking.id: booking}, SYSTEM)


def _closing_of(session: Session) -> ScheduleChange | None:
    """Return the change by which a session was closed with offers, the newest one."""
    changes = ScheduleChange.objects.filter(
        venue=session.activity.venue_id, kind=ScheduleChange.Kind.CLOSE, status=ScheduleChange.Status.APPLIED,
        effects__contains={"sessions": [{"session": str(session.id)}]},
    )  # fmt: skip
    return changes.order_by("-id").first()


def _touched_lines(effects: Mapping[str, Any]) -> Sequence[UUID]:
    """Return the live lines of confirmed bookings in sessions that are left outside, or over the capacity."""
    sessions = [row["session"] for row in effects["sessions"] if row["effect"] in TOUCHING_PEOPLE and row["booked"]]
    rows = Line.objects.filter(session__in=sessions, status=Line.Status.LIVE, booking__status=Booking.Status.CONFIRMED)
    return list(rows.order_by("id").values_list("id", flat=True))


def _people(lines: Sequence[UUID]) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(TOTALS, [list(lines)])
        bookings, customers, people = cursor.fetchone()
        cursor.execute(MONEY, [list(lines)])
        money = dict(cursor.fetchall())
    return {"bookings": bookings, "customers": customers, "people": people, "money": money}


def _list_for_work(change: ScheduleChange, lines: Sequence[UUID]) -> None:
    effect_of = {row["session"]: row["effect"] for row in change.effects["sessions"]}
    sessions = dict(Line.objects.filter(id__in=lines).values_list("id", "session_id"))
    AffectedLine.objects.bulk_create(
        AffectedLine(
            organization_id=change.organization_id, change=change, line_id=line_id,
            effect=effect_of[str(sessions[line_id])],
        )
        for line_id in lines
    )  # fmt: skip


# The work list --------------------------------------------------------------------------------------------------------


def work_list() -> "QuerySet[AffectedLine]":
    """Return what a person has still to decide, the oldest first."""
    return AffectedLine.objects.filter(status=AffectedLine.Status.OPEN).order_by("created_at", "id")


@transaction.atomic
def decide_line(
    *, affected_line_id: UUID, status: AffectedLine.Status, actor: Actor, decided_by: User | None
) -> AffectedLine:
    """Note what is to become of a booked line: customer contacted, keep, move, refund. The fact is the booking's.

    A note in `actor.detail["note"]` goes into the erasable side row. Refuses with IllegalTransition; again is harmless.
    """
    found = AffectedLine.objects.filter(id=affected_line_id).values_list("line__booking_id", flat=True).first()
    if found is None:
        raise NotFound
    booking = Booking.objects.select_for_update(no_key=True).get(id=found)
    row = AffectedLine.objects.select_for_update(no_key=True).get(id=affected_line_id)
    if row.status == status:
        return row
    if not AffectedLine.TRANSITIONS.allows(row.status, status):
        raise lifecycle.IllegalTransition(f"What is {row.status} cannot become {status}.")
    before, row.status = row.status, status
    row.decided_at, row.decided_by = database_now(), decided_by
    row.save(update_fields=["status", "decided_at", "decided_by"])
    lifecycle.record_event(
        booking, kind="affected_line_decided", to_status=booking.status, actor=actor,
        before={"line": str(row.line_id), "decision": before},
        after={"line": str(row.line_id), "decision": status, "change": str(row.change_id)},
    )  # fmt: skip
    return row


def decide_by_act(lines: Sequence[Line], status: AffectedLine.Status, *, at: datetime) -> None:
    """Take lines off the work list that were moved or cancelled: the act was the decision, its fact says whose."""
    undecided = (AffectedLine.Status.OPEN, AffectedLine.Status.CONTACTED, AffectedLine.Status.KEEP)
    rows = AffectedLine.objects.filter(line__in=lines, status__in=undecided)
    rows.update(decided_at=at, status=status)
