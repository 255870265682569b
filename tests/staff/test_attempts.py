"""The list of attempts: why people could not book, and nobody's name."""

import pytest
from django.test import Client

from bookings.models import Attempt
from tests.factories import ANNA, book, make_session
from tests.staff.admin_site import list_address
from tests.staff.conftest import SignIn

pytestmark = pytest.mark.django_db


def test_staff_find_attempts_by_code_and_know_nobody_by_them(sign_in: SignIn, client: Client) -> None:
    session = make_session(capacity=1)
    line = {"session": str(session.id), "party_size": 2}
    body = {"lines": [line], "customer": {"email": ANNA.email, "name": ANNA.name}}
    assert client.post("/api/v1/bookings", body, content_type="application/json").status_code == 409
    booking = book(session)
    staff = sign_in(session.organization, "auditor")
    everything = staff.get(list_address(Attempt)).content.decode()
    assert f"/bookings/booking/{booking.id}/change/" in everything
    found = staff.get(list_address(Attempt), {"q": "not_enough_places"}).content.decode()
    assert ("not_enough_places" in found, str(booking.id) in found) == (True, False)
    assert ANNA.email not in everything
