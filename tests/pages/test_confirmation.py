"""What a customer has in hand once it is booked: on the page, and in the message."""

import pytest
from django.test import Client
from django.utils.html import escape

from alerts.models import Notification
from alerts.services import fan_out
from alerts.services.letters import draft
from config.kit.display import clock_text, day_text
from scheduling.models import Reservation
from tests.factories import make_activity, make_organization, make_session, make_venue
from tests.pages.test_booking_pages import address, contact, text

pytestmark = pytest.mark.django_db


def test_page_and_message_say_number_time_place_and_how_to_manage_it(client: Client) -> None:
    venue = make_venue(make_organization(name="Harbour School"), name="Boathouse")
    session = make_session(make_activity(venue, name="Rowing"))
    client.post(address(session), {f"unit-{session.activity.units.get().id}": 2})
    page = client.post(f"/checkout/{Reservation.objects.get().basket}/", contact(), follow=True)
    fan_out.fan_out_facts()
    message = Notification.objects.get(kind="booking_confirmed")
    written = draft(message).written.text
    booking = Reservation.objects.get().lines.get().booking
    link = f"/bookings/{booking.number}.{booking.token}/"
    when = (day_text(session.starts_at, venue.zone), clock_text(session.starts_at, venue.zone))
    for said in (booking.number, *when, "Boathouse", "Rowing", "Europe/London"):
        assert said in text(page), said
        assert said in written, said
    assert escape(link) in page.content.decode()
    assert link in written
    assert message.recipient == "anna@example.org"
