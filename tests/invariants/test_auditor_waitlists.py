"""Waiting lists: each invariant is broken behind every guard's back, and is named."""

import pytest

from alerts.services import auditor
from bookings.models import WaitlistEntry
from scheduling.models import Session
from scheduling.services import reservations
from tests.factories import confirm, hold, join, make_session, stranger
from tests.invariants.test_auditor import corrupt, found

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def session() -> Session:
    return make_session(capacity=2)


@pytest.fixture
def offered(session: Session) -> WaitlistEntry:
    """Somebody with an offer of two places, and one more who waits."""
    held = hold(session, 2)
    entry = join(session, 2)
    join(session, 1)
    reservations.release_reservation(reservation_id=held.id)
    entry.refresh_from_db()
    return entry


def test_nothing_is_found_in_a_sound_waiting_list(offered: WaitlistEntry) -> None:
    assert auditor.check_invariants() == []


@pytest.mark.parametrize("change", ["places = 1", "reservation_id = gen_random_uuid()"])
def test_i21_finds_an_offer_that_is_not_of_its_partys_size(offered: WaitlistEntry, change: str) -> None:
    corrupt(f"UPDATE bookings_waitlistentry SET {change} WHERE id = %s", [offered.id])
    assert ("I21", offered.id) in found()


def test_i21_finds_an_offer_whose_places_went_back(offered: WaitlistEntry, session: Session) -> None:
    corrupt(
        "UPDATE scheduling_reservation SET status = 'expired', ended_at = expires_at WHERE id = %s",
        [offered.reservation_id],
    )
    assert found() == {("I21", offered.id), ("I02", session.id), ("I23", session.id)}


def test_i21_finds_an_offer_of_a_session_that_the_party_did_not_name(offered: WaitlistEntry) -> None:
    other = make_session(capacity=2)
    corrupt("UPDATE bookings_waitlistchoice SET session_id = %s WHERE entry_id = %s", [other.id, offered.id])
    assert ("I21", offered.id) in found()


def test_i21_finds_a_party_that_is_said_to_have_booked_without_a_booking(offered: WaitlistEntry) -> None:
    assert offered.reservation is not None
    confirm(offered.reservation, contact=stranger())
    assert found() == set()
    corrupt("UPDATE bookings_waitlistentry SET booking_id = NULL WHERE id = %s", [offered.id])
    assert found() == {("I21", offered.id)}


@pytest.mark.parametrize("waiting", [0, 2])
def test_i23_finds_a_count_that_is_not_of_those_who_wait(
    offered: WaitlistEntry, session: Session, waiting: int
) -> None:
    corrupt("UPDATE scheduling_session SET waiting = %s WHERE id = %s", [waiting, session.id])
    assert found() == {("I23", session.id)}


def test_i23_lets_a_session_count_one_who_was_just_offered_places_elsewhere(
    offered: WaitlistEntry, session: Session
) -> None:
    other = make_session(session.activity, capacity=1)
    corrupt(
        "INSERT INTO bookings_waitlistchoice (id, organization_id, entry_id, session_id, rank)"
        " VALUES ('01900000-0000-7000-8000-000000000001', %s, %s, %s, 2)",
        [offered.organization_id, offered.id, other.id],
    )
    corrupt("UPDATE scheduling_session SET waiting = 1 WHERE id = %s", [other.id])
    assert found() == set()
    corrupt("UPDATE bookings_waitlistentry SET offered_at = offered_at - interval '2 days' WHERE id = %s", [offered.id])
    assert found() == {("I23", other.id)}


def test_i10_and_i12_find_a_fact_of_a_wait_that_is_gone(offered: WaitlistEntry) -> None:
    corrupt("DELETE FROM bookings_waitlistevent WHERE entry_id = %s AND seq = 1", [offered.id])
    assert found() == {("I10", offered.id), ("I12", offered.id)}


def test_i10_finds_a_status_that_no_fact_led_to(offered: WaitlistEntry) -> None:
    corrupt("UPDATE bookings_waitlistentry SET status = 'left', ended_at = offered_at WHERE id = %s", [offered.id])
    assert ("I10", offered.id) in found()
