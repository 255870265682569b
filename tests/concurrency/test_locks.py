"""What is locked while places change hands: rows, never tables, inside a transaction, and not for ever."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial

import pytest
from django.db import connection, transaction
from django.test import Client
from psycopg.errors import LockNotAvailable

from config.kit.clock import database_now
from scheduling.models import Reservation, Session
from scheduling.services import capacity, reservations
from scheduling.services.assessing import Party
from tests.concurrency.races import Places, places_of, race, somebody_elses_transaction, tally
from tests.conftest import RunSql
from tests.factories import book, confirm, hold, make_session, make_sessions

pytestmark = pytest.mark.usefixtures("committed_db")

TABLE_LOCKS = """SELECT DISTINCT mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
    WHERE l.locktype = 'relation' AND c.relkind = 'r' AND c.relname !~ '^pg_'
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
ROW_MODES = {"AccessShareLock", "RowShareLock", "RowExclusiveLock"}  # these let every other reader and writer in


def modes(admin_sql: RunSql) -> set[str]:
    """Return the modes in which anybody has locked one of our tables just now."""
    return {row[0] for row in admin_sql(TABLE_LOCKS)}


def reserve(*sessions: Session) -> list[Reservation]:
    return reservations.reserve_parties([Party(session.id, 1) for session in sessions], email="ben@example.org")


def lock_of(session: Session) -> str:
    """Say whether another connection could have the session's row at once."""
    with somebody_elses_transaction() as other:
        try:
            other.execute("SELECT FROM scheduling_session WHERE id = %s FOR NO KEY UPDATE NOWAIT", [session.id])
        except LockNotAvailable:
            return "locked"
    return "free"


def test_a_reservation_locks_the_rows_of_its_sessions_and_no_table(admin_sql: RunSql) -> None:
    wanted, also_wanted, other = make_sessions(3)

    with transaction.atomic():
        reserve(also_wanted, wanted)
        assert modes(admin_sql) <= ROW_MODES
        assert {"RowShareLock", "RowExclusiveLock"} <= modes(admin_sql)
        assert [lock_of(session) for session in (wanted, also_wanted, other)] == ["locked", "locked", "free"]
        assert admin_sql("SELECT count(*) FROM scheduling_reservation") == [(0,)]  # reads go on

    assert modes(admin_sql) == set()
    assert lock_of(wanted) == "free"


def test_the_lock_lets_a_foreign_key_to_the_session_be_checked(admin_sql: RunSql) -> None:
    session = make_session()

    with transaction.atomic():
        capacity.lock_sessions([session.id])
        with somebody_elses_transaction() as other:
            found = other.execute("SELECT FROM scheduling_session WHERE id = %s FOR KEY SHARE NOWAIT", [session.id])
            assert found.rowcount == 1


def test_no_table_is_locked_while_buyers_sweeps_and_staff_are_at_work(admin_sql: RunSql) -> None:
    sessions = make_sessions(3, capacity=30)
    seen: set[str] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.update(modes(admin_sql))

    watcher = threading.Thread(target=watch)
    watcher.start()
    acts: list[Callable[[], object]] = [
        partial(hold, sessions[0]),
        partial(book, *sessions),
        partial(reserve, *sessions),
        reservations.release_expired_reservations,
        partial(capacity.set_capacity, session_id=sessions[1].id, capacity=40),
    ]
    try:
        outcomes = race(acts * 8, at_once=8)
    finally:
        done.set()
        watcher.join()

    assert tally(outcomes) == {"Reservation": 8, "Booking": 8, "list": 8, "int": 8, "Session": 8}
    assert seen == ROW_MODES


OUTSIDE: Mapping[str, Callable[[Reservation], object]] = {
    "lock_sessions": lambda r: capacity.lock_sessions([r.session_id]),
    "lock_reservations": lambda r: capacity.lock_reservations([r.id]),
    "take_places": lambda r: capacity.take_places(session_id=r.session_id, places=1),
    "reclaim_lapsed": lambda r: capacity.reclaim_lapsed([r.session_id]),
    "confirm_places": lambda r: capacity.confirm_places([r], at=database_now()),
    "release_places": lambda r: capacity.release_places([r], at=database_now()),
    "overbook_places": lambda r: capacity.overbook_places(session_id=r.session_id, places=1),
}


@pytest.mark.parametrize("act", OUTSIDE.values(), ids=OUTSIDE)
def test_places_are_not_touched_outside_a_transaction(act: Callable[[Reservation], object]) -> None:
    session = make_session()
    reservation = hold(session, 2)

    with pytest.raises(transaction.TransactionManagementError):
        act(reservation)

    assert places_of(session) == Places(held=2, booked=0, remaining=8)


Answer = tuple[int, str, str]


def post(path: str, body: Mapping[str, object], token: str = "") -> Answer:
    response = Client().post(
        f"/api/v1/{path}", json.dumps(body), content_type="application/json", headers={"Reservation-Token": token}
    )
    return response.status_code, json.loads(response.content)["code"], response["Retry-After"]


def delete(path: str, token: str) -> Answer:
    response = Client().delete(f"/api/v1/{path}", headers={"Reservation-Token": token})
    return response.status_code, json.loads(response.content)["code"], response["Retry-After"]


PERSON = {"email": "anna@example.org", "name": "Anna Archer"}


def test_a_buyer_who_waits_three_seconds_for_a_row_is_asked_to_come_again() -> None:
    session = make_session()

    with somebody_elses_transaction() as other:
        other.execute("SELECT FROM scheduling_session WHERE id = %s FOR UPDATE", [session.id])
        began = time.monotonic()
        response = post("reservations", {"session": str(session.id), "party_size": 1, "email": "a@example.org"})
        waited = time.monotonic() - began

    assert response == (503, "busy", "1")
    assert 2.9 < waited < 6
    assert places_of(session) == Places(held=0, booked=0, remaining=10)
    assert hold(session).places == 1


@pytest.mark.parametrize("act", ["hold in units", "book", "confirm", "extend", "release"])
def test_every_call_that_waits_too_long_for_a_row_answers_503_and_changes_nothing(act: str) -> None:
    session = make_session()
    reservation = hold(session)
    before = Reservation.objects.filter(session=session).values().get()
    own = f"reservations/{reservation.id}"
    units = [{"unit": str(session.activity.units.get().id), "count": 1}]
    lines = [{"session": str(session.id), "party_size": 1}]
    calls: Mapping[str, Callable[[], Answer]] = {
        "hold in units": lambda: post(
            "reservations", {"session": str(session.id), "units": units, "email": "anna@example.org"}
        ),
        "book": lambda: post("bookings", {"lines": lines, "customer": PERSON}),
        "confirm": lambda: post(f"{own}/confirm", {"customer": PERSON}, reservation.token),
        "extend": lambda: post(f"{own}/extend", {}, reservation.token),
        "release": lambda: delete(own, reservation.token),
    }
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '150ms'")  # of this connection; the role's three seconds are proved above

    with somebody_elses_transaction() as other:
        other.execute("SELECT FROM scheduling_session WHERE id = %s FOR UPDATE", [session.id])
        response = calls[act]()

    assert response == (503, "busy", "1")
    assert Reservation.objects.filter(session=session).values().get() == before
    assert places_of(session) == Places(held=1, booked=0, remaining=9)
    assert confirm(reservation).status == "confirmed"
