"""The page of one payment: what it says to whoever has its address, and what can be done there."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client

from bookings.models import Booking
from bookings.services import cancellation, desk_money, settlement
from payments.models import Payment, Refund
from payments.providers.base import Outcome, State
from payments.services import charges
from scheduling.models import Reservation
from tests.bookings.paid import begin, paid, payment_of, sale, settle, shop
from tests.factories import CUSTOMER, hold, lapse, make_session
from tests.pages.money import DESK, PAGE, basket_at, close_as, come_in, lapsed_balance, own_page, priced, with_deposit
from tests.pages.test_booking_pages import text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bank")]


def test_a_payment_says_how_it_stands_to_whoever_has_its_address_and_nothing_of_who_booked(client: Client) -> None:
    booking = begin(sale(), 2)
    payment = payment_of(booking)
    assert "Pay £20.00" in text(client.get(own_page(payment)))
    sent = client.get(f"{own_page(payment)}go/")
    assert sent["Location"] == f"{PAGE}{payment.id}"
    assert "Waiting for your payment" in text(client.get(own_page(payment)))
    settle(payment)
    page = client.get(own_page(payment))
    assert "You are booked" in text(page)
    assert "The link to the booking was sent by e-mail." in text(page)
    body = page.content.decode()
    assert [word for word in ("Anna", "anna@", booking.token) if word in body] == []
    assert client.get(f"/pay/{payment.id}.{booking.token}/").status_code == 404


def test_a_declined_payment_can_be_tried_again_while_the_places_are_held_and_not_afterwards(client: Client) -> None:
    booking = begin(sale(), 2)
    payment = payment_of(booking)
    outcome = Outcome(State.FAILED, payment.amount_minor, "GBP", failure_code="insufficient_funds")
    charges.apply_outcome(payment.id, outcome)
    page = client.get(own_page(payment))
    assert "There was not enough money on the card. Nothing was charged. We keep your places until" in text(page)
    assert Reservation.objects.get().status == "held"
    assert client.get(f"{own_page(payment)}go/")["Location"] == own_page(payment)  # a look opens nothing
    assert client.post(f"{own_page(payment)}go/")["Location"] == f"{PAGE}{payment_of(booking).id}"
    assert Payment.objects.filter(reference=booking.id).count() == 2
    lapse(Reservation.objects.get())
    over = client.get(own_page(payment))
    assert "The payment was not made" in text(over)
    assert "Choose again" in text(over)


def test_money_that_came_too_late_is_said_to_go_back_and_why(client: Client) -> None:
    session = sale(capacity=2)
    booking = begin(session, 2)
    lapse(Reservation.objects.get())
    with transaction.atomic():
        settlement.expire(Booking.objects.get(id=booking.id), reason_code="not_paid")
    hold(session, 1)
    payment = settle(payment_of(booking))
    page = text(client.get(own_page(payment)))
    assert "Your money goes back to you" in page
    assert "Somebody else had booked the places in the meantime." in page
    assert "£20.00 goes back to you the way you paid. It can take 5 to 10 days." in page
    Refund.objects.update(status="failed")
    assert "School" in text(client.get(own_page(payment)))


def wrong_amount(payment: Payment) -> None:
    """Let the provider say that another amount came than was asked for."""
    charges.apply_outcome(payment.id, Outcome(State.OPEN, payment.amount_minor, "GBP", redirect_url=PAGE))
    charges.apply_outcome(payment.id, Outcome(State.SUCCEEDED, 1999, "GBP"))


def test_another_amount_than_was_asked_for_is_told_and_nobody_is_asked_to_pay_again(client: Client) -> None:
    here = basket_at(client, sale(), 2)
    client.post(here, priced(client.get(here)))
    wrong_amount(Payment.objects.get())
    page = client.get(own_page(Payment.objects.get()))
    assert "Not the amount we asked for We asked for £20.00 , and the payment that came is of £19.99" in text(page)
    assert [word for word in ("Waiting", "go on to payment", "refresh") if word in page.content.decode()] == []
    begun = client.get(here)
    assert "the payment that came is of £19.99" in text(begun)
    assert "Go on to payment" not in text(begun)


def test_who_paid_and_cancelled_later_is_not_told_that_the_money_came_too_late(client: Client) -> None:
    booking = paid(make_session(shop(), starts_in=timedelta(days=5)), 2)
    cancelled = cancellation.cancel_booking(booking_id=booking.id, actor=CUSTOMER)
    assert cancelled.status == "cancelled"
    page = text(client.get(own_page(payment_of(booking))))
    assert "The booking was cancelled You had paid for it before. £20.00 goes back to you the way you paid." in page
    assert "could not be booked" not in page


def test_a_payment_that_is_left_open_says_booked_when_the_desk_has_taken_the_money(client: Client) -> None:
    booking = begin(sale(), 2)
    waiting = payment_of(booking)
    charges.apply_outcome(waiting.id, Outcome(State.OPEN, 2000, "GBP", redirect_url=PAGE))
    desk_money.take_money(booking_id=booking.id, amount_minor=2000, actor=DESK)
    assert "You are booked" in text(client.get(own_page(waiting)))


# A link for somebody else to pay -------------------------------------------------------------------------------------


def test_a_link_to_pay_stays_good_while_something_is_due(client: Client) -> None:
    booking = with_deposit()
    come_in(client, booking)
    client.post(f"/bookings/{booking.number}/pay/", {"amount": "10.50", "email": "bo@example.org", "link": "yes"})
    first = Payment.objects.get(purpose="balance")
    charges.apply_outcome(first.id, Outcome(State.CANCELLED, first.amount_minor, "GBP"))
    stranger = Client()
    assert "Try again, or with another card" in text(stranger.get(own_page(first)))
    again = stranger.post(f"{own_page(first)}go/")
    second = Payment.objects.filter(purpose="balance").latest("id")
    assert (again["Location"], second.amount_minor) == (f"{PAGE}{second.id}", 1050)
    assert second.payer_email == "bo@example.org"


def test_a_link_to_pay_whose_hour_is_over_offers_another_payment_at_once(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    close_as(monkeypatch, State.CANCELLED)
    booking = with_deposit()
    first = lapsed_balance(booking)
    page = client.get(own_page(first))
    assert text(page).count("Pay £10.50") == 2  # the heading and the button
    assert [word for word in ("Waiting", "nothing to pay") if word in text(page)] == []
    sent = client.post(f"{own_page(first)}go/")
    second = Payment.objects.filter(purpose="balance").latest("id")
    first.refresh_from_db()
    assert (sent["Location"], second.amount_minor, first.status) == (f"{PAGE}{second.id}", 1050, "cancelled")


def test_a_link_to_pay_that_was_paid_at_the_last_second_asks_for_nothing_more(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    close_as(monkeypatch, State.SUCCEEDED)
    first = lapsed_balance(with_deposit())
    assert client.post(f"{own_page(first)}go/")["Location"] == own_page(first)
    assert Payment.objects.filter(purpose="balance").count() == 1
    assert "Thank you, that is paid" in text(client.get(own_page(first)))


def test_a_link_to_pay_asks_for_what_is_still_due_and_then_for_nothing(client: Client) -> None:
    booking = with_deposit()
    first = lapsed_balance(booking, 2100)
    desk_money.take_money(booking_id=booking.id, amount_minor=2000, actor=DESK)
    assert "Pay £1.00" in text(client.get(own_page(first)))
    desk_money.take_money(booking_id=booking.id, amount_minor=100, actor=DESK)
    page = text(client.get(own_page(first)))
    assert "There is nothing to pay here any more" in page
    assert "Choose again" not in page
