"""Many requests with one Idempotency-Key at once: one effect, and everybody hears the same of it."""

import json
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from django.test import Client

from bookings.models import Booking
from config.kit.models import IdempotencyKey
from scheduling.models import Reservation, Session
from scheduling.services import reservations
from tests.concurrency.races import Places, places_of, race
from tests.factories import hold, lapse, make_session

pytestmark = pytest.mark.usefixtures("committed_db")

THREADS = 32
Answer = tuple[int, dict[str, Any]]


def post(path: str, body: Mapping[str, object], key: str | None = "one-key-for-all") -> Answer:
    headers = {"Idempotency-Key": key} if key else {}
    response = Client().post(f"/api/v1/{path}", json.dumps(body), content_type="application/json", headers=headers)
    answer: dict[str, Any] = json.loads(response.content)
    answer.pop("expires_in_seconds", None)  # the one thing that goes on while they hear it
    return response.status_code, answer


def a_hold(session: Session, party_size: int = 1) -> dict[str, object]:
    return {"session": str(session.id), "party_size": party_size, "email": "anna@example.org"}


def in_units(session: Session) -> dict[str, object]:
    unit = session.activity.units.get(is_default=True)
    return {"session": str(session.id), "units": [{"unit": str(unit.id), "count": 1}], "email": "anna@example.org"}


def a_booking(session: Session, number: int = 1) -> dict[str, object]:
    return {
        "lines": [{"session": str(session.id), "party_size": 1}],
        "customer": {"email": f"guest-{number}@example.org", "name": "Anna Archer"},
    }


def answers_of(outcomes: list[Answer | Exception]) -> list[Answer]:
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    return [outcome for outcome in outcomes if not isinstance(outcome, Exception)]


@pytest.mark.parametrize("capacity", [THREADS, 1], ids=["room", "full after it"])
@pytest.mark.parametrize("body_of", [a_hold, in_units], ids=["plain", "slow"])
def test_32_threads_with_one_key_make_one_hold_and_hear_the_same(body_of: Any, capacity: int) -> None:
    session = make_session(capacity=capacity)

    answers = answers_of(race([partial(post, "reservations", body_of(session))] * THREADS))

    assert answers == [answers[0]] * THREADS
    assert (answers[0][0], answers[0][1]["session"]) == (201, str(session.id))
    assert places_of(session) == Places(held=1, booked=0, remaining=capacity - 1)
    assert Reservation.objects.count() == IdempotencyKey.objects.count() == 1


@pytest.mark.parametrize("key_of", [lambda _: None, str], ids=["without a key", "with keys of their own"])
def test_32_threads_make_32_holds(key_of: Any) -> None:
    session = make_session(capacity=THREADS)

    acts = [partial(post, "reservations", a_hold(session), key_of(number)) for number in range(THREADS)]
    answers = answers_of(race(acts))

    assert len({answer["id"] for _, answer in answers}) == THREADS
    assert places_of(session) == Places(held=THREADS, booked=0, remaining=0)


def test_32_threads_with_one_key_take_the_place_of_a_lapsed_hold_once() -> None:
    session = make_session(capacity=1)
    lapse(hold(session))

    answers = answers_of(race([partial(post, "reservations", a_hold(session))] * THREADS))

    assert answers == [answers[0]] * THREADS
    assert answers[0][0] == 201
    assert places_of(session) == Places(held=1, booked=0, remaining=0)


def test_one_key_with_two_different_requests_serves_one_of_them_and_refuses_the_other() -> None:
    session = make_session(capacity=10)
    ones, twos = (partial(post, "reservations", a_hold(session, size)) for size in (1, 2))

    answers = answers_of(race([ones, twos] * (THREADS // 2)))

    assert Counter(status for status, _ in answers) == {201: THREADS // 2, 422: THREADS // 2}
    assert {answer["code"] for status, answer in answers if status == 422} == {"idempotency_key_reused"}
    assert len({answer["id"] for status, answer in answers if status == 201}) == 1
    assert Reservation.objects.count() == 1


def test_a_refusal_keeps_no_key_so_the_same_request_may_succeed_later() -> None:
    session = make_session(capacity=1)
    first = hold(session)

    answers = answers_of(race([partial(post, "reservations", a_hold(session))] * 8))
    assert {status for status, _ in answers} == {409}
    assert not IdempotencyKey.objects.exists()

    reservations.release_reservation(reservation_id=first.id)
    assert post("reservations", a_hold(session))[0] == 201


@pytest.mark.parametrize("capacity", [THREADS, 1], ids=["room", "full after it"])
def test_32_threads_with_one_key_make_one_booking_and_hear_the_same(capacity: int) -> None:
    session = make_session(capacity=capacity)

    answers = answers_of(race([partial(post, "bookings", a_booking(session))] * THREADS))

    assert answers == [answers[0]] * THREADS
    assert (answers[0][0], answers[0][1]["status"]) == (201, "confirmed")
    assert places_of(session) == Places(held=0, booked=1, remaining=capacity - 1)
    assert Booking.objects.count() == 1


def test_32_threads_without_a_key_make_32_bookings() -> None:
    session = make_session(capacity=THREADS)

    answers = answers_of(
        race([partial(post, "bookings", a_booking(session, number), None) for number in range(THREADS)])
    )

    assert len({answer["number"] for _, answer in answers}) == THREADS
    assert places_of(session) == Places(held=0, booked=THREADS, remaining=0)


def test_32_threads_that_confirm_one_hold_with_one_key_make_one_booking() -> None:
    session = make_session(capacity=1)
    reservation = hold(session)
    body = {"customer": {"email": "anna@example.org", "name": "Anna Archer"}}

    def confirm() -> Answer:
        response = Client().post(
            f"/api/v1/reservations/{reservation.id}/confirm",
            json.dumps(body),
            content_type="application/json",
            headers={"Idempotency-Key": "once", "Reservation-Token": reservation.token},
        )
        return response.status_code, json.loads(response.content)

    answers = answers_of(race([confirm] * THREADS))

    assert answers == [answers[0]] * THREADS
    assert answers[0][1]["lines"][0]["reservation"] == str(reservation.id)
    assert places_of(session) == Places(held=0, booked=1, remaining=0)


def test_an_extension_asked_for_32_times_with_one_key_adds_three_minutes_once() -> None:
    reservation = hold(make_session())

    def extend() -> Answer:
        response = Client().post(
            f"/api/v1/reservations/{reservation.id}/extend",
            headers={"Idempotency-Key": "once", "Reservation-Token": reservation.token},
        )
        return response.status_code, json.loads(response.content)["expires_at"]

    answers = answers_of(race([extend] * THREADS))

    assert answers == [answers[0]] * THREADS
    before = reservation.expires_at
    reservation.refresh_from_db()
    assert reservation.expires_at - before == reservations.EXTENSION
