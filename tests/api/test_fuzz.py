"""Whatever is sent, the answer is a clear one, and nothing breaks."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bookings.models import WaitlistEntry
from bookings.services import waitlist_offers
from config.tenants.models import ApiKey
from scheduling.services import reservations
from tests.factories import book, hold, join, make_session, shift_session

CLEAR = {200, 201, 202, 400, 401, 402, 404, 405, 409, 412, 413, 422}
SESSION = "00000000-0000-7000-8000-000000000001"
OTHER = "00000000-0000-7000-8000-000000000002"

leaves = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40) | st.just(SESSION)
)
json_values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3)
)
party = st.fixed_dictionaries(
    {},
    optional={
        "session": st.just(SESSION) | json_values,
        "party_size": st.integers(-2, 600) | json_values,
        "units": json_values,
        "email": st.emails() | json_values,
        "basket": json_values,
        "basket_token": json_values,
        "participants": json_values,
    },
)
order = st.fixed_dictionaries(
    {},
    optional={
        "lines": st.lists(party, max_size=2) | json_values,
        "customer": st.fixed_dictionaries({"email": st.emails() | json_values, "name": json_values}) | json_values,
        "basket": json_values,
        "people": json_values,
        "expected_total": json_values,
        "payment_method": json_values,
        "confirm_duplicate": json_values,
    },
)
bodies = {
    "reservations": party | json_values,
    "bookings": order,
    "bookings/validate": order | json_values,
    "waitlist": st.fixed_dictionaries(
        {"sessions": st.just([SESSION]) | json_values, "email": st.emails() | json_values, "name": json_values},
        optional={
            "party_size": st.integers(-2, 600) | json_values,
            "units": json_values,
            "phone": json_values,
            "language": json_values,
        },
    ),
}
person = st.fixed_dictionaries(
    {},
    optional={
        "id": json_values,
        "name": st.text(max_size=12) | json_values,
        "birth_date": st.dates().map(str) | json_values,
        "level": json_values,
        "languages": json_values,
        "notes": json_values,
        "consent_by": json_values,
    },
)


def act(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return bodies of an act: what it asks for, more or less so, and what every act may be told."""
    told = {
        "reason": st.text(max_size=20) | json_values,
        "version": st.integers(0, 3) | json_values,
        "dry_run": st.booleans() | json_values,
        "waive_fee": st.booleans() | json_values,
        "expected_total": st.integers(0, 4000) | json_values,
        "line": json_values,
    }
    return st.fixed_dictionaries(fields) | st.fixed_dictionaries(fields, optional=told) | json_values


acts: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {  # a good body, and others
    "bookings/{booking}/cancel": ({}, act() | act(lines=json_values)),
    "bookings/{booking}/reschedule": ({"session": OTHER}, act(session=st.just(OTHER) | json_values)),
    "bookings/{booking}/party-size": (
        {"party_size": 3},
        act(party_size=st.integers(-1, 12) | json_values) | act(units=json_values),
    ),
    "bookings/{booking}/participants": (
        {"participants": [{"name": "Zoe"}]},
        act(participants=st.lists(person, max_size=3) | json_values),
    ),
    "bookings/{booking}/transfer": (
        {"email": "ben@example.org", "name": "Ben"},
        act(email=st.emails() | json_values, name=st.text(max_size=9) | json_values),
    ),
    "lines/{line}/check-in": ({}, act()),
    "lines/{line}/undo-check-in": ({}, act()),
    "lines/{line}/outcome": (
        {"outcome": "no_show"},
        act(outcome=st.sampled_from(["completed", "no_show"]) | json_values),
    ),
    "waitlist/{entry}/accept": ({}, json_values),
}
versions = st.sampled_from([None, None, "*", "", '"1"', '"2"', 'W/"2"', "2", '"99999999999"'])


def make_scene() -> tuple[dict[str, str], list[dict[str, str]]]:
    """Return what the addresses name, and the headers of a stranger, of the customer and of a program.

    There is a booking to change, a line whose session has begun, and a party that was offered places.
    """
    session = make_session(id=UUID(SESSION), starts_in=timedelta(days=3))
    make_session(session.activity, id=UUID(OTHER), starts_in=timedelta(days=5))
    booking = book(session, party_size=2)
    begun, full = make_session(session.activity), make_session(session.activity, capacity=1)
    line = book(begun).lines.get()
    shift_session(begun, starts_in=timedelta(minutes=-5))
    taken = hold(full)
    entry = join(full)
    reservations.release_reservation(reservation_id=taken.id)
    waitlist_offers.offer_freed_places([full.id])
    assert WaitlistEntry.objects.get().status == "offered"
    _, key = ApiKey.issue(organization_id=session.organization_id, name="desk", scopes=[])
    tokens = {"Booking-Token": booking.token, "Waitlist-Token": entry.token}
    named = {"booking": str(booking.id), "line": str(line.id), "entry": str(entry.id)}
    return named, [{}, tokens, {"Authorization": f"Bearer {key}"}]


def check_is_clear(response: Any) -> None:
    """Check that the answer says what is so, and if it refuses, how."""
    assert response.status_code in CLEAR
    if response.status_code >= 400:
        assert response.json()["code"]
        assert response["Content-Type"] == "application/problem+json"


@pytest.mark.django_db
@pytest.mark.parametrize("path", sorted(bodies))
def test_no_body_breaks_the_api(path: str) -> None:
    client = Client()
    make_session(id=UUID(SESSION), capacity=1000)

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(body=bodies[path])
    def send(body: Any) -> None:
        response = client.post(f"/api/v1/{path}", body, content_type="application/json")
        check_is_clear(response)

    send()


@pytest.mark.django_db
@pytest.mark.parametrize("path", sorted(acts))
def test_no_body_breaks_an_act_and_a_good_one_is_done(path: str) -> None:
    client = Client()
    named, callers = make_scene()
    good, others = acts[path]

    def send(body: Any, headers: dict[str, str]) -> Any:
        """Send it to the scene, which is the same again afterwards."""
        address = f"/api/v1/{path.format(**named)}"
        with transaction.atomic():
            response = client.post(address, body, content_type="application/json", headers=headers)
            transaction.set_rollback(True)
        return response

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(body=others, caller=st.sampled_from(callers), version=versions)
    def send_others(body: Any, caller: dict[str, str], version: str | None) -> None:
        check_is_clear(send(body, caller if version is None else {**caller, "If-Match": version}))

    assert send(good, callers[-1]).status_code == 200
    send_others()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["activities", "sessions", f"sessions/{SESSION}/availability", f"activities/{SESSION}/availability"]
)
def test_no_query_breaks_the_api(path: str) -> None:
    client = Client()
    make_session(id=UUID(SESSION))
    names = st.sampled_from(["activity", "from", "to", "party_size", "month", "cursor", "organization", "x"])

    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
    @given(query=st.dictionaries(names, st.text(max_size=20) | st.dates().map(str) | st.just(SESSION), max_size=4))
    def ask(query: dict[str, str]) -> None:
        assert client.get(f"/api/v1/{path}", query).status_code in CLEAR

    ask()
