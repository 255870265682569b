"""The one writer of refunds: rows, status, facts and ledger, under the lock of their payment."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import transaction

from config.kit.clock import database_now
from config.kit.facts import SYSTEM, Actor
from config.kit.refusals import NotFound
from payments.models import Payment, PaymentEvent, ProviderName, Refund
from payments.services import ledger, vouchers
from payments.services.balances import lock_payment, require_transaction
from payments.services.payment_rows import record_payment_event
from payments.signals import refund_due, refund_settled

Status, Reason = Refund.Status, Refund.Reason
# After a definite no a new attempt is made, that much later; after the last of a run a person must look.
PAUSES = [timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 480)]
ATTEMPTS = len(PAUSES) + 1  # in a run: staff can begin another one, whose first attempt is 7, 13 …
LOOK_AGAIN = timedelta(hours=1)  # at what the provider has taken and not settled yet: its news may have been lost
LATE_AFTER = timedelta(days=1)  # from then on staff look too
BEGINS, LATE = ("refund_requested", "refund_retried", "refund_returned"), "refund_delayed"  # facts
HOPELESS = frozenset({"charge_already_refunded", "amount_too_large"})  # the money went back another way


def lock_refund(refund_id: UUID) -> Refund:
    """Lock a refund's payment, then read the refund as it is by now, with that payment; raise NotFound."""
    payment_id = Refund.objects.filter(id=refund_id).values_list("payment_id", flat=True).first()
    if payment_id is None:
        raise NotFound
    payment = lock_payment(payment_id)
    return with_payment(Refund.objects.get(id=refund_id), payment)


def with_payment(refund: Refund, payment: Payment) -> Refund:
    """Give a refund the payment that is locked, in place of another copy of it."""
    refund.payment = payment
    return refund


def add(
    payment: Payment, amount_minor: int, *, reason: Refund.Reason, actor: Actor, lines: Sequence[UUID] = (),
    provider_ref: str = "",
) -> Refund:  # fmt: skip
    """Write a refund of a locked payment; a voucher's goes back at once, a card's is due to be submitted.

    What was paid at the desk waits for staff, and what was sent back at the provider is not sent again.
    """
    require_transaction()
    is_due = payment.provider == ProviderName.STRIPE and reason != Reason.AT_PROVIDER
    refund = Refund.objects.create(
        organization_id=payment.organization_id, payment=payment, reference=payment.reference,
        amount_minor=amount_minor, currency=payment.currency, reason=reason, lines=[str(line) for line in lines],
        actor_kind=actor.kind, actor_id=actor.id, provider_ref=provider_ref,
        next_try_at=database_now() if is_due else None,
    )  # fmt: skip
    _record(refund, "refund_requested", actor, reason=reason, lines=refund.lines)
    if payment.provider == ProviderName.VOUCHER:
        vouchers.return_to_voucher(refund)
        settle(refund, actor=actor)
    elif is_due:
        _nudge(refund)
    return refund


def submit(refund: Refund, *, provider_ref: str) -> None:
    """Write that the provider has taken it; it is looked at again should no news come."""
    write(
        refund, status=Status.SUBMITTED, provider_ref=provider_ref, failure_code="", next_try_at=after(LOOK_AGAIN)
    )  # fmt: skip
    note_delay(refund)


def settle(refund: Refund, *, actor: Actor, provider_ref: str = "") -> None:
    """Write that the money went back, or that this much of it did after all."""
    write(
        refund, status=Status.SUCCEEDED, settled_at=database_now(), provider_ref=provider_ref or refund.provider_ref,
        next_try_at=None, failure_code="",
    )  # fmt: skip
    ledger.post_refund(refund)
    _record(refund, "refund_succeeded", actor, provider_ref=refund.provider_ref)
    _tell(refund, actor)


def decline(refund: Refund, code: str, *, provider_ref: str = "", actor: Actor = SYSTEM) -> None:
    """Write a definite no, or that a bank sent it back: a new attempt after a pause, or the end of the run."""
    was_settled, code = refund.status == Status.SUCCEEDED, code[:80]
    kind = "refund_returned" if was_settled else "refund_declined"
    _record(refund, kind, actor, provider_ref=provider_ref, failure_code=code, attempt=refund.attempt)
    if was_settled:
        ledger.post_refund(refund, returned=True)
    done = (refund.attempt - 1) % ATTEMPTS  # attempts of this run before this one
    if refund.reason == Reason.AT_PROVIDER or code in HOPELESS or done == len(PAUSES):
        fail(refund, code, actor=actor, provider_ref=provider_ref)
        return
    write(
        refund, status=Status.REQUESTED, attempt=refund.attempt + 1, tries=0, failure_code=code, settled_at=None,
        provider_ref=provider_ref or refund.provider_ref, next_try_at=after(PAUSES[done]),
    )  # fmt: skip


def fail(refund: Refund, code: str, *, actor: Actor, provider_ref: str = "") -> None:
    """Give it up: the money is still ours, and somebody must look."""
    write(
        refund, status=Status.FAILED, failure_code=code, settled_at=None, next_try_at=None,
        provider_ref=provider_ref or refund.provider_ref,
    )  # fmt: skip
    _record(refund, "refund_failed", actor, failure_code=code)
    _tell(refund, actor)


def note_delay(refund: Refund) -> None:
    """Write, once each time it is asked for, that a day later the money has not gone back; it goes on being tried."""
    story = PaymentEvent.objects.filter(
        payment=refund.payment, kind__in=(*BEGINS, LATE), after__refund=str(refund.id)
    ).order_by("-seq")  # fmt: skip
    last = story.first()
    if last and last.kind in BEGINS and last.at <= database_now() - LATE_AFTER:
        _record(refund, LATE, SYSTEM, currency=refund.currency)


def begin_again(refund: Refund, *, actor: Actor) -> None:
    """Begin another run of attempts at a failed refund, under keys that were never used."""
    first = ((refund.attempt - 1) // ATTEMPTS + 1) * ATTEMPTS + 1
    write(refund, status=Status.REQUESTED, attempt=first, tries=0, failure_code="", next_try_at=database_now())
    _record(refund, "refund_retried", actor, attempt=first)
    _nudge(refund)


def write(refund: Refund, **fields: object) -> None:
    """Write these fields, here and in the row."""
    require_transaction()
    for name, value in fields.items():
        setattr(refund, name, value)
    refund.save(update_fields=list(fields))


def after(pause: timedelta) -> datetime:
    """Return when to try again: a little scattered, so that what failed together does not come back together."""
    return database_now() + pause * random.uniform(1, 1.2)  # noqa: S311 nothing secret


def _record(refund: Refund, kind: str, actor: Actor, **more: object) -> None:
    told = {"refund": str(refund.id), "amount_minor": refund.amount_minor, "status": refund.status, **more}
    record_payment_event(refund.payment, kind=kind, actor=actor, after=told)


def _tell(refund: Refund, actor: Actor) -> None:
    refund_settled.send(
        None, payment_id=refund.payment_id, reference=refund.reference, refund_id=refund.id, status=refund.status,
        actor=actor,
    )  # fmt: skip


def _nudge(refund: Refund) -> None:
    transaction.on_commit(partial(refund_due.send, None, refund_id=refund.id), robust=True)
