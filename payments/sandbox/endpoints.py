"""Where events are delivered to, and the secrets that they are signed with."""

import secrets

from . import clock, lists, objects, params
from .bank import Call, Json
from .errors import bad

KNOWN = ("api_version", "connect", "description", "disabled", "enabled_events", "expand", "metadata", "url")
OLD_SECRET_KEEPS_SECONDS = 24 * 60 * 60


def create_endpoint(call: Call) -> Json:
    """Add an address; its secret is in this answer alone."""
    params.only(call.params, KNOWN)
    secret = f"whsec_{secrets.token_hex(24)}"
    return {**_make(call, secret), "secret": secret}


def _make(call: Call, secret: str) -> Json:
    made = objects.endpoint(
        params.address(call.params, "url"),
        _wanted_events(call.params),
        params.text(call.params, "description") or None,
        params.metadata(call.params),
    )
    call.store.add(call.account, made, {"secrets": [{"secret": secret, "until": None}]})
    return made


def _wanted_events(given: Json) -> list[str]:
    kinds = params.many(given, "enabled_events")
    if not kinds or not all(isinstance(kind, str) for kind in kinds):
        raise bad("enabled_events", "Missing required param: enabled_events.", "parameter_missing")
    return kinds


def ensure_endpoint(call: Call, secret: str) -> Json:
    """Have an endpoint with a secret chosen by the caller, so that a program can know it before the bank is up.

    The same address again changes nothing but the secret. Stripe has no such call: it is at PUT /sandbox/endpoints.
    """
    for endpoint in call.store.select(call.account, "webhook_endpoint"):
        if endpoint["url"] == params.address(call.params, "url"):
            call.store.save_private(endpoint["id"], {"secrets": [{"secret": secret, "until": None}]})
            return endpoint
    return _make(call, secret)


def update_endpoint(call: Call, endpoint_id: str) -> Json:
    """Change where to, what of, or whether at all."""
    params.only(call.params, KNOWN)
    endpoint = call.find("webhook_endpoint", endpoint_id)
    if "url" in call.params:
        endpoint["url"] = params.address(call.params, "url")
    if "enabled_events" in call.params:
        endpoint["enabled_events"] = _wanted_events(call.params)
    if disabled := params.one_of(call.params, "disabled", ("true", "false")):
        endpoint["status"] = "disabled" if disabled == "true" else "enabled"
    endpoint["metadata"] |= params.metadata(call.params)
    call.store.save(endpoint)
    return endpoint


def remove_endpoint(call: Call, endpoint_id: str) -> Json:
    """Deliver nothing more to an address."""
    call.find("webhook_endpoint", endpoint_id)
    call.store.execute("UPDATE objects SET gone = 1 WHERE id = ?", (endpoint_id,))
    call.store.execute(
        "UPDATE deliveries SET state = 'given up' WHERE endpoint = ? AND state = 'waiting'", (endpoint_id,)
    )
    return {"id": endpoint_id, "object": "webhook_endpoint", "deleted": True}


def roll_secret(call: Call, endpoint_id: str) -> Json:
    """Make a new secret; the old one stays valid for `seconds` (a day), and deliveries are signed with both."""
    endpoint = call.find("webhook_endpoint", endpoint_id)
    until = clock.now() + params.whole(call.params, "seconds", OLD_SECRET_KEEPS_SECONDS)
    secret = f"whsec_{secrets.token_hex(24)}"
    old = [{**each, "until": each["until"] or until} for each in call.store.private(endpoint_id)["secrets"]]
    call.store.save_private(endpoint_id, {"secrets": [{"secret": secret, "until": None}, *old]})
    return {**endpoint, "secret": secret}


def secrets_of(call: Call, endpoint_id: str) -> list[str]:
    """Return the secrets that are valid at the moment, the newest first."""
    kept = call.store.private(endpoint_id)["secrets"]
    return [each["secret"] for each in kept if each["until"] is None or each["until"] > clock.now()]


def read_endpoint(call: Call, endpoint_id: str) -> Json:
    """Return an endpoint, without its secret."""
    return call.find("webhook_endpoint", endpoint_id)


def list_endpoints(call: Call) -> Json:
    """Return a page of endpoints."""
    return lists.page(call, "webhook_endpoint", "/v1/webhook_endpoints")
