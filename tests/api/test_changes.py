"""Changing a booking over REST: whose token, which version, what it would come to, and once only."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from alerts.services.auditor import check_invariants
from bookings.models import Booking, BookingEvent
from config.tenants.models import ApiKey
from scheduling.models import Session
from tests.concurrency.races import Places, places_of
from tests.factories import book, make_activity, make_session, make_unit, shift_session, stranger

pytestmark = pytest.mark.django_db

SOON = timedelta(days=3)
ACTS = ("cancel", "reschedule", "party-size", "participants", "transfer")
DONE = {**dict.fromkeys(ACTS, 200), "transfer": 202}  # by the booking's token


@pytest.fixture
def session() -> Session:
    terms: dict[str, Any] = {"change_fee_minor": 200, "cancel_fee_percent": 10}
    return make_session(make_activity(price_minor=1000, **terms), capacity=6, starts_in=SOON)


@pytest.fixture
def other(session: Session) -> Session:
    return make_session(session.activity, capacity=6, starts_in=SOON + timedelta(days=7), price_minor=1300)


@pytest.fixture
def booking(session: Session) -> Booking:
    return book(session, party_size=2)


def post(client: Client, booking: Booking, act: str, body: Any = None, /, **headers: str) -> Any:
    sent = {"Booking-Token": booking.token, **{name.replace("_", "-"): value for name, value in headers.items()}}
    path = f"/api/v1/bookings/{booking.id}/{act}"
    return client.post(path, {} if body is None else body, content_type="application/json", headers=sent)


def bodies(other: Session) -> dict[str, dict[str, Any]]:
    """Return a good body for each act."""
    return {
        "cancel": {},
        "reschedule": {"session": str(other.id)},
        "party-size": {"party_size": 3},
        "participants": {"participants": [{"name": "Zoe"}]},
        "transfer": {"email": "ben@example.org", "name": "Ben"},
    }


def written() -> list[Any]:
    return [
        list(Booking.objects.values()),
        list(Session.objects.order_by("id").values("id", "places_booked", "places_held", "version")),
        BookingEvent.objects.count(),
    ]


def test_cancelling_answers_the_booking_and_what_it_came_to(client: Client, booking: Booking, session: Session) -> None:
    answer = post(client, booking, "cancel", {"reason": "ill"})
    body = answer.json()
    assert (answer.status_code, body["status"], body["label"], body["total"]["amount_minor"]) == (
        200, "cancelled", "cancelled", 200,
    )  # fmt: skip
    assert body["consequence"] == {"fee_minor": 200, "due_minor": 0, "refundable_minor": 1800, "currency": "GBP"}
    [line] = body["lines"]
    assert (line["status"], line["fee"]["amount_minor"], line["cancelled_at"] is None) == ("cancelled", 200, False)
    assert places_of(session) == Places(0, 0, 6)
    fact = booking.events.get(kind="booking_cancelled")
    assert (fact.actor_kind, fact.channel, fact.detail.note) == ("customer", "api", "ill")
    again = post(client, booking, "cancel").json()
    assert (again["version"], again["status"]) == (body["version"], "cancelled")


def test_moving_answers_the_new_time_and_the_difference(client: Client, booking: Booking, other: Session) -> None:
    body = post(client, booking, "reschedule", {"session": str(other.id)}).json()
    assert body["lines"][0]["session"] == str(other.id)
    assert body["consequence"] == {"fee_minor": 200, "due_minor": 800, "refundable_minor": 0, "currency": "GBP"}
    assert (body["total"]["amount_minor"], body["fee"]["amount_minor"]) == (2800, 200)


def test_more_people_fewer_people_and_who_they_are(client: Client, booking: Booking, session: Session) -> None:
    child = make_unit(session.activity, price_minor=400)
    adult = session.activity.units.get(is_default=True)
    more = post(client, booking, "party-size", {"party_size": 3}).json()
    assert (more["consequence"]["due_minor"], more["lines"][0]["party_size"]) == (1000, 3)
    units = [{"unit": str(adult.id), "count": 1}, {"unit": str(child.id), "count": 1}]
    fewer = post(client, booking, "party-size", {"units": units}).json()
    assert (fewer["consequence"]["fee_minor"], fewer["total"]["amount_minor"]) == (200, 1000 + 400 + 200)
    named = post(client, booking, "participants", {"participants": [{"name": "Zoe"}]}).json()
    assert [person["name"] for person in named["lines"][0]["participants"]] == ["Zoe"]
    assert check_invariants() == []


@pytest.mark.parametrize("act", ACTS)
def test_a_dry_run_says_what_it_would_come_to_and_changes_nothing(
    client: Client, booking: Booking, other: Session, act: str
) -> None:
    before = written()
    answer = post(client, booking, act, {**bodies(other)[act], "dry_run": True})
    assert (answer.status_code, answer.json()["dry_run"]) == (200, True)
    expected = {
        "cancel": (200, 0, 1800), "reschedule": (200, 800, 0), "party-size": (0, 1000, 0), "participants": (0, 0, 0),
        "transfer": (0, 0, 0),
    }  # fmt: skip
    consequence = answer.json()["consequence"]
    assert (consequence["fee_minor"], consequence["due_minor"], consequence["refundable_minor"]) == expected[act]
    assert written() == before


@pytest.mark.parametrize("act", ACTS)
def test_a_wrong_an_old_and_a_foreign_token_are_all_the_same_nothing(
    client: Client, booking: Booking, other: Session, act: str
) -> None:
    foreign = book(other, contact=stranger())
    before = written()
    for token in ("", "wrong", foreign.token, booking.token[:-1]):
        answer = post(client, booking, act, bodies(other)[act], Booking_Token=token)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert written() == before


@pytest.mark.parametrize("act", ACTS)
def test_a_key_of_the_organization_may_and_anothers_may_not(
    client: Client, booking: Booking, other: Session, act: str
) -> None:
    _, own = ApiKey.issue(organization_id=booking.organization_id, name="desk", scopes=[])
    _, foreign = ApiKey.issue(organization_id=make_session().organization_id, name="else", scopes=[])
    headers = {"Booking_Token": "", "Authorization": f"Bearer {foreign}"}
    assert post(client, booking, act, bodies(other)[act], **headers).status_code == 404
    answer = post(client, booking, act, bodies(other)[act], **{**headers, "Authorization": f"Bearer {own}"})
    assert answer.status_code == 200
    assert booking.events.filter(actor_kind="api_key", channel="api").exists()


@pytest.mark.parametrize("act", ACTS)
def test_a_stale_version_is_a_412_and_the_right_one_is_taken_and_moved_on(
    client: Client, booking: Booking, other: Session, act: str
) -> None:
    before = written()
    for header in ('"1"', '"99"', "nonsense"):
        answer = post(client, booking, act, bodies(other)[act], If_Match=header)
        assert (answer.status_code, answer.json()["code"]) == (412, "version_moved")
    assert written() == before
    answer = post(client, booking, act, bodies(other)[act], If_Match=f'"{booking.version}"')
    assert answer.status_code == DONE[act]
    assert Booking.objects.get().version > booking.version
    if act != "transfer":
        assert answer["ETag"] == f'"{answer.json()["version"]}"'


@pytest.mark.parametrize("act", ACTS)
def test_the_same_request_again_has_one_effect_and_the_same_consequence(
    client: Client, booking: Booking, other: Session, act: str
) -> None:
    key = uuid4().hex
    first = post(client, booking, act, bodies(other)[act], Idempotency_Key=key)
    facts = BookingEvent.objects.count()
    again = post(client, booking, act, bodies(other)[act], Idempotency_Key=key)
    assert (first.status_code, again.status_code) == (DONE[act], DONE[act])
    assert again.json() == first.json()
    assert BookingEvent.objects.count() == facts
    assert check_invariants() == []


def test_a_customer_offers_a_booking_and_a_program_hands_it_over(client: Client, booking: Booking) -> None:
    answer = post(client, booking, "transfer", {"email": "Ben@example.org", "name": "Ben", "reason": "ill"})
    fact = booking.events.get(kind="transfer_offered")
    ends = fact.after["expires_at"].replace("+00:00", "Z")
    assert answer.status_code == 202
    assert (answer.json()["transfer"], answer.json()["expires_at"][:19]) == ("offered", ends[:19])
    assert Booking.objects.get().customer.email == "anna@example.org"
    _, key = ApiKey.issue(organization_id=booking.organization_id, name="desk", scopes=[])
    by_key = {"Booking_Token": "", "Authorization": f"Bearer {key}"}
    given = post(client, booking, "transfer", {"email": "ben@example.org", "name": "Ben"}, **by_key)
    assert (given.status_code, given.json()["customer"]["email"]) == (200, "ben@example.org")
    assert post(client, booking, "cancel").status_code == 404
    assert post(client, Booking.objects.get(), "cancel").status_code == 200


def test_refusals_name_what_is_wrong_and_leave_everything(client: Client, booking: Booking, session: Session) -> None:
    before = written()
    full = make_session(session.activity, capacity=1, starts_in=SOON + timedelta(days=2))
    answers = {
        "not_enough_places": post(client, booking, "reschedule", {"session": str(full.id)}),
        "not_found": post(client, booking, "reschedule", {"session": str(uuid4())}),
        "total_differs": post(client, booking, "cancel", {"expected_total": 1}),
        "invalid_request": post(client, booking, "cancel", {"lines": [str(uuid4())]}),
    }
    assert {code: answer.json()["code"] for code, answer in answers.items()} == {code: code for code in answers}
    assert answers["not_enough_places"].json()["available_spots"] == 1
    assert written()[0] == before[0]
    shift_session(session, starts_in=timedelta(hours=-2))
    over = post(client, booking, "cancel").json()
    assert (over["code"], over["reasons"], over["detail"]) == (
        "change_not_allowed", ["session_over"], "The session is over.",
    )  # fmt: skip


def test_a_customer_cannot_waive_the_fee_and_the_venue_says_why(client: Client, booking: Booking) -> None:
    assert post(client, booking, "cancel", {"waive_fee": True}).json()["errors"][0]["code"] == "not_yours"
    _, key = ApiKey.issue(organization_id=booking.organization_id, name="desk", scopes=[])
    headers = {"Booking_Token": "", "Authorization": f"Bearer {key}"}
    assert post(client, booking, "cancel", {"waive_fee": True}, **headers).json()["errors"][0]["field"] == "reason"
    answer = post(client, booking, "cancel", {"waive_fee": True, "reason": "storm"}, **headers)
    assert answer.json()["consequence"]["fee_minor"] == 0


@pytest.mark.parametrize("act", ACTS)
def test_looking_changes_nothing(client: Client, booking: Booking, act: str) -> None:
    before = written()
    answer = client.get(f"/api/v1/bookings/{booking.id}/{act}", headers={"Booking-Token": booking.token})
    assert answer.status_code == 405
    assert written() == before


@pytest.mark.parametrize(
    ("act", "most"), [("cancel", 29), ("reschedule", 45), ("party-size", 33), ("participants", 29), ("transfer", 17)]
)
def test_a_change_asks_no_more_questions_than_it_needs(
    client: Client, booking: Booking, other: Session, act: str, most: int
) -> None:
    with CaptureQueriesContext(connection) as asked:
        assert post(client, booking, act, bodies(other)[act]).status_code == DONE[act]
    assert len(asked) <= most
