"""The past, rebuilt from facts: at every moment what stood in the rows then, and at the end what stands there now."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bookings.history import BookingThen, replay
from bookings.models import Booking, BookingEvent, BookingEventDetail, Line
from bookings.services import attendance, cancellation, changes, party_changes, people, time_machine
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from config.kit.refusals import Refusal
from scheduling.models import Session
from tests.conftest import RunSql
from tests.factories import book, make_activity, make_session, make_sessions, make_venue, stranger

STAFF = Actor(kind=ActorKind.STAFF, channel="admin", detail={"note": "asked by telephone"})
ACTS = ("move", "more", "fewer", "cancel a line", "cancel", "transfer", "check in")


def row_of(booking: Booking) -> BookingThen:
    booking.refresh_from_db()
    return time_machine.as_row(booking)


def act(name: str, booking: Booking, sessions: list[Session], number: int) -> None:
    """Do something to a booking, as staff may; what is refused is no matter."""
    live = list(Line.objects.filter(booking=booking, status="live").order_by("id"))
    line = live[number % len(live)] if live else None
    if name == "transfer":
        people.transfer_booking(booking_id=booking.id, contact=stranger(), actor=STAFF)
    elif name == "cancel":
        cancellation.cancel_booking(booking_id=booking.id, actor=STAFF)
    elif line is None:
        return
    elif name == "move":
        target = sessions[number % len(sessions)]
        changes.move_line(line_id=line.id, session_id=target.id, actor=STAFF, confirm_duplicate=True)
    elif name in ("more", "fewer"):
        size = line.party_size + (1 if name == "more" else -1)
        party_changes.change_party(line_id=line.id, party_size=max(size, 1), actor=STAFF)
    elif name == "cancel a line":
        cancellation.cancel_booking(booking_id=booking.id, lines=[line.id], actor=STAFF)
    else:
        attendance.check_in_line(line_id=line.id, actor=STAFF)


@pytest.mark.usefixtures("committed_db")
@settings(max_examples=25, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
@given(acts=st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 5)), max_size=6))
def test_facts_alone_tell_every_state_that_a_booking_ever_had(acts: list[tuple[str, int]]) -> None:
    sessions = make_sessions(3, make_activity(customers_may_change=True), capacity=20)
    booking = book(sessions[0], sessions[1], party_size=2, contact=stranger())
    seen = [(database_now(), row_of(booking))]
    for name, number in acts:
        try:
            act(name, booking, sessions, number)
        except Refusal:
            continue
        seen.append((database_now(), row_of(booking)))

    assert [time_machine.booking_as_of(booking, at) for at, _ in seen] == [row for _, row in seen]
    assert time_machine.find_differences([booking]) == []
    now = database_now()
    for session in sessions:
        session.refresh_from_db()
        assert time_machine.session_as_of(session, now).places_booked == session.places_booked


@pytest.mark.django_db
def test_a_session_and_a_day_are_known_as_they_were_before_somebody_moved() -> None:
    activity = make_activity(make_venue(timezone="Asia/Tokyo"))
    first, second = (make_session(activity, starts_in=timedelta(days=days)) for days in (2, 5))
    booking = book(first, party_size=3)
    then = database_now()
    changes.move_line(line_id=booking.lines.get().id, session_id=second.id, actor=STAFF)
    now = database_now()
    places = {
        at: [time_machine.session_as_of(session, at).places_booked for session in (first, second)] for at in (then, now)
    }
    assert places == {then: [3, 0], now: [0, 3]}
    assert time_machine.session_as_of(first, then).amount_minor == 3000
    day = first.starts_at.astimezone(activity.venue.zone).date()
    assert [(key, told.places_booked) for key, told in time_machine.day_as_of(activity, day, then).items()] == [
        (first.id, 3)
    ]
    assert time_machine.booking_as_of(booking, then - timedelta(days=1)) == BookingThen()


@pytest.mark.django_db
@pytest.mark.parametrize("fields", [{"amount_minor": 1}, {"party_size": 9}, {"attendance": "arrived"}])
def test_a_row_that_was_changed_without_a_fact_is_found(fields: dict[str, object]) -> None:
    booking, honest = book(make_session()), book(make_session())
    Line.objects.filter(booking=booking).update(**fields)
    found = time_machine.find_differences(Booking.objects.order_by("id"))
    assert [difference.booking_id for difference in found] == [booking.id]
    assert honest.status == "confirmed"


@pytest.mark.usefixtures("committed_db")
def test_a_fact_says_what_who_when_from_where_and_is_never_rewritten(owner_sql: RunSql) -> None:
    session, other = make_sessions(2)
    actor = Actor(ActorKind.CUSTOMER, "web", detail={"ip_address": "203.0.113.9", "user_agent": "Browser/3"})
    booking = book(session, actor=actor)
    line = booking.lines.get()
    changes.move_line(line_id=line.id, session_id=other.id, actor=STAFF)
    moved = booking.events.get(kind="line_moved")
    assert (moved.kind, moved.before["session"], moved.after["session"]) == (
        "line_moved", str(session.id), str(other.id),
    )  # fmt: skip
    assert moved.at.tzinfo is not None
    detail = booking.events.get(kind="booking_confirmed").detail
    assert (detail.ip_address, detail.user_agent, moved.actor_kind) == ("203.0.113.9", "Browser/3", "staff")
    columns = {field.name for field in BookingEvent._meta.fields} | {f.name for f in BookingEventDetail._meta.fields}
    assert {"kind", "before", "after", "actor_id", "ip_address", "user_agent", "at"} <= columns
    for rewrite in ("UPDATE bookings_bookingevent SET kind = 'x'", "DELETE FROM bookings_bookingevent"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(rewrite)
    assert booking.events.count() == 3


def test_facts_of_an_older_form_are_told_as_far_as_they_go() -> None:
    old = BookingEvent(kind="booking_confirmed", to_status="confirmed", after={"total_minor": 900})
    assert replay([old]) == BookingThen("confirmed", 900)
