"""A booking's page leads from each thing that happened to how it stood then."""

import pytest

from bookings.services import party_changes
from config.kit.facts import Actor, ActorKind
from tests.factories import book, make_session
from tests.staff.admin_site import page_address
from tests.staff.conftest import SignIn

pytestmark = pytest.mark.django_db
STAFF = Actor(kind=ActorKind.STAFF, channel="admin", detail={"note": "asked by telephone"})


def test_a_booking_is_shown_as_it_was_after_each_fact(sign_in: SignIn) -> None:
    booking = book(make_session(), party_size=2)
    party_changes.change_party(line_id=booking.lines.get().id, party_size=3, actor=STAFF)
    staff = sign_in(booking.organization)
    address = f"/admin/bookings/booking/{booking.id}/as-it-was/"
    page = staff.get(page_address(booking)).content.decode()
    assert [f'href="{address}{seq}/"' in page for seq in (1, 2, 3, 4)] == [True, True, True, False]
    begun, booked, changed = (staff.get(f"{address}{seq}/").content.decode() for seq in (1, 2, 3))
    assert "No line was booked yet" in begun
    assert ("£20.00" in booked, "£30.00" in booked) == (True, False)
    assert ("£30.00" in changed, "£20.00" in changed) == (True, False)


def test_the_past_of_another_tenants_booking_is_nowhere(sign_in: SignIn) -> None:
    booking = book(make_session())
    address = f"/admin/bookings/booking/{booking.id}/as-it-was/1/"
    assert sign_in(make_session().organization).get(address).status_code == 404
    assert sign_in(booking.organization).get(address.replace("/1/", "/99/")).status_code == 404
    assert sign_in(booking.organization, "instructor").get(address).status_code == 200
