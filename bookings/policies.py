"""What a change or a cancellation costs, until when, and who may do it. Pure.

The venue (its staff, its programs) may until the session is over; customers by the activity's terms. Whoever is booked
in a session that will not take place, or that stands outside the timetable, may move or cancel without a fee and
without a deadline. Once a session is over nothing changes any more but its outcome.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

HUNDRED = 100
COLUMNS = (
    "customers_may_change", "change_until_minutes", "change_fee_minor", "customers_may_transfer",
    "customers_may_cancel", "cancel_until_minutes", "cancel_fee_percent", "late_cancel_fee_percent",
)  # fmt: skip


class Act(StrEnum):
    """What somebody wants to do with a line, or with a booking."""

    CANCEL = "cancel"
    MOVE = "move"
    RESIZE = "resize"  # more people, or fewer
    NAME_PEOPLE = "name_people"
    TRANSFER = "transfer"  # to another customer


@dataclass(frozen=True, slots=True)
class Terms:
    """An activity's terms for customers. Those of the day on which they booked are theirs."""

    may_change: bool = True
    change_until: timedelta = timedelta(days=1)  # before the start
    change_fee_minor: int = 0  # for each change of time or date
    may_transfer: bool = True
    may_cancel: bool = True
    cancel_until: timedelta = timedelta(days=1)  # before the start …
    cancel_fee_percent: int = 0  # … this is kept;
    late_cancel_fee_percent: int = 100  # later, this

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Terms":
        """Read terms from the activity's columns, as a line keeps them."""
        return cls(
            may_change=row["customers_may_change"],
            change_until=timedelta(minutes=row["change_until_minutes"]),
            change_fee_minor=row["change_fee_minor"],
            may_transfer=row["customers_may_transfer"],
            may_cancel=row["customers_may_cancel"],
            cancel_until=timedelta(minutes=row["cancel_until_minutes"]),
            cancel_fee_percent=row["cancel_fee_percent"],
            late_cancel_fee_percent=row["late_cancel_fee_percent"],
        )


@dataclass(frozen=True, slots=True)
class Situation:
    """A line at the moment of asking, and who asks."""

    terms: Terms
    starts_at: datetime
    ends_at: datetime
    now: datetime
    by_venue: bool = False
    is_released: bool = False  # closed with offers, or left outside the timetable
    is_expected: bool = True  # nobody of it has arrived

    @property
    def is_late_to_cancel(self) -> bool:
        """Does cancelling cost the later share?"""
        return self.now > self.starts_at - self.terms.cancel_until


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why something cannot be done: a stable code, and words for a customer."""

    code: str
    words: str


OVER = Obstacle("session_over", "The session is over.")
ARRIVED = Obstacle("already_arrived", "Somebody of this party has arrived already.")
BEGUN = Obstacle("session_begun", "The session has begun.")
CHANGE_NOT_OFFERED = Obstacle("change_not_offered", "This cannot be changed once it is booked.")
CHANGE_TOO_LATE = Obstacle("change_too_late", "It is too late to change this.")
CANCEL_NOT_OFFERED = Obstacle("cancel_not_offered", "This cannot be cancelled once it is booked.")
TRANSFER_NOT_OFFERED = Obstacle("transfer_not_offered", "This cannot be handed over to somebody else.")


def obstacle(act: Act, situation: Situation) -> Obstacle | None:
    """Return what stands against it, or None when it may be done."""
    if situation.now >= situation.ends_at:
        return OVER
    if not situation.is_expected and act is not Act.NAME_PEOPLE:
        return ARRIVED
    if situation.by_venue or (situation.is_released and act in (Act.CANCEL, Act.MOVE)):
        return None
    return _for_customers(act, situation)


def _for_customers(act: Act, situation: Situation) -> Obstacle | None:
    terms, now, starts_at = situation.terms, situation.now, situation.starts_at
    offered, why = {
        Act.CANCEL: (terms.may_cancel, CANCEL_NOT_OFFERED),
        Act.TRANSFER: (terms.may_transfer, TRANSFER_NOT_OFFERED),
    }.get(act, (terms.may_change, CHANGE_NOT_OFFERED))
    if not offered:
        return why
    if now >= starts_at:
        return BEGUN
    is_change = act in (Act.MOVE, Act.RESIZE)
    return CHANGE_TOO_LATE if is_change and now > starts_at - terms.change_until else None


def deadline(act: Act, situation: Situation) -> datetime | None:
    """Return until when a customer may do this, or cancel at the lower fee; None: as long as it is allowed at all."""
    if situation.is_released:
        return None
    if act is Act.CANCEL:
        return situation.starts_at - situation.terms.cancel_until
    return situation.starts_at - situation.terms.change_until if act in (Act.MOVE, Act.RESIZE) else situation.starts_at


# Money, in minor units ------------------------------------------------------------------------------------------------


def share(amount_minor: int, percent: int) -> int:
    """Return so many percent of an amount, rounded half up."""
    return (amount_minor * percent + HUNDRED // 2) // HUNDRED


def cancel_fee(amount_minor: int, situation: Situation) -> int:
    """Return what is kept of an amount when its places are given back: never more than the amount."""
    if situation.is_released:
        return 0
    terms = situation.terms
    percent = terms.late_cancel_fee_percent if situation.is_late_to_cancel else terms.cancel_fee_percent
    return min(share(amount_minor, percent), amount_minor)


def move_fee(situation: Situation) -> int:
    """Return what a change of time or date costs."""
    return 0 if situation.is_released else situation.terms.change_fee_minor


@dataclass(frozen=True, slots=True)
class LineMoney:
    """What one line adds to its booking's total: its amount while it is live, then the fee that was kept of it."""

    amount_minor: int  # after its share of a promo code
    fee_minor: int = 0
    is_live: bool = True


def total_of(lines: Iterable[LineMoney], *, fee_minor: int = 0, rebate_minor: int = 0) -> int:
    """Return a booking's total: the amounts of live lines, and the fees, less what staff let off; never below zero."""
    whole = sum(line.amount_minor if line.is_live else line.fee_minor for line in lines) + fee_minor
    return max(whole - rebate_minor, 0)


@dataclass(frozen=True, slots=True)
class Consequence:
    """What an act would come to, or came to: money in minor units, and places more (+) or fewer (-)."""

    currency: str
    old_total_minor: int
    total_minor: int
    fee_minor: int = 0
    places: int = 0
    obstacles: tuple[Obstacle, ...] = ()

    @property
    def is_allowed(self) -> bool:
        """May it be done?"""
        return not self.obstacles

    @property
    def due_minor(self) -> int:
        """What is to be paid besides."""
        return max(self.total_minor - self.old_total_minor, 0)

    @property
    def refundable_minor(self) -> int:
        """What comes back."""
        return max(self.old_total_minor - self.total_minor, 0)

    @property
    def places_back(self) -> int:
        """How many places go back to the venue."""
        return max(-self.places, 0)

    def document(self) -> dict[str, int | str]:
        """Return the JSON form that is kept with the fact: numbers only."""
        return {
            "fee_minor": self.fee_minor,
            "due_minor": self.due_minor,
            "refundable_minor": self.refundable_minor,
            "currency": self.currency,
        }
