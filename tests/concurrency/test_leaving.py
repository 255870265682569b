"""A customer turns back at the moment at which the money comes: booked and paid, or left with the money on its way."""

from collections.abc import Callable
from functools import partial

import pytest

from alerts.services.auditor import check_invariants
from bookings.models import Booking
from bookings.services import lifecycle
from bookings.services.leaving import leave_checkout
from payments.services.balances import balance_of
from scheduling.models import Reservation
from tests.bookings.paid import begin, payment_of, sale, settle
from tests.concurrency.races import race
from tests.factories import CUSTOMER

pytestmark = pytest.mark.usefixtures("committed_db")
ROUNDS = 6


def race_once() -> tuple[Booking, list[object]]:
    """Pay, leave and leave again at the same moment."""
    booking = begin(sale())
    basket = Reservation.objects.get(lines__booking=booking).basket
    leave = partial(leave_checkout, basket=basket, actor=CUSTOMER)
    acts: list[Callable[[], object]] = [partial(settle, payment_of(booking)), leave, leave]
    outcomes = race(acts)
    booking.refresh_from_db()
    return booking, outcomes


def test_who_leaves_while_the_money_comes_has_the_booking_or_the_money_and_never_neither() -> None:
    for _ in range(ROUNDS):
        booking, outcomes = race_once()
        assert [each for each in outcomes if isinstance(each, Exception)] == []
        net = balance_of(booking.id).net_minor
        assert (booking.status, net) in (("confirmed", booking.total_minor), ("cancelled", 0))
        assert booking.events.filter(kind="checkout_left").count() == (booking.status == "cancelled")
    assert [str(offender) for offender in check_invariants()] == []


def test_two_leave_one_checkout_when_nobody_locks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: without the lock both decide on what they saw, and the one writer of status refuses the second."""
    monkeypatch.setattr(lifecycle, "lock_payments", lambda _reference: None)
    monkeypatch.setattr("bookings.services.begun.lifecycle.lock_booking", lambda key: Booking.objects.get(id=key))
    broken = 0
    for _ in range(ROUNDS):
        _, outcomes = race_once()
        broken += any(isinstance(each, Exception) for each in outcomes)
    assert broken > 0
