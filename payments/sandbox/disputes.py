"""A cardholder's bank asks the money back: opened, answered, won or lost."""

from . import events, lists, params, statement
from . import objects as shapes
from .bank import Call, Json
from .errors import Problem

OPEN = ("needs_response", "under_review")
TEST_EVIDENCE = {"winning_evidence": "won", "losing_evidence": "lost"}  # in uncategorized_text, as Stripe's test mode


def open_dispute(call: Call, charge_id: str, reason: str = "fraudulent") -> Json:
    """Take back what is left of a charge; refuses one that was not paid, is refunded, or disputed already."""
    charge = call.find("charge", charge_id)
    amount = charge["amount"] - charge["amount_refunded"]
    if charge["status"] != "succeeded" or charge["disputed"] or not amount:
        raise Problem("This charge cannot be disputed.")
    dispute = shapes.dispute(charge, amount, reason)
    call.store.add(call.account, dispute)
    charge["disputed"] = True
    call.store.save(charge)
    events.emit(call, "charge.dispute.created", dispute)
    _move(call, dispute, -amount, f"Chargeback withdrawal for {charge_id}")
    events.emit(call, "charge.dispute.funds_withdrawn", dispute)
    return dispute


def _move(call: Call, dispute: Json, amount: int, description: str) -> None:
    line = statement.book(call, "adjustment", amount, dispute, description)
    dispute["balance_transactions"].append(call.find("balance_transaction", line))
    call.store.save(dispute)


def win_dispute(call: Call, dispute_id: str) -> Json:
    """Decide for the merchant: the money comes back; refuses a dispute that is decided."""
    dispute = _close(call, dispute_id, "won")
    _move(call, dispute, dispute["amount"], f"Chargeback reversal for {dispute['charge']}")
    events.emit(call, "charge.dispute.closed", dispute)
    events.emit(call, "charge.dispute.funds_reinstated", dispute)
    return dispute


def lose_dispute(call: Call, dispute_id: str) -> Json:
    """Decide for the cardholder: the money stays away; refuses a dispute that is decided."""
    dispute = _close(call, dispute_id, "lost")
    events.emit(call, "charge.dispute.closed", dispute)
    return dispute


def _close(call: Call, dispute_id: str, status: str) -> Json:
    dispute = call.find("dispute", dispute_id)
    if dispute["status"] not in OPEN:
        raise Problem(f"This dispute is already {dispute['status']}.", code="dispute_closed", executed=True)
    dispute["status"] = status
    call.store.save(dispute)
    return dispute


def update_dispute(call: Call, dispute_id: str) -> Json:
    """Take evidence; submitted, it is under review, and Stripe's two test words decide at once."""
    params.only(call.params, ("evidence", "metadata", "submit", "expand"))
    dispute = call.find("dispute", dispute_id)
    if dispute["status"] not in OPEN:
        raise Problem("This dispute is closed; evidence can no longer be submitted.", executed=True)
    dispute["evidence"] |= params.inner(call.params, "evidence")
    dispute["metadata"] |= params.metadata(call.params)
    dispute["evidence_details"]["has_evidence"] = bool(dispute["evidence"])
    submitted = params.one_of(call.params, "submit", ("true", "false"), "true") == "true" and dispute["evidence"]
    if submitted:
        dispute["status"] = "under_review"
        dispute["evidence_details"]["submission_count"] += 1
    call.store.save(dispute)
    events.emit(call, "charge.dispute.updated", dispute)
    outcome = TEST_EVIDENCE.get(str(dispute["evidence"].get("uncategorized_text", ""))) if submitted else None
    if not outcome:
        return dispute
    return win_dispute(call, dispute_id) if outcome == "won" else lose_dispute(call, dispute_id)


def read_dispute(call: Call, dispute_id: str) -> Json:
    """Return a dispute."""
    return call.find("dispute", dispute_id)


def list_disputes(call: Call) -> Json:
    """Return a page of disputes."""
    return lists.page(call, "dispute", "/v1/disputes", ("charge", "payment_intent"))
