"""The one writer of payments, their status and their facts. What decides, and who asks, is in charges.py."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from config.kit.clock import database_now
from config.kit.facts import SYSTEM, Actor, append_fact
from payments.models import Payment, PaymentEvent, PaymentEventDetail, ProviderAccount, ProviderName, Voucher
from payments.services import ledger
from payments.services.balances import require_transaction
from payments.signals import payment_failed, payment_succeeded

Status = Payment.Status


def create_payment(
    *, organization_id: UUID, reference: UUID, provider: ProviderName, amount_minor: int, currency: str,
    purpose: Payment.Purpose, actor: Actor, account: ProviderAccount | None = None, voucher: Voucher | None = None,
    **fields: Any,
) -> Payment:  # fmt: skip
    """Write a payment that nothing has become of yet, with its fact; in the caller's transaction."""
    require_transaction()
    payment = Payment.objects.create(
        organization_id=organization_id, reference=reference, provider=provider, amount_minor=amount_minor,
        currency=currency, purpose=purpose, account=account, voucher=voucher, **fields,
    )  # fmt: skip
    payment.refresh_from_db(fields=["created_at"])
    record_payment_event(payment, kind="payment_opened", actor=actor, after=money_of(payment))
    return payment


def settle(payment: Payment, *, actor: Actor) -> None:
    """Write that the money is there: status, ledger and fact; and tell, in the same transaction, what it was for.

    The payment is locked, or of this very transaction, and not settled yet.
    """
    require_transaction()
    before = payment.status
    write(payment, status=Status.SUCCEEDED, settled_at=database_now(), ended_at=None, failure_code="")
    ledger.post_payment(payment)
    record_payment_event(payment, kind="payment_succeeded", actor=actor, from_status=before, after=money_of(payment))
    payment_succeeded.send(None, payment_id=payment.id, reference=payment.reference, actor=actor)


def end(payment: Payment, status: Payment.Status, *, failure_code: str, actor: Actor) -> None:
    """Write that a locked, open payment failed or was cancelled, and tell."""
    before = payment.status
    write(payment, status=status, ended_at=database_now(), failure_code=failure_code[:80])
    kind = "payment_failed" if status == Status.FAILED else "payment_cancelled"
    after = {"failure_code": failure_code} if failure_code else None
    record_payment_event(payment, kind=kind, actor=actor, from_status=before, after=after)
    payment_failed.send(None, payment_id=payment.id, reference=payment.reference, status=status, actor=actor)


def note_begun(payment: Payment, *, actor: Actor) -> None:
    """Write that the provider has it, unless that is known, or more."""
    if payment.status == Status.CREATED:
        write(payment, status=Status.PROCESSING)
        record_payment_event(payment, kind="payment_begun", actor=actor, from_status=Status.CREATED)


def learn(payment: Payment, **said: str) -> None:
    """Keep what the provider calls it, once it has said so; what is known already stays."""
    new = {name: value for name, value in said.items() if value and not getattr(payment, name)}
    if new:
        write(payment, **new)


def record_once(
    payment: Payment, *, kind: str, before: Mapping[str, Any] | None = None, after: Mapping[str, Any] | None = None
) -> None:
    """Append a fact unless the locked payment has one just like it."""
    known = PaymentEvent.objects.filter(payment=payment, kind=kind, after=dict(after or {}))
    if not known.exists():
        record_payment_event(payment, kind=kind, actor=SYSTEM, before=before, after=after)


def record_payment_event(
    payment: Payment, *, kind: str, actor: Actor, before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None, from_status: str = "",
) -> PaymentEvent:  # fmt: skip
    """Append a fact to a payment's chain, in the transaction of what it says; ids, numbers and codes only."""
    require_transaction()
    return append_fact(
        PaymentEvent, PaymentEventDetail, organization_id=payment.organization_id, payment=payment, actor=actor,
        kind=kind, from_status=from_status, to_status=payment.status, before=before, after=after,
    )  # fmt: skip


def write(payment: Payment, **fields: Any) -> None:
    """Write fields of a locked payment, here and in its row."""
    Payment.objects.filter(id=payment.id).update(**fields)
    for name, value in fields.items():
        setattr(payment, name, value)


def money_of(payment: Payment) -> dict[str, Any]:
    """Return how much it is of, as facts write it."""
    return {"amount_minor": payment.amount_minor, "currency": payment.currency}
