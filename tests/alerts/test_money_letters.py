"""What customers are told of their money: once each, in plain words."""

from datetime import timedelta

import pytest
from django.test import Client

from alerts.models import Notification
from alerts.sandbox.server import Provider
from bookings.services import expiry
from config.kit.clock import database_now
from payments.models import Refund
from tests.alerts.mail import mails, tell
from tests.alerts.money import (
    cancel,
    paid,
    pay_too_late,
    payment_of,
    take_at_desk,
    texts,
    told,
    with_deposit,
)
from tests.factories import (
    answer_refund,
    book,
    book_online,
    decide_dispute,
    dispute,
    give_up_refund,
    lapse,
    make_session,
    make_voucher,
)
from tests.staff.conftest import make_member

pytestmark = pytest.mark.usefixtures("committed_db")


def test_the_confirmation_says_what_was_paid_and_where_the_receipt_is(provider: Provider) -> None:
    booking = paid(party_size=2)
    ((title, text),) = texts(provider)
    assert title.startswith("Booked: ")
    assert "Total: £20.00\nPaid: £20.00\n" in text
    assert f"/bookings/{booking.number}.{booking.token}/?to=receipt" in text


def test_the_confirmation_says_what_is_due_and_when_or_that_it_is_paid_on_arrival(provider: Provider) -> None:
    with_deposit()
    book(make_session())
    online, at_desk = (text for _, text in texts(provider))
    assert "Paid: £3.00\nStill to pay: £7.00, by " in online
    assert "Total: £10.00\nTo pay on arrival: £10.00\n" in at_desk
    assert "receipt" not in at_desk


def test_a_balance_that_is_paid_is_told_with_what_is_left(provider: Provider) -> None:
    booking = with_deposit()
    take_at_desk(booking, 500)
    assert told() == ["payment_received"]
    title, text = texts(provider)[-1]
    assert title == f"Paid: £5.00 for booking {booking.number}"
    assert "Total: £10.00\nPaid: £8.00\nStill to pay: £2.00, by " in text


def test_money_that_went_back_is_told_once_it_did(provider: Provider) -> None:
    booking = paid()
    refund = cancel(booking)
    assert told() == []
    answer_refund(refund)
    assert told() == ["payment_returned"]
    title, text = texts(provider)[-1]
    assert title == f"£10.00 goes back to you: booking {booking.number}"
    assert "Your bank may take 5 to 10 days to show it." in text


def test_who_paid_too_late_is_told_why_once_and_not_again_when_the_money_went(provider: Provider) -> None:
    booking = pay_too_late()
    answer_refund(Refund.objects.get(reference=booking.id))
    assert told() == ["late_payment_returned"]
    (found,) = [text for title, text in texts(provider) if title.startswith("Your payment of £10.00 goes back")]
    assert "your places had been given to others" in found


def test_a_voucher_that_was_spent_in_vain_is_told_to_have_its_money_back(provider: Provider) -> None:
    session = make_session()
    booking = book_online(session, voucher=make_voucher(session.organization, 400).code)
    lapse(booking.lines.get().reservation, ago=timedelta(minutes=1))
    expiry.expire_pending_bookings()
    assert told() == ["payment_returned"]
    assert "£4.00 is back on your voucher." in texts(provider)[-1][1]


def test_an_unpaid_booking_that_expires_is_told_to_nobody() -> None:
    booking = book_online(make_session())
    lapse(booking.lines.get().reservation, ago=timedelta(minutes=1))
    assert (expiry.expire_pending_bookings(), told(), Notification.objects.count()) == (1, [], 0)


def test_a_refund_that_failed_is_told_to_the_customer_with_what_we_do(provider: Provider) -> None:
    booking = paid()
    give_up_refund(cancel(booking))
    assert told() == ["refund_failed"]
    assert "We know of it and will be in touch" in texts(provider)[-1][1]


def test_a_dispute_is_told_to_the_customer_and_to_who_runs_the_organization(provider: Provider) -> None:
    booking = paid()
    owner = make_member(booking.organization, "owner")
    make_member(booking.organization, "reception")
    asked = dispute(payment_of(booking))
    tell()
    sent = {mail["to"][0]: mail["subject"] for mail in mails(provider) if not mail["subject"].startswith("Booked")}
    assert sent == {
        booking.customer.email: f"Your bank asks for £10.00 back: booking {booking.number}",
        owner.email: f"Payment disputed: £10.00, booking {booking.number}",
    }
    decide_dispute(asked, "won")
    booking.refresh_from_db()
    assert (booking.status, told()) == ("confirmed", ["payment_disputed"])


def test_who_was_forgotten_is_told_nothing_of_money() -> None:
    booking = paid()
    booking.customer.erased_at = database_now()
    booking.customer.save(update_fields=["erased_at"])
    dispute(payment_of(booking))
    assert told() == []


@pytest.mark.parametrize(("to", "leads_to"), [("receipt", "receipt/"), ("pay", "pay/"), ("elsewhere", ""), ("", "")])
def test_a_letters_link_opens_the_booking_and_leads_on(client: Client, to: str, leads_to: str) -> None:
    booking = paid()
    answer = client.get(f"/bookings/{booking.number}.{booking.token}/", {"to": to} if to else {})
    assert (answer.status_code, answer["Location"]) == (302, f"/bookings/{booking.number}/{leads_to}")
    assert client.cookies["booking"].value == booking.token
