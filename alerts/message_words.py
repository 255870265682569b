"""What staff read of messages. Pure."""

import re

WORDS = {
    "booking_confirmed": "Booked",
    "booking_cancelled": "Cancelled",
    "line_cancelled": "Partly cancelled",
    "line_moved": "Moved",
    "party_changed": "Party changed",
    "transfer_offered": "Offered to somebody",
    "booking_transferred": "Passed on",
    "booking_received": "Received from somebody",
    "session_closed_offers": "Does not take place",
    "waitlist_joined": "On the waiting list",
    "waitlist_offered": "Places offered",
    "waitlist_lapsed": "Waiting is over",
    "resume_link_asked": "Link to go on booking",
    "reminder": "Reminder",
    "duplicate_refused": "To staff: duplicate refused",
    "duplicate_overridden": "To staff: booked twice",
    "payment_received": "Payment received",
    "payment_returned": "Money given back",
    "late_payment_returned": "Late payment goes back",
    "refund_failed": "Refund not possible yet",
    "balance_reminded": "Balance to pay",
    "balance_overdue": "Balance overdue",
    "payment_disputed": "Payment disputed",
    "dispute_opened": "To staff: payment disputed",
}
SECRET = re.compile(r"(/[\w-]+\.)[\w-]{43}(?=/)")  # of an address: what opens it without a login


def kind_words(kind: str) -> str:
    """Return a kind of message in a few words; a reminder's kind names its session's start, too."""
    return WORDS.get(kind) or WORDS.get(kind.partition("_2")[0]) or kind.replace("_", " ").capitalize()


def without_secrets(text: str) -> str:
    """Return a text whose links open nothing."""
    return SECRET.sub(r"\1…", text)
