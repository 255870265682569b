"""Checkout sessions: asked for, looked at, expired. Paying them is in paying.py."""

from typing import Any

from . import clock, events, lists, objects, params
from .bank import Call, Json
from .currencies import LARGEST_AMOUNT, check_amount, check_currency
from .errors import Problem, bad

SHORTEST_SECONDS, LONGEST_SECONDS = 30 * 60, 24 * 60 * 60
MOST_LINES = 100
KNOWN = """adaptive_pricing allow_promotion_codes allowed_payment_method_types automatic_tax billing_address_collection
branding_settings cancel_url client_reference_id consent_collection currency custom_text customer_creation
customer_email excluded_payment_method_types expand expires_at integration_identifier invoice_creation line_items
locale metadata mode name_collection payment_intent_data payment_method_collection payment_method_configuration
payment_method_options payment_method_types phone_number_collection submit_type success_url tax_id_collection ui_mode
wallet_options"""
KNOWN_OF_INTENT = """capture_method description metadata receipt_email setup_future_usage statement_descriptor
statement_descriptor_suffix transfer_group"""


def create_session(call: Call) -> Json:
    """Open a session for one payment; refuses what Stripe would: amounts, currencies, addresses, instants, modes."""
    asked = call.params
    params.only(asked, KNOWN.split())
    if params.wanted(asked, "mode") != "payment":
        raise bad("mode", "Only `payment` mode is supported by this sandbox.")
    lines = _lines(asked)
    total = sum(line["amount_total"] for line in lines)
    check_amount(total, lines[0]["currency"], "line_items")
    intent = params.inner(asked, "payment_intent_data")
    params.only(intent, KNOWN_OF_INTENT.split())
    expires_at = _expiry(asked)
    session = objects.session(
        amount_subtotal=total,
        amount_total=total,
        currency=lines[0]["currency"],
        branding_settings=params.inner(asked, "branding_settings") or None,
        cancel_url=params.address(asked, "cancel_url"),
        client_reference_id=params.text(asked, "client_reference_id") or None,
        custom_text=params.inner(asked, "custom_text") or None,
        customer_creation="if_required",
        customer_email=_email(asked),
        expires_at=expires_at,
        locale=params.text(asked, "locale") or None,
        metadata=params.metadata(asked),
        payment_method_options=params.inner(asked, "payment_method_options"),
        payment_method_types=params.many(asked, "payment_method_types") or ["card"],
        submit_type=params.one_of(asked, "submit_type", ("auto", "book", "donate", "pay", "subscribe")) or None,
        success_url=params.address(asked, "success_url"),
    )
    session["url"] = f"{call.bank.address}/pay/{session['id']}"
    kept = {"metadata": params.metadata(intent), "description": params.text(intent, "description") or None}
    call.store.add(call.account, session, {"lines": lines, "intent": kept})
    call.store.set_timer(call.account, "expire_session", session["id"], expires_at)
    return session


def _lines(asked: Json) -> list[Json]:
    lines = [_line(each, number) for number, each in enumerate(params.many(asked, "line_items"))]
    if not lines:
        raise bad("line_items", "Missing required param: line_items.", "parameter_missing")
    if len(lines) > MOST_LINES:
        raise bad("line_items", f"You may only specify up to {MOST_LINES} line items.")
    if len({line["currency"] for line in lines}) > 1:
        raise bad("line_items", "All line items must have the same currency.")
    return lines


def _line(given: Any, number: int) -> Json:
    where = f"line_items[{number}]"
    if not isinstance(given, dict):
        raise bad(where, f"Invalid object: {where}")
    price = params.inner(given, "price_data")
    product = params.inner(price, "product_data")
    quantity, amount = params.whole(given, "quantity", 1), params.whole(price, "unit_amount")
    if quantity < 1:
        raise bad(f"{where}[quantity]", "This value must be greater than or equal to 1.", "parameter_invalid_integer")
    if not 0 <= amount <= LARGEST_AMOUNT:
        raise bad(f"{where}[price_data][unit_amount]", "Invalid non-negative integer", "parameter_invalid_integer")
    return {
        "id": objects.new_id("li"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": amount * quantity,
        "amount_tax": 0,
        "amount_total": amount * quantity,
        "currency": check_currency(params.wanted(price, "currency")),
        "description": params.wanted(product, "name"),
        "quantity": quantity,
    }


def _expiry(asked: Json) -> int:
    now = clock.stamp()
    expires_at = params.whole(asked, "expires_at", now + LONGEST_SECONDS)
    if expires_at < now + SHORTEST_SECONDS:
        raise bad(
            "expires_at", "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation."
        )
    if expires_at > now + LONGEST_SECONDS:
        raise bad("expires_at", "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.")
    return expires_at


def _email(asked: Json) -> str | None:
    email = params.text(asked, "customer_email")
    if email and ("@" not in email or " " in email):
        raise bad("customer_email", f"Invalid email address: {email}", "email_invalid")
    return email or None


def read_session(call: Call, session_id: str) -> Json:
    """Return a session; its lines where `expand[]=line_items` asks for them."""
    session = call.find("checkout.session", session_id)
    if "line_items" in params.many(call.params, "expand"):
        session["line_items"] = _list_of(session_id, lines_of(call, session_id))
    return session


def read_lines(call: Call, session_id: str) -> Json:
    """Return what is paid for, line by line; at most a hundred, so it is one page."""
    call.find("checkout.session", session_id)
    return _list_of(session_id, lines_of(call, session_id))


def _list_of(session_id: str, lines: list[Json]) -> Json:
    return {"object": "list", "url": f"/v1/checkout/sessions/{session_id}/line_items", "has_more": False, "data": lines}


def lines_of(call: Call, session_id: str) -> list[Json]:
    """Return the lines as they were asked for."""
    return list(call.store.private(session_id)["lines"])


def list_sessions(call: Call) -> Json:
    """Return a page of sessions."""
    return lists.page(call, "checkout.session", "/v1/checkout/sessions", ("payment_intent", "status"))


def expire_session(call: Call, session_id: str) -> Json:
    """Close an open session for good; refuses one that is complete or has expired."""
    session = call.find("checkout.session", session_id)
    if session["status"] != "open":
        raise Problem(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of '
            f"'{session['status']}'.",
            executed=True,
        )
    return expire(call, session)


def expire(call: Call, session: Json) -> Json:
    """Close an open session: its time is over, or somebody asked."""
    session |= {"status": "expired", "url": None}
    call.store.save(session)
    if session["payment_intent"]:
        _cancel_intent(call, session["payment_intent"])
    events.emit(call, "checkout.session.expired", session)
    return session


def _cancel_intent(call: Call, intent_id: str) -> None:
    intent = call.find("payment_intent", intent_id)
    reason = {"cancellation_reason": "automatic", "canceled_at": clock.stamp(), "next_action": None}
    intent |= {"status": "canceled", **reason}
    call.store.save(intent)
    events.emit(call, "payment_intent.canceled", intent)


def expire_when_due(call: Call, session_id: str) -> None:
    """Close a session whose time is over, unless something else has."""
    session = call.find("checkout.session", session_id)
    if session["status"] == "open" and session["expires_at"] <= clock.now():
        expire(call, session)
