"""Money and places at the same moment: whoever is first, each payment ends as a booking or a refund, and once."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from django.db import IntegrityError

from alerts.services.auditor import check_invariants
from bookings.models import Booking
from bookings.services import begun, cancellation, expiry, lifecycle, paying
from payments.models import LedgerTransaction, Payment, Refund
from payments.services import charges
from payments.services.balances import balance_of
from scheduling.models import Reservation
from scheduling.services import reservations
from tests.bookings.paid import begin, paid, payment_of, reservation_of, sale, settle, shop, submit
from tests.concurrency.races import race, tally
from tests.factories import CUSTOMER, hold, lapse, make_session

pytestmark = pytest.mark.usefixtures("committed_db")
EIGHT = 8
ROUNDS = 4


def ends_well(booking: Booking) -> tuple[str, int]:
    """Return how a paid booking ended: its state, and what of the money is ours; no third thing is allowed."""
    booking.refresh_from_db()
    net = balance_of(booking.id).net_minor
    assert net == (booking.total_minor if booking.status == "confirmed" else 0)
    return booking.status, net


@pytest.fixture(autouse=True)
def nothing_is_wrong_in_the_end(committed_db: None) -> Iterator[None]:
    yield
    assert [str(offender) for offender in check_invariants()] == []


def test_one_submit_of_eight_at_once_begins_and_the_others_go_on_with_it() -> None:
    for _ in range(ROUNDS):
        held = hold(sale())
        outcomes = race([partial(submit, held)] * EIGHT)
        assert tally(outcomes) == {"Booking": EIGHT}
        assert len({booking.id for booking in outcomes if isinstance(booking, Booking)}) == 1
        assert Payment.objects.filter(account__organization=held.organization_id).count() == 1


def test_two_submits_break_at_the_line_when_nobody_looks_for_what_was_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the constraint alone stands between one reservation and two bookings."""
    monkeypatch.setattr(begun, "require_unbegun", lambda _ids: None)
    monkeypatch.setattr(begun, "lock_begun", lambda _ids: None)
    held = hold(sale())
    outcomes = race([partial(submit, held)] * EIGHT)
    assert tally(outcomes) == {"Booking": 1, "IntegrityError": EIGHT - 1}
    assert "line_reservation_once" in str(next(each for each in outcomes if isinstance(each, IntegrityError)))


def test_a_payment_told_eight_times_at_once_is_settled_once() -> None:
    for _ in range(ROUNDS):
        booking = begin(sale())
        payment = payment_of(booking)
        race([partial(settle, payment)] * EIGHT)  # events, the return page and a look at the bank
        assert LedgerTransaction.objects.filter(source_id=payment.id).count() == 1
        assert ends_well(booking) == ("confirmed", 1000)
        assert list(booking.events.values_list("kind", flat=True)).count("booking_confirmed") == 1


def test_a_payment_is_settled_twice_when_nobody_locks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: without the lock two tellers settle one payment, until the ledger's key refuses."""

    def look(payment_id: UUID) -> Payment:
        return Payment.objects.get(id=payment_id)

    monkeypatch.setattr(charges, "lock_payment", look)
    monkeypatch.setattr(lifecycle, "lock_payments", lambda _reference: None)
    broken = 0
    for _ in range(ROUNDS):
        booking = begin(sale())
        outcomes = race([partial(settle, payment_of(booking))] * EIGHT)
        broken += any(isinstance(each, Exception) for each in outcomes)
    assert broken > 0


def test_money_at_the_moment_of_expiry_books_or_comes_back() -> None:
    for _ in range(ROUNDS):
        booking = begin(sale(capacity=1))
        session = reservation_of(booking).session
        lapse(reservation_of(booking), ago=timedelta(minutes=1))
        payment = payment_of(booking)
        buy = partial(reservations.reserve_slot, session_id=session.id, party_size=1, email="faster@example.org")
        acts: list[Callable[[], object]] = [
            partial(settle, payment), expiry.expire_pending_bookings, buy, partial(settle, payment),
        ]  # fmt: skip
        race(acts)
        status, _ = ends_well(booking)
        taken = Reservation.objects.filter(session=session, status__in=["held", "confirmed"]).count()
        assert (status in ("confirmed", "expired"), taken) == (True, 1)


def test_money_while_the_customer_cancels_or_begins_anew_is_kept_by_nobody_twice() -> None:
    for _ in range(ROUNDS):
        held = hold(sale(pay_on_arrival=True, cancel_until_minutes=0))
        booking = submit(held, payment_method="online")
        acts: list[Callable[[], object]] = [
            partial(settle, payment_of(booking)),
            partial(cancellation.cancel_booking, booking_id=booking.id, actor=CUSTOMER),
            partial(submit, held, payment_method="pay_on_arrival"),
        ]
        race(acts)
        ends_well(booking)
        assert Booking.objects.filter(lines__reservation=held, status="confirmed").count() <= 1


def test_two_payments_of_one_booking_at_once_leave_one() -> None:
    for _ in range(ROUNDS):
        session = make_session(shop(deposit_percent=20, balance_days=1), starts_in=timedelta(days=30))
        booking = paid(session, 2)
        both = [paying.open_balance(booking_id=booking.id, actor=CUSTOMER) for _ in range(2)]
        race([partial(settle, payment) for payment in both])
        assert ends_well(booking) == ("confirmed", 2000)
        back = Refund.objects.filter(reference=booking.id).values_list("amount_minor", flat=True)
        assert list(back) == [1600]
