"""What a fact tells an alert: the words that are filled in, and ids and numbers for programs. No personal data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from alerts.wordings import LATE_WHY
from bookings.models import Booking, BookingEvent
from bookings.timeline import zone_of
from config.kit.display import day_text, money_text
from payments.models import Dispute, PaymentEvent, Reconciliation


@dataclass(frozen=True, slots=True)
class About:
    """What an alert is about."""

    words: Mapping[str, str]  # for the description
    metadata: Mapping[str, Any]
    once: Mapping[str, Any] = field(default_factory=dict)  # an open alert with this in its metadata says it already


def about(fact: Any) -> About:
    """Return what an alert of this fact says, whichever table the fact stands in."""
    if isinstance(fact, Reconciliation):
        return _of_reconciliation(fact)
    if isinstance(fact, PaymentEvent):
        return _of_payment(fact)
    if isinstance(fact, BookingEvent):
        own = {"booking": str(fact.booking_id), "number": fact.booking.number}
        return About(_words(fact, fact.booking.number, zone_of(fact.booking)), {**own, **_happened(fact)})
    return About({"number": "a waiting party"}, {"waitlist_entry": str(fact.entry_id), **_happened(fact)})


def _happened(fact: Any) -> dict[str, Any]:
    return {
        "attempted_at": fact.at.isoformat(), "actor_kind": fact.actor_kind,
        "actor_id": fact.actor_id and str(fact.actor_id), "channel": fact.channel, **fact.after,
    }  # fmt: skip


def _words(fact: Any, number: str, zone: ZoneInfo) -> dict[str, str]:
    """Return number, amount, reason and days, as far as the fact has them."""
    after = fact.after
    minor = after.get("amount_minor", after.get("due_minor"))
    due_at = after.get("balance_due_at")
    return {
        "number": number,
        "amount": money_text(minor, after["currency"]) if minor is not None and "currency" in after else "money",
        "why": LATE_WHY.get(after.get("why", ""), "when it could not be used any more"),
        "until": _answer_by(after, zone),
        "day": day_text(datetime.fromisoformat(due_at), zone) if due_at else "its day",
    }


def _answer_by(after: Mapping[str, Any], zone: ZoneInfo) -> str:
    """Say until when the bank takes an answer to a dispute, where it has said so."""
    dispute = Dispute.objects.filter(id=after["dispute"]).first() if "dispute" in after else None
    at = dispute.answer_by if dispute else None
    return f" by {day_text(at, zone)}" if at else ""


def _of_payment(fact: PaymentEvent) -> About:
    payment = fact.payment
    booking = Booking.objects.filter(id=payment.reference, organization=fact.organization_id).first()
    own = {"payment": str(payment.id), "booking": str(payment.reference), "number": booking.number if booking else ""}
    words = _words(fact, booking.number if booking else "a booking that we do not know", ZoneInfo("UTC"))
    asked = fact.before.get("amount_minor", payment.amount_minor)
    words["asked"] = money_text(asked, fact.before.get("currency", payment.currency))
    once = {"account": str(payment.account_id)} if fact.kind == "account_refused" else {}
    return About(words, {**own, **once, **_happened(fact)}, once)


def _of_reconciliation(row: Any) -> About:
    """Say how many differences are open; the same ones again, an hour later, are no new alert."""
    still_open = sorted(f"{each['kind']} {each['ref']}" for each in row.differences if not each["healed"])
    count = f"{row.open_count} difference{'' if row.open_count == 1 else 's'}"
    once = {"account": str(row.account_id), "differences": still_open}
    words = {"count": count, "account": row.account.account_ref or row.account.get_provider_display()}
    metadata = {**once, "reconciliation": str(row.id), "open_count": row.open_count, "checked": row.checked}
    return About(words, metadata, once)
