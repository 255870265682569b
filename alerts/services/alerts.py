"""Alerts: made from facts, acknowledged and resolved by people. The one writer of the table."""

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from alerts.models import Alert
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
}


def raise_alert(fact: BookingEvent) -> Alert:
    """Write the alert of a fact; again returns the one that there is."""
    wording, booking = WORDINGS[fact.kind], fact.booking
    metadata = {
        "booking": str(booking.id), "number": booking.number, "attempted_at": fact.at.isoformat(),
        "actor_kind": fact.actor_kind, "actor_id": fact.actor_id and str(fact.actor_id), "channel": fact.channel,
        **fact.after,
    }  # fmt: skip
    alert, _ = Alert.objects.get_or_create(
        fact_id=fact.id, type=wording.type,
        defaults={
            "organization_id": fact.organization_id, "severity": wording.severity, "title": wording.title,
            "description": wording.description.format(number=booking.number), "metadata": metadata,
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
