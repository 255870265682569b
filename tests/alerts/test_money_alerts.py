"""Alerts about money: each once, with what to do next; balances that are due; the story of it."""

from datetime import timedelta

import pytest
from django.db import transaction

from alerts.models import Alert, Notification
from alerts.sandbox.server import Provider
from alerts.services import fan_out, providers
from alerts.services.alerts import acknowledge_alert, resolve_alert
from alerts.tasks import watch_providers
from bookings.services import expiry, settlement
from bookings.timeline import story_of, timeline_of
from config.kit.clock import database_now
from payments.models import ProviderAccount, Refund
from payments.providers.base import AccountBroken, State
from payments.services import payment_rows, refund_rows
from payments.services.balances import lock_payment
from tests.alerts.mail import tell
from tests.alerts.money import (
    STAFF,
    WEEKS,
    alert,
    cancel,
    differ,
    fall_due,
    paid,
    pay_too_late,
    payment_of,
    said,
    take_at_desk,
    texts,
    with_deposit,
)
from tests.factories import (
    answer_refund,
    book_online,
    decide_dispute,
    dispute,
    give_up_refund,
    make_account,
    make_session,
    open_payment_of,
    settle_payment,
)

pytestmark = pytest.mark.usefixtures("committed_db")


def test_a_late_payment_that_goes_back_is_an_alert_with_the_reason() -> None:
    booking = pay_too_late()
    found = alert()
    assert said(found)[:2] == ("late_payment_returned", "high")
    assert found.description == (
        f"£10.00 for {booking.number} came when the places were gone. It goes back by itself, and the customer is told"
        " why. Call them if other places would do."
    )
    assert (found.metadata["booking"], found.metadata["why"]) == (str(booking.id), "places_gone")


def test_a_refund_that_was_given_up_is_an_alert() -> None:
    booking = paid()
    give_up_refund(cancel(booking))
    assert said(alert())[:2] == ("refund_failed", "high")
    assert f"£10.00 for {booking.number}" in Alert.objects.get().description


def test_a_refund_that_has_not_gone_back_after_a_day_is_an_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refund_rows, "LATE_AFTER", timedelta(0))
    booking = paid()
    answer_refund(cancel(booking), State.OPEN)
    assert said(alert())[:2] == ("refund_delayed", "high")
    assert f"£10.00 for {booking.number} was to go back more than a day ago" in Alert.objects.get().description


def test_a_dispute_is_an_alert_that_says_until_when_to_answer_and_another_when_it_is_lost() -> None:
    booking = paid()
    asked = dispute(payment_of(booking), answer_by=database_now() + WEEKS)
    found = alert()
    assert said(found)[:2] == ("payment_disputed", "high")
    assert f"£10.00 of {booking.number} back. Answer it at the payment provider by " in found.description
    decide_dispute(asked, "lost")
    fan_out.fan_out_facts()
    assert said(Alert.objects.exclude(id=found.id).get())[:2] == ("dispute_lost", "medium")


def test_another_amount_than_was_asked_is_an_alert_once_and_confirms_nothing() -> None:
    booking = book_online(make_session())
    for _ in range(2):
        settle_payment(open_payment_of(booking), amount_minor=999)
    booking.refresh_from_db()
    assert (said(alert())[:2], booking.status) == (("payment_mismatched", "high"), "pending")
    assert f"For {booking.number} £9.99 came instead of £10.00." in Alert.objects.get().description


def test_differences_of_a_reconciliation_are_an_alert_until_they_change() -> None:
    account = make_account(make_session().organization)
    differ(account)
    row = differ(account, "ch_1", "ch_2")
    found = alert()
    assert said(found)[:2] == ("reconciliation_differed", "high")
    assert "2 differences between the statement of acct_" in found.description
    assert found.metadata["reconciliation"] == str(row.id)
    differ(account, "ch_2", "ch_1")
    assert alert() == found
    differ(account, "ch_1", "ch_2", "ch_3")
    fan_out.fan_out_facts()
    assert Alert.objects.count() == 2


def test_a_key_that_the_provider_refuses_is_one_open_alert_whoever_notices() -> None:
    booking = book_online(make_session())
    account = ProviderAccount.objects.get()
    for _ in range(2):
        with transaction.atomic():
            payment = lock_payment(open_payment_of(booking).id)
            payment_rows.record_payment_event(
                payment, kind="account_refused", actor=STAFF, after={"failure_code": "key_refused"}
            )
    providers.note_call(str(account.id), AccountBroken("no"))
    assert watch_providers() == 1
    found = alert()
    assert said(found)[:2] == ("provider_account_broken", "high")
    acknowledge_alert(alert_id=found.id)
    resolve_alert(alert_id=found.id)
    watch_providers()
    assert Alert.objects.count() == 2
    providers.note_call(str(account.id), None)
    assert watch_providers() == 0


# Balances (R-PAY-14) ----------------------------------------------------------------------------------------------


def test_a_balance_is_reminded_of_once_with_the_way_to_pay_it_and_the_booking_stands(provider: Provider) -> None:
    booking = with_deposit()
    fall_due(booking, ago=-timedelta(days=2))
    assert [expiry.tell_balances() for _ in range(2)] == [1, 0]
    title, text = texts(provider)[-1]
    assert title == f"Still to pay: £7.00 for booking {booking.number}"
    assert f"/bookings/{booking.number}.{booking.token}/?to=pay" in text


def test_an_overdue_balance_is_told_to_the_customer_and_is_an_alert_and_nobody_is_cancelled() -> None:
    booking = with_deposit()
    fall_due(booking, ago=timedelta(hours=1))
    expiry.tell_balances()
    found = alert()
    assert said(found)[:2] == ("balance_overdue", "medium")
    assert f"£7.00 of {booking.number} was to be paid by " in found.description
    assert Notification.objects.filter(kind="balance_overdue", recipient=booking.customer.email).count() == 1
    booking.refresh_from_db()
    assert booking.status == "confirmed"


def test_nobody_is_asked_for_what_was_paid_meanwhile(provider: Provider) -> None:
    booking = with_deposit()
    fall_due(booking, ago=-timedelta(days=2))
    expiry.tell_balances()
    fan_out.fan_out_facts()
    settlement.give_back(booking_id=booking.id, amount_minor=300, actor=STAFF, reason_code="goodwill")
    take_at_desk(booking, 400)
    tell()
    assert list(Notification.objects.filter(kind="balance_reminded").values_list("status", flat=True)) == ["dropped"]


# The story --------------------------------------------------------------------------------------------------------


def test_the_timeline_says_every_act_of_money_with_its_amount() -> None:
    booking = paid(party_size=2)
    asked = dispute(payment_of(booking))
    decide_dispute(asked, "won")
    settlement.give_back(booking_id=booking.id, amount_minor=500, actor=STAFF, reason_code="goodwill")
    answer_refund(Refund.objects.get(reference=booking.id))
    assert [(entry.what, entry.note) for entry in timeline_of(booking) if entry.note] == [
        ("Paid", "£20.00, online"),
        ("The payer's bank asks for money back", "£20.00"),
        ("Dispute won: the money stays", "£20.00"),
        ("Let off a part of the price", "£5.00"),
        ("Money given back", "£5.00"),
    ]


def test_the_customers_own_story_says_it_in_their_words() -> None:
    booking = pay_too_late()
    zone = booking.lines.get().session.activity.venue.zone
    assert [(told.what, told.money) for told in story_of(booking, zone)] == [
        ("Expired, because it was not paid for", ""),
        ("Paid", "£10.00, online"),
        ("Paid too late; the money goes back to you", "£10.00, the places were gone"),
    ]
