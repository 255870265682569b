"""Which states of a booking and of its payments may stand beside each other: all pairs, asked of the database."""

import itertools
from collections.abc import Mapping

import pytest
from django.db import IntegrityError, connection, transaction

from bookings.models import Booking
from bookings.services import begun, lifecycle, settlement
from config.kit.clock import database_now
from config.kit.facts import SYSTEM
from payments.models import LedgerEntry, Payment, ProviderName
from payments.signals import payment_succeeded
from tests.bookings.paid import begin, pay, payment_of, sale
from tests.factories import CUSTOMER, book, make_session, make_voucher

pytestmark = pytest.mark.django_db
Status = Payment.Status
UNPAID = frozenset({Status.CREATED, Status.PROCESSING, Status.FAILED, Status.CANCELLED})
# One payment of the whole price, of which nothing goes back: a paid booking is a confirmed one, and no other.
BESIDE: Mapping[str, frozenset[str]] = {
    Booking.Status.PENDING: UNPAID,
    Booking.Status.CONFIRMED: frozenset({Status.SUCCEEDED}),
    Booking.Status.EXPIRED: UNPAID,
    Booking.Status.CANCELLED: UNPAID,
}
# What is paid online may fail; what is paid at the desk or by a voucher is there, or is not.
BY_PROVIDER: Mapping[str, frozenset[str]] = {
    ProviderName.STRIPE: frozenset(Status.values),
    ProviderName.ON_ARRIVAL: frozenset({Status.CREATED, Status.SUCCEEDED, Status.CANCELLED}),
    ProviderName.VOUCHER: frozenset({Status.CREATED, Status.SUCCEEDED, Status.CANCELLED}),
}


def move_payment(payment: Payment, to: str) -> None:
    """Write a state past every service."""
    if to == payment.status:
        return
    times = {"settled_at": database_now()} if to == Status.SUCCEEDED else {}
    Payment.objects.filter(id=payment.id).update(status=to, **times)


def move_booking(booking: Booking, to: str) -> None:
    """Write a state with its fact, past everything that knows of money."""
    locked = lifecycle.lock_booking(booking.id)
    if to == Booking.Status.CANCELLED:
        begun.leave(locked, actor=CUSTOMER)
    elif to != Booking.Status.PENDING:
        lifecycle.transition(locked, to=Booking.Status(to), kind=f"booking_{to}", actor=SYSTEM)


@transaction.atomic
def bring_about(booking: Booking, booking_status: str, payment_status: str) -> None:
    move_booking(booking, booking_status)
    move_payment(payment_of(booking), payment_status)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.parametrize(("of_booking", "of_payment"), itertools.product(Booking.Status.values, Status.values))
def test_every_pair_of_booking_and_payment_is_allowed_or_refused_by_the_table(of_booking: str, of_payment: str) -> None:
    booking = begin(sale())
    if of_payment in BESIDE[of_booking]:
        bring_about(booking, of_booking, of_payment)
        booking.refresh_from_db()
        assert (booking.status, payment_of(booking).status) == (of_booking, of_payment)
    else:
        with pytest.raises(IntegrityError, match=r"is confirmed with 0 of|owes \d+ and has 1000"):
            bring_about(booking, of_booking, of_payment)


@pytest.mark.parametrize(("provider", "status"), itertools.product(ProviderName.values, Status.values))
def test_every_pair_of_method_and_payment_is_allowed_or_refused_by_the_database(provider: str, status: str) -> None:
    session = sale(pay_on_arrival=True)
    booking = begin(session, payment_method="online")
    voucher = make_voucher(session.organization, 1000) if provider == ProviderName.VOUCHER else None
    payment = Payment.objects.create(
        organization_id=session.organization_id, provider=provider, reference=book(make_session()).id, currency="GBP",
        amount_minor=1000, voucher=voucher,
        account=payment_of(booking).account if provider == ProviderName.STRIPE else None,
    )  # fmt: skip
    if status in BY_PROVIDER[provider]:
        move_payment(payment, status)
        payment.refresh_from_db()
        assert payment.status == status
    else:
        with pytest.raises(IntegrityError, match="payment_status_of_its_provider"):
            move_payment(payment, status)


def test_money_that_nobody_hears_of_is_not_settled() -> None:
    """The control of the service, and the guard behind it: with the receiver gone the database refuses."""
    booking = begin(sale())
    heard = payment_succeeded.receivers
    payment_succeeded.receivers = []
    payment_succeeded.sender_receivers_cache.clear()
    try:
        with pytest.raises(IntegrityError, match=r"owes 1000 and has 1000"), transaction.atomic():
            settle_and_ask(booking)
    finally:
        payment_succeeded.receivers = heard
        payment_succeeded.sender_receivers_cache.clear()
    assert not LedgerEntry.objects.exists()
    assert pay(booking).status == "confirmed"


def settle_and_ask(booking: Booking) -> None:
    pay(booking)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_free_booking_has_no_price_and_a_priced_one_is_not_free() -> None:
    booking = begin(sale())
    with pytest.raises(IntegrityError, match="booking_free_means_zero"), transaction.atomic():
        Booking.objects.filter(id=booking.id).update(payment_method="free")
    assert settlement.required_minor(booking) == 1000
