"""Money back: at once, after a while, or not after all, as the card and the switches say."""

from . import clock, events, lists, objects, params, statement
from .bank import Call, Json
from .cards import named
from .currencies import written
from .errors import Problem, bad

REASONS = ("duplicate", "fraudulent", "requested_by_customer")
KNOWN = ("amount", "charge", "expand", "instructions_email", "metadata", "payment_intent", "reason")


def create_refund(call: Call) -> Json:
    """Send money back; refuses more than is left, and a charge that was not paid or is disputed."""
    params.only(call.params, KNOWN)
    charge = _charge(call)
    left = charge["amount"] - charge["amount_refunded"]
    if _is_charged_back(call, charge):
        raise Problem(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    if not left:
        raise Problem(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded", executed=True
        )
    amount = params.whole(call.params, "amount", left)
    if amount < 1:
        raise bad("amount", "Invalid positive integer", "parameter_invalid_integer")
    if amount > left:
        words = (written(each, charge["currency"]) for each in (amount, left))
        message = "Refund amount ({}) is greater than unrefunded amount on charge ({})".format(*words)
        raise Problem(message, code="amount_too_large", param="amount", executed=True)
    reason = params.one_of(call.params, "reason", REASONS) or None
    return _refund(call, charge, objects.refund(charge, amount, reason, params.metadata(call.params)))


def _charge(call: Call) -> Json:
    charge_id = params.text(call.params, "charge")
    if intent_id := params.text(call.params, "payment_intent"):
        intent = call.find("payment_intent", intent_id, "payment_intent")
        charge_id = intent["latest_charge"] or ""
    elif not charge_id:
        raise Problem("One of the following params should be provided: payment_intent or charge.")
    charge = call.find("charge", charge_id, "charge") if charge_id else None
    if not charge or charge["status"] != "succeeded":
        what = "PaymentIntent" if intent_id else "Charge"
        raise Problem(f"This {what} does not have a successful charge to refund.", code="charge_not_refundable")
    return charge


def _is_charged_back(call: Call, charge: Json) -> bool:
    """Return whether the cardholder's bank has the money: a dispute that is open, or lost."""
    of_intent = "AND json_extract(body, '$.payment_intent') = ?"
    return charge["disputed"] and any(
        dispute["charge"] == charge["id"] and dispute["status"] != "won"
        for dispute in call.store.select(call.account, "dispute", of_intent, [charge["payment_intent"]])
    )


def _refund(call: Call, charge: Json, refund: Json) -> Json:
    """Write the refund and what comes of it later, by the charge's card or the switch."""
    kept = call.store.private(charge["id"])
    how = "fail" if call.bank.switches.use_up("failing_refunds") else named(kept["card"], kept["last4"]).refunds
    refund["balance_transaction"] = statement.book(call, "refund", -refund["amount"], refund, "Refund")
    if how != "wait":
        refund["status"] = "succeeded"  # so does one that fails later, as with Stripe
    call.store.add(call.account, refund)
    _count_refunded(call, charge, refund["amount"])
    events.emit(call, "refund.created", refund)
    events.emit(call, "charge.refunded", charge)
    if how:
        due_at = clock.now() + call.bank.switches.now.refund_seconds
        act = "settle_refund" if how == "wait" else "fail_refund"
        call.store.set_timer(call.account, act, refund["id"], due_at)
    return refund


def _count_refunded(call: Call, charge: Json, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    call.store.save(charge)


def settle_refund(call: Call, refund_id: str) -> None:
    """Have a pending refund arrive; does nothing to any other."""
    refund = call.find("refund", refund_id)
    if refund["status"] != "pending":
        return
    refund["status"] = "succeeded"
    call.store.save(refund)
    _tell(call, refund, "refund.updated", "charge.refund.updated")


def fail_refund(call: Call, refund_id: str) -> None:
    """Have a refund come back, also one that had succeeded: the money is the merchant's again."""
    refund = call.find("refund", refund_id)
    if refund["status"] not in ("pending", "succeeded"):
        return
    line = statement.book(call, "refund_failure", refund["amount"], refund, "Refund failed")
    refund |= {"status": "failed", "failure_reason": "lost_or_stolen_card", "failure_balance_transaction": line}
    call.store.save(refund)
    _count_refunded(call, call.find("charge", refund["charge"]), -refund["amount"])
    _tell(call, refund, "refund.updated", "refund.failed", "charge.refund.updated")


def _tell(call: Call, refund: Json, *kinds: str) -> None:
    for kind in kinds:
        events.emit(call, kind, refund)


def read_refund(call: Call, refund_id: str) -> Json:
    """Return a refund."""
    return call.find("refund", refund_id)


def list_refunds(call: Call) -> Json:
    """Return a page of refunds."""
    return lists.page(call, "refund", "/v1/refunds", ("payment_intent", "charge"))
