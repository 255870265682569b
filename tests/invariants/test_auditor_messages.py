"""Messages that nobody will ever be sent, and facts that nobody took, are found."""

import pytest
from django.core.cache import cache
from django.db import transaction

from alerts.services import auditor, fan_out
from alerts.services.auditor import check_invariants
from bookings.models import Booking, Customer, WaitlistEntry
from bookings.services.waitlist_events import record_waitlist_event
from config.kit.clock import database_now
from config.kit.facts import SYSTEM
from tests.factories import book, make_session
from tests.invariants.test_auditor import corrupt, found

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def booking() -> Booking:
    booking = book(make_session())
    fan_out.fan_out_facts()
    cache.set(fan_out.FAN_OUT_RAN, 0)
    assert check_invariants() == []
    return booking


def test_i17_finds_a_confirmed_booking_whose_message_is_gone(booking: Booking) -> None:
    corrupt("DELETE FROM alerts_notification WHERE subject_id = %s", [booking.id])
    assert found() == {("I17", booking.id)}


def test_i17_is_silent_about_who_was_forgotten(booking: Booking) -> None:
    Customer.objects.update(erased_at=database_now())
    corrupt("DELETE FROM alerts_notification WHERE subject_id = %s", [booking.id])
    assert found() == set()


def test_i17_finds_a_confirmation_that_nobody_took_after_five_minutes(booking: Booking) -> None:
    fact = booking.events.get(kind="booking_confirmed")
    corrupt("DELETE FROM alerts_handled WHERE fact_id = %s", [fact.id])
    corrupt("UPDATE bookings_bookingevent SET at = at - interval '6 minutes' WHERE id = %s", [fact.id])
    assert ("I17", fact.id) in found()


def test_i17_finds_a_waiting_partys_fact_that_nobody_took(booking: Booking) -> None:
    session = make_session()
    entry = WaitlistEntry.objects.create(
        organization_id=session.organization_id, activity=session.activity, email="wim@example.org", name="Wim",
        party_size=1, places=1,
    )  # fmt: skip
    with transaction.atomic():
        fact = record_waitlist_event(entry, kind="waitlist_joined", actor=SYSTEM)
    corrupt("UPDATE bookings_waitlistevent SET at = at - interval '6 minutes' WHERE id = %s", [fact.id])
    assert ("I17", fact.id) in {(finding.code, finding.id) for finding in auditor.check_liveness()}
