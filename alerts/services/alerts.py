"""Alerts: made from facts, acknowledged and resolved by people. The one writer of the table."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from alerts.models import Alert
from alerts.services import alert_facts
from alerts.sources import AnyFact
from alerts.wordings import BANK_DOWN, PARKED, WORDINGS, Wording
from bookings.models import BookingEvent
from config.kit.clock import database_now
from config.kit.display import utc_text
from config.kit.refusals import NotFound, Refusal
from payments.models import ProviderAccount


class IllegalTransition(Refusal):
    """The alert's state does not allow this."""

    code, title = "illegal_transition", "The alert is in a state in which this cannot be done"


def raise_alert(fact: Any) -> Alert:
    """Write the alert of a fact; again returns the one that there is.

    Of what stays so until somebody acts, such as an account that is refused, one is open at a time.
    """
    wording, about = WORDINGS[fact.kind], alert_facts.about(fact)
    same = _open_alert(fact.organization_id, wording, about.once) if about.once else None
    return same or _write_alert(fact, wording, wording.description.format(**about.words), about.metadata)


@transaction.atomic
def raise_provider_alert(account_id: UUID, *, down_since: datetime | None) -> Alert:
    """Say that an account's provider has not answered since then or, without a time, that it refuses the account.

    While such an alert is open it is returned as it is.
    """
    account = ProviderAccount.objects.get(id=account_id)
    wording = BANK_DOWN if down_since else WORDINGS["account_refused"]
    metadata = {"account": str(account.id), "provider": account.provider}
    words = wording.description.format(since=utc_text(down_since)) if down_since else wording.description
    return _open_alert(account.organization_id, wording, metadata) or Alert.objects.create(
        organization_id=account.organization_id, type=wording.type, severity=wording.severity, title=wording.title,
        description=words, metadata=metadata | ({"down_since": down_since.isoformat()} if down_since else {}),
    )  # fmt: skip


def _open_alert(organization_id: UUID, wording: Wording, metadata: Mapping[str, Any]) -> Alert | None:
    """Return the alert of this type about an account that says so already, and that nobody has resolved."""
    _lock_account(metadata["account"])
    rows = Alert.objects.filter(organization=organization_id, type=wording.type, metadata__contains=metadata)
    return rows.exclude(status=Alert.Status.RESOLVED).order_by("id").first()


def _lock_account(account_id: str) -> None:
    """Keep two of us from finding no alert about an account, and writing two."""
    list(ProviderAccount.objects.select_for_update(no_key=True).filter(id=account_id).values_list("id"))


def parked_type(consumer: str) -> str:
    """Return the type of the alert that says that a consumer refuses a fact."""
    return f"{PARKED.type}_{consumer}"


def park_fact(fact: AnyFact, *, source: str, consumer: str, error: str) -> Alert:
    """Say that a consumer cannot take a fact; while the alert is there, frequent sweeps pass the fact by."""
    wording = replace(PARKED, type=parked_type(consumer))
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
