"""A cut is honoured: nobody loses a place, nothing is sold until it fits again, and no writer can oversell."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import LiteralString

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from alerts.services.auditor import check_invariants
from config.kit.clock import database_now
from scheduling import availability
from scheduling.models import Reservation, Session
from scheduling.services import capacity, reservations
from scheduling.services.assessing import NotEnoughPlaces
from tests.concurrency.races import Places, places_of, race, tally
from tests.conftest import RunSql
from tests.factories import book, confirm, hold, lapse, make_session

pytestmark = pytest.mark.usefixtures("committed_db")


def cut(session: Session, to: int) -> None:
    capacity.set_capacity(session_id=session.id, capacity=to)


def test_a_cut_below_what_is_taken_is_honoured_and_sells_nothing_until_it_fits_again() -> None:
    session = make_session(capacity=10)
    book(session, party_size=4)
    held = hold(session, 3)

    cut(session, 5)

    assert places_of(session) == Places(held=3, booked=4, remaining=0, honoured=7)
    session.refresh_from_db()
    assert session.over_by == 2
    found = availability.check_slot_availability(session_id=session.id)
    assert (found.reasons, found.spots, found.status) == (("full",), 0, "full")
    with pytest.raises(NotEnoughPlaces):
        hold(session)

    assert confirm(held).status == "confirmed"
    assert places_of(session) == Places(held=0, booked=7, remaining=0, honoured=7)

    cut(session, 8)
    assert places_of(session) == Places(held=0, booked=7, remaining=1)
    assert hold(session).places == 1
    assert check_invariants() == []


def release(reservation: Reservation) -> None:
    reservations.release_reservation(reservation_id=reservation.id)


def release_booked(reservation: Reservation) -> None:
    """Give booked places back as a cancellation will."""
    confirm(reservation)
    with transaction.atomic():
        capacity.release_places([reservations.lock_reservation(reservation.id)], at=database_now())


def sweep(reservation: Reservation) -> None:
    lapse(reservation)
    assert reservations.release_expired_reservations() == reservation.places


def reclaim(reservation: Reservation) -> None:
    lapse(reservation)
    with transaction.atomic():
        capacity.lock_sessions([reservation.session_id])
        assert capacity.reclaim_lapsed([reservation.session_id]) == reservation.places


def reclaim_by_setting(reservation: Reservation) -> None:
    lapse(reservation)
    session = Session.objects.get(id=reservation.session_id)
    cut(session, session.capacity_total)


GIVE_BACKS = [release, release_booked, sweep, reclaim, reclaim_by_setting]


@pytest.mark.parametrize("give_back", GIVE_BACKS)
@pytest.mark.parametrize(("size", "honoured", "remaining"), [(1, 7, 0), (3, 0, 0), (4, 0, 1)])
def test_each_give_back_settles_what_is_honoured_anew(
    give_back: Callable[[Reservation], None], size: int, honoured: int, remaining: int
) -> None:
    session = make_session(capacity=10)
    kept = hold(session, 8 - size)
    returned = hold(session, size)
    cut(session, 5)
    assert places_of(session) == Places(held=8, booked=0, remaining=0, honoured=8)

    give_back(returned)

    assert places_of(session) == Places(held=kept.places, booked=0, remaining=remaining, honoured=honoured)


def test_a_cut_reclaims_lapsed_holds_first_so_it_honours_no_ghost() -> None:
    session = make_session(capacity=10)
    lapse(hold(session, 6))
    hold(session, 3)

    cut(session, 3)

    assert places_of(session) == Places(held=3, booked=0, remaining=0)


def test_a_session_cut_to_nothing_sells_nothing() -> None:
    session = make_session(capacity=10)

    cut(session, 0)

    with pytest.raises(NotEnoughPlaces) as refusal:
        hold(session)
    assert refusal.value.extra["available_spots"] == 0


def test_a_permitted_persons_overbooking_is_honoured_to_the_place() -> None:
    session = make_session(capacity=2)
    book(session, party_size=2)

    with transaction.atomic():
        capacity.lock_sessions([session.id])
        capacity.overbook_places(session_id=session.id, places=3)

    session.refresh_from_db()
    assert (session.places_held, session.honoured_capacity, session.over_by) == (3, 5, 3)


def test_cuts_buyers_and_releases_at_once_never_sell_while_over() -> None:
    session = make_session(capacity=20)
    holds = [hold(session, 2) for _ in range(8)]

    acts: list[Callable[[], object]] = []
    for number, reservation in enumerate(holds):
        acts += [
            partial(cut, session, 4 + number),
            partial(release, reservation),
            partial(hold, session),
            partial(hold, session, 3),
        ]
    outcomes = race(acts, at_once=8)

    assert set(tally(outcomes)) <= {"NoneType", "Reservation", "NotEnoughPlaces"}
    now = places_of(session)
    session.refresh_from_db()
    assert now.honoured == (now.held if now.held > session.capacity_total else 0)
    assert (now.held_by_rows, now.booked_by_rows) == (None, None)
    assert check_invariants() == []


def test_a_recount_repairs_corrupted_counters_and_reports_the_drift(admin_sql: RunSql) -> None:
    session = make_session(capacity=10)
    hold(session, 2)
    book(session, party_size=3)
    admin_sql("UPDATE scheduling_session SET places_held = 0, places_booked = 9 WHERE id = %s", [session.id])

    drift = reservations.recalculate_capacity(session_id=session.id)

    assert drift == capacity.Drift(places_held=0, places_booked=9, counted_held=2, counted_booked=3)
    assert places_of(session) == Places(held=2, booked=3, remaining=5)
    assert reservations.recalculate_capacity(session_id=session.id).is_clean


def test_a_recount_of_what_was_oversold_behind_our_back_honours_it(admin_sql: RunSql) -> None:
    session = make_session(capacity=10)
    book(session, party_size=8)
    admin_sql(
        "UPDATE scheduling_session SET places_booked = 0, capacity_total = 5, honoured_capacity = 0 WHERE id = %s",
        [session.id],
    )

    reservations.recalculate_capacity(session_id=session.id)

    assert places_of(session) == Places(held=0, booked=8, remaining=0, honoured=8)


OVERSELLS: Mapping[str, LiteralString] = {
    "more held": "UPDATE scheduling_session SET places_held = capacity_total + 1",
    "more booked": "UPDATE scheduling_session SET places_booked = 11",
    "both together": "UPDATE scheduling_session SET places_held = 6, places_booked = 5",
    "a silent cut": "UPDATE scheduling_session SET capacity_total = 1",
    "too much honoured": "UPDATE scheduling_session SET honoured_capacity = 99, places_held = 11",
    "honoured in advance": "UPDATE scheduling_session SET honoured_capacity = 11",
    "a row born oversold": """INSERT INTO scheduling_session (id, organization_id, activity_id, starts_at, ends_at,
        opens_at, closes_at, status, is_legacy, on_sale, capacity_total, places_held, places_booked, honoured_capacity,
        waiting, version) SELECT gen_random_uuid(), organization_id, activity_id, starts_at + interval '2 hours',
        ends_at + interval '2 hours', opens_at, closes_at, status, false, true, 3, 4, 0, 0, 0, 1
        FROM scheduling_session""",
}


@pytest.mark.parametrize("statement", OVERSELLS.values(), ids=OVERSELLS)
@pytest.mark.parametrize("role", ["application", "owner", "superuser"])
def test_raw_sql_cannot_oversell_as_any_role(
    statement: LiteralString, role: str, admin_sql: RunSql, owner_sql: RunSql
) -> None:
    session = make_session(capacity=10)
    hold(session, 2)
    run: Mapping[str, Callable[[LiteralString], object]] = {
        "application": execute,
        "owner": owner_sql,
        "superuser": admin_sql,
    }

    with pytest.raises(Exception, match="session_never_oversold"):
        run[role](statement)

    assert places_of(session) == Places(held=2, booked=0, remaining=8)


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize("column", ["places_held", "places_booked", "capacity_total", "honoured_capacity", "waiting"])
def test_no_counter_can_be_below_zero(column: str) -> None:
    session = make_session(capacity=10)

    with pytest.raises(IntegrityError, match="check"):
        execute(f"UPDATE scheduling_session SET {column} = -1")

    assert places_of(session) == Places(held=0, booked=0, remaining=10)


def test_what_remains_is_computed_by_the_database_and_never_below_zero() -> None:
    session = make_session(capacity=4)
    hold(session, 4)
    cut(session, 1)

    with pytest.raises(DatabaseError, match="capacity_remaining"):
        execute("UPDATE scheduling_session SET capacity_remaining = -1")

    assert places_of(session) == Places(held=4, booked=0, remaining=0, honoured=4)


@pytest.mark.parametrize("status", ["closed", "published"])
def test_a_full_session_opens_again_by_itself_and_keeps_the_status_that_staff_set(status: str) -> None:
    session = make_session(capacity=2)
    hold(session)
    assert answer(session) == ("published", 1)
    last = hold(session)
    assert answer(session) == ("full", 0)
    Session.objects.filter(id=session.id).update(status=status)

    release(last)

    session.refresh_from_db()
    assert session.status == status
    assert answer(session) == ((status, 1) if status == "published" else ("closed", 0))


def answer(session: Session) -> tuple[str, int]:
    found = availability.check_slot_availability(session_id=session.id)
    return found.status, found.spots
