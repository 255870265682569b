"""A booked line's row, as changes write it: always under the booking's lock, and under its session's."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from bookings.models import Booking, Line
from bookings.services import amendments, duplicates, lifecycle
from config.kit.facts import Actor
from config.kit.refusals import invalid


def placed(line: Line) -> dict[str, Any]:
    """Return what a fact says of a line: where it is, how many come, and what it costs."""
    return {
        "line": str(line.id),
        "session": str(line.session_id),
        "reservation": str(line.reservation_id),
        "places": line.reservation.places,
        "party_size": line.party_size,
        "amount_minor": line.amount_minor,
        "discount_minor": line.discount_minor,
    }


def write(line: Line, **fields: Any) -> None:
    """Write a line's row, and the object in hand."""
    Line.objects.filter(id=line.id).update(**fields)
    for name, value in fields.items():
        setattr(line, name, value)


def only_line(booking: Booking, line_id: UUID | None) -> UUID:
    """Return the line that is meant: the one that is named, else the only live one; or refuse."""
    live = list(booking.lines.filter(status=Line.Status.LIVE).order_by("id").values_list("id", flat=True))
    if line_id is None and len(live) > 1:
        raise invalid("line", "say_which", "This booking has several lines: say which.")
    if line_id is None and not live:
        raise lifecycle.IllegalTransition("Nothing of this booking is left to change.")
    if line_id is not None and line_id not in live:
        raise amendments.unknown_line()
    return line_id or live[0]


# The key of duplicates --------------------------------------------------------------------------------------------


def key_under_lock(
    line: Line, session_id: UUID, *, people: Iterable[str], confirmed: bool, email: str = ""
) -> tuple[str, Line | None]:
    """Return a line's duplicate key in a locked session, and the line that it repeats there.

    Refuses with DuplicateBooking when that is another booking's, unless it is meant. The address is the customer's.
    """
    key = duplicates.duplicate_key(session_id=session_id, email=email or line.booking.customer.email, people=people)
    if key == line.duplicate_key:
        return key, line.duplicate_override_of
    rows = Line.objects.filter(session=session_id, duplicate_key=key, status=Line.Status.LIVE).exclude(id=line.id)
    twin = rows.order_by("id").first()
    if twin and twin.booking_id != line.booking_id and not confirmed:
        raise duplicates.DuplicateBooking({key: session_id})
    return key, twin


def record_override(line: Line, *, actor: Actor) -> None:
    """Say in a fact that a line repeats another booking's, and who said that this is meant."""
    twin = line.duplicate_override_of
    if twin and twin.booking_id != line.booking_id:
        duplicates.record_overrides(line.booking, [line], {line.duplicate_key: twin}, actor=actor)
