"""The account itself, as the API shows it."""

from .bank import Call, Json


def read_account(call: Call) -> Json:
    """Return the account that a key belongs to."""
    return {
        "id": call.account,
        "object": "account",
        "business_profile": {"name": "Sandbox bank: no real money"},
        "charges_enabled": True,
        "country": "GB",
        "default_currency": "gbp",
        "details_submitted": True,
        "email": None,
        "payouts_enabled": True,
        "type": "standard",
    }
