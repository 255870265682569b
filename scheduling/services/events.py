"""The one writer of facts about what is sold."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from config.kit.facts import Actor, append_fact
from scheduling.models import ScheduleEvent, ScheduleEventDetail


def record_schedule_event(
    *, organization_id: UUID, activity_id: UUID, kind: str, actor: Actor, session_id: UUID | None = None,
    reason_code: str = "", before: Mapping[str, Any] | None = None, after: Mapping[str, Any] | None = None,
) -> ScheduleEvent:  # fmt: skip
    """Append a fact to an activity's chain, in the transaction of what it says; ids and numbers only.

    A reason in staff's words goes into `actor.detail["note"]`, which can be erased.
    """
    return append_fact(
        ScheduleEvent, ScheduleEventDetail, organization_id=organization_id, activity_id=activity_id,
        session_id=session_id, actor=actor, kind=kind, reason_code=reason_code, before=before, after=after,
    )  # fmt: skip
