"""A booking's life in plain words, read from its facts: when by the venue's clock, what, who, by which channel."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from bookings import transfer_links
from bookings.models import Booking, BookingEvent, BookingEventDetail
from config.kit.display import clock_text, day_text, money_text
from scheduling.models import Session
from scheduling.timeline import Entry, entries

WORDS = {
    "message_failed": "A message to the customer could not be delivered",
    "message_queued_again": "A message that had failed was sent again",
    "message_repeated": "A message was sent once more",
    "booking_started": "Booking begun",
    "booking_confirmed": "Confirmed",
    "booking_cancelled": "Cancelled",
    "booking_expired": "Expired, unpaid",
    "transfer_offered": "Offered to somebody else, who has to agree",
    "booking_transferred": "Handed over to somebody else",
    "line_cancelled": "One line cancelled",
    "line_moved": "Moved to another time",
    "party_changed": "Another number of people",
    "participants_changed": "Who comes was changed",
    "session_closed_offers": "The session will not take place; offered to move or cancel without a fee",
    "duplicate_refused": "Somebody tried to book the same once more; it was not booked",
    "duplicate_overridden": "Repeats another booking, and was confirmed as meant",
    "affected_line_decided": "Decided after a change of the timetable",
    "line_checked_in": "Checked in",
    "check_in_undone": "The check-in was taken back",
    "outcome_set": "Noted whether they came",
    "customer_erased": "Personal data erased",
    "booking_archived": "Archived",
    "checkout_left": "Begun anew; this one was never paid",
    "payment_failed": "The bank refused the payment",
    "payment_received": "Paid",
    "payment_returned": "Money given back",
    "refund_failed": "Money could not be given back; staff have an alert",
    "late_payment_returned": "Paid too late; the money goes back",
    "payment_disputed": "The payer's bank asks for money back",
    "dispute_won": "Dispute won: the money stays",
    "dispute_lost": "Dispute lost: the money is gone",
    "balance_reminded": "Reminded of what is still to be paid",
    "balance_overdue": "Overdue",
    "rebate_given": "Let off a part of the price",
}
WAYS = {"stripe": "online", "voucher": "by voucher", "on_arrival": "at the desk"}
LATE = {
    "places_gone": "the places were gone",
    "session_over": "the session was over or called off",
    "booked_again": "the same was booked again meanwhile",
    "too_little": "it was less than was due",
    "customer_erased": "the customer was erased already",
    "cancelled": "the booking was cancelled already",
}
OUTCOMES = {"completed": "they came", "no_show": "they did not come"}
DECISIONS = {
    "contacted": "the customer was contacted",
    "keep": "it stays as it is",
    "move": "it is to be moved",
    "refund": "it is to be refunded",
}


def timeline_of(booking: Booking) -> list[Entry]:
    """Return what happened, in order, in four queries."""
    events = list(booking.events.select_related("detail").order_by("seq"))
    return entries(events, zone_of(booking), WORDS, note=_note)


def _note(event: BookingEvent) -> str:
    """Say what was decided or what it came to, and what whoever did it wrote beside."""
    detail: BookingEventDetail | None = getattr(event, "detail", None)
    decision = DECISIONS.get(event.after.get("decision", ""), "")
    outcome = OUTCOMES.get(event.after.get("attendance", ""), "")
    money = (_amount(event), *money_in_words(event.after.get("consequence", {})))
    parts = (decision, outcome, *money, _written(event, detail))
    return ": ".join(part for part in parts if part)


def _amount(event: BookingEvent) -> str:
    """Say how much a fact about money is of, by which way it came, or why it goes back."""
    after = event.after
    minor = after.get("amount_minor", after.get("due_minor"))
    if minor is None or "currency" not in after:  # a line's amount stands in facts of its place
        return ""
    how = (WAYS.get(after.get("provider", "")), LATE.get(after.get("why", "")))
    return ", ".join([money_text(minor, after["currency"]), *(words for words in how if words)])


def _written(event: BookingEvent, detail: BookingEventDetail | None) -> str:
    if event.kind == transfer_links.KIND:
        return transfer_links.offer_words(event)
    return detail.note if detail else ""


def zone_of(booking: Booking) -> ZoneInfo:
    """Return the zone of the venue of its first line."""
    line = booking.lines.select_related("session__activity__venue").order_by("id").first()
    return line.session.activity.venue.zone if line else ZoneInfo("UTC")


def money_in_words(consequence: Mapping[str, Any]) -> list[str]:
    """Say what an act came to; nothing when it cost nothing."""
    if not consequence:
        return []
    currency = consequence["currency"]
    told = (("fee_minor", "{} kept as a fee"), ("due_minor", "{} more to pay"), ("refundable_minor", "{} less to pay"))
    return [words.format(money_text(consequence[name], currency)) for name, words in told if consequence[name]]


# For the customer: what happened to what they booked, without who at the venue did it ---------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that happened, as its customer reads it."""

    when: str
    what: str
    money: str = ""


def story_of(booking: Booking, zone: ZoneInfo) -> list[Told]:
    """Return what happened in words for the customer, the newest last, in two queries; what is internal is left out."""
    events = [event for event in booking.events.order_by("seq") if event.kind in STORY]
    since = _since_handed_over(events)
    clocks = _clocks(events[since:], zone)
    return [
        Told(
            when=f"{day_text(event.at, zone)}, {clock_text(event.at, zone)}",
            what=STORY[event.kind](event, clocks),
            money=", ".join([*filter(None, [_amount(event)]), *money_in_words(event.after.get("consequence", {}))]),
        )
        for event in events[since:]
        if not event.after.get("booking_ends")
    ]


def _since_handed_over(events: list[BookingEvent]) -> int:
    """Return where the story of the customer of now begins: what was before is somebody else's."""
    given = [place for place, event in enumerate(events) if event.kind == "booking_transferred"]
    return given[-1] if given else 0


Clocks = Mapping[str, str]


def _clocks(events: Iterable[BookingEvent], zone: ZoneInfo) -> Clocks:
    """Return when each session starts that the facts name, by the venue's clock."""
    named = {
        session
        for event in events
        for side in (event.before, event.after)
        for session in [side.get("session"), *side.get("sessions", ())]
        if session
    }
    rows = Session.objects.filter(id__in=[UUID(session) for session in named]).values_list("id", "starts_at")
    return {str(key): f"{day_text(at, zone)}, {clock_text(at, zone)}" for key, at in rows} if named else {}


def _moved(event: BookingEvent, clocks: Clocks) -> str:
    was, now = (clocks.get(side["session"], "another time") for side in (event.before, event.after))
    return f"Moved from {was} to {now}"


def _party(event: BookingEvent, _: Clocks) -> str:
    return f"{event.after['party_size']} instead of {event.before['party_size']} people"


def _line_gone(event: BookingEvent, clocks: Clocks) -> str:
    return f"{clocks.get(event.after['session'], 'One session')}: cancelled"


def _closed(event: BookingEvent, clocks: Clocks) -> str:
    sessions = " and ".join(clocks.get(session, "One session") for session in event.after["sessions"])
    return f"{sessions}: will not take place"


STORY: Mapping[str, Callable[[BookingEvent, Clocks], str]] = {
    "booking_confirmed": lambda *_: "Booked",
    "booking_cancelled": lambda *_: "Cancelled",
    "booking_expired": lambda *_: "Expired, because it was not paid for",
    "transfer_offered": lambda *_: "Offered to somebody else; yours until they agree",
    "booking_transferred": lambda *_: "Handed over to you",
    "line_cancelled": _line_gone,
    "line_moved": _moved,
    "party_changed": _party,
    "participants_changed": lambda *_: "Who comes was changed",
    "session_closed_offers": _closed,
    "payment_received": lambda *_: "Paid",
    "payment_returned": lambda *_: "Given back to you",
    "late_payment_returned": lambda *_: "Paid too late; the money goes back to you",
    "refund_failed": lambda *_: "Could not be given back yet; we will be in touch",
    "payment_disputed": lambda *_: "Your bank asks for your payment back",
    "dispute_won": lambda *_: "Your bank has decided: the payment stands",
    "dispute_lost": lambda *_: "Your bank has given you the money back",
    "rebate_given": lambda *_: "Taken off the price",
}
