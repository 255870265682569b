"""From basket or lines to a confirmed booking, over REST."""

from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from bookings.models import Booking, BookingEvent, Customer, Line, Participant
from config.kit.ids import CROCKFORD, uuid7
from config.tenants.models import ApiKey
from scheduling.models import Reservation, Session
from tests.factories import book, hold, lapse, make_activity, make_session, make_sessions

pytestmark = pytest.mark.django_db

ANNA = {"email": "Anna@example.org", "name": "Anna Archer", "phone": "+44 20 7946 0000"}


def post(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)


def order(*lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"lines": list(lines), "customer": ANNA, **changes}


def line(session: Session, party_size: int = 2, **changes: Any) -> dict[str, Any]:
    return {"session": str(session.id), "party_size": party_size, **changes}


def counters(session: Session) -> tuple[int, int]:
    session.refresh_from_db()
    return session.places_held, session.places_booked


def written() -> list[int]:
    return [model.objects.count() for model in (Reservation, Booking, Line, Customer, Participant, BookingEvent)]


def test_lines_become_one_confirmed_booking(client: Client) -> None:
    first, second = make_sessions(2, capacity=10)
    response = post(client, "bookings", order(line(first), line(second, 3), expected_total=5000))
    assert response.status_code == 201
    body = response.json()
    booking = Booking.objects.get()
    assert {
        name: body[name] for name in ("id", "number", "token", "status", "total", "payment_method", "customer")
    } == {
        "id": str(booking.id),
        "number": booking.number,
        "token": booking.token,
        "status": "confirmed",
        "total": {"amount_minor": 5000, "currency": "GBP"},
        "payment_method": "pay_on_arrival",
        "customer": {**ANNA, "email": "anna@example.org"},
    }
    assert [(row["session"], row["party_size"], row["price"]["amount_minor"]) for row in body["lines"]] == [
        (str(first.id), 2, 2000),
        (str(second.id), 3, 3000),
    ]
    assert [counters(session) for session in (first, second)] == [(0, 2), (0, 3)]


def test_its_facts_say_how_it_came_about_and_hold_nothing_personal(client: Client) -> None:
    session = make_session()
    client.post(
        "/api/v1/bookings", order(line(session)), content_type="application/json", headers={"User-Agent": "Browser/1"}
    )
    started, confirmed = BookingEvent.objects.order_by("seq")
    assert [(e.seq, e.kind, e.from_status, e.to_status, e.actor_kind, e.channel) for e in (started, confirmed)] == [
        (1, "booking_started", "", "pending", "customer", "api"),
        (2, "booking_confirmed", "pending", "confirmed", "customer", "api"),
    ]
    assert confirmed.previous_hash == started.hash
    assert "example.org" not in str(confirmed.after)
    assert (confirmed.detail.ip_address, confirmed.detail.user_agent) == ("127.0.0.1", "Browser/1")


def test_a_hold_is_confirmed_with_its_whole_basket(client: Client) -> None:
    first, second = make_sessions(2)
    reservation = hold(first, 2)
    hold(second, 1, basket=reservation.basket)
    headers = {"Reservation-Token": reservation.token, "Idempotency-Key": "c"}
    answers = [post(client, f"reservations/{reservation.id}/confirm", {"customer": ANNA}, **headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert [counters(session) for session in (first, second)] == [(0, 2), (0, 1)]
    assert written() == [2, 1, 2, 1, 0, 2]


def test_a_basket_is_booked_by_whoever_holds_its_token(client: Client) -> None:
    reservation = hold(make_session())
    stranger = post(client, "bookings", {"basket": str(reservation.basket), "customer": ANNA})
    assert stranger.status_code == 404
    body = {"basket": str(reservation.basket), "basket_token": reservation.basket_token, "customer": ANNA}
    assert post(client, "bookings", body).status_code == 201


def test_a_lapsed_hold_is_refused_and_nothing_of_its_basket_is_booked(client: Client) -> None:
    first, second = make_sessions(2)
    reservation = hold(first)
    lapse(hold(second, basket=reservation.basket))
    response = post(
        client, f"reservations/{reservation.id}/confirm", {"customer": ANNA}, **{"Reservation-Token": reservation.token}
    )
    assert (response.status_code, response.json()["code"]) == (409, "reservation_lapsed")
    assert [counters(session) for session in (first, second)] == [(1, 0), (1, 0)]
    assert written()[1:] == [0, 0, 0, 0, 0]


def test_what_must_be_paid_online_is_not_confirmed_without_money(client: Client) -> None:
    session = make_session(make_activity(pay_on_arrival=False))
    reservation = hold(session)
    headers = {"Reservation-Token": reservation.token}
    confirmed = post(client, f"reservations/{reservation.id}/confirm", {"customer": ANNA}, **headers)
    assert (confirmed.status_code, confirmed.json()["code"]) == (402, "payment_required")
    assert post(client, "bookings", order(line(session))).status_code == 402
    assert counters(session) == (1, 0)


def test_what_costs_nothing_is_booked_as_free(client: Client) -> None:
    session = make_session(make_activity(price_minor=0, pay_on_arrival=False))
    assert post(client, "bookings", order(line(session), payment_method="free")).json()["payment_method"] == "free"
    priced = post(client, "bookings", order(line(make_session()), payment_method="free"))
    assert [(e["field"], e["code"]) for e in priced.json()["errors"]] == [("payment_method", "not_free")]


def test_the_same_key_again_answers_the_same_booking(client: Client) -> None:
    session = make_session(capacity=2)
    answers = [post(client, "bookings", order(line(session)), **{"Idempotency-Key": "b"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert answers[0].json() == answers[1].json() == answers[2].json()
    assert written() == [1, 1, 1, 1, 0, 2]


@pytest.mark.parametrize(
    ("change", "status", "field", "code"),
    [
        ({"lines": []}, 422, "lines", "empty"),
        ({"customer": {"email": "x", "name": "A"}}, 422, "customer.email", "invalid"),
        ({"customer": {"email": "a@example.org", "name": " "}}, 422, "customer.name", "blank"),
        ({"customer": {**ANNA, "title": "Dr"}}, 422, "customer.title", "unknown_field"),
        ({"payment_method": "gold"}, 422, "payment_method", "invalid_choice"),
        ({"expected_total": "10"}, 422, "expected_total", "invalid"),
        ({"promo": "X"}, 422, "promo", "unknown_field"),
        ({"basket": str(uuid4())}, 422, "lines", "invalid"),
    ],
)
def test_bad_input_is_refused_by_field_and_nothing_is_written(
    client: Client, change: dict[str, Any], status: int, field: str, code: str
) -> None:
    response = post(client, "bookings", order(line(make_session()), **change))
    assert response.status_code == status
    assert [(e["field"], e["code"]) for e in response.json()["errors"]] == [(field, code)]
    assert written() == [0, 0, 0, 0, 0, 0]


def test_all_lines_or_none(client: Client) -> None:
    first, second = make_sessions(2, capacity=3)
    hold(second, 2)
    response = post(client, "bookings", order(line(first), line(second)))
    assert (response.status_code, response.json()["code"], response.json()["session"]) == (
        409, "not_enough_places", str(second.id),
    )  # fmt: skip
    assert [counters(session) for session in (first, second)] == [(0, 0), (2, 0)]


def test_another_total_than_the_one_shown_is_refused_with_the_right_one(client: Client) -> None:
    response = post(client, "bookings", order(line(make_session()), expected_total=1999))
    assert (response.status_code, response.json()["code"], response.json()["total_minor"]) == (
        409,
        "total_differs",
        2000,
    )
    assert written() == [0, 0, 0, 0, 0, 0]


def test_sessions_of_two_organizations_or_unknown_ones_are_refused(client: Client) -> None:
    mixed = post(client, "bookings", order(line(make_session()), line(make_session())))
    assert [(e["field"], e["code"]) for e in mixed.json()["errors"]] == [("lines", "several_organizations")]
    unknown = post(client, "bookings", order({"session": str(uuid7()), "party_size": 1}))
    assert unknown.status_code == 404
    assert written() == [0, 0, 0, 0, 0, 0]


def test_participants_are_the_customers_own_and_a_foreign_one_is_refused(client: Client) -> None:
    session = make_session()
    made = post(client, "bookings", order(line(session, participants=[{"name": "Bo", "birth_date": "2019-05-04"}])))
    bo = Participant.objects.get()
    assert made.json()["lines"][0]["participants"] == [{"id": str(bo.id), "name": "Bo"}]
    assert (bo.customer.email, bo.birth_date) == ("anna@example.org", date(2019, 5, 4))
    again = order(line(session, participants=[{"id": str(bo.id)}]))
    assert post(client, "bookings", again).json()["code"] == "duplicate_booking"  # Bo, whether by name or by id
    assert post(client, "bookings", {**again, "confirm_duplicate": True}).status_code == 201
    before = written()
    stranger = {"email": "eve@example.org", "name": "Eve"}
    foreign = post(client, "bookings", order(line(session, participants=[{"id": str(bo.id)}]), customer=stranger))
    assert foreign.status_code == 422
    assert [(e["field"], e["code"]) for e in foreign.json()["errors"]] == [
        ("lines.0.participants.0.id", "unknown_participant")
    ]
    assert written() == before


def test_more_people_than_the_party_are_refused(client: Client) -> None:
    people = [{"name": "A"}, {"name": "B"}, {"name": "C"}]
    response = post(client, "bookings", order(line(make_session(), 2, participants=people)))
    assert [(e["field"], e["code"]) for e in response.json()["errors"]] == [("lines.0.participants", "too_many")]


def test_what_a_stranger_types_changes_no_known_customer(client: Client) -> None:
    post(client, "bookings", order(line(make := make_session())))
    mallory = {"email": "ANNA@example.org", "name": "Mallory"}
    post(client, "bookings", order(line(make), customer=mallory, confirm_duplicate=True))
    assert [(c.email, c.name) for c in Customer.objects.all()] == [("anna@example.org", "Anna Archer")]
    assert sorted(Booking.objects.values_list("contact_name", flat=True)) == ["Anna Archer", "Mallory"]


def test_a_booking_is_seen_by_its_token_or_its_organizations_key_only(client: Client) -> None:
    booking, other = book(make_session()), book(make_session())
    path = f"/api/v1/bookings/{booking.id}"
    _, ours = ApiKey.issue(organization_id=booking.organization_id, name="ours", scopes=[])
    _, theirs = ApiKey.issue(organization_id=other.organization_id, name="theirs", scopes=[])
    answers = [
        client.get(path, headers=headers)
        for headers in (
            {"Booking-Token": booking.token},
            {"Authorization": f"Bearer {ours}"},
            {"Authorization": f"Bearer {theirs}"},
            {"Booking-Token": other.token},
            {},
        )
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 404, 404, 404]
    assert answers[0]["ETag"] == '"2"'
    assert answers[0].json()["number"] == booking.number


def test_numbers_are_unguessable_letters_that_cannot_be_misread(client: Client) -> None:
    numbers = {book(make_session()).number for _ in range(5)}
    assert len(numbers) == 5
    assert all(len(number) == 8 and set(number) <= set(CROCKFORD) for number in numbers)


def whole_numbers(value: Any, path: str = "") -> list[str]:
    if isinstance(value, dict):
        return [found for key, inner in value.items() for found in whole_numbers(inner, f"{path}.{key}")]
    if isinstance(value, list):
        return [found for inner in value for found in whole_numbers(inner, path)]
    return [path] if isinstance(value, int) and not isinstance(value, bool) else []


def test_no_answer_holds_a_sequential_id(client: Client) -> None:
    session = make_session()
    made = post(client, "bookings", order(line(session, participants=[{"name": "Bo"}]))).json()
    held = post(client, "reservations", {**line(session), "email": "a@example.org"}).json()
    activity = client.get(f"/api/v1/activities/{session.activity_id}").json()
    numbers = {path for body in (made, held, activity) for path in whole_numbers(body)}
    ids = [path for path in numbers if path.endswith(("id", ".session", ".unit", ".activity", ".basket"))]
    assert ids == []
    assert numbers == {
        ".version", ".party_size", ".expires_in_seconds", ".total.amount_minor", ".price.amount_minor",
        ".price.lines.amount_minor", ".price.lines.count", ".lines.party_size", ".lines.price.amount_minor",
        ".lines.price.lines.amount_minor", ".lines.price.lines.count", ".units.price.amount_minor", ".units.places",
        ".units.minimum_count", ".smallest_party", ".fee.amount_minor", ".lines.fee.amount_minor",
        ".rebate.amount_minor", ".lines.discount.amount_minor",
    }  # fmt: skip
