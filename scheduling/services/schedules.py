"""Publish a timetable: versions follow each other, are never edited and never deleted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet

from config.kit.clock import database_now
from config.kit.refusals import FieldError, InvalidRequest, NotFound
from config.tenants.models import User
from scheduling.models import Activity, ScheduleVersion, UnitPrice, Venue
from scheduling.schedule_rules import ScheduleProblem, parse_rules, rules_document


@transaction.atomic
def publish_schedule(
    *, activity_id: UUID, rules: Any, effective_from: date, effective_to: date | None = None,
    author: User | None = None,
) -> ScheduleVersion:  # fmt: skip
    """Put a timetable in force from a date of the venue on, until another (exclusive) if that is given.

    What was in force ends there; with `effective_to` it goes on afterwards, as a further version with the same rules
    and prices. A version put before a later one ends where that begins; one from the same date as another replaces
    it, and the other is kept with an empty range. Only an activity's first version may begin in the past: it has no
    history to change. Sessions are left as they are.

    Refuses rules that cannot be read, a date before the venue's today, an end that is not after the beginning, and a
    range that runs over the start of a later version; with every error, and nothing is written.
    """
    activity = lock_activity(activity_id)
    there = list(activity.schedules.exclude(effective_to=F("effective_from")).order_by("effective_from"))
    errors = _wrong_dates(activity, there, effective_from, effective_to)
    try:
        document = rules_document(parse_rules(rules, whole_days=activity.is_pass))
    except ScheduleProblem as problem:
        errors = [*problem.errors, *errors]
    if errors:
        detail = errors[0].detail if len(errors) == 1 else "The timetable cannot be used as it is."
        raise InvalidRequest(detail, errors=errors)
    following = next((version for version in there if version.effective_from > effective_from), None)
    until = effective_to or (following.effective_from if following else None)
    span = _Span(activity, effective_from, until, author)
    before = next((version for version in there if _is_in_force(version, effective_from)), None)
    rest_until = _end_where_it_begins(before, effective_from) if before else None  # first: ranges may not overlap
    made = span.write(document)
    if before and until and (rest_until is None or until < rest_until):
        _go_on(before, _Span(activity, until, rest_until, author))
    return made


def version_in_force(activity_id: UUID, on: date) -> ScheduleVersion | None:
    """Return the version in force on a date of the venue, past or to come; None where there is none."""
    return versions(activity_id).filter(_covers(on)).first()


def versions(activity_id: UUID) -> QuerySet[ScheduleVersion]:
    """Return an activity's versions as a queryset, the first first; those that were replaced have an empty range."""
    return ScheduleVersion.objects.filter(activity=activity_id).order_by("version")


def lock_activity(activity_id: UUID) -> Activity:
    """Lock an activity, which keeps publishers and generators of its timetable apart; or raise NotFound."""
    rows = Activity.objects.select_for_update(no_key=True, of=("self",)).select_related("venue")
    activity = rows.filter(id=activity_id).first()
    if activity is None:
        raise NotFound
    return activity


def lock_activities(venue: Venue) -> list[Activity]:
    """Lock all activities of a venue, in ascending id order."""
    return list(Activity.objects.select_for_update(no_key=True).filter(venue=venue).order_by("id"))


# Leaves -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Span:
    """When a version to be written is in force, and by whom."""

    activity: Activity
    effective_from: date
    effective_to: date | None
    author: User | None

    def write(self, document: Any) -> ScheduleVersion:
        newest = versions(self.activity.id).last()
        return ScheduleVersion.objects.create(
            organization_id=self.activity.organization_id, activity=self.activity,
            version=newest.version + 1 if newest else 1, rules=document,
            effective_from=self.effective_from, effective_to=self.effective_to, author=self.author,
        )  # fmt: skip


def _covers(day: date) -> Q:
    return Q(effective_from__lte=day) & (Q(effective_to=None) | Q(effective_to__gt=day))


def _is_in_force(version: ScheduleVersion, day: date) -> bool:
    return version.effective_from <= day and (version.effective_to is None or day < version.effective_to)


def _wrong_dates(
    activity: Activity, there: Sequence[ScheduleVersion], effective_from: date, effective_to: date | None
) -> list[FieldError]:
    errors: list[FieldError] = []
    today = database_now().astimezone(activity.venue.zone).date()
    if there and effective_from < today:
        detail = f"What has been is not changed: choose {today} or a later date."
        errors.append(FieldError("effective_from", "past_date", detail))
    if effective_to is None:
        return errors
    if effective_to <= effective_from:
        detail = "The first day on which it does not hold must come after the first day on which it does."
        errors.append(FieldError("effective_to", "not_after_start", detail))
    following = next((v.effective_from for v in there if effective_from < v.effective_from < effective_to), None)
    if following:
        detail = f"Another timetable begins on {following}: end this one by then, or leave the end open."
        errors.append(FieldError("effective_to", "overlaps_version", detail))
    return errors


def _end_where_it_begins(version: ScheduleVersion, day: date) -> date | None:
    """End a version where the next begins, and return when it would have ended."""
    until, version.effective_to = version.effective_to, day
    version.save(update_fields=["effective_to"])
    return until


def _go_on(version: ScheduleVersion, span: _Span) -> None:
    """Let a version go on as a further one, with its rules and prices."""
    rest = span.write(version.rules)
    UnitPrice.objects.bulk_create(
        UnitPrice(
            organization_id=price.organization_id, unit_id=price.unit_id, schedule=rest, price_minor=price.price_minor
        )
        for price in version.prices.order_by("id")
    )
