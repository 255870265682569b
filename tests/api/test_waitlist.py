"""Waiting for a full session, over REST."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from bookings.models import WaitlistEntry
from config.tenants.models import ApiKey
from scheduling.models import Activity, Reservation, Session
from scheduling.services import reservations
from tests.factories import hold, join, lapse, make_session, make_sessions

pytestmark = pytest.mark.django_db

MOST_QUERIES = 6


@pytest.fixture
def full() -> Session:
    session = make_session(capacity=2)
    hold(session, 2)
    return session


def post(client: Client, path: str, body: Any = None, **headers: str) -> Any:
    return client.post(f"/api/v1/{path}", body or {}, content_type="application/json", headers=headers)


def wish(*sessions: Session, **changes: Any) -> dict[str, Any]:
    plain = {"party_size": 2, "email": "Ben@Example.org", "name": "Ben"}
    return {"sessions": [str(session.id) for session in sessions], **plain, **changes}


def release_all() -> None:
    for reservation in Reservation.objects.held():
        reservations.release_reservation(reservation_id=reservation.id)


def test_a_party_waits_is_offered_places_and_books_them(client: Client, full: Session) -> None:
    joined = post(client, "waitlist", wish(full, language="de"))
    assert joined.status_code == 201
    body = joined.json()
    entry = WaitlistEntry.objects.get()
    assert (entry.email, entry.language, entry.events.get().channel) == ("ben@example.org", "de", "api")
    assert {name: body[name] for name in ("id", "token", "status", "kind", "party_size", "passed_over", "offer")} == {
        "id": str(entry.id), "token": entry.token, "status": "waiting", "kind": "next", "party_size": 2,
        "passed_over": 0, "offer": None,
    }  # fmt: skip
    assert [(row["session"], row["position"], row["free"]) for row in body["sessions"]] == [(str(full.id), 1, 0)]
    token = {"Waitlist-Token": body["token"]}
    early = post(client, f"waitlist/{entry.id}/accept", **token)
    assert (early.status_code, early.json()["code"]) == (409, "no_offer")

    release_all()

    shown = client.get(f"/api/v1/waitlist/{entry.id}", headers=token).json()
    offer = Reservation.objects.held().get()
    assert (shown["status"], shown["offer"]["reservation"], shown["offer"]["token"]) == (
        "offered", str(offer.id), offer.token
    )  # fmt: skip
    assert shown["offer"]["price"]["amount_minor"] == 2000
    accepted = post(client, f"waitlist/{entry.id}/accept", **token).json()
    assert (accepted["id"], accepted["status"]) == (str(offer.id), "held")
    booked = post(
        client, f"reservations/{offer.id}/confirm", {"customer": {"email": "ben@example.org", "name": "Ben"}},
        **{"Reservation-Token": accepted["token"]},
    )  # fmt: skip
    assert booked.status_code == 200
    shown = client.get(f"/api/v1/waitlist/{entry.id}", headers=token).json()
    assert (shown["status"], shown["booking"]) == ("converted", booked.json()["id"])
    left = client.delete(f"/api/v1/waitlist/{entry.id}", headers=token)
    assert (left.status_code, left.json()["code"]) == (409, "wait_is_over")


def test_leaving_is_done_at_any_time_and_again_is_harmless(client: Client, full: Session) -> None:
    body = post(client, "waitlist", wish(full)).json()
    for _ in range(2):
        left = client.delete(f"/api/v1/waitlist/{body['id']}", headers={"Waitlist-Token": body["token"]})
        assert left.status_code == 204
    full.refresh_from_db()
    assert (WaitlistEntry.objects.get().status, full.waiting) == ("left", 0)


def test_the_same_request_again_is_one_wait(client: Client, full: Session) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    answers = [post(client, "waitlist", wish(full), **key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    again = post(client, "waitlist", wish(full))
    assert (again.status_code, again.json()["code"]) == (409, "already_waiting")
    reused = post(client, "waitlist", wish(full, name="Bo"), **key)
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")


def test_several_sessions_are_waited_for_in_their_order(client: Client, full: Session) -> None:
    [other] = make_sessions(1, full.activity, capacity=2)
    hold(other, 2)
    body = post(client, "waitlist", wish(other, full)).json()
    assert [row["session"] for row in body["sessions"]] == [str(other.id), str(full.id)]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"sessions": []}, 422, "invalid_request"),
        ({"sessions": [str(uuid4())]}, 404, "not_found"),
        ({"party_size": None}, 422, "invalid_request"),
        ({"party_size": 3}, 422, "invalid_request"),
        ({"email": "ben"}, 422, "invalid_request"),
        ({"language": "xx"}, 422, "invalid_request"),
        ({"surprise": 1}, 422, "invalid_request"),
    ],
)
def test_what_is_no_wish_is_refused(
    client: Client, full: Session, changes: dict[str, Any], status: int, code: str
) -> None:
    answer = post(client, "waitlist", wish(full, **changes))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not WaitlistEntry.objects.exists()


def test_nobody_waits_where_there_is_room_or_no_list(client: Client, full: Session) -> None:
    roomy = make_session(capacity=2)
    answer = post(client, "waitlist", wish(roomy))
    assert (answer.status_code, answer.json()["code"], answer.json()["available_spots"]) == (409, "not_full", 2)
    Activity.objects.update(waitlist_open=False)
    closed = post(client, "waitlist", wish(full))
    assert (closed.status_code, closed.json()["code"]) == (409, "waitlist_closed")


def test_a_wait_is_its_owners_and_its_organizations(client: Client, full: Session) -> None:
    entry, other = join(full, 2), join(full, 1)
    address = f"/api/v1/waitlist/{entry.id}"
    _, own = ApiKey.issue(organization_id=full.organization_id, name="own", scopes=[])
    _, foreign = ApiKey.issue(organization_id=make_session().organization_id, name="foreign", scopes=[])
    assert client.get(address).status_code == 404
    assert client.get(address, headers={"Waitlist-Token": other.token}).status_code == 404
    assert client.get(address, headers={"Authorization": f"Bearer {foreign}"}).status_code == 404
    assert client.get(address, headers={"Authorization": f"Bearer {own}"}).status_code == 200
    assert client.delete(address, headers={"Authorization": f"Bearer {own}"}).status_code == 204
    assert entry.events.get(kind="waitlist_left").actor_kind == "api_key"


def test_an_offer_that_is_over_is_said_to_be(client: Client, full: Session) -> None:
    entry = join(full, 2)
    release_all()
    lapse(*Reservation.objects.held())
    token = {"Waitlist-Token": entry.token}
    shown = client.get(f"/api/v1/waitlist/{entry.id}", headers=token).json()
    assert (shown["status"], shown["offer"]) == ("lapsed", None)
    refused = post(client, f"waitlist/{entry.id}/accept", **token)
    assert (refused.status_code, refused.json()["code"]) == (409, "reservation_lapsed")


def test_looking_asks_as_little_for_ten_who_wait_as_for_one(
    client: Client, full: Session, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    entries = [join(full, 1) for _ in range(10)]
    with django_assert_max_num_queries(MOST_QUERIES):
        client.get(f"/api/v1/waitlist/{entries[-1].id}", headers={"Waitlist-Token": entries[-1].token})
