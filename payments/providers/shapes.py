"""Stripe's objects as outcomes: the same reading whether one was asked for, came with an event, or is on the statement.

An object is read by the state it is in, never by the moment at which it came. Whatever is absent is absent: an event's
copy keeps only what is read here.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from payments.providers.amounts import from_stripe
from payments.providers.base import DisputeOutcome, Outcome, RefundOutcome, State

Json = Mapping[str, Any]

ASYNC_FAILED = "checkout.session.async_payment_failed"
REFUND_STATES = {"succeeded": State.SUCCEEDED, "failed": State.FAILED, "canceled": State.FAILED}
INTENT_STATES = {"succeeded": State.SUCCEEDED, "canceled": State.CANCELLED}
DISPUTES = {"won": "won", "warning_closed": "won", "prevented": "won", "lost": "lost"}


def ref_of(value: Any) -> str:
    """Return the id of what is named, whether it stands there by its id or whole."""
    return str(value["id"]) if isinstance(value, Mapping) else str(value or "")


def uuid_of(value: Any) -> UUID | None:
    """Return one of our ids as it came back; None for what is none."""
    try:
        return UUID(str(value))
    except ValueError:
        return None


def payment_id_of(about: Json) -> UUID | None:
    """Return our payment's id as we told it at the checkout; None where the object does not carry it."""
    metadata = about.get("metadata") or {}
    return uuid_of(metadata.get("payment") or about.get("client_reference_id"))


def _money(amount: int | None, currency: str | None) -> tuple[int, str]:
    code = (currency or "").upper()
    return (from_stripe(amount or 0, code), code) if code else (amount or 0, "")


def outcome_of_session(session: Json, *, kind: str = "") -> Outcome:
    """Read a checkout session. One that failed late looks as if it were on its way, unless its money is there too."""
    amount, currency = _money(session.get("amount_total"), session.get("currency"))
    return Outcome(
        state=_session_state(session, kind), amount_minor=amount, currency=currency,
        intent_ref=ref_of(session.get("payment_intent")), provider_ref=session["id"],
        redirect_url=session.get("url") or "", failure_code=failure_code_of(session.get("payment_intent")),
    )  # fmt: skip


def _session_state(session: Json, kind: str) -> State:
    if session.get("status") == "expired":
        return State.CANCELLED
    if session.get("status") != "complete":
        return State.OPEN
    if session.get("payment_status") in ("paid", "no_payment_required"):
        return State.SUCCEEDED
    intent = session.get("payment_intent")
    status = intent.get("status") if isinstance(intent, Mapping) else ""
    if kind == ASYNC_FAILED or status == "requires_payment_method":
        return State.FAILED
    return INTENT_STATES.get(status or "", State.OPEN)


def failure_code_of(intent: Any) -> str:
    """Return why the last attempt was declined, in the bank's own code; nothing where none was."""
    error = (intent.get("last_payment_error") if isinstance(intent, Mapping) else None) or {}
    return str(error.get("decline_code") or error.get("code") or "")


def outcome_of_intent(intent: Json) -> Outcome:
    """Read a payment intent. A declined attempt leaves it open: another card may do."""
    state = INTENT_STATES.get(intent.get("status") or "", State.OPEN)
    received = intent.get("amount_received") if state is State.SUCCEEDED else intent.get("amount")
    amount, currency = _money(received, intent.get("currency"))
    return Outcome(state, amount, currency, intent_ref=intent["id"], failure_code=failure_code_of(intent))


def outcome_of_charge(charge: Json) -> Outcome:
    """Read one attempt. It took the money, or it leaves the payment as it is; refunds and disputes change neither."""
    is_taken = charge.get("status") == "succeeded" and charge.get("captured")
    taken = charge.get("amount_captured") if is_taken else charge.get("amount")
    amount, currency = _money(taken, charge.get("currency"))
    return Outcome(
        State.SUCCEEDED if is_taken else State.OPEN, amount, currency, intent_ref=ref_of(charge.get("payment_intent"))
    )


def outcome_of_refund(refund: Json) -> RefundOutcome:
    """Read a refund."""
    amount, currency = _money(refund.get("amount"), refund.get("currency"))
    return RefundOutcome(
        state=REFUND_STATES.get(refund.get("status") or "", State.OPEN), amount_minor=amount, currency=currency,
        provider_ref=refund["id"], intent_ref=ref_of(refund.get("payment_intent")),
        refund_id=uuid_of((refund.get("metadata") or {}).get("refund")),
        failure_code=str(refund.get("failure_reason") or ""),
    )  # fmt: skip


def outcome_of_dispute(dispute: Json) -> DisputeOutcome:
    """Read a dispute. The money is withdrawn from the line that takes it until the one that gives it back.

    The two may differ: lines are in the account's currency, at the rate of their day.
    """
    amount, currency = _money(dispute.get("amount"), dispute.get("currency"))
    moved = [line.get("amount") or 0 for line in dispute.get("balance_transactions") or []]
    due_by = (dispute.get("evidence_details") or {}).get("due_by")
    return DisputeOutcome(
        provider_ref=dispute["id"], intent_ref=ref_of(dispute.get("payment_intent")), amount_minor=amount,
        currency=currency, status=DISPUTES.get(dispute.get("status") or "", "open"),
        is_withdrawn=any(amount < 0 for amount in moved) and not any(amount > 0 for amount in moved),
        reason=str(dispute.get("reason") or ""),
        answer_by=instant(due_by) if due_by else None,
    )  # fmt: skip


def instant(seconds: int) -> datetime:
    """Read one of Stripe's instants: seconds since 1970."""
    return datetime.fromtimestamp(seconds, tz=UTC)
