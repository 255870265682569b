"""The day itself, erasure and links at the same moment: one fact for one arrival, nobody booked as an erased person."""

import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from django.db import connection, transaction

from alerts.services.auditor import check_invariants
from bookings.models import Booking, BookingEvent, Customer, Line, ResumeLink
from bookings.services import attendance, customers, privacy, recovery
from bookings.services.attendance import check_in_line, settle_outcomes
from bookings.services.cancellation import cancel_booking
from bookings.services.privacy import erase_customer
from bookings.services.recovery import ResumeLinkOver, open_resume_link
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from scheduling.models import Session
from tests.concurrency.races import race, tally
from tests.factories import ANNA, book, hold, make_activity, make_organization, make_session, make_venue

pytestmark = pytest.mark.usefixtures("committed_db")

DOOR = Actor(kind=ActorKind.STAFF, channel="admin", detail={"note": "ill"})
Act = Callable[[], object]
SCANS = 8
ROUNDS = 12


def begun_line(**organization: str) -> Line:
    """Book a session that has begun a minute ago."""
    session = make_session(make_activity(make_venue(make_organization(**organization))))
    line = book(session).lines.get()
    move(session, ago=timedelta(minutes=1))
    return line


def move(session: Session, *, ago: timedelta) -> None:
    starts_at = database_now() - ago
    ends_at = starts_at + timedelta(hours=1)
    Session.objects.filter(id=session.id).update(starts_at=starts_at, ends_at=ends_at, closes_at=starts_at)


def scan(line: Line) -> Line:
    return check_in_line(line_id=line.id, actor=DOOR)


def read_without_a_lock(line_id: UUID) -> Line:
    line = Line.objects.select_related("booking", "session__activity__venue").get(id=line_id)
    time.sleep(0.02)
    return line


# Arrivals ---------------------------------------------------------------------------------------------------------


def test_a_code_scanned_by_eight_at_once_is_one_arrival() -> None:
    line = begun_line()
    assert tally(race([partial(scan, line)] * SCANS)) == {"Line": SCANS}
    assert BookingEvent.objects.filter(kind="line_checked_in").count() == 1
    assert check_invariants() == []


def test_an_arrival_is_told_more_than_once_when_the_lock_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control."""
    monkeypatch.setattr(attendance, "_lock_line", read_without_a_lock)
    race([partial(scan, begun_line())] * SCANS)
    assert BookingEvent.objects.filter(kind="line_checked_in").count() > 1


def test_whoever_is_checked_in_is_not_cancelled_in_the_same_moment_nor_the_other_way_round() -> None:
    lines = [begun_line() for _ in range(ROUNDS)]
    for line in lines:
        acts: list[Act] = [partial(scan, line), partial(cancel_booking, booking_id=line.booking_id, actor=DOOR)]
        race(acts)
    after = Line.objects.values_list("status", "attendance")
    assert set(after) <= {("live", "arrived"), ("cancelled", "expected")}
    assert check_invariants() == []


def test_two_policies_at_once_and_a_late_scan_note_each_line_once() -> None:
    lines = [begun_line(outcome_policy="no_show") for _ in range(ROUNDS)]
    for line in lines:
        move(line.session, ago=timedelta(minutes=70))
    acts: list[Act] = [settle_outcomes, settle_outcomes, *(partial(scan, line) for line in lines)]
    race(acts)
    settle_outcomes()
    assert set(Line.objects.values_list("attendance", flat=True)) == {"no_show"}
    assert BookingEvent.objects.filter(kind="outcome_set").count() == ROUNDS
    assert check_invariants() == []


# Erasure ----------------------------------------------------------------------------------------------------------


def past_customer() -> tuple[Customer, Session]:
    """Return somebody whose only session is over, and another session of the organization."""
    session = make_session()
    customer = book(session).customer
    move(session, ago=timedelta(days=2))
    return customer, make_session(session.activity, starts_in=timedelta(days=2))


def erase_while_booking() -> list[str]:
    """Race an erasure with a booking by the same address; return under which name the booking stands."""
    names: list[str] = []
    for _ in range(ROUNDS):
        customer, session = past_customer()
        acts: list[Act] = [partial(erase_customer, customer_id=customer.id, actor=DOOR), partial(book, session)]
        race(acts)
        names += Booking.objects.filter(lines__session=session).values_list("customer__email", flat=True)
    return names


def test_whoever_books_while_being_erased_is_known_to_those_who_expect_them(monkeypatch: pytest.MonkeyPatch) -> None:
    linger(monkeypatch)
    assert erase_while_booking() == [ANNA.email] * ROUNDS
    assert check_invariants() == []


def linger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an erasure take its time once it has locked the customer, so that the booking comes in between."""
    original = privacy._require_nothing_to_come

    def slowly(customer: Customer, bookings: list[Booking]) -> None:
        original(customer, bookings)
        time.sleep(0.05)

    monkeypatch.setattr(privacy, "_require_nothing_to_come", slowly)


def test_somebody_books_as_an_erased_person_when_the_look_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control."""
    linger(monkeypatch)
    monkeypatch.setattr(customers, "_keep", lambda _: True)
    assert any("erased.invalid" in name for name in erase_while_booking())


def test_an_erasure_asked_for_twice_at_once_is_one() -> None:
    customer, _ = past_customer()
    outcomes = race([partial(erase_customer, customer_id=customer.id, actor=DOOR)] * 4)
    assert tally(outcomes) == {"Customer": 4}
    assert BookingEvent.objects.filter(kind="customer_erased").count() == 1


# Links ------------------------------------------------------------------------------------------------------------


def link() -> ResumeLink:
    return recovery.ask_resume_link(basket=hold(make_session()).basket, email=ANNA.email)


def test_a_link_that_eight_open_at_once_opens_for_one() -> None:
    sent = link()
    outcomes = race([partial(open_resume_link, link_id=sent.id, token=sent.token)] * SCANS)
    assert tally(outcomes) == {"UUID": 1, ResumeLinkOver.__name__: SCANS - 1}


def open_after_a_look(sent: ResumeLink) -> UUID:
    """Look, then write: the guard left out."""
    if ResumeLink.objects.get(id=sent.id).used_at:
        raise ResumeLinkOver
    time.sleep(0.02)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE bookings_resumelink SET used_at = clock_timestamp() WHERE id = %s", [sent.id])
    return sent.basket


def test_a_link_opens_for_several_when_it_is_looked_at_first_and_used_later() -> None:
    """The control."""
    assert tally(race([partial(open_after_a_look, link())] * SCANS))["UUID"] > 1
