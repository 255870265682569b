"""The one writer of a waiting party's status, and of the facts about it."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.db import transaction

from bookings.models import WaitlistEntry, WaitlistEvent, WaitlistEventDetail
from bookings.signals import fact_recorded
from config.kit.clock import database_now
from config.kit.facts import Actor, append_fact
from config.kit.refusals import Refusal
from scheduling.services.capacity import require_transaction

Status = WaitlistEntry.Status
KINDS: Mapping[str, str] = {  # the fact by the status that it leads to
    Status.WAITING: "waitlist_joined",
    Status.OFFERED: "waitlist_offered",
    Status.CONVERTED: "waitlist_converted",
    Status.LAPSED: "waitlist_lapsed",
    Status.LEFT: "waitlist_left",
}


class WaitIsOver(Refusal):
    """The party does not wait any more: it has booked, left, or its time is over."""

    code, title = "wait_is_over", "This wait is over already"


def record_waitlist_event(
    entry: WaitlistEntry, *, kind: str, actor: Actor, from_status: str = "", reason_code: str = "",
    before: Mapping[str, Any] | None = None, after: Mapping[str, Any] | None = None,
) -> WaitlistEvent:  # fmt: skip
    """Append a fact to the chain of a locked or new entry; what is personal goes beside it, under a salted digest."""
    require_transaction()
    event = append_fact(
        WaitlistEvent, WaitlistEventDetail, organization_id=entry.organization_id, entry=entry, actor=actor, kind=kind,
        from_status=from_status, to_status=entry.status, reason_code=reason_code, before=before, after=after,
    )  # fmt: skip
    transaction.on_commit(partial(fact_recorded.send, None, fact_id=event.id, kind=kind), robust=True)
    return event


def move_entry(
    entry: WaitlistEntry, *, to: WaitlistEntry.Status, actor: Actor, reason_code: str = "",
    after: Mapping[str, Any] | None = None, **fields: Any,
) -> WaitlistEvent:  # fmt: skip
    """Move a locked entry to another status, with the fields that go with it, and write the fact, or raise WaitIsOver.

    Leaving it for good has a time; being offered places has one, too.
    """
    before = entry.status
    if not WaitlistEntry.TRANSITIONS.allows(before, to):
        raise WaitIsOver
    fields |= {"status": to, "offered_at" if to == Status.OFFERED else "ended_at": database_now()}
    WaitlistEntry.objects.filter(id=entry.id).update(**fields)
    for name, value in fields.items():
        setattr(entry, name, value)
    return record_waitlist_event(
        entry, kind=KINDS[to], actor=actor, from_status=before, reason_code=reason_code, after=after
    )
