"""Publish a timetable: each version follows the one before and is never edited."""

from datetime import date
from typing import Any
from uuid import UUID

from django.db import transaction

from config.kit.refusals import InvalidRequest, NotFound, invalid
from config.tenants.models import User
from scheduling.models import Activity, ScheduleVersion
from scheduling.schedule_rules import ScheduleProblem, parse_rules, rules_document


@transaction.atomic
def publish_schedule(
    *, activity_id: UUID, rules: Any, effective_from: date, author: User | None = None
) -> ScheduleVersion:
    """Put a timetable in force from a date of the venue on; the version before it ends there.

    Refuses rules that cannot be read, with every error, and a date before the newest version's own.
    """
    activity = Activity.objects.select_for_update(no_key=True).filter(id=activity_id).first()
    if activity is None:
        raise NotFound
    try:
        document = rules_document(parse_rules(rules))
    except ScheduleProblem as problem:
        raise InvalidRequest("The timetable cannot be used as it is.", errors=problem.errors) from problem
    newest = activity.schedules.order_by("-version").first()
    if newest and effective_from < newest.effective_from:
        raise invalid("effective_from", "before_newest", f"The newest timetable is from {newest.effective_from} on.")
    if newest:  # close the old one first, then insert: the exclusion constraint is checked at once
        newest.effective_to = effective_from
        newest.save(update_fields=["effective_to"])
    return ScheduleVersion.objects.create(
        organization_id=activity.organization_id, activity=activity, version=newest.version + 1 if newest else 1,
        effective_from=effective_from, rules=document, author=author,
    )  # fmt: skip
