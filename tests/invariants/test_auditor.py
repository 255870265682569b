"""Each invariant is broken by one UPDATE behind every guard's back, and the auditor names the row."""

import os
from uuid import UUID, uuid4

import psycopg
import pytest
from django.core.cache import cache
from django.core.management import call_command

from alerts.services import auditor
from bookings.models import Booking
from config.kit.idempotency import Claim
from config.tenants.models import Organization, OrganizationEvent
from scheduling.models import Reservation, Session
from scheduling.services.catalogue import set_organization_status
from scheduling.services.reservations import reserve_slot
from scheduling.tasks import SWEEP_RAN, release_expired_reservations
from tests.factories import STAFF, book, hold, make_session

pytestmark = pytest.mark.usefixtures("committed_db")


def corrupt(statement: str, parameters: list[object]) -> None:
    """Write past triggers, foreign keys and privileges, as a superuser in replica mode can."""
    with psycopg.connect(os.environ["DATABASE_ADMIN_URL"], autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(statement.encode(), parameters)


def found() -> set[tuple[str, UUID]]:
    return {(finding.code, finding.id) for finding in auditor.check_invariants()}


@pytest.fixture
def session() -> Session:
    return make_session(capacity=10)


@pytest.fixture
def booking(session: Session) -> Booking:
    return book(session, party_size=2)


def reservation_of(booking: Booking) -> Reservation:
    return Reservation.objects.get(lines__booking=booking)


def test_nothing_is_found_in_a_sound_database(session: Session, booking: Booking) -> None:
    hold(session, party_size=3)
    assert auditor.check_invariants() == []


def test_i01_finds_an_oversold_session(session: Session, booking: Booking) -> None:
    corrupt("UPDATE scheduling_reservation SET places = 11 WHERE id = %s", [reservation_of(booking).id])
    assert ("I01", session.id) in found()


def test_i02_finds_a_counter_that_is_not_its_sum(session: Session, booking: Booking) -> None:
    corrupt("UPDATE scheduling_session SET places_held = 1 WHERE id = %s", [session.id])
    assert ("I02", session.id) in found()


def test_i03_finds_a_hold_that_the_running_sweep_forgot(session: Session) -> None:
    reservation = hold(session, party_size=1)
    release_expired_reservations()
    corrupt(
        "UPDATE scheduling_reservation SET held_at = held_at - interval '1 hour',"
        " expires_at = expires_at - interval '1 hour' WHERE id = %s",
        [reservation.id],
    )
    assert found() == {("I03", reservation.id)}


def test_i03_is_silent_while_the_sweep_is_not_known_to_run(session: Session) -> None:
    reservation = hold(session, party_size=1)
    cache.delete(SWEEP_RAN)
    corrupt(
        "UPDATE scheduling_reservation SET held_at = held_at - interval '1 hour',"
        " expires_at = expires_at - interval '1 hour' WHERE id = %s",
        [reservation.id],
    )
    assert found() == set()


def test_i10_finds_a_booking_whose_last_fact_says_otherwise(booking: Booking) -> None:
    corrupt("UPDATE bookings_booking SET status = 'cancelled' WHERE id = %s", [booking.id])
    assert ("I10", booking.id) in found()


def test_i10_finds_a_gap_in_the_facts(booking: Booking) -> None:
    corrupt("UPDATE bookings_booking SET event_seq = 3 WHERE id = %s", [booking.id])
    assert ("I10", booking.id) in found()


def test_i11_finds_an_illegal_step(booking: Booking) -> None:
    last = booking.events.order_by("-seq")[0]
    corrupt("UPDATE bookings_bookingevent SET from_status = 'cancelled' WHERE id = %s", [last.id])
    assert ("I11", last.id) in found()


@pytest.mark.parametrize(
    "change",
    ["kind = 'booking_moved'", "at = at + interval '1 second'", "after = '{}'", "previous_hash = 'x'", "hash = 'x'"],
)
def test_i12_finds_a_rewritten_fact(booking: Booking, change: str) -> None:
    last = booking.events.order_by("-seq")[0]
    corrupt(f"UPDATE bookings_bookingevent SET {change} WHERE id = %s", [last.id])
    assert ("I12", booking.id) in found()


def test_i14_finds_a_child_of_another_organization(session: Session, booking: Booking) -> None:
    other = make_session(capacity=1).organization_id
    reservation = reservation_of(booking)
    corrupt("UPDATE scheduling_reservation SET organization_id = %s WHERE id = %s", [other, reservation.id])
    assert ("I14", reservation.id) in found()


def test_i14_finds_a_row_of_no_organization(session: Session) -> None:
    corrupt("UPDATE scheduling_session SET organization_id = %s WHERE id = %s", [uuid4(), session.id])
    assert ("I14", session.id) in found()


def test_i15_finds_a_key_without_its_effect(session: Session) -> None:
    key = uuid4()
    claim = Claim(id=key, fingerprint=uuid4())
    reserve_slot(session_id=session.id, party_size=1, email="anna@example.org", claim=claim)
    corrupt("UPDATE kit_idempotencykey SET effect_id = %s WHERE id = %s", [uuid4(), key])
    assert found() == {("I15", key)}


def test_i18_finds_a_confirmed_reservation_without_a_live_line(booking: Booking) -> None:
    cancelled = "UPDATE bookings_line SET status = 'cancelled', cancelled_at = now() WHERE booking_id = %s"
    corrupt(cancelled, [booking.id])
    assert ("I18", reservation_of(booking).id) in found()


def test_i18_finds_a_live_line_without_its_confirmed_reservation(session: Session, booking: Booking) -> None:
    line = booking.lines.get()
    corrupt("UPDATE scheduling_reservation SET status = 'held' WHERE id = %s", [line.reservation_id])
    assert ("I18", line.id) in found()


def test_i23_finds_waiters_that_nobody_knows(session: Session) -> None:
    corrupt("UPDATE scheduling_session SET waiting = 2 WHERE id = %s", [session.id])
    assert found() == {("I23", session.id)}


def test_i25_finds_a_session_on_sale_of_a_discontinued_activity(session: Session) -> None:
    corrupt("UPDATE scheduling_activity SET status = 'discontinued' WHERE id = %s", [session.activity_id])
    assert found() == {("I25", session.id)}


def test_the_command_prints_the_offender_and_exits_with_one(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("check_invariants")
    assert capsys.readouterr().out == ""
    corrupt("UPDATE scheduling_session SET places_booked = 1 WHERE id = %s", [session.id])
    with pytest.raises(SystemExit) as stopped:
        call_command("check_invariants")
    assert stopped.value.code == 1
    assert f"I02 {session.id}" in capsys.readouterr().out


def test_i22_finds_a_cancelled_session_with_somebody_booked(session: Session, booking: Booking) -> None:
    corrupt("UPDATE scheduling_session SET status = 'cancelled' WHERE id = %s", [session.id])
    assert ("I22", session.id) in found()


def test_i10_and_i12_find_what_was_left_out_or_rewritten_of_an_organizations_story(session: Session) -> None:
    organization = session.organization
    for status in ("suspended", "active"):
        set_organization_status(organization_id=organization.id, status=Organization.Status(status), actor=STAFF)
    assert found() == set()
    rewritten = OrganizationEvent.objects.filter(organization=organization, seq=1)
    corrupt("UPDATE tenants_organizationevent SET actor_id = uuid7() WHERE id = %s", [rewritten.get().id])
    assert found() == {("I12", organization.id)}
    corrupt("DELETE FROM tenants_organizationevent WHERE id = %s", [rewritten.get().id])
    assert ("I10", organization.id) in found()
