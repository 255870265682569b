"""News of what happened: written with it, in the same transaction, and delivered from there."""

from . import clock, lists, objects
from .bank import Call, Json

MOST_COPIES = 20


def emit(call: Call, kind: str, about: Json) -> None:
    """Write an event, and a delivery of it for every endpoint that listens; belongs into the act's transaction."""
    event = objects.event(kind, about, call.request)
    listening = [each for each in call.store.select(call.account, "webhook_endpoint") if hears(each, kind)]
    event["pending_webhooks"] = len(listening)
    call.store.add(call.account, event)
    for endpoint in listening:
        plan_delivery(call, event["id"], endpoint["id"])


def hears(endpoint: Json, kind: str) -> bool:
    """Return whether an endpoint wants events of a kind."""
    return endpoint["status"] == "enabled" and not {"*", kind}.isdisjoint(endpoint["enabled_events"])


def plan_delivery(call: Call, event_id: str, endpoint_id: str) -> None:
    """Write when an event goes out, as often and as late as the switches say; or never, where one gets lost."""
    switches = call.bank.switches
    if switches.happens("dropped_events_probability"):
        _write(call, event_id, endpoint_id, state="dropped")
        return
    for _ in range(min(switches.now.duplicate_events, MOST_COPIES) or 1):
        _write(call, event_id, endpoint_id)
    if switches.happens("bad_signatures_probability"):
        _write(call, event_id, endpoint_id, forged=True)
    call.store.afterwards(call.bank.wake)


def _write(call: Call, event_id: str, endpoint_id: str, *, state: str = "waiting", forged: bool = False) -> None:
    faults = call.bank.switches.now
    wait = faults.delayed_events_seconds + call.bank.switches.some_of(faults.reordered_events_seconds)
    call.store.execute(
        "INSERT INTO deliveries (event, endpoint, due_at, forged, state) VALUES (?, ?, ?, ?, ?)",
        (event_id, endpoint_id, clock.now() + wait, forged, state),
    )


def replay(call: Call, about_id: str) -> int:
    """Deliver everything again that ever told of an object, or of the payment it belongs to; return how many events."""
    about = call.store.get(call.account, about_id) or {}
    wanted = {about_id, about.get("payment_intent")} - {None}
    told = [each for each in call.store.select(call.account, "event", "ORDER BY seq") if _tells_of(each, wanted)]
    listening = call.store.select(call.account, "webhook_endpoint")
    for event in told:
        for endpoint in listening:
            if hears(endpoint, event["type"]):
                plan_delivery(call, event["id"], endpoint["id"])
    return len(told)


def _tells_of(event: Json, wanted: set[str | None]) -> bool:
    about = event["data"]["object"]
    return not wanted.isdisjoint({about["id"], about.get("payment_intent"), about.get("charge")} - {None})


def read_event(call: Call, event_id: str) -> Json:
    """Return an event."""
    return call.find("event", event_id)


def list_events(call: Call) -> Json:
    """Return a page of events."""
    return lists.page(call, "event", "/v1/events", ("type",))
