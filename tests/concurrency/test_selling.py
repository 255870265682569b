"""What a buyer sees while places change hands, and buyers who come from several processes."""

import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.test import Client

from alerts.services.auditor import check_invariants
from bookings.models import Booking
from scheduling import availability
from scheduling.models import Reservation, Session
from scheduling.services import reservations
from scheduling.services.assessing import NotEnoughPlaces, Party
from tests.concurrency.races import (
    Background,
    Places,
    places_of,
    race,
    somebody_elses_transaction,
    tally,
    wait_until_blocked,
)
from tests.conftest import RunPython
from tests.factories import book, confirm, hold, make_session

pytestmark = pytest.mark.usefixtures("committed_db")

PROCESSES = 4
BUY = """
import json
from functools import partial
from uuid import UUID
from django.db import connection
from scheduling.models import Session
from tests.concurrency.races import race, tally
from tests.factories import hold
session = Session.objects.get(id=UUID("{session}"))
with connection.cursor() as cursor:
    cursor.execute("SELECT pg_advisory_lock_shared(1)")  # the starting line
print(json.dumps(tally(race([partial(hold, session)] * 20, at_once=8))))
"""


def test_buyers_in_four_processes_share_the_places_exactly(run_python: RunPython) -> None:
    session = make_session(capacity=25)

    with somebody_elses_transaction() as other:
        other.execute("SELECT pg_advisory_xact_lock(1)")
        shops = [Background(partial(run_python, BUY.format(session=session.id))) for _ in range(PROCESSES)]
        wait_until_blocked(PROCESSES)

    total: Counter[str] = Counter()
    for shop in shops:
        answer: Any = shop.outcome()
        assert answer.returncode == 0, answer.stderr
        total += Counter(json.loads(answer.stdout))
    assert total == {"Reservation": 25, "NotEnoughPlaces": 20 * PROCESSES - 25}
    assert places_of(session) == Places(held=25, booked=0, remaining=0)


def shown(session: Session, party_size: int) -> dict[str, Any]:
    response = Client().get(f"/api/v1/sessions/{session.id}/availability", {"party_size": party_size})
    answer: dict[str, Any] = json.loads(response.content)
    return answer


def order(session: Session, party_size: int) -> tuple[int, dict[str, Any]]:
    response = Client().post(
        "/api/v1/reservations",
        json.dumps({"session": str(session.id), "party_size": party_size, "email": "anna@example.org"}),
        content_type="application/json",
    )
    return response.status_code, json.loads(response.content)


def test_a_hold_answers_with_its_id_and_its_end_and_takes_its_places_at_once() -> None:
    session = make_session(capacity=5)

    status, answer = order(session, 2)

    reservation = Reservation.objects.get(id=UUID(answer["id"]))
    assert (status, answer["status"], reservation.party_size) == (201, "held", 2)
    assert reservation.expires_at.strftime("%Y-%m-%dT%H:%M:%S") == answer["expires_at"][:19]
    assert 595 <= answer["expires_in_seconds"] <= 600
    assert (shown(session, 3)["available"], shown(session, 4)["available"]) == (True, False)
    assert shown(session, 4)["available_spots"] == 3


def test_a_hold_takes_its_places_within_its_own_transaction_and_a_rollback_gives_them_back() -> None:
    session = make_session(capacity=5)

    with transaction.atomic():
        reservations.reserve_parties([Party(session.id, 2)], email="ben@example.org")
        assert availability.check_slot_availability(session_id=session.id).spots == 3
        transaction.set_rollback(True)

    assert availability.check_slot_availability(session_id=session.id).spots == 5
    assert places_of(session) == Places(held=0, booked=0, remaining=5)


@pytest.mark.parametrize("free", [0, 1, 4])
def test_a_party_of_n_fits_n_free_places_and_a_party_of_one_more_does_not(free: int) -> None:
    session = make_session(capacity=4)
    if free < 4:
        hold(session, 4 - free)

    found = availability.check_slot_availability(session_id=session.id, party_size=free + 1)
    assert (found.is_available, found.spots) == (False, free)
    assert found.reasons == (("not_enough_places",) if free else ("full",))
    with pytest.raises(NotEnoughPlaces):
        hold(session, free + 1)

    if free:
        assert availability.check_slot_availability(session_id=session.id, party_size=free).is_available
        assert hold(session, free).places == free
    assert places_of(session) == Places(held=4, booked=0, remaining=0)


def test_what_was_shown_as_free_is_asked_again_and_a_sale_in_between_is_a_clear_refusal() -> None:
    session = make_session(capacity=2)
    assert shown(session, 2)["available"] is True
    confirm(hold(session, 1))

    status, answer = order(session, 2)

    assert (status, answer["code"], answer["available_spots"]) == (409, "not_enough_places", 1)
    assert places_of(session) == Places(held=0, booked=1, remaining=1)


def test_a_session_is_shown_as_full_from_its_last_place_on() -> None:
    session = make_session(capacity=3)
    book(session, party_size=2)
    assert (shown(session, 1)["is_full"], shown(session, 1)["status"]) == (False, "published")

    last = hold(session)
    assert (shown(session, 1)["is_full"], shown(session, 1)["status"]) == (True, "full")

    reservations.release_reservation(reservation_id=last.id)
    assert (shown(session, 1)["is_full"], shown(session, 1)["status"]) == (False, "published")


def test_200_requests_for_50_places_over_rest_get_50_times_201_and_150_times_409() -> None:
    session = make_session(capacity=50)

    outcomes = race([partial(order, session, 1)] * 200, at_once=32)

    assert tally(outcomes) == {"tuple": 200}
    answers = [outcome for outcome in outcomes if isinstance(outcome, tuple)]
    assert Counter(status for status, _ in answers) == {201: 50, 409: 150}
    assert {answer["available_spots"] for status, answer in answers if status == 409} == {0}
    assert places_of(session) == Places(held=50, booked=0, remaining=0)
    assert check_invariants() == []


def test_every_kind_of_buyer_at_once_keeps_the_books_straight() -> None:
    session = make_session(capacity=40)

    def hold_and_confirm() -> Booking:
        return confirm(hold(session, 2))

    def hold_and_think_better_of_it() -> Reservation:
        return reservations.release_reservation(reservation_id=hold(session, 3).id)

    acts: list[Callable[[], object]] = [
        partial(hold, session),
        partial(book, session, party_size=2),
        hold_and_confirm,
        hold_and_think_better_of_it,
    ]
    outcomes = race(acts * 12, at_once=16)

    assert set(tally(outcomes)) == {"Reservation", "Booking", "NotEnoughPlaces"}
    now = places_of(session)
    assert now == Places(held=now.held, booked=now.booked, remaining=40 - now.held - now.booked)
    assert now.booked == 2 * tally(outcomes)["Booking"]
    assert check_invariants() == []
