"""A booking rebuilt from its facts alone, pure: what they say is applied one after another, up to a moment.

Facts hold ids and numbers. What stood in the rows is therefore known at any moment: status, total, whose it was, and of
each line its session, reservation, places, people, amount, discount, fee, state and attendance.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from uuid import UUID


class Told(Protocol):
    """A fact, as far as it is read here."""

    kind: str
    to_status: str
    before: dict[str, Any]
    after: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LineThen:
    """A line as it stood."""

    id: UUID
    session_id: UUID
    reservation_id: UUID
    places: int
    party_size: int
    amount_minor: int  # as quoted
    discount_minor: int = 0  # its share of a promo code
    fee_minor: int = 0
    status: str = "live"
    attendance: str = "expected"

    @property
    def net_minor(self) -> int:
        """What it cost after its share of a promo code."""
        return self.amount_minor - self.discount_minor


@dataclass(frozen=True, slots=True)
class BookingThen:
    """A booking as it stood; before its first fact there is none."""

    status: str = ""
    total_minor: int = 0
    customer_id: UUID | None = None
    lines: Mapping[UUID, LineThen] = field(default_factory=dict)

    @property
    def live(self) -> list[LineThen]:
        """Return the lines that held places."""
        return [line for line in self.lines.values() if line.status == "live"]


def replay(facts: Iterable[Told]) -> BookingThen:
    """Return the booking after these facts, which come in their order."""
    booking = BookingThen()
    for fact in facts:
        applied = APPLY[fact.kind](booking, fact) if fact.kind in APPLY else booking
        booking = replace(
            applied, status=fact.to_status, total_minor=fact.after.get("total_minor", applied.total_minor)
        )
    return booking


def _confirmed(booking: BookingThen, fact: Told) -> BookingThen:
    lines = [_line(told) for told in fact.after.get("lines", ())]
    customer = fact.after.get("customer")
    return replace(booking, lines={line.id: line for line in lines}, customer_id=UUID(customer) if customer else None)


def _line(told: Mapping[str, Any]) -> LineThen:
    return LineThen(
        UUID(told["line"]), UUID(told["session"]), UUID(told["reservation"]), told["places"], told["party_size"],
        told["amount_minor"], told.get("discount_minor", 0),  # facts of before there were codes name none
    )  # fmt: skip


def _placed(booking: BookingThen, fact: Told) -> BookingThen:
    """Apply a line's new place, party or price; its attendance and state stay."""
    line = _line(fact.after)
    before = booking.lines.get(line.id, line)
    return _with(booking, replace(line, attendance=before.attendance, status=before.status, fee_minor=before.fee_minor))


def _started(booking: BookingThen, fact: Told) -> BookingThen:
    """Apply the lines of a booking that waits for its money; one that is confirmed at once names them then."""
    return _confirmed(booking, fact) if fact.after.get("lines") else booking


def _left(booking: BookingThen, _: Told) -> BookingThen:
    """Apply that a checkout was left: all its lines with it."""
    lines = {line_id: replace(line, status="cancelled") for line_id, line in booking.lines.items()}
    return replace(booking, lines=lines)


def _line_cancelled(booking: BookingThen, fact: Told) -> BookingThen:
    return _changed(booking, fact, status="cancelled", fee_minor=fact.after["fee_minor"])


def _attended(booking: BookingThen, fact: Told) -> BookingThen:
    return _changed(booking, fact, attendance=fact.after["attendance"])


def _transferred(booking: BookingThen, fact: Told) -> BookingThen:
    return replace(booking, customer_id=UUID(fact.after["customer"]))


def _changed(booking: BookingThen, fact: Told, **fields: Any) -> BookingThen:
    line = booking.lines.get(UUID(fact.after["line"]))
    return _with(booking, replace(line, **fields)) if line else booking


def _with(booking: BookingThen, line: LineThen) -> BookingThen:
    return replace(booking, lines={**booking.lines, line.id: line})


APPLY: Mapping[str, Callable[[BookingThen, Told], BookingThen]] = {
    "booking_started": _started,
    "booking_confirmed": _confirmed,
    "checkout_left": _left,
    "line_moved": _placed,
    "party_changed": _placed,
    "line_cancelled": _line_cancelled,
    "booking_transferred": _transferred,
    "line_checked_in": _attended,
    "check_in_undone": _attended,
    "outcome_set": _attended,
}
