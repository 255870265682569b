"""A dry run says everything that stands against a booking, and writes nothing; the booking itself says the same."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from bookings.models import Booking, Participant
from config.tenants.models import ApiKey
from scheduling.models import Session
from tests.factories import (
    ANNA,
    book,
    hold,
    lapse,
    make_activity,
    make_extra,
    make_organization,
    make_session,
    make_sessions,
    make_unit,
    make_venue,
)

pytestmark = pytest.mark.django_db

CUSTOMER = {"email": ANNA.email, "name": ANNA.name}


def post(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)


def order(*lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"lines": list(lines), "customer": CUSTOMER, **changes}


def line(session: Session, party_size: int = 2, **changes: Any) -> dict[str, Any]:
    return {"session": str(session.id), "party_size": party_size, **changes}


def named(answer: Any) -> list[tuple[str, str]]:
    return [(error["field"], error["code"]) for error in answer.json()["errors"]]


def row_counts() -> dict[str, int]:
    return {model._meta.db_table: model._base_manager.count() for model in apps.get_models()}


def test_a_cart_is_judged_line_by_line_and_nothing_is_written(client: Client) -> None:
    roomy, full, closed = make_sessions(3, capacity=4)
    hold(full, 3)
    Session.objects.filter(id=closed.id).update(status="closed")
    before = row_counts()

    answer = post(client, "bookings/validate", order(line(roomy), line(full), line(closed, 1)))

    body = answer.json()
    assert (answer.status_code, body["bookable"], body["total"]) == (
        200, False, {"amount_minor": 5000, "currency": "GBP"},
    )  # fmt: skip
    assert [(each["session"], each["bookable"], each["available_spots"]) for each in body["lines"]] == [
        (str(roomy.id), True, 4),
        (str(full.id), False, 1),
        (str(closed.id), False, 0),
    ]
    assert [[error["code"] for error in each["errors"]] for each in body["lines"]] == [
        [], ["not_enough_places"], ["session_closed"],
    ]  # fmt: skip
    assert [each["price"]["amount_minor"] for each in body["lines"]] == [2000, 2000, 1000]
    assert row_counts() == before


def test_what_can_be_booked_is_said_to_be_and_then_is(client: Client) -> None:
    session = make_session(capacity=4)
    wanted = order(line(session, 4), expected_total=4000, payment_method="pay_on_arrival")
    verdict = post(client, "bookings/validate", wanted).json()
    assert (verdict["bookable"], verdict["errors"], verdict["payment_method"]) == (True, [], "pay_on_arrival")
    assert post(client, "bookings", wanted).status_code == 201


def test_lines_of_one_session_are_added_up(client: Client) -> None:
    session = make_session(capacity=5)
    verdict = post(client, "bookings/validate", order(line(session, 3), line(session, 3))).json()
    assert [each["available_spots"] for each in verdict["lines"]] == [5, 2]
    assert [(error["field"], error["code"]) for error in verdict["errors"]] == [("lines.1", "not_enough_places")]


def test_three_faults_are_three_errors_in_one_answer_of_both_calls(client: Client) -> None:
    roomy, full = make_sessions(2, capacity=2)
    hold(full, 2)
    foreign = Participant.objects.create(
        organization=roomy.organization, customer=book(make_session(roomy.activity), contact=ANNA).customer, name="Cy"
    )
    faulty = order(
        line(roomy, 1, participants=[{"id": str(foreign.id)}]), line(full, 1),
        customer={"email": "eve@example.org", "name": "Eve"}, expected_total=1,
    )  # fmt: skip
    wanted = [
        ("lines.0.participants.0.id", "unknown_participant"),
        ("lines.1", "not_enough_places"),
        ("expected_total", "total_differs"),
    ]
    dry, booked = (post(client, path, faulty) for path in ("bookings/validate", "bookings"))
    assert (dry.status_code, named(dry)) == (200, wanted)
    assert (booked.status_code, booked.json()["code"], named(booked)) == (422, "invalid_request", wanted)
    assert Booking.objects.count() == 1


def test_a_full_line_of_a_mixed_cart_is_named_and_nothing_is_booked(client: Client) -> None:
    first, full, last = make_sessions(3, capacity=2)
    hold(full, 2)
    refused = post(client, "bookings", order(line(first), line(full, 1), line(last)))
    body = refused.json()
    assert (refused.status_code, body["code"], body["session"], body["available_spots"]) == (
        409, "not_enough_places", str(full.id), 0,
    )  # fmt: skip
    assert named(refused) == [("lines.1", "not_enough_places")]
    for session, places in ((first, 0), (full, 2), (last, 0)):
        session.refresh_from_db()
        assert (session.places_held, session.places_booked) == (places, 0)


STATUSES: dict[str, tuple[dict[str, Any], str | None]] = {
    "published": ({}, None),
    "closed": ({"status": "closed"}, "session_closed"),
    "cancelled": ({"status": "cancelled"}, "cancelled"),
    "completed": ({"status": "completed"}, "session_closed"),
    "withdrawn": ({"status": "withdrawn"}, "not_bookable"),
    "legacy": ({"is_legacy": True}, "legacy"),
    "full": ({"capacity": 0}, "not_enough_places"),
    "past": ({"starts_in": -timedelta(hours=2)}, "already_over"),
    "under way": ({"starts_in": -timedelta(minutes=10)}, "already_begun"),
}


@pytest.mark.parametrize("state", STATUSES)
def test_only_a_published_session_with_room_and_time_is_booked(client: Client, state: str) -> None:
    fields, code = STATUSES[state]
    status = fields.get("status", "published")
    session = make_session(**{**fields, "status": "published"})
    Session.objects.filter(id=session.id).exclude(status=status).update(status=status)
    codes = {error["code"] for error in post(client, "bookings/validate", order(line(session))).json()["errors"]}
    booked = post(client, "bookings", order(line(session)))
    if code is None:
        assert (codes, booked.status_code) == (set(), 201)
        return
    assert (bool(codes), booked.status_code, Booking.objects.count()) == (True, 409, 0)
    assert {error["code"] for error in booked.json()["errors"]} == codes
    assert code == "not_bookable" or code in codes


def test_a_party_its_units_and_its_extras_are_judged_too(client: Client) -> None:
    activity = make_activity(largest_party=4)
    child = make_unit(activity, needs_accompaniment=True)
    locker = make_extra(activity, stock_per_session=1)
    session = make_session(activity)
    lines = [
        line(session, 5),
        {"session": str(session.id), "units": [{"unit": str(child.id), "count": 1}]},
        line(session, 1, extras=[{"extra": str(locker.id), "count": 1}]),
        line(session, 1, extras=[{"extra": str(locker.id), "count": 1}]),
    ]
    verdict = post(client, "bookings/validate", order(*lines))
    assert named(verdict) == [
        ("lines.0.party_size", "party_too_large"),
        ("lines.1.units.0.count", "needs_accompaniment"),
        ("lines.3.extras.0.count", "not_enough_extras"),
    ]
    assert verdict.json()["total"] is None
    assert post(client, "bookings", order(*lines[2:])).json()["code"] == "not_enough_extras"


def test_a_minor_comes_with_consent_where_the_organization_asks_for_it(client: Client) -> None:
    venue = make_venue(make_organization(consent_under_age=16))
    session = make_session(make_activity(venue))
    child = {"name": "Bo", "birth_date": str((session.starts_at - timedelta(days=3000)).date())}
    wanted = order(line(session, 1, participants=[child]))
    path = "lines.0.participants.0.consent_by"
    assert named(post(client, "bookings/validate", wanted)) == [(path, "consent_required")]
    assert post(client, "bookings", wanted).status_code == 422
    assert (
        post(client, "bookings", order(line(session, 1, participants=[{**child, "consent_by": "Ann"}]))).status_code
        == 201
    )


def test_a_stranger_does_not_learn_from_a_dry_run_who_has_booked(client: Client) -> None:
    session = make_session()
    first = book(session)
    stranger = post(client, "bookings/validate", order(line(session, 1)))
    _, text = ApiKey.issue(organization_id=session.organization_id, name="ours", scopes=[])
    ours = post(client, "bookings/validate", order(line(session, 1)), Authorization=f"Bearer {text}")
    assert (named(stranger), named(ours)) == ([], [("confirm_duplicate", "duplicate_booking")])
    assert first.number not in stranger.content.decode() + ours.content.decode()
    assert [event.kind for event in first.events.all()] == ["booking_started", "booking_confirmed"]


def test_sessions_of_others_and_none_at_all_are_answered_alike(client: Client) -> None:
    session = make_session()
    _, text = ApiKey.issue(organization_id=make_organization().id, name="theirs", scopes=[])
    foreign = post(client, "bookings/validate", order(line(session)), Authorization=f"Bearer {text}")
    unknown = post(client, "bookings/validate", order({"session": str(uuid4()), "party_size": 1}))
    assert named(foreign) == named(unknown) == [("lines.0.session", "not_found")]


def test_a_basket_is_judged_by_whoever_has_its_token(client: Client) -> None:
    first, second = make_sessions(2)
    held = hold(first)
    late = hold(second, basket=held.basket)
    body = {"basket": str(held.basket), "basket_token": held.basket_token, "customer": CUSTOMER}
    assert post(client, "bookings/validate", {**body, "basket_token": "x"}).status_code == 404
    assert post(client, "bookings/validate", body).json()["bookable"]
    lapse(late)
    assert named(post(client, "bookings/validate", body)) == [("lines.1", "reservation_lapsed")]


def test_a_dry_run_of_three_lines_asks_no_more_than_one_of_one(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    sessions = make_sessions(3)
    for lines in ([line(sessions[0])], [line(session) for session in sessions]):
        with django_assert_num_queries(10):
            assert post(client, "bookings/validate", order(*lines)).json()["bookable"]
