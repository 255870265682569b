"""Whatever is sent, the answer is a clear one, and nothing breaks."""

from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import make_session

CLEAR = {200, 201, 400, 402, 404, 405, 409, 413, 422}
SESSION = "00000000-0000-7000-8000-000000000001"

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
bodies = {
    "reservations": party | json_values,
    "bookings": st.fixed_dictionaries(
        {},
        optional={
            "lines": st.lists(party, max_size=2) | json_values,
            "customer": st.fixed_dictionaries({"email": st.emails() | json_values, "name": json_values}) | json_values,
            "basket": json_values,
            "expected_total": json_values,
            "payment_method": json_values,
            "confirm_duplicate": json_values,
        },
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("path", sorted(bodies))
def test_no_body_breaks_the_api(path: str) -> None:
    client = Client()
    make_session(id=UUID(SESSION), capacity=1000)

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(body=bodies[path])
    def send(body: Any) -> None:
        response = client.post(f"/api/v1/{path}", body, content_type="application/json")
        assert response.status_code in CLEAR
        if response.status_code >= 400:
            assert response.json()["code"]
            assert response["Content-Type"] == "application/problem+json"

    send()


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
