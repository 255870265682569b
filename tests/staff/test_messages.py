"""Messages for staff: what was said, whether it arrived, and once more at a click; the demo's mailbox."""

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from alerts.models import Notification
from alerts.sandbox.server import Provider
from alerts.services import delivery, fan_out
from bookings.models import Booking
from tests.alerts.mail import mails, serving, url_of
from tests.factories import book, make_session
from tests.staff.admin_site import act, list_address, messages_of, page_address
from tests.staff.conftest import SignIn

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> object:
    with serving(tmp_path_factory.mktemp("provider")) as provider:
        settings.MAIL_URL, settings.MAIL_FALLBACK_URL, settings.DEMO = url_of(provider), "", True
        yield provider


def told() -> tuple[Booking, Notification]:
    """Book, and tell the customer."""
    booking = book(make_session())
    fan_out.fan_out_facts()
    delivery.deliver_due()
    return booking, Notification.objects.get(subject_id=booking.id, kind="booking_confirmed")


def test_a_failed_message_is_seen_with_its_reason_and_sent_again_from_its_page(
    sign_in: SignIn, provider: Provider
) -> None:
    provider.switches.set({"rejects": "@example.org"})
    booking, row = told()
    staff = sign_in(booking.organization, "reception")
    page = staff.get(page_address(row)).content.decode()
    assert "422: validation_error" in page
    assert "Send it again" in page
    provider.switches.set({})
    assert messages_of(act(staff, "repeat_notifications", row, from_page=True)) == [
        "“Booked” to anna@example.org: in the queue again."
    ]
    assert delivery.deliver_due() == 1
    row.refresh_from_db()
    assert (row.status, row.tries, len(mails(provider))) == ("sent", 1, 1)
    fact = booking.events.get(kind="message_queued_again")
    assert (fact.actor_kind, fact.after["notification"]) == ("staff", str(row.id))


def test_a_sent_message_is_sent_once_more_by_a_fact_of_the_booking(sign_in: SignIn, provider: Provider) -> None:
    booking, row = told()
    staff = sign_in(booking.organization)
    assert messages_of(act(staff, "repeat_notifications", row)) == [
        "“Booked” to anna@example.org: will be sent once more."
    ]
    for _ in range(2):
        fan_out.fan_out_facts()
        delivery.deliver_due()
    fact = booking.events.get(kind="message_repeated")
    again = Notification.objects.get(fact_id=fact.id)
    assert (again.kind, again.recipient, again.status, again.title) == (row.kind, row.recipient, "sent", row.title)
    assert len(mails(provider)) == 2


def test_a_message_that_is_still_queued_is_not_sent_twice_by_impatience(sign_in: SignIn, settings: Settings) -> None:
    settings.MAIL_URL = ""
    booking, row = told()
    answer = act(sign_in(booking.organization), "repeat_notifications", row)
    assert messages_of(answer) == ["“Booked” to anna@example.org: It is queued."]
    assert not booking.events.filter(kind__startswith="message").exists()


def test_a_bookings_page_lists_its_messages_and_messages_are_found_by_booking(
    sign_in: SignIn, provider: Provider
) -> None:
    booking, row = told()
    other, _ = told()
    staff = sign_in(booking.organization)
    page = staff.get(page_address(booking)).content.decode()
    assert page_address(row) in page
    for address in (f"?subject_id={booking.id}", f"?q={booking.number}", f"?q={booking.number.lower()}"):
        found = staff.get(list_address(Notification) + address).context["cl"].queryset
        assert list(found) == [row]
    assert "anna@example.org" not in sign_in(other.organization).get(list_address(Notification)).content.decode() or (
        other.organization_id != booking.organization_id
    )


def test_the_customers_link_is_not_shown_to_staff(sign_in: SignIn, provider: Provider) -> None:
    booking, row = told()
    page = sign_in(booking.organization).get(page_address(row)).content.decode()
    assert f"/bookings/{booking.number}." in page
    assert booking.token not in page
    assert booking.token in row.text


# The demo's mailbox -----------------------------------------------------------------------------------------------


def test_the_mailbox_shows_what_was_sent_as_text_in_a_frame_and_as_files(sign_in: SignIn, provider: Provider) -> None:
    booking, row = told()
    staff = sign_in(booking.organization, "reception")
    assert row.title in staff.get("/staff/mail/").content.decode()
    shown = staff.get(f"/staff/mail/{row.id}/")
    assert f'src="/staff/mail/{row.id}/html/"' in shown.content.decode()
    assert 'sandbox="allow-popups"' in shown.content.decode()
    assert "frame-src 'self'" in shown.headers["Content-Security-Policy"]
    frame = staff.get(f"/staff/mail/{row.id}/html/")
    policy = frame.headers["Content-Security-Policy"]
    assert frame.content.decode() == row.html
    assert "script-src 'none'" in policy
    assert "sandbox allow-popups" in policy
    assert "frame-ancestors 'self'" in policy
    file = staff.get(f"/staff/mail/{row.id}/1.ics")
    assert file.content.startswith(b"BEGIN:VCALENDAR")
    assert staff.get(f"/staff/mail/{row.id}/2.ics").status_code == 404


def test_the_mailbox_asks_as_much_for_three_messages_as_for_one(
    sign_in: SignIn, provider: Provider, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    booking, _ = told()
    staff = sign_in(booking.organization)
    staff.get("/staff/mail/")
    session = booking.lines.get().session
    for _ in range(2):
        with django_assert_num_queries(5):  # who asks (three), how many, the list
            assert staff.get("/staff/mail/").status_code == 200
        book(session)
        book(session)
        fan_out.fan_out_facts()
        delivery.deliver_due()


def test_the_mailbox_is_for_the_demos_staff_alone_and_each_sees_their_own(
    sign_in: SignIn, provider: Provider, settings: Settings
) -> None:
    booking, row = told()
    addresses = ["/staff/mail/", f"/staff/mail/{row.id}/", f"/staff/mail/{row.id}/html/", f"/staff/mail/{row.id}/1.ics"]
    stranger = sign_in(make_session().organization)
    assert [stranger.get(address).status_code for address in addresses] == [200, 404, 404, 404]
    assert row.title not in stranger.get("/staff/mail/").content.decode()
    assert [Client().get(address).status_code for address in addresses] == [302] * 4
    instructor = sign_in(booking.organization, "instructor")
    assert instructor.get("/staff/mail/").status_code == 302
    settings.DEMO = False
    assert [sign_in(booking.organization).get(address).status_code for address in addresses] == [404] * 4
