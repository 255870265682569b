"""Every submitted checkout leaves one attempt, also the refused ones, and nothing personal."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from bookings.models import Attempt, Booking
from bookings.services import attempts, checkout
from config.tenants.models import ApiKey
from scheduling.models import Session
from tests.conftest import RunSql
from tests.factories import ANNA, hold, lapse, make_organization, make_session, make_sessions

CUSTOMER_JSON = {"email": ANNA.email, "name": ANNA.name}
HOUR = timedelta(hours=1)


def post(client: Client, body: Any, path: str = "bookings", **headers: str) -> Any:
    return client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)


def order(session: Session, party_size: int = 1, **changes: Any) -> dict[str, Any]:
    return {"lines": [{"session": str(session.id), "party_size": party_size}], "customer": CUSTOMER_JSON, **changes}


def told() -> list[tuple[str, list[str], int]]:
    return [(row.outcome, row.codes, row.party_size) for row in Attempt.objects.order_by("at")]


@pytest.mark.usefixtures("committed_db")
def test_a_refused_attempt_stays_though_its_transaction_was_rolled_back(client: Client) -> None:
    session = make_session(capacity=2)
    assert post(client, order(session, 3, expected_total=1)).status_code == 409
    assert post(client, order(session, 2)).status_code == 201
    assert told() == [("refused", ["not_enough_places", "total_differs"], 3), ("booked", [], 2)]
    refused, booked = Attempt.objects.order_by("at")
    assert (refused.booking_id, booked.booking_id) == (None, Booking.objects.get().id)
    assert refused.email_digest == booked.email_digest
    assert (refused.sessions, refused.channel, refused.actor_kind) == ([session.id], "api", "customer")
    assert ANNA.email not in str(list(Attempt.objects.values()))
    assert "127.0.0" not in str(list(Attempt.objects.values()))


@pytest.mark.usefixtures("committed_db")
def test_the_same_request_again_leaves_no_second_attempt(client: Client) -> None:
    session = make_session(capacity=2)
    for _ in range(3):
        assert post(client, order(session, 2), **{"Idempotency-Key": "a"}).status_code == 201
    for _ in range(3):
        assert post(client, order(session, 1), **{"Idempotency-Key": "b"}).status_code == 409
    assert told() == [("booked", [], 2), ("refused", ["not_enough_places", "duplicate_booking"], 1)]
    post(client, order(session, 1), **{"Idempotency-Key": "c"})
    assert len(told()) == 3


@pytest.mark.django_db
def test_what_cannot_be_read_is_an_attempt_by_page_and_by_call(client: Client) -> None:
    session = make_session()
    assert post(client, {**order(session), "customer": {"email": "x", "name": " "}}).status_code == 422
    held = hold(session, 2)
    client.cookies["basket"] = held.basket_token
    assert client.post(f"/checkout/{held.basket}/", {"email": "x"}).status_code == 200
    assert [(row.channel, row.outcome, sorted(row.codes)) for row in Attempt.objects.order_by("at")] == [
        ("api", "refused", ["blank", "invalid", "invalid_request"]),
        ("web", "refused", ["invalid", "invalid_request", "required"]),
    ]


@pytest.mark.django_db
def test_a_basket_that_lapsed_and_a_key_of_ours_are_told_apart(client: Client) -> None:
    first, second = make_sessions(2)
    held = hold(first, 2)
    lapse(hold(second, 3, basket=held.basket))
    body = {"customer": CUSTOMER_JSON}
    assert post(client, body, f"reservations/{held.id}/confirm", **{"Reservation-Token": held.token}).status_code == 409
    _, key = ApiKey.issue(organization_id=first.organization_id, name="ours", scopes=[])
    assert post(client, order(first), Authorization=f"Bearer {key}").status_code == 201
    assert [(row.codes, row.party_size, row.actor_kind) for row in Attempt.objects.order_by("at")] == [
        (["reservation_lapsed"], 5, "customer"),
        ([], 1, "api_key"),
    ]


@pytest.mark.usefixtures("committed_db")
def test_a_fault_of_ours_is_a_failed_attempt(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    session = make_session()

    def broken(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(checkout, "_write_participants", broken)
    client.raise_request_exception = False
    assert post(client, order(session)).status_code == 500
    assert (told(), Booking.objects.count()) == ([("failed", ["unexpected"], 1)], 0)


@pytest.mark.usefixtures("committed_db")
def test_an_attempt_that_cannot_be_written_breaks_nothing(client: Client, owner_sql: RunSql) -> None:
    session = make_session(capacity=1)
    owner_sql("ALTER TABLE bookings_attempt RENAME TO elsewhere")
    try:
        assert post(client, order(session, 2)).json()["code"] == "not_enough_places"
    finally:
        owner_sql("ALTER TABLE elsewhere RENAME TO bookings_attempt")
    assert told() == []


@pytest.mark.django_db
def test_attempts_of_a_mailbox_are_counted_in_a_window(client: Client) -> None:
    session = make_session(capacity=1)
    organization_id = session.organization_id
    post(client, order(session))
    for email in ("anna@example.org", "ANNA+2@example.org"):
        post(client, {**order(session), "customer": {"email": email, "name": "A"}})
    count = attempts.attempts_of(ANNA.email, within=HOUR, organization_id=organization_id)
    assert count == {"booked": 1, "refused": 2, "failed": 0}
    assert attempts.attempts_of("eve@example.org", within=HOUR, organization_id=organization_id)["booked"] == 0
    other = attempts.attempts_of(ANNA.email, within=HOUR, organization_id=make_organization().id)
    assert (other["booked"], other["refused"]) == (0, 0)
    Attempt.objects.update(at="2020-01-01T00:00:00Z")
    assert attempts.attempts_of(ANNA.email, within=HOUR, organization_id=organization_id)["booked"] == 0


@pytest.mark.django_db
def test_what_was_wrong_is_counted_for_the_metrics(client: Client) -> None:
    session = make_session(capacity=1)
    before = attempts.REFUSED.labels("total_differs")._value.get()
    assert post(client, order(session, expected_total=7)).status_code == 409
    assert attempts.REFUSED.labels("total_differs")._value.get() == before + 1
    assert 'holdfast_attempts_refused_total{code="total_differs"}' in client.get("/metrics").content.decode()
    assert Attempt.objects.get().codes == ["total_differs"]
