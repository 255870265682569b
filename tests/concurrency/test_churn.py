"""Sixteen threads hold and release on three places: no error of any kind, and no refusal while there was room."""

import random
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from django.db import connection

from scheduling.models import Session
from scheduling.services import reservations
from scheduling.services.assessing import NotEnoughPlaces, Party
from tests.concurrency.races import Places, outcome_of, places_of, race, tally
from tests.factories import hold, make_session

pytestmark = pytest.mark.usefixtures("committed_db", "threads_take_quick_turns")

THREADS = 16
PLACES = 3
SECONDS, LONGEST = 2.0, 20.0  # for so long; on a slow machine until so many have held and released
ENOUGH = 30

HoldAndRelease = Callable[[Session, int], None]


@pytest.fixture
def threads_take_quick_turns() -> Iterator[None]:
    """Let Python's threads take turns fifty times as often as they do, so that they meet in the database."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(usual / 50)
    yield
    sys.setswitchinterval(usual)


def hold_and_release(session: Session, party_size: int) -> None:
    reservation = hold(session, party_size)
    reservations.release_reservation(reservation_id=reservation.id)


def hold_and_release_in_units(session: Session, party_size: int) -> None:
    party = Party(session_id=session.id, party_size=party_size)
    [reservation] = reservations.reserve_parties([party], email="ben@example.org")
    reservations.release_reservation(reservation_id=reservation.id)


def either(session: Session, party_size: int) -> None:
    random.choice([hold_and_release, hold_and_release_in_units])(session, party_size)


def churn(
    session: Session, act: HoldAndRelease, sizes: tuple[int, ...]
) -> tuple[dict[str, int], list[NotEnoughPlaces]]:
    """Return what came of it all, and those refusals that say themselves that there was room."""

    def work() -> list[tuple[int, object]]:
        outcomes: list[tuple[int, object]] = []
        while time.monotonic() < (end if len(held) > ENOUGH else latest):
            party_size = random.choice(sizes)
            outcome = outcome_of(partial(act, session, party_size))
            outcomes.append((party_size, outcome))
            if outcome is None:
                held.append(party_size)
            else:
                time.sleep(random.uniform(0, 0.01))  # who was refused looks again in a moment
        return outcomes

    held: list[int] = []  # of all threads
    end, latest = time.monotonic() + SECONDS, time.monotonic() + LONGEST
    by_thread = race([work] * THREADS)
    outcomes = [pair for outcome in by_thread if isinstance(outcome, list) for pair in outcome]
    false = [
        refusal
        for party_size, refusal in outcomes
        if isinstance(refusal, NotEnoughPlaces) and refusal.extra["available_spots"] >= party_size
    ]
    return tally([outcome for _, outcome in outcomes]), false


@pytest.mark.parametrize("sizes", [(1,), (1, 2, 3)], ids=["single", "mixed"])
@pytest.mark.parametrize("act", [hold_and_release, either], ids=["plain", "both paths"])
def test_churn_on_three_places_brings_no_error_and_no_refusal_that_says_there_was_room(
    act: HoldAndRelease, sizes: tuple[int, ...]
) -> None:
    session = make_session(capacity=PLACES)

    outcomes, false_refusals = churn(session, act, sizes)

    assert set(outcomes) == {"NoneType", "NotEnoughPlaces"}
    assert min(outcomes.values()) > 10, "there was no race"
    assert false_refusals == []
    assert places_of(session) == Places(held=0, booked=0, remaining=PLACES)


LOCK_AND_DECIDE = """
WITH s AS (SELECT id, capacity_total - places_held - places_booked AS room FROM scheduling_session
    WHERE id = %(session)s FOR NO KEY UPDATE),
taken AS (UPDATE scheduling_session t SET places_held = places_held + %(places)s, version = version + 1
    FROM s WHERE t.id = s.id AND t.capacity_total - t.places_held - t.places_booked >= %(places)s RETURNING t.id)
SELECT taken.id, s.room FROM s LEFT JOIN taken ON true
"""


def lock_and_decide_in_one_statement(session: Session, party_size: int) -> None:
    """Hold and release the way that looks right and is not: the statement's snapshot is older than its lock."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK_AND_DECIDE, {"session": session.id, "places": party_size})
        taken, room = cursor.fetchone()
        if taken is None:
            raise NotEnoughPlaces(extra={"available_spots": room})
        cursor.execute(
            "UPDATE scheduling_session SET places_held = places_held - %s WHERE id = %s", [party_size, session.id]
        )


def test_churn_brings_false_refusals_or_errors_when_one_statement_locks_and_decides() -> None:
    session = make_session(capacity=PLACES)

    outcomes, false_refusals = churn(session, lock_and_decide_in_one_statement, (1,))

    errors = set(outcomes) - {"NoneType", "NotEnoughPlaces"}
    assert false_refusals or errors
