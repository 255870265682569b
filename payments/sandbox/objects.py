"""The shapes of the API's objects, as they are when they begin; the modules of their stories change them."""

import secrets
from typing import Any

from . import clock
from .cards import Card

API_VERSION = "2026-10-28.endive"
DISPUTE_ANSWERED_WITHIN_SECONDS = 7 * 24 * 60 * 60
EMPTY = """after_expiration allow_promotion_codes billing_address_collection client_secret collected_information consent
customer customer_details invoice payment_intent payment_link recovered_from setup_intent subscription"""

Json = dict[str, Any]


def new_id(prefix: str) -> str:
    """Return an id that nobody can guess."""
    return f"{prefix}_{secrets.token_hex(29 if prefix == 'cs_test' else 12)}"


def _begin(kind: str, prefix: str, **fields: Any) -> Json:
    return {"id": new_id(prefix), "object": kind, "created": clock.stamp(), "livemode": False, **fields}


def session(**fields: Any) -> Json:
    """Return an open checkout session; `fields` are what it was asked with."""
    empty = dict.fromkeys(EMPTY.split())
    nothing = {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0}
    return _begin(
        "checkout.session",
        "cs_test",
        **empty,
        mode="payment",
        ui_mode="hosted_page",
        status="open",
        payment_status="unpaid",
        payment_method_collection="if_required",
        automatic_tax={"enabled": False, "liability": None, "provider": None, "status": None},
        total_details=nothing,
        custom_fields=[],
        shipping_options=[],
        **fields,
    )


def intent(session: Json, metadata: Json, description: str | None) -> Json:
    """Return the payment that a session's first attempt makes."""
    made = _begin(
        "payment_intent",
        "pi",
        amount=session["amount_total"],
        amount_capturable=0,
        amount_received=0,
        canceled_at=None,
        cancellation_reason=None,
        capture_method="automatic_async",
        confirmation_method="automatic",
        currency=session["currency"],
        customer=None,
        description=description,
        last_payment_error=None,
        latest_charge=None,
        metadata=metadata,
        next_action=None,
        payment_method=None,
        payment_method_options={"card": {"request_three_d_secure": "automatic"}},
        payment_method_types=session["payment_method_types"],
        processing=None,
        receipt_email=None,
        setup_future_usage=None,
        shipping=None,
        statement_descriptor=None,
        status="requires_payment_method",
    )
    return {**made, "client_secret": f"{made['id']}_secret_{secrets.token_hex(12)}"}


def charge(intent: Json, card: Card, email: str) -> Json:
    """Return one attempt to take the money of a payment, not yet settled."""
    details = {"brand": card.brand, "last4": card.last4, "funding": "credit", "country": "GB", "checks": None}
    return _begin(
        "charge",
        "ch",
        amount=intent["amount"],
        amount_captured=0,
        amount_refunded=0,
        balance_transaction=None,
        billing_details={"address": None, "email": email or None, "name": None, "phone": None},
        captured=False,
        currency=intent["currency"],
        customer=None,
        description=intent["description"],
        disputed=False,
        failure_balance_transaction=None,
        failure_code=None,
        failure_message=None,
        fraud_details={},
        invoice=None,
        metadata=intent["metadata"],
        outcome=None,
        paid=False,
        payment_intent=intent["id"],
        payment_method=new_id("pm"),
        payment_method_details={"type": "card", "card": details},
        receipt_email=None,
        receipt_url=None,
        refunded=False,
        status="pending",
    )


def refund(charge: Json, amount: int, reason: str | None, metadata: Json) -> Json:
    """Return money on its way back, not yet settled."""
    made = _begin(
        "refund",
        "re",
        amount=amount,
        balance_transaction=None,
        charge=charge["id"],
        currency=charge["currency"],
        destination_details={"type": "card", "card": {"reference_status": "pending", "type": "refund"}},
        metadata=metadata,
        payment_intent=charge["payment_intent"],
        reason=reason,
        receipt_number=None,
        source_transfer_reversal=None,
        status="pending",
        transfer_reversal=None,
    )
    del made["livemode"]  # the one object that has none
    return made


def dispute(charge: Json, amount: int, reason: str) -> Json:
    """Return a cardholder's bank asking the money back."""
    due = clock.stamp() + DISPUTE_ANSWERED_WITHIN_SECONDS
    return _begin(
        "dispute",
        "du",
        amount=amount,
        balance_transactions=[],
        charge=charge["id"],
        currency=charge["currency"],
        evidence={},
        evidence_details={"due_by": due, "has_evidence": False, "past_due": False, "submission_count": 0},
        is_charge_refundable=False,
        metadata={},
        network_reason_code="10.4" if reason == "fraudulent" else "13.1",
        payment_intent=charge["payment_intent"],
        reason=reason,
        status="needs_response",
    )


def balance_transaction(kind: str, amount: int, source: Json, description: str) -> Json:
    """Return one line of the bank's statement; what comes in is above nought, what goes out below."""
    made = _begin(
        "balance_transaction",
        "txn",
        amount=amount,
        available_on=clock.stamp(),
        currency=source["currency"],
        description=description,
        exchange_rate=None,
        fee=0,
        fee_details=[],
        net=amount,
        reporting_category={"adjustment": "dispute" if amount < 0 else "dispute_reversal"}.get(kind, kind),
        source=source["id"],
        status="available",
        type=kind,
    )
    del made["livemode"]
    return made


def event(kind: str, about: Json, request: Json | None) -> Json:
    """Return the news of something, with the object as it is at this moment."""
    return _begin(
        "event",
        "evt",
        api_version=API_VERSION,
        data={"object": about},
        pending_webhooks=0,
        request=request or {"id": None, "idempotency_key": None},
        type=kind,
    )


def endpoint(url: str, enabled_events: list[str], description: str | None, metadata: Json) -> Json:
    """Return where events are delivered to."""
    return _begin(
        "webhook_endpoint",
        "we",
        api_version=API_VERSION,
        application=None,
        description=description,
        enabled_events=enabled_events,
        metadata=metadata,
        status="enabled",
        url=url,
    )
