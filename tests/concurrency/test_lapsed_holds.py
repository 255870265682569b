"""Lapsed holds: the next buyer takes their places though nobody sweeps, and the sweep is in nobody's way."""

import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from alerts.services.auditor import check_invariants
from config.kit.ids import uuid7
from scheduling import availability
from scheduling.models import Reservation, Session
from scheduling.services import capacity, reservations
from scheduling.services.assessing import NotEnoughPlaces, Party
from tests.concurrency.races import Places, places_of, race, reclaim_nothing, somebody_elses_transaction, tally
from tests.conftest import RunSql
from tests.factories import book, confirm, hold, lapse, make_session, make_sessions

pytestmark = pytest.mark.usefixtures("committed_db")


def test_lapsed_holds_are_sold_to_the_next_buyers_while_nobody_sweeps() -> None:
    session = make_session(capacity=4)
    first, second = hold(session, 2), hold(session, 2)
    lapse(first, second)

    assert session_answers(session, party_size=4) == (True, 4)
    hold(session, 1)
    assert places_of(session) == Places(held=1, booked=0, remaining=3)
    hold(session, 3)

    assert places_of(session) == Places(held=4, booked=0, remaining=0)
    assert session_answers(session, party_size=1) == (False, 0)
    states = Reservation.objects.filter(session=session).order_by("held_at").values_list("status", flat=True)
    assert list(states) == ["expired", "expired", "held", "held"]
    assert check_invariants() == []


def session_answers(session: Session, *, party_size: int) -> tuple[bool, int]:
    found = availability.check_slot_availability(session_id=session.id, party_size=party_size)
    return found.is_available, found.spots


def test_lapsed_holds_are_lost_to_the_next_buyers_when_nobody_reclaims(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "reclaim_lapsed", reclaim_nothing)
    session = make_session(capacity=1)
    lapse(hold(session))

    with pytest.raises(NotEnoughPlaces):
        hold(session)


@pytest.mark.parametrize("buyers", [2, 16])
def test_many_buyers_share_the_places_of_lapsed_holds_and_sell_none_twice(buyers: int) -> None:
    session = make_session(capacity=6)
    lapse(*[hold(session, 2) for _ in range(3)])

    outcomes = race([partial(hold, session, 3)] * buyers)

    assert tally(outcomes) == {"Reservation": 2} | ({"NotEnoughPlaces": buyers - 2} if buyers > 2 else {})
    assert places_of(session) == Places(held=6, booked=0, remaining=0)
    assert Reservation.objects.filter(session=session, status="expired").count() == 3


def test_a_lapsed_hold_cannot_be_confirmed_or_extended_but_may_be_released() -> None:
    session = make_session(capacity=5)
    reservation = hold(session, 2)
    lapse(reservation)

    with pytest.raises(reservations.ReservationLapsed):
        confirm(reservation)
    with pytest.raises(reservations.ReservationLapsed):
        reservations.extend_reservation(reservation_id=reservation.id)
    assert places_of(session) == Places(held=2, booked=0, remaining=3)

    assert reservations.release_reservation(reservation_id=reservation.id).status == "released"
    assert places_of(session) == Places(held=0, booked=0, remaining=5)


def test_the_sweep_gives_lapsed_places_back_and_leaves_everything_else() -> None:
    lapsed, live, mixed = make_sessions(3, capacity=10)
    hold(live, 1)
    hold(mixed, 1)
    book(mixed, party_size=2)
    lapse(hold(lapsed, 2), hold(lapsed, 3), hold(mixed, 4))

    assert reservations.release_expired_reservations() == 9

    assert [places_of(session) for session in (lapsed, live, mixed)] == [
        Places(held=0, booked=0, remaining=10),
        Places(held=1, booked=0, remaining=9),
        Places(held=1, booked=2, remaining=7),
    ]
    assert reservations.release_expired_reservations() == 0
    assert check_invariants() == []


def test_the_sweep_skips_a_session_that_somebody_has_locked() -> None:
    free, locked = make_sessions(2)
    lapse(hold(free, 2), hold(locked, 3))

    with somebody_elses_transaction() as other:
        other.execute("SELECT FROM scheduling_session WHERE id = %s FOR NO KEY UPDATE", [locked.id])
        began = time.monotonic()
        assert reservations.release_expired_reservations() == 2
        assert time.monotonic() - began < 1
        assert places_of(locked) == Places(held=3, booked=0, remaining=7)

    assert reservations.release_expired_reservations() == 3


def test_sweeps_and_buyers_at_once_conserve_every_place() -> None:
    sessions = make_sessions(12, capacity=4)
    for session in sessions:
        book(session)
        lapse(hold(session, 2), hold(session))

    acts: list[Callable[[], object]] = [partial(hold, session) for session in sessions for _ in range(4)]
    for number in range(0, len(acts), 8):
        acts.insert(number, reservations.release_expired_reservations)

    outcomes = race(acts, at_once=12)

    assert tally(outcomes) == {"Reservation": 36, "NotEnoughPlaces": 12, "int": 6}
    reservations.release_expired_reservations()
    granted = [outcome for outcome in outcomes if isinstance(outcome, Reservation)]
    assert sum(places_of(session).held for session in sessions) == len(granted)
    assert [places_of(session).booked for session in sessions] == [1] * len(sessions)
    assert check_invariants() == []


def test_the_sweep_of_thousands_of_lapsed_holds_never_holds_a_lock_for_long(admin_sql: RunSql) -> None:
    sessions = make_sessions(40, capacity=100)
    template = hold(sessions[0])
    reservations.release_reservation(reservation_id=template.id)
    for session in sessions:
        admin_sql(
            """INSERT INTO scheduling_reservation (id, organization_id, session_id, basket, status, party_size, places,
                email, currency, amount_minor, quote, held_at, expires_at, extended, token_version)
            SELECT uuid7(), organization_id, %s, uuid7(), 'held', 1, 1, email, currency, amount_minor, quote,
                held_at - interval '1 hour', held_at, false, 1
            FROM scheduling_reservation, generate_series(1, 100) WHERE id = %s""",
            [session.id, template.id],
        )
    admin_sql("UPDATE scheduling_session SET places_held = 100")
    took: list[float] = []
    total, after = 0, None

    while True:
        began = time.monotonic()
        places, after = capacity.sweep_lapsed(after=after)
        took.append(time.monotonic() - began)
        total += places
        if after is None:
            break

    assert total == 4000
    assert sorted(took)[len(took) // 2] < 0.1, f"half of the batches took longer than {took}"
    assert max(took) < 1
    assert {places_of(session) for session in sessions} == {Places(held=0, booked=0, remaining=100)}


def test_a_basket_of_which_one_hold_has_lapsed_is_refused_whole() -> None:
    a, b = make_sessions(2)
    basket = uuid7()
    kept, lapsed = hold(a, basket=basket), hold(b, basket=basket)
    lapse(lapsed)

    with pytest.raises(reservations.ReservationLapsed):
        confirm(kept)

    assert [places_of(session) for session in (a, b)] == [Places(held=1, booked=0, remaining=9)] * 2


def test_a_hold_of_several_sessions_reclaims_in_each_of_them() -> None:
    a, b = make_sessions(2, capacity=2)
    lapse(hold(a, 2), hold(b, 2), ago=timedelta(hours=1))

    taken = reservations.reserve_parties([Party(a.id, 2), Party(b.id, 1)], email="ben@example.org")

    assert [reservation.places for reservation in taken] == [2, 1]
    assert [places_of(session) for session in (a, b)] == [
        Places(held=2, booked=0, remaining=0),
        Places(held=1, booked=0, remaining=1),
    ]
