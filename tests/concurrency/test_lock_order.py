"""Acts on several sessions lock them in one order, so crossed baskets wait for one another and never deadlock."""

import threading
from collections.abc import Callable, Iterable
from functools import partial
from uuid import UUID

import pytest
from django.db import OperationalError

from bookings.services import checkout
from config.kit import retries
from config.kit.ids import uuid7
from scheduling.models import Reservation, Session
from scheduling.services import capacity, reservations
from scheduling.services.assessing import Party
from tests.concurrency.races import Places, places_of, race, tally
from tests.factories import CUSTOMER, book, hold, make_activity, make_sessions, stranger

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def never_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a deadlock come out, instead of trying again."""
    monkeypatch.setattr(retries, "TRIES", 1)


@pytest.fixture
def locked_as_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the order out: lock session by session as they come, the second once everybody has a first."""
    everybody_has_one = threading.Barrier(2)

    def lock_as_given(session_ids: Iterable[UUID]) -> dict[UUID, Session]:
        locked: dict[UUID, Session] = {}
        for session_id in session_ids:
            locked[session_id] = Session.objects.select_for_update(no_key=True).get(id=session_id)
            if len(locked) == 1:
                meet(everybody_has_one)
        return locked

    monkeypatch.setattr(capacity, "lock_sessions", lock_as_given)


def meet(barrier: threading.Barrier) -> None:
    try:
        barrier.wait(timeout=0.5)
    except threading.BrokenBarrierError:
        return  # tried again alone


def reserve_in_order(*sessions: Session) -> list[Reservation]:
    parties = [Party(session_id=session.id, party_size=1) for session in sessions]
    return reservations.reserve_parties(parties, email="ben@example.org")


@pytest.mark.usefixtures("never_retried")
@pytest.mark.parametrize("threads", [2, 8])
def test_crossed_holds_of_two_sessions_never_deadlock(threads: int) -> None:
    a, b = make_sessions(2, capacity=160)

    outcomes = race([partial(reserve_in_order, a, b), partial(reserve_in_order, b, a)] * 80, at_once=threads)

    assert tally(outcomes) == {"list": 160}
    assert [places_of(a), places_of(b)] == [Places(held=160, booked=0, remaining=0)] * 2


@pytest.mark.usefixtures("never_retried", "locked_as_given")
def test_crossed_holds_deadlock_when_the_order_is_left_out() -> None:
    a, b = make_sessions(2)

    outcomes = race([partial(reserve_in_order, a, b), partial(reserve_in_order, b, a)])

    errors = [outcome for outcome in outcomes if isinstance(outcome, OperationalError)]
    assert [retries.is_deadlock(error) for error in errors] == [True]


@pytest.mark.usefixtures("locked_as_given")
def test_a_deadlock_is_tried_again_and_both_get_their_places() -> None:
    a, b = make_sessions(2)

    outcomes = race([partial(reserve_in_order, a, b), partial(reserve_in_order, b, a)])

    assert tally(outcomes) == {"list": 2}
    assert [places_of(a), places_of(b)] == [Places(held=2, booked=0, remaining=8)] * 2


@pytest.mark.usefixtures("never_retried")
def test_all_acts_at_once_on_three_sessions_never_deadlock_or_fail() -> None:
    activity = make_activity()
    a, b, c = make_sessions(3, activity, capacity=200)

    def buy_a_basket() -> object:
        basket = uuid7()
        for session in (c, a, b):
            hold(session, basket=basket)
        return checkout.book_basket(basket=basket, contact=stranger(), terms=checkout.Terms(), actor=CUSTOMER)

    def extend_then_release() -> object:
        reservation = hold(b, 2)
        reservations.extend_reservation(reservation_id=reservation.id)
        return reservations.release_reservation(reservation_id=reservation.id)

    acts: list[Callable[[], object]] = [
        partial(reserve_in_order, c, b, a),
        partial(book, b, c),
        partial(book, a, c, b),
        buy_a_basket,
        extend_then_release,
        partial(capacity.set_capacity, session_id=a.id, capacity=180),
        partial(capacity.recount, session_id=c.id),
        reservations.release_expired_reservations,
    ]

    outcomes = race(acts * 10, at_once=8)

    assert tally(outcomes) == {"list": 10, "Booking": 30, "Reservation": 10, "Session": 10, "Drift": 10, "int": 10}
    assert [places_of(session) for session in (a, b, c)] == [
        Places(held=10, booked=20, remaining=150),
        Places(held=10, booked=30, remaining=160),
        Places(held=10, booked=30, remaining=160),
    ]
