"""Who has come: at the door, and what is noted at the end."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction

from alerts.services.auditor import check_invariants
from bookings.models import Booking, BookingEvent, Line
from bookings.services import attendance, cancellation, schedule_changes
from bookings.services.attendance import AttendanceNotAllowed
from bookings.services.time_machine import find_differences
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from config.kit.refusals import InvalidRequest, NotFound
from config.kit.transitions import Transitions
from config.tenants.models import Organization
from scheduling.models import Reservation, Session
from tests.factories import book, make_activity, make_organization, make_session, make_venue

pytestmark = pytest.mark.django_db

STAFF = Actor(kind=ActorKind.STAFF, channel="admin", detail={"note": "at the door"})
HOUR = timedelta(hours=1)
Attendance = Line.Attendance


def booked_line(organization: Organization | None = None, party_size: int = 2) -> Line:
    """Book a session that is still to come; tests move it in time."""
    session = make_session(make_activity(make_venue(organization or make_organization())))
    return book(session, party_size=party_size).lines.get()


def let_begin(line: Line, *, ago: timedelta, length: timedelta = HOUR) -> None:
    """Move a line's session in time, as if the clock had gone on: it began so long ago."""
    starts_at = database_now() - ago
    Session.objects.filter(id=line.session_id).update(
        starts_at=starts_at, ends_at=starts_at + length, closes_at=starts_at
    )


def check_in(line: Line) -> Line:
    return attendance.check_in_line(line_id=line.id, actor=STAFF)


def undo(line: Line) -> Line:
    return attendance.undo_check_in(line_id=line.id, actor=STAFF)


def outcome(line: Line, to: str, reason: str = "") -> Line:
    return attendance.set_outcome(line_id=line.id, outcome=to, actor=STAFF, reason_code=reason)


def facts(line: Line) -> list[tuple[str, str, str, str]]:
    """Return what was noted of a line, in order: kind, before, after, reason."""
    events = BookingEvent.objects.filter(booking=line.booking_id, after__line=str(line.id), after__has_key="attendance")
    return [(e.kind, e.before["attendance"], e.after["attendance"], e.reason_code) for e in events.order_by("seq")]


def test_whoever_comes_is_checked_in_once_however_often_the_code_is_scanned() -> None:
    line = booked_line()
    let_begin(line, ago=timedelta(minutes=5))
    versions = [check_in(line).booking.version for _ in range(3)]
    line.refresh_from_db()
    assert line.attendance == Attendance.ARRIVED
    assert facts(line) == [("line_checked_in", "expected", "arrived", "")]
    assert len(set(versions)) == 1
    assert line.booking.status == Booking.Status.CONFIRMED
    assert check_invariants() == []


def test_a_check_in_is_taken_back_and_made_again() -> None:
    line = booked_line()
    let_begin(line, ago=timedelta(minutes=5))
    for act in (check_in, undo, undo, check_in):
        act(line)
    assert [kind for kind, *_ in facts(line)] == ["line_checked_in", "check_in_undone", "line_checked_in"]
    assert Line.objects.get().attendance == Attendance.ARRIVED


def test_an_outcome_is_noted_from_the_start_on_and_corrected_with_a_reason_alone() -> None:
    line = booked_line()
    with pytest.raises(AttendanceNotAllowed) as early:
        outcome(line, "no_show")
    assert early.value.extra == {"reasons": ["not_begun"]}
    let_begin(line, ago=2 * HOUR)
    outcome(line, "no_show")
    outcome(line, "no_show")
    with pytest.raises(InvalidRequest) as bare:
        outcome(line, "completed")
    assert [error.field for error in bare.value.errors] == ["reason"]
    outcome(line, "completed", "came_late")
    assert facts(line) == [
        ("outcome_set", "expected", "no_show", ""), ("outcome_set", "no_show", "completed", "came_late"),
    ]  # fmt: skip
    assert check_invariants() == []


def test_only_the_two_outcomes_are_outcomes() -> None:
    line = booked_line()
    let_begin(line, ago=2 * HOUR)
    with pytest.raises(InvalidRequest) as wrong:
        outcome(line, "arrived")
    assert [error.code for error in wrong.value.errors] == ["unknown_outcome"]
    assert Line.objects.get().attendance == Attendance.EXPECTED


@pytest.mark.parametrize(
    ("ago", "length", "reason"),
    [(-3 * 24 * HOUR, HOUR, "another_day"), (2 * HOUR, HOUR, "over")],
    ids=["in three days", "an hour after its end"],
)
def test_the_door_is_open_on_the_day_until_the_session_ends(ago: timedelta, length: timedelta, reason: str) -> None:
    line = booked_line()
    let_begin(line, ago=ago, length=length)
    for act in (check_in, lambda line: attendance.check_in_line(line_id=line.id, actor=STAFF, reason_code="why")):
        with pytest.raises(AttendanceNotAllowed) as refused:
            act(line)
        assert refused.value.extra == {"reasons": [reason]}
    assert facts(line) == []


def test_a_session_that_began_before_midnight_takes_people_until_it_ends() -> None:
    line = booked_line()
    let_begin(line, ago=25 * HOUR, length=26 * HOUR)
    assert check_in(line).attendance == Attendance.ARRIVED


def test_cancelled_places_are_not_checked_in() -> None:
    line = booked_line()
    cancellation.cancel_booking(booking_id=line.booking_id, actor=STAFF, reason_code="ill")
    let_begin(line, ago=timedelta(minutes=5))
    with pytest.raises(AttendanceNotAllowed) as refused:
        check_in(line)
    assert refused.value.extra == {"reasons": ["cancelled"]}


def test_a_line_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFound):
        attendance.check_in_line(line_id=uuid4(), actor=STAFF)


# Every step there is ----------------------------------------------------------------------------------------------


def steps() -> list[tuple[str, str]]:
    return [(before, after) for before in Attendance.values for after in Attendance.values if before != after]


def lead(line: Line, to: str, *, reason: str) -> Line:
    """Ask for a state by the act that leads there."""
    if to == Attendance.EXPECTED:
        return undo(line)
    if to == Attendance.ARRIVED:
        return attendance.check_in_line(line_id=line.id, actor=STAFF, reason_code=reason)
    return outcome(line, to, reason)


@pytest.mark.parametrize(("before", "after"), steps())
def test_the_steps_of_attendance_are_those_of_the_table_and_no_other(before: str, after: str) -> None:
    line = booked_line()
    let_begin(line, ago=timedelta(minutes=5))
    if before != Attendance.EXPECTED:
        lead(line, before, reason="")
    table: Transitions = Line.ATTENDANCE_TRANSITIONS
    if table.allows(before, after):
        assert lead(line, after, reason="why").attendance == after
    else:
        with pytest.raises(AttendanceNotAllowed):
            lead(line, after, reason="why")
        assert Line.objects.get().attendance == before
    assert Booking.objects.get().status == Booking.Status.CONFIRMED
    assert find_differences(Booking.objects.all()) == []
    assert check_invariants() == []


# By policy --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "expected_becomes"), [("completed", Attendance.COMPLETED), ("no_show", Attendance.NO_SHOW)]
)
def test_a_policy_that_a_person_switched_on_notes_the_outcomes_and_is_named(policy: str, expected_becomes: str) -> None:
    organization = make_organization(outcome_policy=policy)
    missing, here, later = booked_line(organization), booked_line(organization), booked_line(organization)
    let_begin(here, ago=timedelta(minutes=5))
    check_in(here)
    for line in (missing, here):
        let_begin(line, ago=2 * HOUR)
    assert attendance.settle_outcomes() == 2
    assert attendance.settle_outcomes() == 0
    assert [Line.objects.get(id=line.id).attendance for line in (missing, here, later)] == [
        expected_becomes, Attendance.COMPLETED, Attendance.EXPECTED,
    ]  # fmt: skip
    event = BookingEvent.objects.get(booking=missing.booking_id, kind="outcome_set")
    assert (event.actor_kind, event.reason_code) == (ActorKind.POLICY, f"outcome_policy_{policy}")
    assert check_invariants() == []


def test_without_a_policy_nobody_is_judged() -> None:
    line = booked_line()
    let_begin(line, ago=2 * HOUR)
    assert attendance.settle_outcomes() == 0
    assert Line.objects.get().attendance == Attendance.EXPECTED


def test_a_policy_leaves_alone_what_staff_noted_what_was_cancelled_and_what_is_long_ago() -> None:
    organization = make_organization(outcome_policy="no_show")
    noted, cancelled, old = (booked_line(organization) for _ in range(3))
    cancellation.cancel_booking(booking_id=cancelled.booking_id, actor=STAFF, reason_code="ill")
    for line in (noted, cancelled):
        let_begin(line, ago=2 * HOUR)
    let_begin(old, ago=attendance.POLICY_LOOKS_BACK + HOUR)
    outcome(noted, "completed")
    assert attendance.settle_outcomes() == 0
    assert [Line.objects.get(id=line.id).attendance for line in (noted, cancelled, old)] == [
        "completed", "expected", "expected",
    ]  # fmt: skip


def test_a_policy_calls_nobody_missing_whose_session_did_not_take_place() -> None:
    line = booked_line(make_organization(outcome_policy="no_show"))
    change = schedule_changes.rehearse_change(
        kind="close", venue_id=line.session.activity.venue_id, activity_id=line.session.activity_id, author=None,
        parameters={"sessions": [str(line.session_id)], "reason": "the boiler"},
    )  # fmt: skip
    schedule_changes.apply_change(change_id=change.id, actor=STAFF)
    let_begin(line, ago=2 * HOUR)
    assert attendance.settle_outcomes() == 0
    assert Line.objects.get().attendance == Attendance.EXPECTED


def test_the_policy_settles_more_than_a_batch_and_several_organizations_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attendance, "BATCH", 2)
    policies = ["no_show", "completed"] * 2
    lines = [booked_line(make_organization(outcome_policy=policy)) for policy in policies]
    for line in lines:
        let_begin(line, ago=2 * HOUR)
    assert attendance.settle_outcomes() == 4
    assert [Line.objects.get(id=line.id).attendance for line in lines] == policies


# What is counted stays --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [check_in, lambda line: outcome(line, "no_show")], ids=["arrived", "no show"])
def test_attendance_moves_no_place_and_no_money(act: Callable[[Line], Line]) -> None:
    line = booked_line()
    let_begin(line, ago=timedelta(minutes=5))
    before = (list(Reservation.objects.values()), Booking.objects.get().total_minor)
    act(line)
    assert (list(Reservation.objects.values()), Booking.objects.get().total_minor) == before


def test_an_act_that_breaks_leaves_neither_state_nor_fact(monkeypatch: pytest.MonkeyPatch) -> None:
    line = booked_line()
    let_begin(line, ago=timedelta(minutes=5))
    monkeypatch.setattr("bookings.services.lifecycle.record_event", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        check_in(line)
    assert Line.objects.get().attendance == Attendance.EXPECTED
