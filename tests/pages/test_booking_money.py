"""A booking's money on its own pages: what was paid, what is due, what would go back."""

import re
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client

from bookings.services import cancellation, settlement
from payments.models import Dispute, Payment, ProviderName, Refund
from tests.bookings.paid import begin, paid, payment_of, sale, settle, shop
from tests.factories import CUSTOMER, make_session
from tests.pages.money import (
    DESK,
    PAGE,
    come_in,
    own_page,
    voucher_of,
    with_deposit,
)
from tests.pages.test_booking_pages import text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bank")]


def test_a_booking_says_what_was_paid_what_is_due_and_until_when(client: Client) -> None:
    here = come_in(client, with_deposit())
    page = text(client.get(here))
    assert "Total £30.00 Paid by card," in page
    assert re.search(r"Due by \w+day \d+ \w+ £21\.00 Pay £21\.00", page)


def test_the_rest_is_paid_in_parts_by_several_payers(client: Client) -> None:
    booking = with_deposit()
    here = come_in(client, booking)
    for amount, words in (
        ("21.01", "Pay £21.00 or less."),
        ("0", "Pay £21.00 or less."),
        ("1.001", "is not that fine"),
    ):
        assert words in text(client.post(f"{here}pay/", {"amount": amount, "email": ""}))
    assert Payment.objects.filter(purpose="balance").count() == 0
    sent = client.post(f"{here}pay/", {"amount": "10.50", "email": ""})
    assert sent["Location"].startswith(PAGE)
    link = client.post(f"{here}pay/", {"amount": "10.50", "email": "bo@example.org", "link": "yes"})
    first, second = Payment.objects.filter(purpose="balance").order_by("id")
    assert own_page(second) in link.content.decode()
    assert "Pay £10.50" in text(Client().get(own_page(second)))
    settle(first)
    assert "Thank you, that is paid" in text(Client().get(own_page(first)))
    assert "Pay £10.50" in text(client.get(here))
    settle(second)
    page = text(client.get(here))
    assert "Due by" not in page
    assert "Everything is paid" in text(client.get(f"{here}pay/"))


def test_what_a_cancelled_booking_kept_is_not_offered_to_be_paid_online(client: Client) -> None:
    session = make_session(shop(pay_on_arrival=True, cancel_fee_percent=50), starts_in=timedelta(days=5))
    booking = begin(session, 2, payment_method="pay_on_arrival")
    cancellation.cancel_booking(booking_id=booking.id, actor=CUSTOMER)
    here = come_in(client, booking)
    assert "This cannot be paid online Please pay £10.00 at" in text(client.get(f"{here}pay/"))
    assert "This cannot be paid online" in text(client.post(f"{here}pay/", {"amount": "10.00", "email": ""}))
    assert not Payment.objects.exists()


def test_nobody_pays_a_strangers_booking_by_its_number(client: Client) -> None:
    booking = with_deposit()
    for path in ("pay/", "receipt/", "receipt.pdf"):
        assert client.get(f"/bookings/{booking.number}/{path}").status_code == 404


def test_a_refund_that_failed_and_a_dispute_are_told_in_plain_words(client: Client) -> None:
    booking = paid(sale(), 3)
    with transaction.atomic():
        settlement.give_back(booking_id=booking.id, amount_minor=500, actor=DESK)
    here = come_in(client, booking)
    assert "Goes back to your card" in text(client.get(here))
    assert "on its way; it can take 5 to 10 days" in text(client.get(here))
    Refund.objects.update(status="failed")
    Dispute.objects.create(
        organization_id=booking.organization_id, payment=payment_of(booking), provider_ref="dp_1", amount_minor=100,
        currency="GBP",
    )  # fmt: skip
    page = text(client.get(here))
    assert "did not go through; the venue has been told" in page
    assert "Your bank has asked for this payment back." in page


def test_before_it_is_cancelled_the_page_says_what_goes_back_to_the_card_and_to_the_voucher(client: Client) -> None:
    session = sale(cancel_fee_percent=10)
    booking = paid(
        make_session(session.activity, starts_in=timedelta(days=9)), 3, voucher=voucher_of(session, 1000).code
    )
    here = come_in(client, booking)
    page = text(client.get(f"{here}cancel/"))
    assert "Goes back to your card £20.00 Goes back onto your voucher £7.00 New total £3.00" in page
    cancellation.cancel_booking(booking_id=booking.id, actor=CUSTOMER)
    back = Refund.objects.order_by("-amount_minor").values_list("payment__provider", "amount_minor")
    assert list(back) == [(ProviderName.STRIPE, 2000), (ProviderName.VOUCHER, 700)]
