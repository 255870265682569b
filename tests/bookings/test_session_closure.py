"""Sessions that will not take place: nobody is cancelled, everybody booked is offered a way out of them."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from alerts.services.auditor import check_invariants
from bookings.models import AffectedLine, Booking, Line
from bookings.services import schedule_changes
from bookings.services.amendments import ChangeNotAllowed
from bookings.services.cancellation import cancel_booking
from bookings.services.changes import move_line
from bookings.services.session_closure import close_with_offers
from config.kit.facts import Actor, ActorKind
from config.kit.refusals import InvalidRequest, NotFound
from scheduling.models import ScheduleChange, ScheduleEvent, Session
from scheduling.services import sessions
from scheduling.services.assessing import NotBookable
from scheduling.services.sessions import SessionInUse
from tests.concurrency.races import Places, places_of
from tests.factories import CUSTOMER, book, confirm, hold, lapse, make_activity, make_session, shift_session, stranger

pytestmark = pytest.mark.django_db

DESK = Actor(kind=ActorKind.STAFF, channel="admin", detail={"note": "the boat is broken"})
SOON = timedelta(days=3)
STRICT: dict[str, Any] = {
    "customers_may_change": False, "customers_may_cancel": False, "cancel_fee_percent": 50, "change_fee_minor": 300,
}  # fmt: skip


@pytest.fixture
def session() -> Session:
    return make_session(make_activity(price_minor=1000, **STRICT), capacity=6, starts_in=SOON)


@pytest.fixture
def later(session: Session) -> Session:
    return make_session(session.activity, capacity=6, starts_in=SOON + timedelta(days=1))


def close(session: Session) -> ScheduleChange:
    return close_with_offers(session_id=session.id, actor=DESK, reason="The boat is broken.")


def statuses(session: Session) -> list[str]:
    rows = AffectedLine.objects.filter(change__kind="close").order_by("line__booking__created_at")
    return list(rows.values_list("status", flat=True))


def cancel(booking: Booking) -> Booking:
    return cancel_booking(booking_id=booking.id, actor=CUSTOMER)


def line_of(booking: Booking) -> Line:
    return booking.lines.get()


def test_a_closed_session_keeps_everybody_and_lists_each_booked_line_with_an_offer(session: Session) -> None:
    bookings = [book(session, party_size=2, contact=stranger()) for _ in range(2)]

    change = close(session)

    session.refresh_from_db()
    assert (session.status, places_of(session)) == ("closed", Places(0, 4, 2))
    assert (change.status, change.effects["people"]["bookings"]) == ("applied", 2)
    assert statuses(session) == ["open", "open"]
    for booking in bookings:
        fact = booking.events.get(kind="session_closed_offers")
        assert (fact.after["sessions"], fact.after["lines"]) == ([str(session.id)], [str(line_of(booking).id)])
        booking.refresh_from_db()
        assert booking.status == "confirmed"
    assert check_invariants() == []


def test_who_is_offered_a_way_out_moves_or_cancels_without_fee_and_whatever_the_deadline(
    session: Session, later: Session
) -> None:
    moving, leaving = (book(session, contact=stranger()) for _ in range(2))
    shift_session(session, starts_in=timedelta(minutes=30))
    with pytest.raises(ChangeNotAllowed):
        cancel(leaving)
    with pytest.raises(ChangeNotAllowed):
        move(moving, later)
    close(session)

    moved, cancelled = move(moving, later), cancel(leaving)

    assert (moved.fee_minor, moved.total_minor, cancelled.total_minor, line_of(leaving).fee_minor) == (0, 1000, 0, 0)
    assert statuses(session) == ["move", "refund"]
    assert schedule_changes.work_list().count() == 0
    with pytest.raises(ChangeNotAllowed):  # in the session of before the terms hold again
        cancel(moving)
    assert check_invariants() == []


def move(booking: Booking, session: Session) -> Booking:
    return move_line(line_id=line_of(booking).id, session_id=session.id, actor=CUSTOMER)


def test_who_held_places_before_the_closing_keeps_that_promise_and_has_the_same_way_out(session: Session) -> None:
    book(session, contact=stranger())
    held = hold(session)
    close(session)
    with pytest.raises(NotBookable):
        hold(session)
    booking = confirm(held)
    fact = booking.events.get(kind="session_closed_offers")
    assert (fact.after["lines"], fact.actor_kind) == ([str(line_of(booking).id)], "system")
    assert statuses(session) == ["open", "open"]  # staff call them, too
    assert cancel(booking).total_minor == 0
    assert statuses(session) == ["open", "refund"]
    assert check_invariants() == []


def test_who_books_what_was_only_closed_for_sale_is_offered_nothing_since_it_takes_place(session: Session) -> None:
    held = hold(session)
    sessions.close_session(session_id=session.id, actor=DESK)
    booking = confirm(held)
    assert not booking.events.filter(kind="session_closed_offers").exists()
    with pytest.raises(ChangeNotAllowed):
        cancel(booking)


def test_a_line_that_staff_keep_is_under_the_terms_again(session: Session) -> None:
    booking = book(session)
    close(session)
    row = AffectedLine.objects.get()
    schedule_changes.decide_line(affected_line_id=row.id, status=AffectedLine.Status.KEEP, actor=DESK, decided_by=None)
    with pytest.raises(ChangeNotAllowed):
        cancel(booking)
    assert check_invariants() == []


def test_a_session_is_cancelled_when_its_last_one_has_gone_and_not_before(session: Session, later: Session) -> None:
    first, second = book(session, contact=stranger()), book(session, contact=stranger())
    close(session)
    leaving: list[Callable[[], Booking]] = [partial(move, first, later), partial(cancel, second)]
    for leave in leaving:
        with pytest.raises(SessionInUse):
            sessions.cancel_session(session_id=session.id, actor=DESK)
        leave()

    sessions.cancel_session(session_id=session.id, actor=DESK)

    session.refresh_from_db()
    assert (session.status, places_of(session)) == ("cancelled", Places(0, 0, 6))
    kinds = list(ScheduleEvent.objects.filter(activity=session.activity_id).values_list("kind", flat=True))
    assert kinds == ["sessions_closed", "session_cancelled"]
    with pytest.raises(InvalidRequest):
        sessions.reopen_session(session_id=session.id, actor=DESK)
    assert check_invariants() == []


def test_a_held_place_stands_against_a_cancelled_session_until_it_lapses(session: Session) -> None:
    held = hold(session)
    with pytest.raises(SessionInUse):
        sessions.cancel_session(session_id=session.id, actor=DESK)
    lapse(held)
    assert sessions.cancel_session(session_id=session.id, actor=DESK).status == "cancelled"


def test_sessions_are_chosen_by_dates_too_and_nobody_closes_what_is_not_there(session: Session, later: Session) -> None:
    booking = book(session, later)
    zone = session.activity.venue.zone
    dates: dict[str, Any] = {
        "first_date": str(session.starts_at.astimezone(zone).date()),
        "last_date": str(later.starts_at.astimezone(zone).date()),
    }
    close_with_offers(activity_id=session.activity_id, selection=dates, actor=DESK, reason="Storm")
    assert set(Session.objects.values_list("status", flat=True)) == {"closed"}
    assert len(booking.events.get(kind="session_closed_offers").after["lines"]) == 2
    with pytest.raises(NotFound):
        close_with_offers(session_id=booking.id, actor=DESK, reason="Storm")
    with pytest.raises(InvalidRequest):
        close_with_offers(activity_id=session.activity_id, selection={}, actor=DESK, reason="Storm")


def test_closing_and_opening_again_are_facts_of_the_session_with_who_and_why(session: Session) -> None:
    for _ in range(2):
        sessions.close_session(session_id=session.id, actor=DESK, reason_code="weather")
    sessions.reopen_session(session_id=session.id, actor=DESK)
    facts = ScheduleEvent.objects.filter(session_id=session.id).order_by("seq")
    assert [(fact.kind, fact.before["status"], fact.after["status"], fact.reason_code) for fact in facts] == [
        ("session_closed", "published", "closed", "weather"),
        ("session_reopened", "closed", "published", ""),
    ]
    assert {(fact.actor_kind, fact.channel, fact.detail.note) for fact in facts} == {
        ("staff", "admin", "the boat is broken")
    }
