"""Paying a session: the card decides. The payment page and the tests' own call come through here alike."""

from dataclasses import dataclass

from . import cards, clock, disputes, events, objects, sessions, statement
from .bank import Call, Json
from .cards import Card
from .errors import Problem


@dataclass(frozen=True)
class Outcome:
    """What became of an attempt: paid, processing, requires_action or declined; where to go; what went wrong."""

    status: str
    redirect: str
    problem: str = ""
    code: str = ""


def pay(call: Call, session_id: str, number: str, email: str = "") -> Outcome:
    """Try a card on an open session; refuses a number that is no test card's, and a session that is not open."""
    card = cards.look_up(number)
    with call.store.transaction():
        session = _open_session(call, session_id)
        intent = _intent_of(call, session)
        intent["next_action"] = None  # of an earlier attempt
        if card.challenge:
            return _ask_first(call, session, intent, card, email)
        return _take(call, session, intent, card, email)


def answer_challenge(call: Call, session_id: str, *, approved: bool) -> Outcome:
    """Go on after the cardholder's bank has asked; refuses a session that is not waiting for that."""
    with call.store.transaction():
        session = _open_session(call, session_id)
        intent = call.find("payment_intent", session["payment_intent"] or "none")
        if intent["status"] != "requires_action":
            raise Problem("Nothing was asked here.", code="payment_intent_unexpected_state")
        kept = call.store.private(intent["id"])
        card = cards.named(kept["card"], kept["last4"])
        intent["next_action"] = None
        if approved:
            return _take(call, session, intent, card, kept["email"])
        words = "You did not approve the payment. Approve it, or try a different card."
        return _decline(call, session, intent, card, ("payment_intent_authentication_failure", "", words))


def _open_session(call: Call, session_id: str) -> Json:
    sessions.expire_when_due(call, session_id)
    session = call.find("checkout.session", session_id)
    if session["status"] != "open":
        raise Problem(f"This Checkout Session is {session['status']}.", code="checkout_session_not_open")
    return session


def _intent_of(call: Call, session: Json) -> Json:
    """Return the session's payment; the first attempt makes it."""
    if session["payment_intent"]:
        return call.find("payment_intent", session["payment_intent"])
    intent = objects.intent(session, **call.store.private(session["id"])["intent"])
    session["payment_intent"] = intent["id"]
    call.store.add(call.account, intent)
    call.store.save(session)
    events.emit(call, "payment_intent.created", intent)
    return intent


def _ask_first(call: Call, session: Json, intent: Json, card: Card, email: str) -> Outcome:
    where = f"{call.bank.address}/pay/{session['id']}/challenge"
    action = {"type": "redirect_to_url", "redirect_to_url": {"url": where, "return_url": session["url"]}}
    intent |= {"status": "requires_action", "next_action": action, "last_payment_error": None}
    call.store.save(intent)
    call.store.save_private(intent["id"], {"card": card.name, "last4": card.last4, "email": email})
    events.emit(call, "payment_intent.requires_action", intent)
    return Outcome("requires_action", where)


def _take(call: Call, session: Json, intent: Json, card: Card, email: str) -> Outcome:
    if card.decline:
        code, _, reason = card.decline.partition(":")
        return _decline(call, session, intent, card, (code, reason, card.words))
    address = email or session["customer_email"] or ""
    charge = objects.charge(intent, card, address)
    call.store.add(call.account, charge, {"card": card.name, "last4": card.last4})
    details = {"email": address or None, "name": None, "phone": None, "address": None, "tax_exempt": "none"}
    session |= {"status": "complete", "url": None, "customer_details": {**details, "tax_ids": []}}
    intent |= {"latest_charge": charge["id"], "payment_method": charge["payment_method"], "last_payment_error": None}
    if card.late:
        return _wait(call, session, intent, charge, card)
    _settle(call, session, intent, charge)
    events.emit(call, "checkout.session.completed", session)
    if card.disputed:
        disputes.open_dispute(call, charge["id"], card.disputed)
    return Outcome("paid", success_url(session))


def _decline(call: Call, session: Json, intent: Json, card: Card, why: tuple[str, str, str]) -> Outcome:
    charge = objects.charge(intent, card, session["customer_email"] or "")
    call.store.add(call.account, charge, {"card": card.name, "last4": card.last4})
    _fail(call, intent, charge, why)
    return Outcome("declined", session["url"], why[2], why[1] or why[0])


def _fail(call: Call, intent: Json, charge: Json, why: tuple[str, str, str]) -> None:
    """Write that the money was not to be had: why is the code, the decline's reason, and words."""
    code, reason, words = why
    outcome = {"type": "issuer_declined", "reason": reason or code, "network_status": "declined_by_network"}
    charge |= {"status": "failed", "failure_code": code, "failure_message": words, "outcome": outcome}
    error = {"type": "card_error", "code": code, "message": words, "charge": charge["id"]}
    error |= {"decline_code": reason} if reason else {}
    intent |= {"status": "requires_payment_method", "last_payment_error": error, "latest_charge": charge["id"]}
    call.store.save(charge)
    call.store.save(intent)
    events.emit(call, "charge.failed", charge)
    events.emit(call, "payment_intent.payment_failed", intent)


def _wait(call: Call, session: Json, intent: Json, charge: Json, card: Card) -> Outcome:
    intent["status"] = "processing"
    call.store.save(intent)
    call.store.save(session)
    events.emit(call, "charge.pending", charge)
    events.emit(call, "payment_intent.processing", intent)
    events.emit(call, "checkout.session.completed", session)
    due_at = clock.now() + call.bank.switches.now.late_success_seconds
    call.store.set_timer(call.account, "settle_late" if card.late == "succeeds" else "fail_late", session["id"], due_at)
    return Outcome("processing", success_url(session))


def _settle(call: Call, session: Json, intent: Json, charge: Json) -> None:
    """Write that the money is there."""
    line = statement.book(call, "charge", charge["amount"], charge, f"Payment {intent['id']}")
    charge |= {"status": "succeeded", "paid": True, "captured": True, "amount_captured": charge["amount"]}
    charge |= {"balance_transaction": line, "receipt_email": charge["billing_details"]["email"]}
    charge["outcome"] = {"type": "authorized", "reason": None, "network_status": "approved_by_network"}
    intent |= {"status": "succeeded", "amount_received": intent["amount"]}
    session["payment_status"] = "paid"
    for each in (charge, intent, session):
        call.store.save(each)
    events.emit(call, "charge.succeeded", charge)
    events.emit(call, "payment_intent.succeeded", intent)


def settle_late(call: Call, session_id: str) -> None:
    """Have the money of a payment that was processing arrive; does nothing to one that is settled."""
    if found := _processing(call, session_id):
        _settle(call, *found)
        events.emit(call, "checkout.session.async_payment_succeeded", found[0])


def fail_late(call: Call, session_id: str) -> None:
    """Have the money of a payment that was processing never arrive; does nothing to one that is settled."""
    if found := _processing(call, session_id):
        session, intent, charge = found
        _fail(call, intent, charge, ("payment_intent_payment_attempt_failed", "", "The payment did not go through."))
        events.emit(call, "checkout.session.async_payment_failed", session)


def _processing(call: Call, session_id: str) -> tuple[Json, Json, Json] | None:
    session = call.find("checkout.session", session_id)
    intent = call.find("payment_intent", session["payment_intent"] or "none")
    if intent["status"] != "processing":
        return None
    return session, intent, call.find("charge", intent["latest_charge"])


def success_url(session: Json) -> str:
    """Return where a customer goes who has paid."""
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])
