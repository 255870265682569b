"""The auditor's findings about facts, their consumers and duplicates: each is broken behind every guard's back."""

from uuid import UUID

import pytest
from django.core.cache import cache

from alerts.services import auditor
from alerts.services.fan_out import FAN_OUT_RAN
from alerts.tasks import audit_everything, fan_out_facts
from bookings.models import Booking
from scheduling.models import Session
from tests.concurrency.conftest import as_owner
from tests.conftest import empty_database
from tests.factories import book, make_session
from tests.invariants.test_auditor import corrupt, found

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def session() -> Session:
    return make_session(capacity=10)


@pytest.fixture
def booking(session: Session) -> Booking:
    return book(session)


def an_old_unhandled_fact(session: Session) -> UUID:
    """Return a fact that its consumer has missed for six minutes."""
    fact = book(session).events.get(kind="duplicate_overridden")
    corrupt("UPDATE bookings_bookingevent SET at = at - interval '6 minutes' WHERE id = %s", [fact.id])
    return fact.id


def test_i17_finds_a_confirmed_booking_without_its_fact(booking: Booking) -> None:
    corrupt("UPDATE bookings_bookingevent SET kind = 'booking_moved' WHERE kind = 'booking_confirmed'", [])
    assert ("I17", booking.id) in found()


def test_i17_finds_a_fact_that_the_running_fan_out_forgot(session: Session, booking: Booking) -> None:
    fan_out_facts()
    fact_id = an_old_unhandled_fact(session)
    assert ("I17", fact_id) in found()
    fan_out_facts()
    assert ("I17", fact_id) not in found()


def test_i17_is_silent_while_the_fan_out_is_not_known_to_run(session: Session, booking: Booking) -> None:
    fact_id = an_old_unhandled_fact(session)
    cache.delete(FAN_OUT_RAN)
    assert ("I17", fact_id) not in found()


def test_i20_finds_two_lines_that_nobody_said_are_meant(session: Session, booking: Booking) -> None:
    book(session)
    with as_owner() as owner:
        row = owner.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'line_duplicate_once'").fetchone()
        assert row is not None
        owner.execute("DROP INDEX line_duplicate_once")
    try:
        corrupt("UPDATE bookings_line SET duplicate_override_of_id = NULL", [])
        lines = {line_id for code, line_id in found() if code == "I20"}
        assert len(lines) == 2
    finally:
        empty_database()
        with as_owner() as owner:
            owner.execute(row[0].encode())


def test_what_an_audit_found_is_remembered(session: Session) -> None:
    assert auditor.last_results() == {}
    audit_everything()
    corrupt("UPDATE scheduling_session SET places_booked = 1 WHERE id = %s", [session.id])
    assert auditor.last_results()["everything"].findings == 0
    audit_everything()
    assert auditor.last_results()["everything"].findings == 2
