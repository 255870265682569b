"""A hold ends once: confirmed, released, or expired by the sweep or the next buyer, whichever comes first."""

import random
import threading
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial

import pytest
from django.db import connection, transaction
from django.db.models import F

from alerts.services.auditor import check_invariants
from bookings.models import Booking
from config.kit.clock import database_now
from scheduling.models import Reservation, Session
from scheduling.services import reservations
from scheduling.services.reservations import ReservationLapsed
from tests.concurrency.races import Places, places_of, race, tally
from tests.factories import confirm, hold, make_session, make_sessions

pytestmark = pytest.mark.usefixtures("committed_db")

ROUNDS = 1000
LANES = 2
DEADLOCK = {"OperationalError"}  # who writes the reservation before its session meets who comes the other way
BRINK_SECONDS = 0.008  # how far from its end a hold is at most when the first race for it begins
NEARER, FARTHER = 0.85, 1.2  # for the next one, when it was confirmed, and when not: so that both win, on any machine

Confirm = Callable[[Reservation], object]


class Lane:
    """Three threads, hold after hold: one confirms it while its time runs out, one sweeps, one wants its place.

    How near the brink is follows from who won so far.
    """

    def __init__(self, holds: Sequence[Reservation], confirm: Confirm) -> None:
        self.holds = holds
        self.brink = BRINK_SECONDS
        self.confirm = confirm
        self.start = threading.Barrier(3, timeout=20)

    def acts(self) -> list[Callable[[], list[object]]]:
        """Return what the three threads do."""
        return [partial(self.run, act) for act in (self.bring_to_the_brink_and_confirm, self.sweep, self.buy)]

    def run(self, act: Callable[[Reservation], object]) -> list[object]:
        outcomes: list[object] = []
        for reservation in self.holds:
            self.start.wait()  # nobody is brought to the brink while others are at the round before
            try:
                outcomes.append(act(reservation))
            except Exception as error:  # noqa: BLE001 every outcome counts
                outcomes.append(error)
        return outcomes

    def bring_to_the_brink_and_confirm(self, reservation: Reservation) -> object:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE scheduling_reservation SET held_at = clock_timestamp() - interval '10 minutes',"
                " expires_at = clock_timestamp() + %s::float8 * interval '1 second' WHERE id = %s",
                [random.uniform(0, self.brink), reservation.id],
            )
        self.start.wait()
        try:
            confirmed = self.confirm(reservation)
        except Exception:
            self.brink *= FARTHER
            raise
        self.brink *= NEARER
        return confirmed

    def sweep(self, _: Reservation) -> object:
        self.start.wait()
        time.sleep(random.uniform(0, 2 * self.brink))
        return reservations.release_expired_reservations()

    def buy(self, reservation: Reservation) -> object:
        self.start.wait()
        time.sleep(random.uniform(0, 2 * self.brink))
        return hold(reservation.session)


def race_to_the_brink(
    rounds: int, confirm: Confirm, *, swept: Collection[str] = ()
) -> tuple[list[Reservation], list[object], list[object]]:
    """Return the holds of so many rounds, and for each what came of confirming it and of buying its place.

    The sweep ends well each time, or, against a confirmation that locks nothing, as `swept` allows.
    """
    holds = [hold(session) for session in make_sessions(rounds, capacity=1)]
    lanes = [Lane(holds[number::LANES], confirm) for number in range(LANES)]
    outcomes = race([act for lane in lanes for act in lane.acts()])
    by_act = [[outcome for lane in outcomes[act::3] for outcome in as_list(lane)] for act in range(3)]
    assert set(tally(by_act[1])) <= {"int", *swept}
    return [reservation for lane in lanes for reservation in lane.holds], by_act[0], by_act[2]


def as_list(outcome: list[object] | Exception) -> list[object]:
    assert isinstance(outcome, list), outcome
    return outcome


def live_by_session() -> set[int]:
    """Count the parties that believe they have a session's only place, session by session."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT DISTINCT count(r.id) FROM scheduling_session s LEFT JOIN scheduling_reservation r
            ON r.session_id = s.id AND r.status IN ('held', 'confirmed') GROUP BY s.id"""
        )
        return {row[0] for row in cursor.fetchall()}


def test_confirm_sweep_and_the_next_buyer_have_one_winner_a_thousand_times() -> None:
    holds, confirmed, bought = race_to_the_brink(ROUNDS, confirm)

    assert set(tally(confirmed)) == {"Booking", "ReservationLapsed"}
    assert set(tally(bought)) == {"Reservation", "NotEnoughPlaces"}
    status = dict(Reservation.objects.filter(id__in=[h.id for h in holds]).values_list("id", "status"))
    assert len(confirmed) == len(bought) == ROUNDS
    for reservation, confirmation, purchase in zip(holds, confirmed, bought, strict=True):
        assert (status[reservation.id] == "confirmed") == isinstance(confirmation, Booking)
        assert not (isinstance(confirmation, Booking) and isinstance(purchase, Reservation))
        if isinstance(purchase, Reservation):
            assert status[reservation.id] == "expired"
    assert min(tally(confirmed).values()) > ROUNDS / 100, "the race was none: one side won nearly always"
    reservations.release_expired_reservations()
    assert live_by_session() <= {0, 1}
    assert check_invariants() == []


def naive_confirm(reservation: Reservation) -> object:
    """Look whether it is held, then write the row back: the confirmation with its lock left out."""
    found = Reservation.objects.get(id=reservation.id)
    if not found.is_held(at=database_now()):
        raise ReservationLapsed
    time.sleep(3 * BRINK_SECONDS)
    with transaction.atomic():
        found.status, found.confirmed_at = Reservation.Status.CONFIRMED, database_now()
        found.save()
        Session.objects.filter(id=found.session_id).update(
            places_held=F("places_held") - 1, places_booked=F("places_booked") + 1
        )
    return found


@pytest.mark.usefixtures("no_transition_trigger")
def test_a_place_has_two_owners_when_the_confirmation_does_not_lock() -> None:
    _, confirmed, bought = race_to_the_brink(50, naive_confirm, swept=DEADLOCK)

    both = [
        c for c, b in zip(confirmed, bought, strict=True) if isinstance(c, Reservation) and isinstance(b, Reservation)
    ]
    assert len(both) > 0
    assert 2 in live_by_session()


def test_the_database_itself_refuses_to_confirm_what_expired_when_only_the_lock_is_left_out() -> None:
    _, confirmed, _ = race_to_the_brink(50, naive_confirm, swept=DEADLOCK)

    assert "IntegrityError" in tally(confirmed)
    assert live_by_session() <= {0, 1}


def test_confirming_twice_and_releasing_at_once_has_one_winner() -> None:
    sessions = make_sessions(60, capacity=1)
    holds = [hold(session) for session in sessions]
    acts: list[Callable[[], object]] = [
        act
        for reservation in holds
        for act in (
            partial(confirm, reservation),
            partial(reservations.release_reservation, reservation_id=reservation.id),
            partial(confirm, reservation),
        )
    ]

    outcomes = race(acts, at_once=6)

    ends = {
        (type(outcomes[n]).__name__, type(outcomes[n + 1]).__name__, type(outcomes[n + 2]).__name__)
        for n in range(0, len(acts), 3)
    }
    booked = {("Booking", "ReservationEnded", "Booking")}  # who confirms what is theirs already is told so
    released = {
        (first, "Reservation", last)
        for first in ("ReservationEnded", "NotFound")
        for last in ("ReservationEnded", "NotFound")
    }
    assert ends <= booked | released
    assert Booking.objects.count() == Reservation.objects.filter(status="confirmed").count()
    assert live_by_session() <= {0, 1}
    assert check_invariants() == []


def test_a_hold_is_expired_once_however_many_sweep_it() -> None:
    session = make_session(capacity=40)
    holds = [hold(session, 2) for _ in range(20)]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE scheduling_reservation SET held_at = clock_timestamp() - interval '10 minutes',"
            " expires_at = clock_timestamp() WHERE id = ANY(%s)",
            [[reservation.id for reservation in holds]],
        )

    outcomes = race([reservations.release_expired_reservations] * 8)

    assert sorted(outcomes, key=str) == [0, 0, 0, 0, 0, 0, 0, 40]
    assert places_of(session) == Places(held=0, booked=0, remaining=40)
