"""Sessions that will not take place: closed at once, their people offered to move or to cancel, cancelled when empty.

Nobody is cancelled by it. A closing is a change like any other: rehearsed, applied exactly so, its lines on the work
list. The offers last until each booked line has moved, was cancelled, or somebody decided to keep it.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.db import transaction

from bookings.services import schedule_changes
from config.kit.facts import Actor
from config.kit.refusals import NotFound
from config.kit.retries import retry_on_deadlock
from config.tenants.models import User
from scheduling.models import Activity, ScheduleChange, Session
from scheduling.services.schedule_changes import ChangeMoved

TRIES = 3


def close_with_offers(
    *, reason: str, actor: Actor, session_id: UUID | None = None, activity_id: UUID | None = None,
    selection: Mapping[str, Any] | None = None, applied_by: User | None = None,
) -> ScheduleChange:  # fmt: skip
    """Close one session, or an activity's selection (its JSON form), for sale; offer a way out to everybody booked.

    `reason` is in words for customers. Refuses with NotFound, and InvalidRequest for a selection that cannot be read;
    somebody who books at the same moment is either among those who are offered a way out, or too late.
    """
    if session_id:
        found = Session.objects.filter(id=session_id).values_list("activity_id", flat=True).first()
        activity_id, selection = found, {"sessions": [str(session_id)]}
    activity = Activity.objects.filter(id=activity_id).first() if activity_id else None
    if activity is None:
        raise NotFound
    parameters = {**(selection or {}), "reason": reason}
    for _ in range(TRIES - 1):
        with suppress(ChangeMoved):  # somebody booked between the rehearsal and the locks: look again
            return _close(activity, parameters, actor, applied_by)
    return _close(activity, parameters, actor, applied_by)


@retry_on_deadlock
@transaction.atomic
def _close(activity: Activity, parameters: Mapping[str, Any], actor: Actor, applied_by: User | None) -> ScheduleChange:
    change = schedule_changes.rehearse_change(
        kind=ScheduleChange.Kind.CLOSE, venue_id=activity.venue_id, activity_id=activity.id, parameters=parameters,
        author=applied_by,
    )  # fmt: skip
    return schedule_changes.apply_change(change_id=change.id, actor=actor, applied_by=applied_by)
