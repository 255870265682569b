"""The pages of money, as the server renders them. What the provider says is said by the test; it is never asked."""

import re
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from bookings.models import Booking, PromoCode
from bookings.services import settlement
from payments.models import Payment
from payments.services import charges
from scheduling.models import Reservation
from tests.bookings.paid import payment_of, sale, settle, shop
from tests.factories import hold, lapse, make_sessions
from tests.pages.money import (
    DESK,
    PAGE,
    Bank,
    basket_at,
    come_in,
    own_page,
    priced,
    voucher_of,
    with_deposit,
)
from tests.pages.test_booking_pages import address, text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bank")]
CHECKOUT_QUERIES, PAYMENT_QUERIES, BOOKING_QUERIES = 8, 5, 11


# Selling online ------------------------------------------------------------------------------------------------------


def test_what_is_paid_online_is_offered_where_the_organization_can_take_it(client: Client) -> None:
    session = sale()
    assert "data-book" in client.get(address(session.activity)).content.decode()
    checkout = client.get(basket_at(client, session, 2))
    assert "Pay £20.00" in text(checkout)
    assert "arrival" not in text(checkout)


def test_paying_leads_to_the_providers_page_and_holds_the_places_until_it_is_paid(client: Client, bank: Bank) -> None:
    here = basket_at(client, sale(), 2)
    sent = client.post(here, priced(client.get(here)))
    booking, payment = Booking.objects.get(), Payment.objects.get()
    assert (sent.status_code, sent["Location"]) == (302, f"{PAGE}{payment.id}")
    assert (booking.status, payment.amount_minor, bank.asked) == ("pending", 2000, [payment.id])
    again = client.post(here, priced(client.get(here)))
    assert (again["Location"], Booking.objects.count(), Payment.objects.count()) == (sent["Location"], 1, 1)
    settle(payment)
    assert client.get(own_page(payment))["Location"] == f"/bookings/{booking.number}.{booking.token}/"
    assert Reservation.objects.get().status == "confirmed"


def test_who_chooses_between_ways_to_pay_reads_what_each_comes_to(client: Client) -> None:
    session = sale(pay_on_arrival=True, deposit_percent=30, balance_days=0)
    here = basket_at(client, session, 2)
    shown = text(client.get(here))
    assert "How do you want to pay? Pay now £14.00 by" in shown
    assert "£6.00 Pay on arrival £20.00 Pay £6.00 Book, and pay £20.00 on arrival" in shown
    client.post(here, priced(client.get(here), payment_method="pay_on_arrival"))
    assert (Booking.objects.get().status, Payment.objects.count()) == ("confirmed", 0)


def test_a_code_is_priced_before_anything_is_booked_and_what_is_wrong_with_it_stands_at_its_field(
    client: Client,
) -> None:
    session = sale()
    PromoCode.objects.create(organization_id=session.organization_id, code="TENTH", percent=10, currency="GBP")
    here = basket_at(client, session, 2)
    wrong = client.post(here, {"promo_code": "NOPE", "act": "apply"})
    assert wrong.status_code == 422
    assert 'class="wrong" id="id_promo_code_error">We know no promo code like this.<' in wrong.content.decode()
    right = client.post(here, priced(wrong, promo_code=" tenth "))  # by the button that books: it is shown first
    assert "Code TENTH, 10 % off −£2.00 Total £18.00" in text(right)
    assert "This is the price now. Nothing is booked yet." in text(right)
    assert not Booking.objects.exists()
    assert 'value="Anna Archer"' in right.content.decode()
    client.post(here, priced(right))
    assert Booking.objects.get().total_minor == Payment.objects.get().amount_minor == 1800


def test_a_voucher_that_pays_everything_books_at_once(client: Client, bank: Bank) -> None:
    session = sale()
    voucher = voucher_of(session, 5000)
    here = basket_at(client, session, 2)
    shown = client.post(here, priced(client.get(here), voucher=voucher.code, act="apply"))
    assert "Voucher −£20.00 Left to pay £0.00" in text(shown)
    assert "Book with your voucher" in text(shown)
    booked = client.post(here, priced(shown), follow=True)
    assert "Paid with a voucher" in text(booked)
    voucher.refresh_from_db()
    assert (voucher.balance_minor, bank.asked) == (3000, [])


def test_a_voucher_pays_its_part_of_what_is_paid_on_arrival(client: Client) -> None:
    session = sale(pay_on_arrival=True)
    voucher = voucher_of(session, 500)
    here = basket_at(client, session, 2)
    shown = client.post(
        here, priced(client.get(here), voucher=voucher.code, act="apply", payment_method="pay_on_arrival")
    )
    booked = client.post(here, priced(shown, payment_method="pay_on_arrival"), follow=True)
    assert "Total £20.00 Paid with a voucher" in text(booked)
    assert "Still to pay £15.00" in text(booked)
    voucher.refresh_from_db()
    assert voucher.balance_minor == 0


@pytest.mark.parametrize("lines", [1, 3])
def test_pages_of_money_take_as_many_questions_however_much_was_booked(
    client: Client, lines: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    sessions = make_sessions(lines, shop())
    here = basket_at(client, sessions[0])
    for session in sessions[1:]:
        hold(session, basket=Reservation.objects.earliest("held_at").basket)
    with django_assert_num_queries(CHECKOUT_QUERIES):
        client.get(here)
    client.post(here, priced(client.get(here)))
    booking = Booking.objects.get()
    settle(payment_of(booking))
    for _ in range(lines):
        with transaction.atomic():
            settlement.give_back(booking_id=booking.id, amount_minor=100, actor=DESK)
    stranger = Client()
    with django_assert_num_queries(PAYMENT_QUERIES):
        stranger.get(own_page(payment_of(booking)))
    come_in(client, booking)
    with django_assert_num_queries(BOOKING_QUERIES):
        client.get(f"/bookings/{booking.number}/")


def test_our_pages_ask_for_no_card(client: Client) -> None:
    booking = with_deposit()
    here = basket_at(client, sale())
    pages = [client.get(path) for path in (here, f"{come_in(client, booking)}pay/", own_page(payment_of(booking)))]
    fields = [name for page in pages for name in re.findall(r'<input[^>]*name="([^"]+)"', page.content.decode())]
    assert [name for name in fields if re.search(r"card|cvc|cvv|expir|iban|pan\b", name)] == []
    assert not any('autocomplete="cc-' in page.content.decode() for page in pages)


# Begun, and not paid -------------------------------------------------------------------------------------------------


def test_who_comes_back_unpaid_is_told_and_can_go_on_or_change_the_order(client: Client) -> None:
    session = sale(pay_on_arrival=True)
    voucher = voucher_of(session, 500)
    here = basket_at(client, session, 2)
    shown = client.post(here, priced(client.get(here), voucher=voucher.code, act="apply"))
    client.post(here, priced(shown, payment_method="online"))
    begun = client.get(here)
    assert "You have not paid yet" in text(begun)
    assert "We keep these places for you until" in text(begun)
    assert "Voucher −£5.00 Left to pay £15.00" in text(begun)
    assert client.post(here, {"act": "pay"})["Location"].startswith(PAGE)
    changed = client.post(here, {"act": "change"}, follow=True)
    assert 'value="anna@example.org"' in changed.content.decode()  # who it is need not be written again
    voucher.refresh_from_db()
    assert (Booking.objects.get().status, voucher.balance_minor) == ("cancelled", 500)
    assert Reservation.objects.get().status == "held"


def test_giving_the_places_back_lets_go_of_what_was_begun(client: Client) -> None:
    here = basket_at(client, sale())
    client.post(here, priced(client.get(here)))
    client.post(f"{here}release/")
    assert (Booking.objects.get().status, Reservation.objects.get().status) == ("cancelled", "released")


def test_what_was_begun_and_lapsed_says_where_a_payment_can_be_seen(client: Client) -> None:
    here = basket_at(client, sale())
    client.post(here, priced(client.get(here)))
    lapse(Reservation.objects.get())
    page = client.get(here)
    assert "You had begun to pay." in text(page)
    assert own_page(Payment.objects.get()) in page.content.decode()


def test_while_the_provider_is_away_the_order_is_kept_and_can_be_paid_later_or_on_arrival(
    client: Client, bank: Bank
) -> None:
    bank.is_away = True
    here = basket_at(client, sale(pay_on_arrival=True), 2)
    away = client.post(here, priced(client.get(here), payment_method="online"))
    assert (away.status_code, away["Retry-After"]) == (503, "30")
    assert "Nothing was charged, and nothing is lost" in text(away)
    assert "We keep these places for you until" in text(away)
    assert client.post(here, {"act": "pay"}).status_code == 503
    begun = Booking.objects.get()
    bank.is_away = False
    assert client.post(here, {"act": "pay"})["Location"].startswith(PAGE)
    assert (Booking.objects.get(), Payment.objects.count()) == (begun, 1)
    form = client.post(f"{here}?pay=pay_on_arrival", {"act": "change"}, follow=True)
    assert re.search(r'value="pay_on_arrival" class="way-arrival" checked', form.content.decode())
    client.post(here, priced(form, payment_method="pay_on_arrival"))
    assert Booking.objects.latest("id").status == "confirmed"


def test_a_payment_that_the_provider_will_never_take_is_said_where_the_order_stands(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: UUID, **__: str) -> Payment:
        raise charges.PaymentRefused

    monkeypatch.setattr(charges, "begin_payment", refuse)
    here = basket_at(client, sale(), 2)
    answer = client.post(here, priced(client.get(here)))
    assert answer.status_code == charges.PaymentRefused.status
    assert "The payment provider does not take this payment. Nothing was charged" in text(answer)
    assert "We keep these places for you until" in text(answer)


# In a frame ----------------------------------------------------------------------------------------------------------


def test_in_a_frame_the_payment_opens_on_top_and_the_frame_waits_until_it_is_booked(client: Client) -> None:
    session = sale()
    address_of = f"/embed/{session.activity_id}/{session.id}/"

    def proof(response: Any) -> dict[str, str]:
        return {"embed_token": response.content.decode().split('name="embed_token" value="')[1].split('"')[0]}

    unit = f"unit-{session.activity.units.get().id}"
    here = client.post(address_of, {unit: 1, **proof(client.get(address_of))})["Location"]
    shown = client.get(here)
    assert client.post(here, {**priced(shown), **proof(shown)})["Location"] == here
    payment = Payment.objects.get()
    waiting = client.get(here)
    assert f'href="{own_page(payment)}go/" target="_blank" rel="noopener">Pay £10.00' in waiting.content.decode()
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in waiting.content.decode()
    assert not waiting.cookies
    settle(payment)
    booking = Booking.objects.get()
    assert client.get(here)["Location"] == f"/embed/bookings/{booking.number}.{booking.token}/"
    assert "You are booked" in text(client.get(client.get(here)["Location"]))


def test_in_a_frame_the_rest_is_paid_on_top_and_the_receipt_is_a_file(client: Client) -> None:
    booking = with_deposit()
    here = f"/embed/bookings/{booking.number}.{booking.token}/"
    assert f'href="{here}pay/">Pay £21.00' in client.get(here).content.decode()
    form = client.get(f"{here}pay/")
    token = form.content.decode().split('name="embed_token" value="')[1].split('"')[0]
    sent = client.post(f"{here}pay/", {"amount": "21.00", "email": "", "embed_token": token})
    payment = Payment.objects.get(purpose="balance")
    assert f'{own_page(payment)}go/" target="_blank" rel="noopener">Pay £21.00' in sent.content.decode()
    assert client.get(f"{here}receipt.pdf").content[:5] == b"%PDF-"


def test_who_was_named_for_a_minors_sake_need_not_be_named_again(client: Client) -> None:
    session = sale()
    session.activity.organization.consent_under_age = 16
    session.activity.organization.save()
    here = basket_at(client, session)
    prefix = f"who-{Reservation.objects.get().id}-0"
    named = {f"{prefix}-name": "Ada", f"{prefix}-birth_date": "2015-04-30", f"{prefix}-consent_by": "Anna Archer"}
    client.post(here, priced(client.get(here), **named))
    body = client.post(here, {"act": "change"}, follow=True).content.decode()
    assert [value for value in ('value="Ada"', 'value="2015-04-30"') if value not in body] == []
