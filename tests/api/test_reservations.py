"""The hold over REST."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from config.kit.ids import uuid7
from config.tenants.models import ApiKey
from scheduling.models import Reservation, Session
from tests.factories import hold, lapse, make_activity, make_session, make_unit

pytestmark = pytest.mark.django_db

JSON = "application/json"


def post(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.post(f"/api/v1/{path}", body, content_type=JSON, headers=headers)


def wanted(of: Session, **changes: Any) -> dict[str, Any]:
    return {"session": str(of.id), "party_size": 2, "email": "Anna@Example.org", **changes}


def taken(session: Session) -> tuple[int, int]:
    session.refresh_from_db()
    return session.places_held, Reservation.objects.filter(session=session).count()


def test_a_hold_takes_places_at_once_and_answers_with_its_token_price_and_end(client: Client) -> None:
    session = make_session(capacity=10)
    response = post(client, "reservations", wanted(session))
    body = response.json()
    reservation = Reservation.objects.get()
    unit = session.activity.units.get()
    assert response.status_code == 201
    assert response["Cache-Control"] == "no-store"
    assert body == {
        "id": str(reservation.id),
        "token": reservation.token,
        "basket": str(reservation.basket),
        "basket_token": reservation.basket_token,
        "session": str(session.id),
        "party_size": 2,
        "status": "held",
        "expires_at": body["expires_at"],
        "expires_in_seconds": 600,
        "price": {
            "amount_minor": 2000,
            "currency": "GBP",
            "lines": [
                {"unit": str(unit.id), "name": "Adult", "count": 2, "amount_minor": 2000, "why": "2 x Adult at 1000"}
            ],
        },
    }
    assert reservation.email == "anna@example.org"
    assert (reservation.expires_at - reservation.held_at).total_seconds() == 600
    assert taken(session) == (2, 1)


def test_the_same_key_again_answers_the_same_and_takes_nothing(client: Client) -> None:
    session = make_session(capacity=2)
    first = post(client, "reservations", wanted(session), **{"Idempotency-Key": "k"})
    again = post(client, "reservations/", wanted(session), **{"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code) == (201, 201)
    same = {name: value for name, value in again.json().items() if name != "expires_in_seconds"}
    assert same == {name: value for name, value in first.json().items() if name != "expires_in_seconds"}
    assert taken(session) == (2, 1)


def test_the_same_key_with_another_body_is_refused(client: Client) -> None:
    session = make_session()
    post(client, "reservations", wanted(session), **{"Idempotency-Key": "k"})
    response = post(client, "reservations", wanted(session, party_size=3), **{"Idempotency-Key": "k"})
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert taken(session) == (2, 1)


def test_a_refusal_is_not_kept_under_its_key(client: Client) -> None:
    session = make_session(capacity=2)
    blocker = hold(session, party_size=1)
    assert post(client, "reservations", wanted(session), **{"Idempotency-Key": "k"}).status_code == 409
    lapse(blocker)
    assert post(client, "reservations", wanted(session), **{"Idempotency-Key": "k"}).status_code == 201


def test_too_few_places_are_refused_with_what_is_left_and_when_more_may_come(client: Client) -> None:
    session = make_session(capacity=3)
    blocker = hold(session, party_size=2)
    response = post(client, "reservations", wanted(session))
    assert response.status_code == 409
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body == {
        "type": "urn:holdfast:problem:not_enough_places",
        "title": "There are not enough places left for your party",
        "status": 409,
        "detail": "Only 1 of these places is left.",
        "code": "not_enough_places",
        "errors": [],
        "available_spots": 1,
        "earliest_lapse": body["earliest_lapse"],
        "alternatives": [],
    }
    assert body["earliest_lapse"][:19] == f"{blocker.expires_at:%Y-%m-%dT%H:%M:%S}"
    assert taken(session) == (2, 1)


def test_units_are_priced_one_by_one_and_take_their_own_places(client: Client) -> None:
    session = make_session(capacity=10)
    adult = session.activity.units.get()
    family = make_unit(session.activity, name="Family", price_minor=3000, places=4)
    infant = make_unit(session.activity, name="Infant", price_minor=0, places=0)
    units = [{"unit": str(u.id), "count": n} for u, n in ((adult, 1), (family, 1), (infant, 2))]
    response = post(client, "reservations", {"session": str(session.id), "units": units, "email": "a@example.org"})
    assert response.status_code == 201
    assert response.json()["party_size"] == 7
    assert response.json()["price"]["amount_minor"] == 4000
    assert taken(session) == (5, 1)


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"party_size": 0}, "party_size", "min_value"),
        ({"party_size": -1}, "party_size", "min_value"),
        ({"party_size": 501}, "party_size", "max_value"),
        ({"party_size": "2"}, "party_size", "invalid"),
        ({"party_size": 2.0}, "party_size", "invalid"),
        ({"party_size": True}, "party_size", "invalid"),
        ({"party_size": None}, "party_size", "null"),
        ({"email": "nobody"}, "email", "invalid"),
        ({"email": 7}, "email", "invalid"),
        ({"session": "12"}, "session", "invalid"),
        ({"units": []}, "units", "empty"),
        ({"units": [{"unit": "x", "count": 1}]}, "units.0.unit", "invalid"),
        ({"units": [{"unit": str(uuid4()), "count": 0}]}, "units.0.count", "min_value"),
        ({"colour": "red"}, "colour", "unknown_field"),
    ],
)
def test_bad_input_is_refused_by_field_and_nothing_is_written(
    client: Client, changes: dict[str, Any], field: str, code: str
) -> None:
    session = make_session()
    response = post(client, "reservations", wanted(session, **changes))
    assert response.status_code == 422
    assert [(error["field"], error["code"]) for error in response.json()["errors"]] == [(field, code)]
    assert taken(session) == (0, 0)


def test_every_error_is_named_at_once(client: Client) -> None:
    response = post(client, "reservations", {"party_size": 0, "email": "x", "color": 1})
    assert sorted(error["field"] for error in response.json()["errors"]) == ["color", "email", "party_size", "session"]


def test_units_that_disagree_with_the_party_size_or_are_not_the_activitys_are_refused(client: Client) -> None:
    session, other = make_session(), make_activity().units.get()
    unit = session.activity.units.get()
    disagree = wanted(session, units=[{"unit": str(unit.id), "count": 3}])
    foreign = wanted(session, units=[{"unit": str(other.id), "count": 2}])
    answers = [post(client, "reservations", body) for body in (disagree, foreign)]
    assert [(a.status_code, a.json()["errors"][0]["field"], a.json()["errors"][0]["code"]) for a in answers] == [
        (422, "party_size", "disagrees_with_units"),
        (422, "units.0.unit", "unknown_unit"),
    ]
    assert taken(session) == (0, 0)


@pytest.mark.parametrize("body", ["{", "nothing", "[1, 2", '{"party_size": NaN}', "[" * 5000])
def test_malformed_json_is_refused(client: Client, body: str) -> None:
    response = client.post("/api/v1/reservations", body, content_type=JSON)
    assert (response.status_code, response.json()["code"]) == (400, "malformed_json")


def test_an_oversized_body_is_refused(client: Client) -> None:
    response = client.post("/api/v1/reservations", "x" * 70_000, content_type=JSON)
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


def test_an_unknown_session_is_not_found(client: Client) -> None:
    session = make_session()
    response = post(client, "reservations", wanted(session, session=str(uuid7())))
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_a_foreign_organizations_key_finds_no_session(client: Client) -> None:
    session, other = make_session(), make_session()
    _, text = ApiKey.issue(organization_id=other.organization_id, name="theirs", scopes=[])
    authorization = {"Authorization": f"Bearer {text}"}
    assert post(client, "reservations", wanted(session), **authorization).status_code == 404
    assert post(client, "reservations", wanted(other), **authorization).status_code == 201
    assert post(client, "reservations", wanted(other), Authorization="Bearer hf_0_no").status_code == 401
    assert taken(session) == (0, 0)


def test_a_session_that_takes_no_bookings_says_why(client: Client) -> None:
    session = make_session()
    reasons = {}
    for change, reason in (
        ({"status": "closed"}, "session_closed"),
        ({"status": "published", "is_legacy": True}, "legacy"),
        ({"is_legacy": False, "waiting": 1}, "waiting_list"),
        ({"waiting": 0, "closes_at": session.opens_at}, "booking_closed"),
    ):
        Session.objects.filter(id=session.id).update(**change)
        response = post(client, "reservations", wanted(session))
        reasons[reason] = (response.status_code, response.json()["code"], response.json()["reasons"])
    assert reasons == {reason: (409, "not_bookable", [reason]) for reason in reasons}
    assert taken(session) == (0, 0)


def test_a_past_session_is_refused(client: Client) -> None:
    session = make_session(starts_in=timedelta(hours=-3))
    response = post(client, "reservations", wanted(session))
    assert (response.status_code, response.json()["reasons"]) == (409, ["already_over"])


# The holder's own ---------------------------------------------------------------------------------------------------


def test_its_holder_sees_extends_once_and_gives_back(client: Client) -> None:
    session = make_session()
    made = post(client, "reservations", wanted(session)).json()
    path, token = f"/api/v1/reservations/{made['id']}", {"Reservation-Token": made["token"]}
    assert client.get(path, headers=token).json()["id"] == made["id"]
    extended = client.post(f"{path}/extend", headers=token)
    assert (extended.status_code, 770 < extended.json()["expires_in_seconds"] <= 780) == (200, True)
    again = client.post(f"{path}/extend/", headers=token)
    assert (again.status_code, again.json()["code"]) == (409, "already_extended")
    assert [client.delete(path, headers=token).status_code for _ in range(2)] == [204, 204]
    assert taken(session) == (0, 1)
    assert client.get(path, headers=token).json()["status"] == "released"


def test_an_extension_with_a_key_is_made_once(client: Client) -> None:
    made = post(client, "reservations", wanted(make_session())).json()
    path = f"reservations/{made['id']}/extend"
    headers = {"Reservation-Token": made["token"], "Idempotency-Key": "e"}
    answers = [post(client, path, {}, **headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["expires_at"] == answers[1].json()["expires_at"]


def test_a_wrong_or_missing_token_is_the_same_404_as_an_unknown_id(client: Client) -> None:
    reservation, other = hold(make_session()), hold(make_session())
    unknown = client.get(f"/api/v1/reservations/{uuid7()}")
    for headers in ({}, {"Reservation-Token": "x"}, {"Reservation-Token": other.token}, {"Reservation-Token": "é"}):
        for method, path in (("get", ""), ("delete", ""), ("post", "/extend"), ("post", "/confirm")):
            response = getattr(client, method)(f"/api/v1/reservations/{reservation.id}{path}", headers=headers)
            assert (response.status_code, response.json()) == (404, unknown.json())
    reservation.refresh_from_db()
    assert reservation.status == "held"


def test_a_token_dies_when_its_version_is_bumped(client: Client) -> None:
    reservation = hold(make_session())
    token = {"Reservation-Token": reservation.token}
    Reservation.objects.filter(id=reservation.id).update(token_version=2)
    assert client.get(f"/api/v1/reservations/{reservation.id}", headers=token).status_code == 404


def test_a_basket_grows_only_in_its_holders_hands(client: Client) -> None:
    session = make_session()
    first = post(client, "reservations", wanted(session)).json()
    mine = wanted(session, basket=first["basket"], basket_token=first["basket_token"])
    assert post(client, "reservations", mine).json()["basket"] == first["basket"]
    assert post(client, "reservations", wanted(session, basket=first["basket"])).status_code == 404
    assert post(client, "reservations", wanted(session, basket=first["basket"], basket_token="x")).status_code == 404
    assert taken(session) == (4, 2)


def test_a_hold_binds_until_its_ten_minutes_are_over(client: Client) -> None:
    session = make_session(capacity=1)
    reservation = hold(session)
    path, token = f"/api/v1/reservations/{reservation.id}", {"Reservation-Token": reservation.token}
    lapse(reservation, ago=timedelta(seconds=-1))  # as at 9:59
    assert client.get(path, headers=token).json()["status"] == "held"
    assert post(client, "reservations", wanted(session, party_size=1)).status_code == 409
    lapse(reservation, ago=timedelta(0))  # as at 10:00
    assert client.get(path, headers=token).json()["status"] == "expired"
    assert client.post(f"{path}/extend", headers=token).json()["code"] == "reservation_lapsed"
    assert post(client, "reservations", wanted(session, party_size=1)).status_code == 201


def test_the_hold_time_is_the_activitys_own(client: Client) -> None:
    session = make_session(make_activity(hold_minutes=25))
    assert post(client, "reservations", wanted(session)).json()["expires_in_seconds"] == 1500
