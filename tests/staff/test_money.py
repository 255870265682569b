"""Money at the desk: who may do what with it, seen before it is done, and the password once more before it leaves."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import transaction
from django.test import Client
from pytest_django.asserts import assertContains, assertNotContains

from bookings.models import Booking, BookingEvent
from config.kit.clock import database_now
from config.kit.facts import SYSTEM
from config.tenants import reauthentication
from config.tenants.models import User
from payments.models import (
    Payment,
    PaymentEvent,
    Refund,
)
from payments.services import refund_rows
from payments.services.balances import balance_of, lock_payment
from scheduling.models import Session
from tests.factories import book, make_activity, make_organization, make_session
from tests.payments.money import give_back, paid_at_desk
from tests.staff.admin_site import act, list_address, messages_of, page_address
from tests.staff.conftest import PASSWORD, SignIn, sign_in_with_password
from tests.staff.money import pay_online

pytestmark = pytest.mark.django_db

ACTS = ("refund", "take-money", "payment-link")
ROLES = ("owner", "manager", "reception", "instructor", "auditor")
REFUND = {"amount": "4.00", "reason_code": "goodwill", "reason": "the rain", "password": PASSWORD}
TILL = {"amount": "6.00", "how": "cash"}
YES, NOT_YOURS, NOWHERE = 200, 403, 404


@pytest.fixture
def session() -> Session:
    return make_session(make_activity(price_minor=1000))


@pytest.fixture
def booking(session: Session) -> Booking:
    """A booking of £20.00, of which nothing is paid."""
    return book(session, party_size=2)


@pytest.fixture
def sign_in_as(db: None) -> SignIn:
    """Sign a new member of staff in, who has a password."""
    return lambda organization, role="manager": sign_in_with_password(organization, role)


def address(booking: Booking, act: str) -> str:
    return page_address(booking).replace("/change/", f"/{act}/")


def do(client: Client, booking: Booking, act: str, **fields: Any) -> Any:
    """Press an act's button."""
    booking.refresh_from_db()
    return client.post(address(booking, act), {"version": booking.version, "do": "", **fields}, follow=True)


# Who may ------------------------------------------------------------------------------------------------------------

MAY = {
    "owner": (YES, YES, YES),
    "manager": (YES, YES, YES),
    "reception": (NOT_YOURS, YES, YES),
    "instructor": (NOT_YOURS,) * 3,
    "auditor": (NOT_YOURS,) * 3,
}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_and_does_the_acts_about_money_that_it_may(
    sign_in_as: SignIn, booking: Booking, role: str
) -> None:
    pay_online(booking, 1000)
    client = sign_in_as(booking.organization, role)
    fields: dict[str, dict[str, Any]] = {"refund": REFUND, "take-money": {**TILL, "amount": "2.00"}, "payment-link": {}}
    opened = tuple(client.get(address(booking, act)).status_code for act in ACTS)
    offered = tuple(YES if f"../{act}/" in client.get(page_address(booking)).content.decode() else NOT_YOURS
        for act in ACTS)  # fmt: skip
    done = tuple(do(client, booking, act, **fields[act]).status_code for act in ACTS)
    assert (opened, offered, done) == (MAY[role],) * 3


@pytest.mark.parametrize("act", ACTS)
def test_another_organizations_money_is_nowhere(sign_in_as: SignIn, booking: Booking, act: str) -> None:
    pay_online(booking, 1000)
    stranger = sign_in_as(make_organization(), "owner")
    assert stranger.get(address(booking, act)).status_code == NOWHERE
    assert do(stranger, booking, act, **REFUND).status_code == NOWHERE
    assert not Refund.objects.exists()


@pytest.mark.parametrize(("role", "shows"), [("manager", True), ("reception", True), ("instructor", False)])
def test_a_bookings_page_shows_its_money_to_those_who_may_look_at_payments(
    sign_in: SignIn, booking: Booking, role: str, shows: bool
) -> None:
    payment = pay_online(booking, 1500)
    give_back(payment, 500)
    page = sign_in(booking.organization, role).get(page_address(booking)).content.decode()
    words = ("£15.00, Stripe: paid", "£5.00 on its way to the provider", "<dt>Due</dt><dd>£10.00</dd>")
    assert [word in page for word in words] == [shows] * 3


# The password -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("password", "status", "words"),
    [("", 422, "Give your password"), ("wrong", NOT_YOURS, "That is not your password.")],
)
def test_without_the_password_nothing_goes_back_and_a_wrong_one_is_counted(
    sign_in_as: SignIn, booking: Booking, password: str, status: int, words: str
) -> None:
    pay_online(booking)
    client = sign_in_as(booking.organization)
    answer = do(client, booking, "refund", **{**REFUND, "password": password})
    assertContains(answer, words, status_code=status)
    assert not Refund.objects.exists()
    assert not BookingEvent.objects.filter(kind="rebate_given").exists()
    assert LogEntry.objects.filter(change_message=reauthentication.WRONG).count() == (1 if password else 0)


def test_after_five_wrong_passwords_the_right_one_does_not_count_either_in_any_session(
    sign_in_as: SignIn, booking: Booking
) -> None:
    pay_online(booking)
    client = sign_in_as(booking.organization)
    for _ in range(reauthentication.MOST_WRONG):
        do(client, booking, "refund", **{**REFUND, "password": "guess"})
    again = Client()
    again.force_login(User.objects.get(pk=client.session["_auth_user_id"]))
    assertContains(do(again, booking, "refund", **REFUND), "Too many wrong passwords", status_code=429)
    assert not Refund.objects.exists()
    LogEntry.objects.update(action_time=database_now() - reauthentication.COUNTED)
    assert do(again, booking, "refund", **REFUND).status_code == YES


def test_the_password_holds_for_five_minutes_of_its_session(sign_in_as: SignIn, booking: Booking) -> None:
    pay_online(booking)
    client = sign_in_as(booking.organization)
    asked_for = 'name="password"'
    assertContains(client.get(address(booking, "refund")), asked_for)
    do(client, booking, "refund", **REFUND)
    assertNotContains(client.get(address(booking, "refund")), asked_for)
    kept = client.session
    kept[reauthentication.GIVEN_AT] -= reauthentication.FRESH.total_seconds()
    kept.save()
    assertContains(client.get(address(booking, "refund")), asked_for)
    assertContains(do(client, booking, "refund", **{**REFUND, "password": ""}), "Give your password", status_code=422)
    assert Refund.objects.count() == 1


# Back ---------------------------------------------------------------------------------------------------------------


def test_a_refund_is_seen_first_then_done_and_its_fact_says_who_and_why(sign_in_as: SignIn, booking: Booking) -> None:
    pay_online(booking)
    client, line = sign_in_as(booking.organization), booking.lines.get()
    fields = {**REFUND, "lines": [str(line.id)]}
    shown = client.post(address(booking, "refund"), {**fields, "preview": "", "version": booking.version})
    assertContains(shown, "The price falls by £4.00, to £16.00.")
    assertContains(shown, "£4.00 goes back as it came")
    assert not Refund.objects.exists()

    assert messages_of(do(client, booking, "refund", **fields)) == ["£4.00 goes back."]

    refund = Refund.objects.get()
    fact = booking.events.get(kind="rebate_given")
    assert (refund.amount_minor, refund.reason, refund.lines) == (400, "goodwill", [str(line.id)])
    assert (fact.actor_kind, fact.reason_code, fact.detail.note) == ("staff", "goodwill", "the rain")
    assert str(fact.actor_id) == client.session["_auth_user_id"]


def test_of_a_booking_that_is_not_paid_whole_less_is_due_before_anything_goes_back(
    sign_in_as: SignIn, booking: Booking
) -> None:
    pay_online(booking, 1800)
    client = sign_in_as(booking.organization)
    shown = client.post(address(booking, "refund"), {**REFUND, "preview": "", "version": booking.version})
    assertContains(shown, "£2.00 goes back as it came")
    assert messages_of(do(client, booking, "refund", **REFUND)) == ["£2.00 goes back."]
    assert (Refund.objects.get().amount_minor, balance_of(booking.id).net_minor) == (200, 1600)


@pytest.mark.parametrize("button", ["preview", "do"])
def test_more_than_was_paid_is_refused_in_words_and_nothing_is_written(
    sign_in_as: SignIn, booking: Booking, button: str
) -> None:
    pay_online(booking, 500)
    fields = {**REFUND, "amount": "5.01", "version": booking.version, button: ""}
    answer = sign_in_as(booking.organization).post(address(booking, "refund"), fields)
    assertContains(answer, "£5.00 can go back, not £5.01.", status_code=409)
    booking.refresh_from_db()
    assert (Refund.objects.count(), booking.total_minor, booking.rebate_minor) == (0, 2000, 0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"reason": " "}, "Say why"),
        ({"amount": "0"}, "It has to be more than nothing."),
        ({"amount": "-4"}, "It has to be more than nothing."),
        ({"amount": "1.234"}, "GBP has 2 digits after the point."),
        ({"amount": "lots"}, "Write the amount in digits"),
        ({"lines": ["01900000-0000-7000-8000-000000000000"]}, "not one of the available choices"),
    ],
)
def test_what_is_filled_in_badly_is_said_at_its_field(
    sign_in_as: SignIn, booking: Booking, wrong: dict[str, Any], words: str
) -> None:
    pay_online(booking)
    assertContains(do(sign_in_as(booking.organization), booking, "refund", **{**REFUND, **wrong}), words,
        status_code=422)  # fmt: skip
    assert not Refund.objects.exists()


def test_a_page_that_is_old_gives_nothing_back(sign_in_as: SignIn, booking: Booking) -> None:
    pay_online(booking)
    fields = {**REFUND, "version": 99, "do": ""}
    answer = sign_in_as(booking.organization).post(address(booking, "refund"), fields)
    assertContains(answer, "has changed since you looked at it", status_code=412)
    assert not Refund.objects.exists()


def failed_refund(booking: Booking) -> Refund:
    """Create a refund that the provider would not make."""
    refund = give_back(pay_online(booking), 500)
    with transaction.atomic():
        lock_payment(refund.payment_id)
        refund_rows.fail(refund, "expired_or_canceled_card", actor=SYSTEM)
    return refund


def test_a_failed_refund_stands_first_and_is_tried_again(sign_in: SignIn, booking: Booking) -> None:
    refund = failed_refund(booking)
    give_back(refund.payment, 100)
    client = sign_in(booking.organization)
    assert next(row.pk for row in client.get(list_address(Refund)).context["cl"].result_list) == refund.pk
    done = act(client, "retry_refunds", refund, from_page=True)
    assert messages_of(done) == ["Refund of £5.00: the provider is asked again."]
    refund.refresh_from_db()
    assert (refund.status, PaymentEvent.objects.filter(kind="refund_retried").count()) == ("requested", 1)
    assert messages_of(act(client, "retry_refunds", refund)) == [
        "Refund of £5.00: This refund does not wait for that any more"
    ]


def test_desk_money_is_noted_as_handed_back_by_those_who_may(sign_in: SignIn, booking: Booking) -> None:
    payment = paid_at_desk(booking.organization_id, 2000, reference=booking.id)
    refund = give_back(payment, 700)
    assertContains(sign_in(booking.organization).get(page_address(refund)), "to be handed back at the desk")
    for role in ("reception", "auditor"):
        act(sign_in(booking.organization, role), "hand_back_refunds", refund)
    assert Refund.objects.get().status == "requested"
    act(sign_in(booking.organization), "hand_back_refunds", refund)
    assert Refund.objects.get().status == "succeeded"


# In -----------------------------------------------------------------------------------------------------------------


def test_money_taken_at_the_desk_is_written_down_with_who_took_it_and_how(sign_in: SignIn, booking: Booking) -> None:
    client = sign_in(booking.organization, "reception")
    shown = client.post(address(booking, "take-money"), {**TILL, "preview": "", "version": booking.version})
    assertContains(shown, "£14.00 is due after that.")
    assert not Payment.objects.exists()

    assert messages_of(do(client, booking, "take-money", **TILL)) == ["£6.00 is written down as paid."]

    payment = Payment.objects.get()
    fact = payment.history.get(kind="payment_succeeded")
    assert (payment.provider, payment.status, payment.amount_minor) == ("on_arrival", "succeeded", 600)
    assert (fact.actor_kind, fact.detail.note) == ("staff", "Cash")
    assert str(fact.actor_id) == client.session["_auth_user_id"]


def test_more_than_is_due_is_not_taken(sign_in: SignIn, booking: Booking) -> None:
    client = sign_in(booking.organization, "reception")
    answer = do(client, booking, "take-money", **{**TILL, "amount": "20.01"})
    assertContains(answer, "£20.00 is due: take that, or less.", status_code=422)
    do(client, booking, "take-money", **{**TILL, "amount": "20.00"})
    again = do(client, booking, "take-money", **TILL)
    assertContains(again, "There is nothing to pay for this booking", status_code=409)
    assert balance_of(booking.id).paid_minor == 2000


def test_the_link_to_pay_is_shown_and_sent_when_asked(sign_in: SignIn, booking: Booking) -> None:
    client = sign_in(booking.organization, "reception")
    assertContains(client.get(address(booking, "payment-link")), f"/bookings/{booking.number}.{booking.token}/?to=pay")
    assert not booking.events.filter(kind="balance_reminded").exists()
    assert messages_of(do(client, booking, "payment-link")) == ["The link goes to anna@example.org."]
    fact = booking.events.get(kind="balance_reminded")
    assert (fact.actor_kind, fact.after["due_minor"], fact.after["currency"]) == ("staff", 2000, "GBP")
