"""Alerts: made from facts, acknowledged and resolved by people. The one writer of the table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from alerts.models import Alert
from alerts.sources import AnyFact
from bookings.models import BookingEvent
from config.kit.clock import database_now
from config.kit.refusals import NotFound, Refusal


class IllegalTransition(Refusal):
    """The alert's state does not allow this."""

    code, title = "illegal_transition", "The alert is in a state in which this cannot be done"


@dataclass(frozen=True, slots=True)
class Wording:
    """What an alert says about a kind of fact."""

    type: str
    severity: Alert.Severity
    title: str
    description: str


WORDINGS = {
    "duplicate_refused": Wording(
        "duplicate_booking_attempt",
        Alert.Severity.MEDIUM,
        "Potential duplicate booking",
        "Somebody tried to book {number} once more: the same e-mail address, session and people. It was not booked.",
    ),
    "duplicate_overridden": Wording(
        "duplicate_booking_confirmed",
        Alert.Severity.LOW,
        "Booked twice on purpose",
        "{number} repeats another booking: the same e-mail address, session and people. It was confirmed as meant.",
    ),
    "message_failed": Wording(
        "message_failed",
        Alert.Severity.HIGH,
        "A customer was not told",
        "A message about {number} could not be delivered. Look at it under Messages: put right what is wrong and send"
        " it again, or call the customer.",
    ),
}
RAISING: Mapping[str, frozenset[str]] = {
    "booking": frozenset(WORDINGS),
    "waitlist": frozenset({"message_failed"}),
}


def raise_alert(fact: Any) -> Alert:
    """Write the alert of a fact about a booking or a waiting party; again returns the one that there is."""
    wording, about = WORDINGS[fact.kind], _about(fact)
    metadata = {
        **about, "attempted_at": fact.at.isoformat(), "actor_kind": fact.actor_kind,
        "actor_id": fact.actor_id and str(fact.actor_id), "channel": fact.channel, **fact.after,
    }  # fmt: skip
    return _write_alert(
        fact, wording, wording.description.format(number=about.get("number", "a waiting party")), metadata
    )


def _about(fact: Any) -> dict[str, str]:
    if isinstance(fact, BookingEvent):
        return {"booking": str(fact.booking_id), "number": fact.booking.number}
    return {"waitlist_entry": str(fact.entry_id)}


PARKED = Wording(
    "fact_parked",
    Alert.Severity.HIGH,
    "A fact could not be handed over",
    "{consumer} has refused a fact ({kind}) again and again ({error}). Others go on; this one is tried every hour.",
)


def parked_type(consumer: str) -> str:
    """Return the type of the alert that says that a consumer refuses a fact."""
    return f"{PARKED.type}_{consumer}"


def park_fact(fact: AnyFact, *, source: str, consumer: str, error: str) -> Alert:
    """Say that a consumer cannot take a fact; while the alert is there, frequent sweeps pass the fact by."""
    wording = Wording(parked_type(consumer), PARKED.severity, PARKED.title, PARKED.description)
    metadata = {"fact": str(fact.id), "source": source, "kind": fact.kind, "consumer": consumer, "error": error}
    if isinstance(fact, BookingEvent):
        metadata["booking"] = str(fact.booking_id)
    words = wording.description.format(consumer=consumer.capitalize(), kind=fact.kind, error=error)
    return _write_alert(fact, wording, words, metadata)


def _write_alert(fact: AnyFact, wording: Wording, description: str, metadata: Mapping[str, Any]) -> Alert:
    alert, _ = Alert.objects.get_or_create(
        fact_id=fact.id, type=wording.type,
        defaults={
            "organization_id": fact.organization_id, "severity": wording.severity, "title": wording.title,
            "description": description, "metadata": metadata,
        },
    )  # fmt: skip
    return alert


@transaction.atomic
def acknowledge_alert(
    *, alert_id: UUID, organization_id: UUID | None = None, user_id: UUID | None = None, api_key_id: UUID | None = None
) -> Alert:
    """Say that somebody has seen it, a user or a program's key; again changes nothing. Refuses with NotFound."""
    alert = _lock_alert(alert_id, organization_id)
    if alert.status != Alert.Status.UNREAD:
        return alert
    alert.status, alert.acknowledged_at = Alert.Status.ACKNOWLEDGED, database_now()
    alert.acknowledged_by_id, alert.acknowledged_by_key_id = user_id, api_key_id
    alert.save(update_fields=["status", "acknowledged_at", "acknowledged_by", "acknowledged_by_key"])
    return alert


@transaction.atomic
def resolve_alert(*, alert_id: UUID) -> Alert:
    """Say that nothing is left to do about it; again changes nothing. Refuses what nobody has acknowledged."""
    alert = _lock_alert(alert_id, None)
    if alert.status == Alert.Status.RESOLVED:
        return alert
    if not Alert.TRANSITIONS.allows(alert.status, Alert.Status.RESOLVED):
        raise IllegalTransition("Acknowledge it first.")
    alert.status = Alert.Status.RESOLVED
    alert.save(update_fields=["status"])
    return alert


def _lock_alert(alert_id: UUID, organization_id: UUID | None) -> Alert:
    alert = Alert.objects.select_for_update(no_key=True).filter(id=alert_id).first()
    if alert is None or organization_id not in (None, alert.organization_id):
        raise NotFound
    return alert
