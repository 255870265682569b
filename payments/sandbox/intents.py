"""Payments and charges, to be looked at; what makes and changes them is in paying.py."""

from . import lists
from .bank import Call, Json


def read_intent(call: Call, intent_id: str) -> Json:
    """Return a payment."""
    return call.find("payment_intent", intent_id)


def list_intents(call: Call) -> Json:
    """Return a page of payments."""
    return lists.page(call, "payment_intent", "/v1/payment_intents")


def read_charge(call: Call, charge_id: str) -> Json:
    """Return a charge."""
    return call.find("charge", charge_id)


def list_charges(call: Call) -> Json:
    """Return a page of charges."""
    return lists.page(call, "charge", "/v1/charges", ("payment_intent",))
