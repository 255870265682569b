"""Who has come: a line is checked in at the door, and has an outcome once its session is over.

Each act locks the booking first, so that it is before or after a cancellation and never in the middle of one. What is
so already stays so without a second fact: two people may scan the same code.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from bookings.models import AffectedLine, Booking, Line
from bookings.services import lifecycle
from config.kit import idempotency
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from config.kit.idempotency import Claim
from config.kit.refusals import NotFound, Refusal, invalid
from config.tenants.models import Organization
from scheduling.effects import CLOSE
from scheduling.models import Session

Attendance = Line.Attendance
OUTCOMES = (Attendance.COMPLETED, Attendance.NO_SHOW)
POLICY_LOOKS_BACK = timedelta(days=31)  # a policy switched on today does not judge last year
BATCH = 200  # lines of one transaction


class AttendanceNotAllowed(Refusal):
    """The clock, the booking's state or the line's own does not allow it: `reasons` says which."""

    code, title = "attendance_not_allowed", "This cannot be noted for these places"


def _refusal(reason: str, words: str) -> AttendanceNotAllowed:
    return AttendanceNotAllowed(words, extra={"reasons": [reason]})


# At the door ------------------------------------------------------------------------------------------------------


@transaction.atomic
def check_in_line(*, line_id: UUID, actor: Actor, reason_code: str = "", claim: Claim | None = None) -> Line:
    """Note that a line's people are here, on the session's day until it ends; again is harmless.

    Refuses with NotFound, AttendanceNotAllowed (cancelled, another day, over), and without a reason when their
    outcome was noted already.
    """
    step = Step(Attendance.ARRIVED, "line_checked_in", _require_door_is_open, actor, reason_code)
    return _take(line_id, step, claim)


@transaction.atomic
def undo_check_in(*, line_id: UUID, actor: Actor, claim: Claim | None = None) -> Line:
    """Take a check-in back while the session lasts: they are expected again. Again is harmless."""
    return _take(line_id, Step(Attendance.EXPECTED, "check_in_undone", _require_door_is_open, actor), claim)


@transaction.atomic
def set_outcome(
    *, line_id: UUID, outcome: str, actor: Actor, reason_code: str = "", claim: Claim | None = None
) -> Line:  # fmt: skip
    """Note whether a line's people came (`completed`) or not (`no_show`), from the session's start on, for good.

    Again is harmless. Refuses with NotFound, AttendanceNotAllowed, InvalidRequest for another outcome, and for a
    correction without a reason. Who is checked in did come: take the check-in back first.
    """
    if outcome not in OUTCOMES:
        raise invalid("outcome", "unknown_outcome", "An outcome is completed or no_show.")
    step = Step(Attendance(outcome), "outcome_set", _require_has_begun, actor, reason_code)
    return _take(line_id, step, claim)


@dataclass(frozen=True, slots=True)
class Step:
    """Where a line is led to, the fact that says so, what the clock must allow, and who wants it, why."""

    to: Line.Attendance
    kind: str
    gate: Callable[[Line, datetime], None]
    actor: Actor
    reason_code: str = ""


def _take(line_id: UUID, step: Step, claim: Claim | None) -> Line:
    line = _lock_line(line_id)
    if idempotency.record(claim, organization_id=line.organization_id, effect_id=line.booking_id):
        return line
    if line.attendance == step.to:
        return line
    _require_live(line)
    step.gate(line, database_now())
    _require_legal(line, step)
    _note([line], step)
    return line


def _lock_line(line_id: UUID) -> Line:
    """Lock a line's booking, and return the line as it is then; raise NotFound when there is none."""
    booking_id = Line.objects.filter(id=line_id).values_list("booking_id", flat=True).first()
    if booking_id is None:
        raise NotFound
    booking = lifecycle.lock_booking(booking_id)
    line = Line.objects.select_related("session__activity__venue").get(id=line_id)
    line.booking = booking
    return line


def _require_live(line: Line) -> None:
    if line.status != Line.Status.LIVE or line.booking.status != Booking.Status.CONFIRMED:
        raise _refusal("cancelled", "These places are cancelled, or were never confirmed.")
    if line.session.status == Session.Status.CANCELLED:
        raise _refusal("session_cancelled", "This session does not take place.")


def _require_door_is_open(line: Line, now: datetime) -> None:
    """Check in on the session's day by the venue's clock, until it ends: a code of tomorrow is a mistake to show."""
    session, zone = line.session, line.session.activity.venue.zone
    starts = session.starts_at.astimezone(zone)
    if now >= session.ends_at:
        raise _refusal(
            "over", f"This ended at {session.ends_at.astimezone(zone):%H:%M, %d %b}. Note whether they came."
        )
    if now < session.starts_at and now.astimezone(zone).date() != starts.date():
        raise _refusal("another_day", f"This is for {starts:%a %d %b, %H:%M}, {zone}: not for today.")


def _require_has_begun(line: Line, now: datetime) -> None:
    if now < line.session.starts_at:
        raise _refusal("not_begun", "The session has not begun: nobody is missing yet.")


def _require_legal(line: Line, step: Step) -> None:
    came_from = Attendance(line.attendance)
    if not Line.ATTENDANCE_TRANSITIONS.allows(came_from, step.to):
        if came_from is Attendance.ARRIVED:
            raise _refusal("checked_in", "They are checked in. Take that back first if it was a mistake.")
        raise _refusal("outcome_set", "Whether they came is noted already. Correct that, and say why.")
    if came_from in OUTCOMES and not step.reason_code:
        raise invalid("reason", "required", "Say why: this corrects what was noted, and is kept with the booking.")


def _note(lines: Sequence[Line], step: Step) -> None:
    """Write lines whose bookings are locked: all of them at once, then a fact and a new version for each."""
    Line.objects.filter(id__in=[line.id for line in lines]).update(attendance=step.to)
    for line in lines:
        lifecycle.amend(line.booking)
        lifecycle.record_event(
            line.booking, kind=step.kind, to_status=line.booking.status, actor=step.actor,
            reason_code=step.reason_code, before={"line": str(line.id), "attendance": line.attendance},
            after={"line": str(line.id), "attendance": step.to.value},
        )  # fmt: skip
        line.attendance = step.to


# At the end, by policy --------------------------------------------------------------------------------------------


def settle_outcomes() -> int:
    """Note the outcomes of sessions that are over, where a person has switched a policy on; return how many.

    Who was checked in has come. Of the others the organization's policy says so. A booking that somebody has locked is
    passed by until the next run; twice at once, each line is noted once.
    """
    settled = 0
    while batch := _settle_batch():
        settled += batch
    return settled


@transaction.atomic
def _settle_batch() -> int:
    """Lock the bookings of some lines, look again under the lock, and note their outcomes."""
    ids = list(_unsettled().order_by("booking_id").values_list("id", flat=True)[:BATCH])
    owners = Booking.objects.filter(lines__in=ids).order_by("id")
    locked = {row.id: row for row in owners.select_for_update(no_key=True, skip_locked=True, of=("self",))}
    rows = list(_unsettled().filter(id__in=ids, booking__in=locked).select_related("organization").order_by("id"))
    for line in rows:
        line.booking = locked[line.booking_id]
    alike: defaultdict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in rows:
        alike[_judged(line)].append(line)
    for (outcome, policy), lines in alike.items():
        _note(
            lines, Step(Attendance(outcome), "outcome_set", _require_has_begun, BY_POLICY, f"outcome_policy_{policy}")
        )
    return len(rows)


BY_POLICY = Actor(kind=ActorKind.POLICY, channel="system")


def _judged(line: Line) -> tuple[str, str]:
    """Return a line's outcome, and the policy that says so."""
    policy = line.organization.outcome_policy
    return (Attendance.COMPLETED.value if line.attendance == Attendance.ARRIVED else policy), policy


def _unsettled() -> "QuerySet[Line]":
    """Return the lines that a switched-on policy judges now: not those that were told their session does not happen."""
    now = database_now()
    told_off = AffectedLine.objects.filter(line=OuterRef("id"), effect=CLOSE).exclude(status=AffectedLine.Status.KEEP)
    return Line.objects.filter(
        ~Q(organization__outcome_policy=Organization.OutcomePolicy.BY_STAFF), ~Exists(told_off),
        ~Q(session__status=Session.Status.CANCELLED), status=Line.Status.LIVE,
        booking__status=Booking.Status.CONFIRMED, attendance__in=(Attendance.EXPECTED, Attendance.ARRIVED),
        session__starts_at__gt=now - POLICY_LOOKS_BACK, session__ends_at__lte=now,
    )  # fmt: skip
