"""What the pages of money show, to whom, and in how many questions."""

import csv
import io
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django.asserts import assertContains, assertNotContains

from bookings.models import Booking, PromoCode
from config.kit.clock import database_now
from payments.models import Dispute, Payment, ProviderAccount, Reconciliation, Refund, Voucher
from scheduling.models import Session
from tests.factories import book, make_activity, make_organization, make_session
from tests.payments.money import give_back, paid_at_desk
from tests.staff.admin_site import act, list_address, page_address
from tests.staff.conftest import SignIn
from tests.staff.money import make_money, pay_online

pytestmark = pytest.mark.django_db


YES, NOT_YOURS = 200, 403


@pytest.fixture
def session() -> Session:
    return make_session(make_activity(price_minor=1000))


@pytest.fixture
def booking(session: Session) -> Booking:
    """A booking of £20.00, of which nothing is paid."""
    return book(session, party_size=2)


# What is shown ------------------------------------------------------------------------------------------------------


def test_a_payment_is_found_by_its_bookings_number_and_tells_its_story(sign_in: SignIn, booking: Booking) -> None:
    other = book(make_session(make_activity(booking.lines.get().session.activity.venue)))
    payment = pay_online(booking)
    pay_online(other)
    give_back(payment, 500)
    client = sign_in(booking.organization)
    found = client.get(list_address(Payment), {"q": booking.number.lower()}).context["cl"].result_list
    assert [row.pk for row in found] == [payment.pk]
    page = client.get(page_address(payment)).content.decode()
    for words in (
        booking.number,
        "To be paid",
        "Some of it is to go back",
        "paid for bookings → at the payment provider",
    ):
        assert words in page


def test_a_payments_page_asks_as_much_for_three_refunds_as_for_one(sign_in: SignIn, booking: Booking) -> None:
    payment, client = pay_online(booking), sign_in(booking.organization)
    counts = []
    for _ in range(3):
        give_back(payment, 100)
        client.get(page_address(payment))
        with CaptureQueriesContext(connection) as asked:
            client.get(page_address(payment))
        counts.append(len(asked))
    assert counts == [counts[0]] * 3


def test_a_bookings_page_asks_as_much_for_three_payments_as_for_one(sign_in: SignIn, booking: Booking) -> None:
    client = sign_in(booking.organization)
    counts = []
    for _ in range(3):
        give_back(pay_online(booking, 300), 100)
        client.get(page_address(booking))
        with CaptureQueriesContext(connection) as asked:
            client.get(page_address(booking))
        counts.append(len(asked))
    assert counts == [counts[0]] * 3


def test_a_dispute_says_until_when_it_is_answered_and_what_to_do(sign_in: SignIn, booking: Booking) -> None:
    make_money(booking)
    client = sign_in(booking.organization, "auditor")
    dispute = Payment.objects.get(provider="stripe").disputes.get()
    assertContains(client.get(page_address(dispute)), "Answer it in the provider")
    assertContains(client.get(list_address(type(dispute))), "open: answer it at the provider")


def test_a_run_tells_its_differences_in_words(sign_in: SignIn, booking: Booking) -> None:
    make_money(booking)
    page = sign_in(booking.organization, "auditor").get(page_address(Reconciliation.objects.get()))
    assertContains(page, "1 of 2 differences are for somebody to look at")
    assertContains(page, "The amounts differ: txn_2, ours £10.00, the bank&#x27;s £9.00. Somebody must look.")


@pytest.mark.parametrize("role", ["manager", "reception", "auditor"])
def test_no_page_of_money_leads_anybody_to_where_they_may_not_go(sign_in: SignIn, booking: Booking, role: str) -> None:
    make_money(booking)
    client = sign_in(booking.organization, role)
    kinds = (Payment, Refund, Dispute, Voucher, PromoCode, ProviderAccount, Reconciliation)
    rows = [booking, *(kind.objects.get() for kind in kinds)]
    pages = [page for page in (client.get(page_address(row)) for row in rows) if page.status_code == YES]
    assert len(pages) > 1
    links = {
        link
        for page in pages
        for link in re.findall(r'href="(/admin/(?:payments|bookings)/[^"#?]+)', page.content.decode())
    }
    assert [link for link in sorted(links) if client.get(link).status_code == NOT_YOURS] == []


# The ledger ---------------------------------------------------------------------------------------------------------


def test_a_statement_and_its_file_say_the_same(sign_in: SignIn, booking: Booking) -> None:
    pay_online(booking)
    paid_at_desk(booking.organization_id, 300, reference=booking.id)
    client = sign_in(booking.organization, "auditor")
    page = client.get(reverse("admin:payments_statement"))
    totals = {row["label"]: row["closing"] for row in page.context["totals"]}
    assert totals == {"at the payment provider": "£20.00", "at the desk": "£3.00", "paid for bookings": "-£23.00"}
    rows = list(csv.DictReader(io.StringIO(client.get(reverse("admin:payments_statement_csv")).content.decode())))
    closing = {row["account"]: row["balance"] for row in rows if row["kind"] == "closing"}
    assert closing == {"clearing": "20.00", "till": "3.00", "bookings": "-23.00"}


def test_a_statement_is_of_ones_own_organization_and_of_a_month(sign_in: SignIn, booking: Booking) -> None:
    pay_online(booking)
    names = ("admin:payments_statement", "admin:payments_statement_csv")
    for role in ("reception", "instructor"):
        client = sign_in(booking.organization, role)
        assert [client.get(reverse(name)).status_code for name in names] == [NOT_YOURS] * 2
    stranger = sign_in(make_organization())
    asked = {"organization": str(booking.organization_id), "currency": "GBP", "month": f"{database_now():%Y-%m}"}
    assert stranger.get(reverse(names[0]), asked).context["lines"] == []
    assert "20.00" not in stranger.get(reverse(names[1]), asked).content.decode()
    for name in names:
        assertContains(stranger.get(reverse(name), {"month": "soon"}), "Write the month as year-month", status_code=422)


def test_a_statement_asks_as_much_for_many_movements_as_for_one(sign_in: SignIn, booking: Booking) -> None:
    client = sign_in(booking.organization)
    counts = []
    for _ in range(3):
        paid_at_desk(booking.organization_id, 300, reference=booking.id)
        client.get(reverse("admin:payments_statement"))
        with CaptureQueriesContext(connection) as asked:
            client.get(reverse("admin:payments_statement"))
        counts.append(len(asked))
    assert counts == [counts[0]] * 3


def test_the_first_page_shows_revenue_by_week_to_those_who_may_look_at_the_ledger(
    sign_in: SignIn, booking: Booking
) -> None:
    give_back(paid_at_desk(booking.organization_id, 2000, reference=booking.id), 500)
    act(sign_in(booking.organization), "hand_back_refunds", Refund.objects.get())
    pay_online(book(make_session()))
    first = reverse("admin:index")
    chart = sign_in(booking.organization).get(first).context["revenue"]
    assert [(each["currency"], len(each["rows"]), each["rows"][-1][1]) for each in chart] == [("GBP", 12, "£15.00")]
    assertNotContains(sign_in(booking.organization, "reception").get(first), "Revenue by week")
