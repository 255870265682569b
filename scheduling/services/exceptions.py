"""Closures and extra openings: declared and lifted, never edited. What becomes of sessions is not done here."""

from collections.abc import Iterator, Sequence
from datetime import date, time, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from config.kit.clock import database_now
from config.kit.refusals import FieldError, InvalidRequest, NotFound, invalid
from config.tenants.models import User
from scheduling.closures import LONGEST_DAYS, Closure, Exceptions, Opening, dated
from scheduling.models import Activity, ScheduleException, ScheduleVersion, Venue
from scheduling.schedule_rules import MAX_CAPACITY, MINUTE, DayHours
from scheduling.services.schedules import lock_activities, lock_activity

REASON_LENGTH = 200


@transaction.atomic
def add_exception(
    *, venue_id: UUID | None = None, activity_id: UUID | None = None, kind: str, first_date: date, last_date: date,
    from_time: time | None = None, to_time: time | None = None, capacity: int | None = None, reason: str,
    author: User | None = None,
) -> ScheduleException:  # fmt: skip
    """Close a venue or one activity on some dates, or open it in addition; only the row is written.

    Dates are the venue's, both included; hours are of each day, up to the next day's; capacity is an opening's own.
    Refuses dates out of order, in the past or of more than 366 days, hours that are half given or equal, an opening
    without hours or too short for a session, a closure with a capacity, and no reason; each by its field, all at once.
    """
    venue, activities = _lock_scope(venue_id, activity_id)
    row = ScheduleException(
        organization_id=venue.organization_id, venue_id=venue_id, activity_id=activity_id, kind=kind,
        first_date=first_date, last_date=last_date, from_time=from_time, to_time=to_time, capacity=capacity,
        reason=reason.strip(), author=author,
    )  # fmt: skip
    today = database_now().astimezone(venue.zone).date()
    errors = [*_wrong_dates(row, today), *_wrong_hours(row), *_wrong_words(row)]
    if not errors and kind == ScheduleException.Kind.OPENING:
        errors = _wrong_length(row, activities)
    if errors:
        detail = errors[0].detail if len(errors) == 1 else "This exception cannot be as it is."
        raise InvalidRequest(detail, errors=errors)
    row.save(force_insert=True)
    row.refresh_from_db(fields=["created_at"])
    return row


@transaction.atomic
def lift_exception(*, exception_id: UUID, by: User | None) -> ScheduleException:
    """Let the timetable hold again; the row stays to read. Refuses what is lifted already, and what is over."""
    row = ScheduleException.objects.filter(id=exception_id).first()
    if row is None:
        raise NotFound
    venue, _ = _lock_scope(row.venue_id, row.activity_id)
    row = ScheduleException.objects.select_for_update(no_key=True).get(id=exception_id)
    now = database_now()
    if row.lifted_at is not None:
        raise invalid("exception", "already_lifted", "This has been lifted already.")
    if row.last_date < now.astimezone(venue.zone).date():
        raise invalid("exception", "over", "This is over, and what has been is not changed.")
    row.lifted_at, row.lifted_by = now, by
    row.save(update_fields=["lifted_at", "lifted_by"])
    return row


def exceptions_of(activity: Activity, *, first: date, days: int) -> Exceptions:
    """Return what is not lifted and may touch these operating dates: the venue's, then the activity's own.

    A night ends on the next date, and the hours of a closure may have begun the evening before.
    """
    reach = Q(first_date__lte=first + timedelta(days=days), last_date__gte=first - timedelta(days=1))
    rows = (
        ScheduleException.objects.filter(Q(venue=activity.venue_id) | Q(activity=activity.id), reach, lifted_at=None)
        .order_by(F("activity").asc(nulls_first=True), "created_at", "id")
        .values("kind", "first_date", "last_date", "from_time", "to_time", "capacity", "reason")
    )
    return tuple(dated(**row) for row in rows)


def read_exception(row: ScheduleException) -> Closure | Opening:
    """Return what a row says, as timetables read it."""
    return dated(
        kind=row.kind, first_date=row.first_date, last_date=row.last_date, from_time=row.from_time,
        to_time=row.to_time, capacity=row.capacity, reason=row.reason,
    )  # fmt: skip


# Leaves -----------------------------------------------------------------------------------------------------------


def _lock_scope(venue_id: UUID | None, activity_id: UUID | None) -> tuple[Venue, list[Activity]]:
    """Lock the activities concerned, so that no generator is at work with the exceptions of before."""
    if activity_id is not None and venue_id is None:
        activity = lock_activity(activity_id)
        return activity.venue, [activity]
    if venue_id is None or activity_id is not None:
        raise invalid("activity", "venue_or_activity", "Say either the venue or one activity.")
    venue = Venue.objects.filter(id=venue_id).first()
    if venue is None:
        raise NotFound
    return venue, lock_activities(venue)


def _wrong_dates(row: ScheduleException, today: date) -> Iterator[FieldError]:
    if row.first_date < today:
        yield FieldError("first_date", "in_the_past", f"What has been is not changed: choose {today} or a later date.")
    if row.last_date < row.first_date:
        yield FieldError("last_date", "ends_before_it_begins", "The last day comes before the first.")
    elif (row.last_date - row.first_date).days >= LONGEST_DAYS:
        yield FieldError("last_date", "too_long", f"Choose {LONGEST_DAYS} days at most.")


def _wrong_hours(row: ScheduleException) -> Iterator[FieldError]:
    if (row.from_time is None) != (row.to_time is None):
        missing = "from_time" if row.from_time is None else "to_time"
        yield FieldError(missing, "half_given", "Give both times, or neither.")
    elif row.from_time is None and row.kind == ScheduleException.Kind.OPENING:
        yield FieldError("from_time", "opening_without_hours", "Say from when to when it is open.")
    elif row.from_time is not None and row.from_time == row.to_time:
        yield FieldError("to_time", "equal_times", "The two times are the same; for the whole day, leave both out.")


def _wrong_words(row: ScheduleException) -> Iterator[FieldError]:
    if row.kind not in ScheduleException.Kind.values:
        yield FieldError("kind", "unknown_kind", "Say closure or opening.")
    if not row.reason:
        yield FieldError("reason", "required", "Say why, in words for customers.")
    elif len(row.reason) > REASON_LENGTH:
        yield FieldError("reason", "too_long", f"Use {REASON_LENGTH} letters at most.")
    if row.capacity is None:
        return
    if row.kind == ScheduleException.Kind.CLOSURE:
        yield FieldError("capacity", "closure_with_capacity", "A closure has no places; leave this out.")
    elif not 1 <= row.capacity <= MAX_CAPACITY:
        yield FieldError("capacity", "out_of_range", f"Give a number from 1 to {MAX_CAPACITY}.")


def _wrong_length(row: ScheduleException, activities: Sequence[Activity]) -> list[FieldError]:
    """Refuse an opening into which no timetable of its dates can put a session."""
    in_force = (
        ScheduleVersion.objects.filter(Q(effective_to=None) | Q(effective_to__gt=row.first_date))
        .filter(activity__in=activities, effective_from__lte=row.last_date)
        .exclude(activity__status=Activity.Status.DISCONTINUED)
        .exclude(effective_to=F("effective_from"))
    )
    shortest = min((version.parsed().duration or timedelta() for version in in_force), default=None)
    if shortest is None:
        detail = "No timetable is in force on these dates to say how long a session is."
        return [FieldError("first_date", "no_timetable", detail)]
    if row.from_time and row.to_time and DayHours(row.from_time, row.to_time).span < shortest:
        detail = f"This is too short for a session of {shortest // MINUTE} minutes."
        return [FieldError("to_time", "shorter_than_slot", detail)]
    return []
