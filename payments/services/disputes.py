"""Money that a payer's bank asks back: opened, withdrawn, given back, decided. The one writer of disputes.

What the provider says comes in any order, any number of times. Each time it says how a dispute is; what that means for
our money is read off the ledger, which is written once per movement. The booking stays: a person decides about it.
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from config.kit.clock import database_now
from config.kit.facts import SYSTEM
from payments.models import Dispute, LedgerTransaction, Payment
from payments.providers.base import DisputeOutcome
from payments.services import ledger
from payments.services.balances import lock_payment
from payments.services.payment_rows import record_payment_event
from payments.signals import dispute_closed, dispute_opened

Status, Kind = Dispute.Status, LedgerTransaction.Kind


def apply_dispute_outcome(account_id: UUID, outcome: DisputeOutcome) -> bool:
    """Write how a dispute is. False: no settled payment of the account is it about; not yet.

    Won money is ours again in the balance at once, in the ledger when the bank has given it back. A dispute that is
    decided stays as it was decided.
    """
    about = Payment.objects.filter(account=account_id, intent_ref=outcome.intent_ref).exclude(intent_ref="")
    payment_id = about.values_list("id", flat=True).first()
    if payment_id is None:
        return False
    with transaction.atomic():
        payment = lock_payment(payment_id)
        if payment.status != Payment.Status.SUCCEEDED:
            return False
        _apply(_find(payment, outcome) or _open(payment, outcome), outcome)
    return True


def _find(payment: Payment, outcome: DisputeOutcome) -> Dispute | None:
    dispute = Dispute.objects.filter(payment=payment, provider_ref=outcome.provider_ref).first()
    if dispute:
        dispute.payment = payment  # the locked one
    return dispute


def _open(payment: Payment, outcome: DisputeOutcome) -> Dispute:
    dispute = Dispute.objects.create(
        organization_id=payment.organization_id, payment=payment, provider_ref=outcome.provider_ref,
        amount_minor=outcome.amount_minor, currency=outcome.currency, reason=outcome.reason[:60],
        answer_by=outcome.answer_by,
    )  # fmt: skip
    _record(dispute, "dispute_opened")
    dispute_opened.send(
        None, payment_id=payment.id, reference=payment.reference, dispute_id=dispute.id, actor=SYSTEM
    )  # fmt: skip
    return dispute


def _apply(dispute: Dispute, outcome: DisputeOutcome) -> None:
    """Bring a dispute under its payment's lock on to what the provider says; never back."""
    is_over_there = outcome.status != Status.OPEN
    if outcome.answer_by:
        _write(dispute, answer_by=_later(dispute.answer_by, outcome.answer_by))
    if outcome.is_withdrawn or outcome.status == Status.LOST:
        _withdraw(dispute)
    if is_over_there and dispute.status == Status.OPEN:
        _close(dispute, Status(outcome.status))
    if dispute.status == Status.WON and outcome.status == Status.WON and not outcome.is_withdrawn:
        _write(dispute, is_withdrawn=False)
    _give_back(dispute)


def _withdraw(dispute: Dispute) -> None:
    """The bank has, or had, the money. What a decided dispute said since stays."""
    if ledger.has_posted(dispute.id, Kind.DISPUTE_WITHDRAWN):
        return
    ledger.post_dispute(dispute, Kind.DISPUTE_WITHDRAWN)
    _record(dispute, "dispute_withdrawn")
    if dispute.status == Status.OPEN:
        _write(dispute, is_withdrawn=True)


def _give_back(dispute: Dispute) -> None:
    """Post what came back with a won dispute, once both its ways are known."""
    came_back = dispute.status == Status.WON and not dispute.is_withdrawn
    went = ledger.has_posted(dispute.id, Kind.DISPUTE_WITHDRAWN)
    if came_back and went and not ledger.has_posted(dispute.id, Kind.DISPUTE_REINSTATED):
        ledger.post_dispute(dispute, Kind.DISPUTE_REINSTATED)
        _record(dispute, "dispute_reinstated")


def _close(dispute: Dispute, status: Dispute.Status) -> None:
    _write(dispute, status=status, closed_at=database_now())
    if status == Status.LOST:
        ledger.post_dispute(dispute, Kind.DISPUTE_LOST)
    _record(dispute, f"dispute_{status}")
    dispute_closed.send(
        None, payment_id=dispute.payment_id, reference=dispute.payment.reference, dispute_id=dispute.id,
        status=dispute.status, actor=SYSTEM,
    )  # fmt: skip


def _write(dispute: Dispute, **fields: object) -> None:
    for name, value in fields.items():
        setattr(dispute, name, value)
    dispute.save(update_fields=list(fields))


def _later(one: datetime | None, other: datetime) -> datetime:
    return max(one, other) if one else other


def _record(dispute: Dispute, kind: str) -> None:
    told = {
        "dispute": str(dispute.id), "amount_minor": dispute.amount_minor, "currency": dispute.currency,
        "status": dispute.status, "is_withdrawn": dispute.is_withdrawn,
    }  # fmt: skip
    record_payment_event(dispute.payment, kind=kind, actor=SYSTEM, after=told)
