"""The terms for changing and cancelling, in words for customers: before they book, and afterwards. Pure."""

from datetime import datetime
from zoneinfo import ZoneInfo

from bookings.policies import HUNDRED, Act, Situation, deadline
from config.kit.display import clock_text, day_text, money_text


def terms_in_words(situation: Situation, *, zone: ZoneInfo, currency: str, price_minor: int) -> str:
    """Say by when a line can be changed, handed over or cancelled, and what is kept of its price (minor units)."""
    return " ".join([_cancelling(situation, zone, price_minor), _changing(situation, zone, currency)])


def _cancelling(situation: Situation, zone: ZoneInfo, price_minor: int) -> str:
    terms = situation.terms
    if not terms.may_cancel:
        return "It cannot be cancelled once it is booked."
    early, late = terms.cancel_fee_percent, terms.late_cancel_fee_percent
    if not price_minor:
        return "You can cancel until it begins."
    if situation.is_late_to_cancel or early == late:
        return f"You can cancel until it begins; {_kept(late)}."
    until = _until(situation, Act.CANCEL, zone)
    return f"You can cancel until {until}; {_kept(early)}. After that, {_kept(late)}."


def _kept(percent: int) -> str:
    if not percent:
        return "all of the price goes back"
    return "nothing of the price goes back" if percent == HUNDRED else f"{percent} % of the price is kept"


def _changing(situation: Situation, zone: ZoneInfo, currency: str) -> str:
    terms = situation.terms
    until: datetime | None = deadline(Act.MOVE, situation)
    handed = " You can hand it over to somebody else." if terms.may_transfer else ""
    if not terms.may_change or (until and situation.now > until):
        return f"The time and how many come cannot be changed.{handed}"
    fee = f"; another time costs {money_text(terms.change_fee_minor, currency)}" if terms.change_fee_minor else ""
    return f"The time and how many come can be changed until {_until(situation, Act.MOVE, zone)}{fee}.{handed}"


def _until(situation: Situation, act: Act, zone: ZoneInfo) -> str:
    at = deadline(act, situation) or situation.starts_at
    return f"{day_text(at, zone)}, {clock_text(at, zone)}"
