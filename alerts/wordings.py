"""What alerts say, by the kind of fact that they are made from. Pure: numbers, amounts and days are filled in."""

from collections.abc import Mapping
from dataclasses import dataclass

from alerts.models import Alert

LOW, MEDIUM, HIGH = Alert.Severity.LOW, Alert.Severity.MEDIUM, Alert.Severity.HIGH


@dataclass(frozen=True, slots=True)
class Wording:
    """What an alert says about a kind of fact: what has happened, and what to do about it."""

    type: str
    severity: Alert.Severity
    title: str
    description: str


WORDINGS: Mapping[str, Wording] = {
    "duplicate_refused": Wording(
        "duplicate_booking_attempt",
        MEDIUM,
        "Potential duplicate booking",
        "Somebody tried to book {number} once more: the same e-mail address, session and people. It was not booked.",
    ),
    "duplicate_overridden": Wording(
        "duplicate_booking_confirmed",
        LOW,
        "Booked twice on purpose",
        "{number} repeats another booking: the same e-mail address, session and people. It was confirmed as meant.",
    ),
    "message_failed": Wording(
        "message_failed",
        HIGH,
        "A customer was not told",
        "A message about {number} could not be delivered. Look at it under Messages: put right what is wrong and send"
        " it again, or call the customer.",
    ),
    "late_payment_returned": Wording(
        "late_payment_returned",
        HIGH,
        "A late payment goes back",
        "{amount} for {number} came {why}. It goes back by itself, and the customer is told why. Call them if other"
        " places would do.",
    ),
    "refund_failed": Wording(
        "refund_failed",
        HIGH,
        "A refund could not be made",
        "{amount} for {number} could not be given back, after every try. Open the refund: try it again, or give the"
        " money back another way. The customer is told that you will be in touch.",
    ),
    "refund_delayed": Wording(
        "refund_delayed",
        HIGH,
        "A refund has not gone back yet",
        "{amount} for {number} was to go back more than a day ago, and the payment provider has not said that it did."
        " It is tried again by itself. Look it up at the provider; if that is too slow for the customer, speak with"
        " them.",
    ),
    "payment_disputed": Wording(
        "payment_disputed",
        HIGH,
        "A payment is disputed",
        "The payer's bank asks for {amount} of {number} back. Answer it at the payment provider{until}. The booking"
        " stays as it is: what becomes of it is for you to decide.",
    ),
    "dispute_lost": Wording(
        "dispute_lost",
        MEDIUM,
        "A dispute was lost",
        "{amount} of {number} went back to the payer for good. The booking stays as it is: speak with the customer, or"
        " cancel it.",
    ),
    "payment_mismatched": Wording(
        "payment_mismatched",
        HIGH,
        "Another amount was paid than was asked",
        "For {number} {amount} came instead of {asked}. Nothing was made of it. Look the payment up at the provider:"
        " give it back there, or speak with the customer.",
    ),
    "balance_overdue": Wording(
        "balance_overdue",
        MEDIUM,
        "A balance is overdue",
        "{amount} of {number} was to be paid by {day}. The booking stands, and the customer is told. Take the money at"
        " the desk, remind them, or cancel it.",
    ),
    "reconciliation_differed": Wording(
        "reconciliation_differed",
        HIGH,
        "The bank's statement differs from the ledger",
        "{count} between the statement of {account} and our ledger could not be put right by itself. Open the"
        " reconciliation: it lists each one.",
    ),
    "account_refused": Wording(
        "provider_account_broken",
        HIGH,
        "The payment provider refuses the account",
        "The provider does not take the account's key any more, so nobody can pay online. Bookings wait, and money that"
        " is to go back waits too. An owner has to disconnect the account and connect it again with a new key: then all"
        " of it goes on.",
    ),
}
BANK_DOWN = Wording(
    "provider_down",
    HIGH,
    "The payment provider does not answer",
    "It has not answered since {since}. Places stay held as long as they would, and what is open is settled once it"
    " answers: nothing is lost, and there is nothing to mend here. Look at the provider's own status page.",
)
PARKED = Wording(
    "fact_parked",
    HIGH,
    "A fact could not be handed over",
    "{consumer} has refused a fact ({kind}) again and again ({error}). Others go on; this one is tried every hour.",
)
RAISING: Mapping[str, frozenset[str]] = {
    "booking": frozenset(
        {
            "duplicate_refused", "duplicate_overridden", "message_failed", "late_payment_returned", "refund_failed",
            "payment_disputed", "dispute_lost", "balance_overdue",
        }
    ),
    "waitlist": frozenset({"message_failed"}),
    "payment": frozenset({"payment_mismatched", "account_refused", "refund_delayed"}),
    "reconciliation": frozenset({"reconciliation_differed"}),
}  # fmt: skip
LATE_WHY: Mapping[str, str] = {
    "places_gone": "when the places were gone",
    "session_over": "when the session was over or called off",
    "booked_again": "when the same had been booked again",
    "too_little": "too late, and was less than was due",
    "customer_erased": "when the customer had been erased",
    "cancelled": "when the booking was cancelled already",
}
