"""What a provider says became of a refund: any number of times, in any order, with the same end."""

from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from config.kit.facts import SYSTEM
from payments.models import Payment, PaymentEvent, Refund
from payments.providers.base import RefundOutcome, State
from payments.services import refund_rows
from payments.services.balances import lock_payment
from payments.services.payment_rows import record_payment_event

GAVE_UP = ("refund_declined", "refund_returned")  # facts that say: this name of the provider's is dead
DEAD = (State.FAILED, State.CANCELLED)


def apply_refund_outcome(account_id: UUID, outcome: RefundOutcome) -> bool:
    """Write what became of a refund at the provider. False: no settled payment of the account is it of; not yet.

    One that nobody here asked for was made at the provider by hand, and is recorded as that.
    """
    payment_id = _payment_of(account_id, outcome)
    if payment_id is None:
        return False
    with transaction.atomic():
        payment = lock_payment(payment_id)
        if payment.status != Payment.Status.SUCCEEDED:
            return False
        _apply(payment, outcome)
    return True


def _apply(payment: Payment, outcome: RefundOutcome) -> None:
    dead = dead_refs(payment)
    if outcome.provider_ref in dead:
        return  # its end was known already, and there is nothing after it
    refund = _find(payment, outcome, dead)
    if refund is None and outcome.state in DEAD:
        _note_dead(payment, outcome)
    else:
        _move(refund or _record_by_hand(payment, outcome), outcome)


def _move(refund: Refund, outcome: RefundOutcome) -> None:
    """Bring a locked refund on to what the provider says; never back."""
    if outcome.state in DEAD:
        refund_rows.decline(refund, outcome.failure_code or outcome.state, provider_ref=outcome.provider_ref)
    elif outcome.state == State.SUCCEEDED and refund.status != Refund.Status.SUCCEEDED:
        if refund.status == Refund.Status.FAILED:
            _make_room(refund.payment, refund.amount_minor)
        refund_rows.settle(refund, actor=SYSTEM, provider_ref=outcome.provider_ref)
    elif outcome.state == State.OPEN and refund.status in (Refund.Status.REQUESTED, Refund.Status.SUBMITTED):
        refund_rows.submit(refund, provider_ref=outcome.provider_ref)


def _payment_of(account_id: UUID, outcome: RefundOutcome) -> UUID | None:
    """Return which payment of the account it is of: by our refund's id, by the provider's name, by the money's."""
    refunds = Refund.objects.filter(payment__account=account_id)
    found = None
    if outcome.refund_id:
        found = refunds.filter(id=outcome.refund_id).values_list("payment_id", flat=True).first()
    if not found and outcome.provider_ref:
        found = refunds.filter(provider_ref=outcome.provider_ref).values_list("payment_id", flat=True).first()
    if not found and outcome.intent_ref:
        of_intent = Payment.objects.filter(account=account_id, intent_ref=outcome.intent_ref)
        found = of_intent.values_list("id", flat=True).first()
    return found


def _find(payment: Payment, outcome: RefundOutcome, dead: set[str]) -> Refund | None:
    """Return the refund it is of: by the provider's name, else ours, unless that one has another live name already."""
    rows = Refund.objects.filter(payment=payment)
    refund = rows.filter(provider_ref=outcome.provider_ref).exclude(provider_ref="").first()
    if refund is None and outcome.refund_id:
        refund = rows.filter(id=outcome.refund_id, provider_ref__in={"", *dead}).first()
    return refund_rows.with_payment(refund, payment) if refund else None


def dead_refs(payment: Payment) -> set[str]:
    """Return the provider's names for what came to nothing: whatever else is heard of them is old."""
    facts = PaymentEvent.objects.filter(payment=payment, kind__in=GAVE_UP)
    return {str(told["provider_ref"]) for told in facts.values_list("after", flat=True)} - {""}


def _note_dead(payment: Payment, outcome: RefundOutcome) -> None:
    """Remember that a refund made at the provider came to nothing, before anybody heard that it was made."""
    told = {
        "refund": None, "amount_minor": outcome.amount_minor, "provider_ref": outcome.provider_ref,
        "failure_code": outcome.failure_code,
    }  # fmt: skip
    record_payment_event(payment, kind="refund_declined", actor=SYSTEM, after=told)


def _record_by_hand(payment: Payment, outcome: RefundOutcome) -> Refund:
    """Record a refund that was made at the provider; what we only meant to send back makes room for it."""
    _make_room(payment, outcome.amount_minor)
    return refund_rows.add(
        payment, outcome.amount_minor, reason=Refund.Reason.AT_PROVIDER, actor=SYSTEM,
        provider_ref=outcome.provider_ref,
    )  # fmt: skip


def _make_room(payment: Payment, amount_minor: int) -> None:
    """Give refunds up that the provider has not taken, the newest first: it will not send the money back twice."""
    live = Refund.objects.filter(payment=payment).exclude(status=Refund.Status.FAILED)
    room = payment.amount_minor - (live.aggregate(sum=Sum("amount_minor"))["sum"] or 0)
    for refund in live.filter(status=Refund.Status.REQUESTED).order_by("-id"):
        if room >= amount_minor:
            return
        refund_rows.fail(refund_rows.with_payment(refund, payment), "refunded_at_provider", actor=SYSTEM)
        room += refund.amount_minor
