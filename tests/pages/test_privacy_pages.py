"""One's own data by a link, and staff's pages for it: handed out, erased, and archived rows to read."""

from datetime import timedelta

import pytest
from django.test import Client

from bookings.data_links import data_token
from bookings.models import Booking, Customer
from bookings.services import retention
from config.kit.clock import database_now
from tests.bookings.test_privacy import OLD, PERSON, a_whole_life, age_everything, left_of, organization_of_a_year
from tests.factories import book, make_activity, make_session, make_venue
from tests.pages.test_booking_pages import text
from tests.staff.admin_site import act, list_address, messages_of, page_address
from tests.staff.conftest import SignIn, sign_in

__all__ = ["sign_in"]
pytestmark = pytest.mark.django_db


def link_of(customer: Customer) -> str:
    return f"/bookings/your-data/{customer.id}.{data_token(customer, at=database_now())}/"


def erase_address(customer: Customer) -> str:
    return f"/admin/bookings/customer/{customer.id}/erase/"


# By the customer's own link ---------------------------------------------------------------------------------------


def test_a_customer_has_their_data_by_a_link(client: Client) -> None:
    customer = a_whole_life()
    page = client.get(link_of(customer))
    assert "Your data" in text(page)
    assert PERSON.email in text(page)
    file = client.get(f"{link_of(customer)}data.json")
    assert file["Content-Disposition"] == 'attachment; filename="personal-data.json"'
    assert file.json()["customer"]["name"] == PERSON.name
    assert len(file.json()["bookings"]) == customer.bookings.count()


def test_a_customer_erases_their_data_once_they_are_sure(client: Client) -> None:
    customer = a_whole_life()
    link = link_of(customer)
    assert "Tick the box" in text(client.post(link))
    assert Customer.objects.get(id=customer.id).erased_at is None
    assert "Your data is erased" in text(client.post(link, {"sure": "yes"}))
    assert left_of(PERSON.name, PERSON.email) == []
    assert client.get(link).status_code == 404


def test_what_is_still_to_come_is_said_and_nothing_is_erased(client: Client) -> None:
    booking = book(make_session())
    answer = client.post(link_of(booking.customer), {"sure": "yes"})
    assert (answer.status_code, "Cancel that first" in text(answer)) == (409, True)
    assert Customer.objects.get().erased_at is None


@pytest.mark.parametrize("suffix", ["", "data.json"])
def test_a_link_of_somebody_else_or_of_last_month_shows_nothing(client: Client, suffix: str) -> None:
    customer = a_whole_life()
    old = data_token(customer, at=database_now() - timedelta(days=30))
    for token in (old, customer.bookings.latest("id").token, "x"):
        answer = client.get(f"/bookings/your-data/{customer.id}.{token}/{suffix}")
        assert answer.status_code == 404
        assert PERSON.email not in answer.content.decode()


# By staff ---------------------------------------------------------------------------------------------------------


def test_staff_hand_out_a_customers_data_as_a_file(sign_in: SignIn) -> None:
    customer = a_whole_life()
    answer = act(sign_in(customer.organization), "export_customers", customer, from_page=True)
    assert [row["customer"]["email"] for row in answer.json()] == [PERSON.email]


def test_staff_erase_after_they_were_asked_whether_that_is_meant(sign_in: SignIn) -> None:
    customer = a_whole_life()
    client = sign_in(customer.organization)
    asked = act(client, "erase_customers", customer, from_page=True)
    assert asked.redirect_chain[-1][0] == erase_address(customer)
    assert "Gone for good" in text(asked)
    assert Customer.objects.get(id=customer.id).erased_at is None
    done = client.post(erase_address(customer), follow=True)
    assert messages_of(done) == ["Erased. Bookings and sums are still there, without the person."]
    assert left_of(PERSON.name, PERSON.email) == []
    assert "Erase personal data" not in text(done)


def test_the_page_says_why_somebody_cannot_be_erased_yet(sign_in: SignIn) -> None:
    customer = book(make_session()).customer
    client = sign_in(customer.organization)
    assert "Erase for good" in text(client.get(erase_address(customer)))
    answer = client.post(erase_address(customer))
    assert (answer.status_code, "Cancel that first" in text(answer)) == (409, True)
    assert "Erase for good" not in text(answer)


@pytest.mark.parametrize(("role", "status"), [("reception", 403), ("auditor", 403), ("manager", 200)])
def test_only_those_who_may_are_asked(sign_in: SignIn, role: str, status: int) -> None:
    customer = a_whole_life()
    client = sign_in(customer.organization, role)
    assert client.get(erase_address(customer)).status_code == status
    shown = client.get(page_address(customer)).content.decode()
    assert ("your-data" in shown) == (role == "manager")


def test_another_organizations_customer_is_nobody(sign_in: SignIn) -> None:
    customer, other = a_whole_life(), make_session().organization
    client = sign_in(other)
    assert client.post(erase_address(customer)).status_code == 404
    assert Customer.objects.get(id=customer.id).erased_at is None


def test_archived_bookings_are_still_read_found_and_counted(sign_in: SignIn) -> None:
    organization = organization_of_a_year()
    customer = a_whole_life(organization)
    numbers = set(customer.bookings.values_list("number", flat=True))
    money = sum(Booking.objects.filter(organization=organization).values_list("total_minor", flat=True))
    age_everything(OLD)
    fresh = book(make_session(make_activity(make_venue(organization))))
    retention.retain_personal_data()
    client = sign_in(organization)
    archived = text(client.get(list_address(Booking), {"archived_at__isempty": "0"}))
    current = text(client.get(list_address(Booking), {"archived_at__isempty": "1"}))
    assert all(number in archived and number not in current for number in numbers)
    assert (fresh.number in current, fresh.number in archived) == (True, False)
    old = customer.bookings.latest("created_at")
    page = text(client.get(page_address(old)))
    assert "Archived" in page
    assert "Erased" in page
    assert old.number in text(client.get(list_address(Booking), {"q": old.number}))
    archived_money = Booking.objects.exclude(archived_at=None).values_list("total_minor", flat=True)
    assert sum(archived_money) == money
