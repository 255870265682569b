"""Who waited for a session's row judges by the clock after the wait: not by the one from before it."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import pytest

from config.kit.clock import database_now
from scheduling.models import Reservation, Session
from scheduling.services import assessing, capacity, reservations
from scheduling.services.assessing import NotBookable, Party
from scheduling.services.reservations import ReservationLapsed
from tests.concurrency.races import (
    Background,
    Places,
    look_at_sessions,
    places_of,
    reclaim_nothing,
    somebody_elses_transaction,
    wait_until_blocked,
)
from tests.factories import confirm, hold, make_activity, make_session

pytestmark = pytest.mark.usefixtures("committed_db")

SOON = timedelta(milliseconds=600)
MERELY_LOCKED = "SELECT FROM scheduling_session WHERE id = %s FOR NO KEY UPDATE"
LOCKED_AND_CHANGED = "UPDATE scheduling_session SET version = version + 1 WHERE id = %s"
held_by_another = pytest.mark.parametrize("row", [MERELY_LOCKED, LOCKED_AND_CHANGED], ids=["locked", "changed"])

Act = Callable[[Session], object]


def in_units(session: Session) -> object:
    return reservations.reserve_parties([Party(session_id=session.id, party_size=1)], email="ben@example.org")


both_paths = pytest.mark.parametrize("reserve", [hold, in_units], ids=["plain", "slow"])


def make_session_closing_at(closes_at: datetime) -> Session:
    return make_session(capacity=1, closes_at=closes_at)


def act_behind_a_lock(act: Callable[[], object], session: Session, row: str, *, until: datetime) -> object:
    """Let the act wait for the session's row until after an instant, and return what came of it."""
    with somebody_elses_transaction() as other:
        other.execute(row.encode(), [session.id])
        waiting = Background(act)
        wait_until_blocked()
        assert database_now() < until, "it began to wait too late to prove anything"
        time.sleep(max((until - database_now()).total_seconds(), 0) + 0.02)
    return waiting.outcome()


@held_by_another
@both_paths
def test_a_hold_that_waited_until_after_closing_time_is_refused(reserve: Act, row: str) -> None:
    closes_at = database_now() + SOON
    session = make_session_closing_at(closes_at)

    refusal = act_behind_a_lock(partial(reserve, session), session, row, until=closes_at)

    assert isinstance(refusal, NotBookable)
    assert refusal.extra["reasons"] == ["booking_closed"]
    assert places_of(session) == Places(held=0, booked=0, remaining=1)


def test_a_hold_that_waited_is_sold_after_closing_time_when_its_statement_looks_at_the_clock_once(
    changed_sql: Callable[[str, str, str], None],
) -> None:
    changed_sql("PLAIN_HOLD", "CASE WHEN t.at < t.closes_at THEN t.at + a.hold_minutes * interval '1 minute' END",
                "t.at + a.hold_minutes * interval '1 minute'")  # fmt: skip
    closes_at = database_now() + SOON
    session = make_session_closing_at(closes_at)

    reservation = act_behind_a_lock(partial(hold, session), session, MERELY_LOCKED, until=closes_at)

    assert isinstance(reservation, Reservation)
    assert reservation.held_at > closes_at


def test_a_slow_hold_that_waited_is_sold_after_closing_time_when_it_does_not_lock_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(capacity, "lock_sessions", look_at_sessions)
    monkeypatch.setattr(capacity, "reclaim_lapsed", reclaim_nothing)
    closes_at = database_now() + SOON
    session = make_session_closing_at(closes_at)

    taken = act_behind_a_lock(partial(in_units, session), session, MERELY_LOCKED, until=closes_at)

    assert isinstance(taken, list)
    assert taken[0].held_at > closes_at


def expire_at(reservation: Reservation, at: datetime) -> None:
    Reservation.objects.filter(id=reservation.id).update(held_at=at - timedelta(minutes=10), expires_at=at)


@held_by_another
def test_a_hold_that_lapses_while_the_next_buyer_waits_is_his(row: str) -> None:
    session = make_session(capacity=1)
    first = hold(session)
    lapses_at = database_now() + SOON
    expire_at(first, lapses_at)

    taken = act_behind_a_lock(partial(in_units, session), session, row, until=lapses_at)

    assert isinstance(taken, list)
    assert places_of(session) == Places(held=1, booked=0, remaining=0)
    first.refresh_from_db()
    assert (first.status, first.ended_at and first.ended_at > lapses_at) == ("expired", True)


@held_by_another
@pytest.mark.parametrize(
    "act", [confirm, lambda r: reservations.extend_reservation(reservation_id=r.id)], ids=["confirm", "extend"]
)
def test_a_hold_that_lapses_while_its_owner_waits_is_neither_confirmed_nor_extended(
    act: Callable[[Reservation], object], row: str
) -> None:
    session = make_session(capacity=1)
    reservation = hold(session)
    lapses_at = database_now() + SOON
    expire_at(reservation, lapses_at)

    refusal = act_behind_a_lock(partial(act, reservation), session, row, until=lapses_at)

    assert isinstance(refusal, ReservationLapsed)
    reservation.refresh_from_db()
    assert (reservation.status, reservation.expires_at) == ("held", lapses_at)
    assert places_of(session) == Places(held=1, booked=0, remaining=0)


@both_paths
def test_a_hold_that_waited_lasts_its_whole_ten_minutes_from_the_moment_it_was_made(reserve: Act) -> None:
    session = make_session(make_activity(hold_minutes=10))
    until = database_now() + SOON

    act_behind_a_lock(partial(reserve, session), session, MERELY_LOCKED, until=until)

    reservation = Reservation.objects.get(session=session)
    assert reservation.held_at > until
    assert reservation.expires_at - reservation.held_at == timedelta(minutes=10)


@pytest.mark.parametrize("minutes", [1, 10, 60])
@both_paths
def test_a_hold_binds_until_its_last_second_and_not_after(reserve: Act, minutes: int) -> None:
    session = make_session(make_activity(hold_minutes=minutes), capacity=1)
    reserve(session)
    reservation = Reservation.objects.get(session=session)
    assert reservation.expires_at - reservation.held_at == timedelta(minutes=minutes)
    one_second = timedelta(seconds=1)

    expire_at(reservation, database_now() + one_second)  # as if at 9:59
    with pytest.raises(assessing.NotEnoughPlaces):
        hold(session)
    reservation.refresh_from_db()
    assert reservation.is_held(at=database_now())

    expire_at(reservation, database_now())  # as if at 10:00
    assert hold(session).session_id == session.id
    reservation.refresh_from_db()
    assert reservation.status == "expired"
