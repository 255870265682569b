"""What a booking is called, derived from its state and its lines; never stored. Pure."""

from collections.abc import Iterable
from enum import StrEnum

from bookings.models import Booking, Line

Attendance = Line.Attendance


class Label(StrEnum):
    """One word for a booking; without anything special it is its status."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    PARTIALLY_CANCELLED = "partially_cancelled"
    CHECKED_IN = "checked_in"
    COMPLETED = "completed"
    NO_SHOW = "no_show"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


WORDS = {
    Label.PENDING: "Not confirmed yet",
    Label.CONFIRMED: "You are booked",
    Label.PARTIALLY_CANCELLED: "You are booked; a part is cancelled",
    Label.CHECKED_IN: "You are here",
    Label.COMPLETED: "It has taken place",
    Label.NO_SHOW: "You did not come",
    Label.CANCELLED: "Cancelled",
    Label.EXPIRED: "Expired",
}


def label_of(status: str, lines: Iterable[Line]) -> Label:
    """Return the label: attendance of live lines first, then whether a part is cancelled."""
    if status != Booking.Status.CONFIRMED:
        return Label(status)
    every = list(lines)
    live = [line for line in every if line.status == Line.Status.LIVE]
    outcomes = {line.attendance for line in live}
    if outcomes == {Attendance.NO_SHOW}:
        return Label.NO_SHOW
    if outcomes and outcomes <= {Attendance.COMPLETED, Attendance.NO_SHOW}:
        return Label.COMPLETED
    if outcomes & {Attendance.ARRIVED, Attendance.COMPLETED}:
        return Label.CHECKED_IN
    return Label.PARTIALLY_CANCELLED if len(live) < len(every) else Label.CONFIRMED
