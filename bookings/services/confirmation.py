"""A booking is confirmed: its held places become booked ones, in the transaction of what settles it.

Free and on arrival that is the checkout's own; otherwise it is the one in which the money came, whenever that was.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from bookings.models import Booking, Line
from bookings.services import duplicates, lifecycle, line_rows, promo_codes, schedule_changes, waitlist_offers
from config.kit.clock import database_now
from config.kit.facts import Actor
from scheduling import limits
from scheduling.models import Reservation, Session
from scheduling.services import capacity, reservations

OVER = (Session.Status.CANCELLED, Session.Status.COMPLETED)


class CannotConfirm(Exception):
    """The money is there, and the places are not: `reason` says why, as a stable code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def confirm(
    booking: Booking, lines: Sequence[Line], held: Sequence[Reservation], sessions: Mapping[UUID, Session], *,
    actor: Actor,
) -> None:  # fmt: skip
    """Book the held places of a locked booking in its locked sessions, and say so.

    Whoever held places in one that was closed meanwhile has them, and is offered the same way out as everybody there.
    """
    capacity.confirm_places(held, at=database_now())
    waitlist_offers.convert_offers(held, booking, actor=actor)
    lifecycle.transition(
        booking, to=Booking.Status.CONFIRMED, kind="booking_confirmed", actor=actor,
        after={"reservations": [str(reservation.id) for reservation in held], **told(booking, lines)},
    )  # fmt: skip
    closed = [line for line in lines if sessions[line.session_id].status == Session.Status.CLOSED]
    if closed:
        schedule_changes.offer_way_out(booking, closed)
    limits.let_go_on_commit([reservation.id for reservation in held], is_bought=True)


def told(booking: Booking, lines: Sequence[Line]) -> dict[str, Any]:
    """Return what a fact says of a whole booking: what the time machine begins with."""
    return {
        "lines": [line_rows.placed(line) for line in lines],
        "customer": str(booking.customer_id),
        "total_minor": booking.total_minor,
        "currency": booking.currency,
    }


@transaction.atomic
def confirm_paid(booking: Booking, *, actor: Actor) -> None:
    """Confirm a locked booking that has been paid for, in time or late, or raise CannotConfirm and change nothing.

    Places that lapsed meanwhile are its own until somebody has taken them; those that are gone are taken again where
    they are free, at the quoted price, all of them or none.
    """
    lines = _live_lines(booking)
    if not lines:  # its customer has begun anew with what was left of it
        raise CannotConfirm("cancelled")
    sessions = capacity.lock_sessions(line.session_id for line in lines)
    if any(session.status in OVER for session in sessions.values()):
        raise CannotConfirm("session_over")
    held = _held_again(lines)
    _claim_keys(booking, lines, actor=actor)
    is_revived = booking.status == Booking.Status.EXPIRED
    confirm(booking, lines, held, sessions, actor=actor)
    if is_revived:
        promo_codes.renew_promo_use(booking)


def _live_lines(booking: Booking) -> list[Line]:
    rows = booking.lines.filter(status=Line.Status.LIVE).select_related("reservation", "booking__customer")
    return list(rows.prefetch_related("links__participant").order_by("id"))


def _held_again(lines: Sequence[Line]) -> list[Reservation]:
    """Return the lines' held reservations; what was taken back meanwhile is taken anew."""
    held = _locked(lines)
    if any(not _is_kept(reservation) for reservation in held):
        capacity.reclaim_lapsed({line.session_id for line in lines})
        held = [_again(line, reservation) for line, reservation in zip(lines, _locked(lines), strict=True)]
    return held


def _locked(lines: Sequence[Line]) -> list[Reservation]:
    found = {each.id: each for each in capacity.lock_reservations(line.reservation_id for line in lines)}
    for line in lines:
        line.reservation = found[line.reservation_id]
    return [line.reservation for line in lines]


def _is_kept(reservation: Reservation) -> bool:
    """Does it still take its places? A lapsed one does until somebody needs them."""
    return reservation.status == Reservation.Status.HELD


def _again(line: Line, reservation: Reservation) -> Reservation:
    if _is_kept(reservation):
        return reservation
    new = reservations.hold_again(reservation)
    if new is None:
        raise CannotConfirm("places_gone")
    line_rows.write(line, reservation=new)
    return new


def _claim_keys(booking: Booking, lines: Sequence[Line], *, actor: Actor) -> None:
    """Write who comes where, as a digest: a booking that waits for its money is in nobody's way.

    What was booked again meanwhile and is confirmed: a late payment goes back, one in time was meant.
    """
    email = booking.customer.email
    for line in lines:
        names = [participant.name for participant in line.people]
        line.duplicate_key = duplicates.duplicate_key(session_id=line.session_id, email=email, people=names)
    twins = duplicates.look_under_lock({line.duplicate_key: line.session_id for line in lines})
    if twins and booking.status == Booking.Status.EXPIRED:
        raise CannotConfirm("booked_again")
    first = dict(twins)
    for line in lines:
        twin = first.get(line.duplicate_key)
        line_rows.write(line, duplicate_key=line.duplicate_key, duplicate_override_of=twin)
        first.setdefault(line.duplicate_key, line)
    duplicates.record_overrides(booking, lines, twins, actor=actor)
