"""The page at /sandbox: what happened lately at all accounts, with a button for each act; and the switches."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from .bank import Bank, Json
from .currencies import written
from .faults import Faults
from .render import Html, joined, part, whole

LATEST = 30
LABELS = {
    "down": "Closed: every call is answered 503",
    "slow_seconds": "Seconds before each call is worked on",
    "rate_limited": "So many calls are answered 429",
    "errors_probability": "Chance of a 500 before anything is done",
    "lost_answers": "So many answers get lost after the work is done",
    "lost_probability": "Chance of a lost answer",
    "failing_refunds": "So many refunds fail later",
    "refund_seconds": "Seconds until a waiting refund settles, or fails",
    "late_success_seconds": "Seconds until a late payment settles",
    "delayed_events_seconds": "Seconds before an event is delivered",
    "reordered_events_seconds": "Seconds within which events mix their order",
    "duplicate_events": "How often each event is delivered",
    "dropped_events_probability": "Chance that an event is never delivered",
    "bad_signatures_probability": "Chance of one more delivery with a false signature",
    "seed": "Seed of these chances",
}


def show(bank: Bank, problem: str = "") -> Html:
    """Return the page; a problem stands on top."""
    with bank.store.transaction():
        payments = [_payment(bank, account, session) for account, session in _latest(bank)]
    main = part(
        "sandbox",
        problem=part("_problem", words=problem) if problem else Html(),
        payments=joined(payments) or part("_nothing"),
        switches=joined([_switch(name, value) for name, value in asdict(bank.switches.now).items()]),
    )
    return whole("Sandbox bank", main, "wide")


def _latest(bank: Bank) -> list[tuple[str, Json]]:
    sql = "SELECT account, body FROM objects WHERE kind = 'checkout.session' ORDER BY seq DESC LIMIT ?"
    return [(account, json.loads(body)) for account, body in bank.store.rows(sql, (LATEST,))]


def _payment(bank: Bank, account: str, session: Json) -> Html:
    intent = bank.store.get(account, session["payment_intent"] or "") or {}
    charge = bank.store.get(account, intent.get("latest_charge") or "") or {}
    of_intent = "AND json_extract(body, '$.payment_intent') = ? ORDER BY seq"
    refunds = bank.store.select(account, "refund", of_intent, [intent["id"]]) if intent else []
    disputes = bank.store.select(account, "dispute", of_intent, [intent["id"]]) if intent else []
    parts = [_part("Refund", each, REFUND_ACTS) for each in refunds]
    parts += [_part("Dispute", each, DISPUTE_ACTS) for each in disputes]
    return part(
        "_payment",
        amount=written(session["amount_total"], session["currency"]),
        status=_status(session, intent, charge),
        reference=session["client_reference_id"] or session["id"][-12:],
        account=account,
        when=datetime.fromtimestamp(session["created"], UTC).strftime("%d %b %H:%M:%S UTC"),
        card=_card(charge),
        parts=joined(parts),
        acts=joined([_act(name, label, session["id"]) for name, label in _acts(session, intent, charge)]),
    )


REFUND_ACTS = {
    "pending": [("settle_refund", "Refund arrives"), ("fail_refund", "Refund fails")],
    "succeeded": [("fail_refund", "Refund fails")],
}
DISPUTE_ACTS = {"needs_response": [("win_dispute", "Win"), ("lose_dispute", "Lose")]}
DISPUTE_ACTS["under_review"] = DISPUTE_ACTS["needs_response"]


def _status(session: Json, intent: Json, charge: Json) -> str:
    if charge.get("refunded"):
        return "refunded"
    if session["status"] != "complete":
        return "declined, still open" if charge and session["status"] == "open" else str(session["status"])
    return {"succeeded": "paid", "processing": "on its way"}.get(intent.get("status", ""), "not paid")


def _acts(session: Json, intent: Json, charge: Json) -> list[tuple[str, str]]:
    """Return what can be done with a payment as it is now."""
    found = []
    if session["status"] == "open":
        found = [("pay", "Pay it now"), ("expire", "Let it expire")]
    if intent.get("status") == "processing":
        found = [("settle_late", "Money arrives"), ("fail_late", "Money never arrives")]
    if intent.get("status") == "succeeded" and not (charge["disputed"] or charge["refunded"]):
        found = [("open_dispute", "Open a dispute")]
    return [*found, ("replay", "Tell everything again")]


def _card(charge: Json) -> str:
    card = charge.get("payment_method_details", {}).get("card", {})
    return f"{card['brand']} ···· {card['last4']}" if card else "no card yet"


def _part(name: str, about: Json, acts: dict[str, list[tuple[str, str]]]) -> Html:
    buttons = [_act(act, label, about["id"]) for act, label in acts.get(about["status"], [])]
    amount = written(about["amount"], about["currency"])
    return part("_part", name=name, amount=amount, status=about["status"].replace("_", " "), acts=joined(buttons))


def _act(name: str, label: str, object_id: str) -> Html:
    return part("_act", act=name, label=label, id=object_id)


def _switch(name: str, value: Any) -> Html:
    kind = type(getattr(Faults(), name))
    if kind is bool:
        return part("_tick", name=name, label=LABELS[name], checked=Html(" checked" if value else ""))
    step = "1" if kind is int else "0.01" if "probability" in name else "0.1"
    return part("_switch", name=name, label=LABELS[name], value=f"{value:g}", step=step)
