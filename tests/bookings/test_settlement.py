"""Where booking and money meet: waiting, confirmed, late, given back. What the bank says is said by the test."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from bookings.models import Booking, Line, PromoCode
from bookings.services import cancellation, changes, checkout, expiry, paying, settlement
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from config.kit.refusals import InvalidRequest
from payments.methods import PaymentRequired
from payments.models import LedgerEntry, Payment, PaymentEvent, Refund
from payments.providers.base import State
from payments.services import charges
from payments.services.balances import balance_of
from scheduling.models import Reservation, Session, Unit
from scheduling.services import capacity
from tests.bookings.paid import (
    begin,
    kinds_of,
    paid,
    pay,
    payment_of,
    refunds_of,
    reservation_of,
    sale,
    settle,
    shop,
    submit,
)  # fmt: skip
from tests.factories import ANNA, CUSTOMER, hold, join, lapse, make_session, make_sessions, make_voucher, stranger

pytestmark = pytest.mark.django_db
STAFF = Actor(kind=ActorKind.STAFF, channel="admin", detail={"note": "because"})


def reclaim(*sessions: Session) -> None:
    with transaction.atomic():
        capacity.lock_sessions(session.id for session in sessions)
        capacity.reclaim_lapsed([session.id for session in sessions])


# Waiting ----------------------------------------------------------------------------------------------------------


def test_what_is_paid_online_waits_for_its_money_and_keeps_its_places_a_little_longer() -> None:
    held = hold(sale(), 2)
    booking = submit(held)
    kept = reservation_of(booking)
    payment = payment_of(booking)
    assert (booking.status, booking.payment_method, booking.total_minor) == ("pending", "online", 2000)
    assert (kept.status, kept.expires_at - held.expires_at, kept.extended) == ("held", timedelta(minutes=3), True)
    assert (payment.status, payment.amount_minor, payment.expires_at) == ("created", 2000, kept.expires_at)


def test_money_confirms_it_in_the_transaction_in_which_it_is_settled() -> None:
    booking = paid(sale(), 2)
    assert (booking.status, reservation_of(booking).status) == ("confirmed", "confirmed")
    assert kinds_of(booking.id) == ["booking_started", "payment_received", "booking_confirmed"]
    assert payment_of(booking).status == "succeeded"
    entries = LedgerEntry.objects.filter(transaction__reference=booking.id).order_by("account")
    assert list(entries.values_list("account", "amount_minor")) == [("bookings", -2000), ("clearing", 2000)]


def test_nothing_is_confirmed_when_the_booking_cannot_follow_its_payment(monkeypatch: pytest.MonkeyPatch) -> None:
    booking = begin(sale())

    def break_off(**_: object) -> None:
        raise RuntimeError("between the two")

    monkeypatch.setattr(settlement, "_confirm_or_why", lambda *_args, **_kwargs: break_off())
    with pytest.raises(RuntimeError):
        pay(booking)
    booking.refresh_from_db()
    assert (booking.status, payment_of(booking).status) == ("pending", "created")
    assert not LedgerEntry.objects.exists()


def test_a_hold_is_not_confirmed_without_proof_of_payment_and_nothing_is_written(client: Client) -> None:
    held = hold(sale())
    answer = client.post(
        f"/api/v1/reservations/{held.id}/confirm",
        {"customer": {"email": ANNA.email, "name": ANNA.name}}, "application/json",
        headers={"Reservation-Token": held.token},
    )  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (402, "payment_required")
    assert (Booking.objects.count(), Payment.objects.count()) == (0, 0)
    booking = submit(held)
    with pytest.raises(PaymentRequired):  # begun, and still not paid
        checkout.confirm_reservation(reservation_id=held.id, contact=stranger(), actor=CUSTOMER)
    pay(booking)
    again = checkout.confirm_reservation(reservation_id=held.id, contact=ANNA, actor=CUSTOMER)
    assert (again.id, again.status) == (booking.id, "confirmed")


@transaction.atomic
def confirm_by_hand(booking: Booking) -> None:
    Booking.objects.filter(id=booking.id).update(status="confirmed")
    connection.cursor().execute("SET CONSTRAINTS booking_confirmed_is_paid IMMEDIATE")


def test_the_database_confirms_no_online_booking_without_its_money() -> None:
    booking = begin(sale())
    with pytest.raises(IntegrityError, match="is confirmed with 0 of 1000"):
        confirm_by_hand(booking)


def test_the_same_order_again_is_the_same_booking_and_another_one_takes_its_place() -> None:
    held = hold(sale(pay_on_arrival=True), 2)
    first = submit(held, payment_method="online")
    assert submit(held, payment_method="online").id == first.id
    assert Payment.objects.count() == 1
    second = submit(held, payment_method="pay_on_arrival")
    first.refresh_from_db()
    assert (first.status, second.status, second.payment_method) == ("cancelled", "confirmed", "pay_on_arrival")
    assert list(first.lines.values_list("status", flat=True)) == ["cancelled"]
    assert (kinds_of(first.id)[-1], refunds_of(first)) == ("checkout_left", [])
    until = payment_of(first).expires_at
    assert until
    assert until <= database_now()  # the next pass closes it at the bank
    assert reservation_of(second).id == held.id


def test_who_pays_for_a_checkout_that_was_left_has_the_money_back() -> None:
    held = hold(sale(pay_on_arrival=True))
    first = submit(held, payment_method="online")
    submit(held, payment_method="pay_on_arrival")
    first = pay(first)
    assert (first.status, refunds_of(first)) == ("cancelled", [(1000, "late", "stripe")])
    assert kinds_of(first.id)[-2:] == ["payment_received", "late_payment_returned"]


def test_a_declined_attempt_leaves_the_hold_and_the_next_one_pays() -> None:
    booking = begin(sale())
    for number in range(2):
        with transaction.atomic():
            charges.note_declined(payment_of(booking).id, attempt_ref=f"ch_{number}", failure_code="card_declined")
    assert (booking.status, reservation_of(booking).status) == ("pending", "held")
    booking = pay(booking)
    kinds = PaymentEvent.objects.filter(payment=payment_of(booking)).order_by("seq").values_list("kind", flat=True)
    assert booking.status == "confirmed"
    assert list(kinds) == ["payment_opened", "payment_declined", "payment_declined", "payment_succeeded"]


def test_after_a_failed_payment_the_places_are_paid_by_a_new_one_while_they_are_held() -> None:
    booking = begin(sale())
    first = payment_of(booking)
    settle(first, state=State.FAILED, failure_code="expired_card", intent_ref="")
    second = paying.open_or_new(booking_id=booking.id, actor=CUSTOMER)
    assert (second.id != first.id, second.amount_minor, second.expires_at) == (True, 1000, first.expires_at)
    assert pay(booking).status == "confirmed"
    with pytest.raises(paying.NothingDue):
        paying.open_or_new(booking_id=booking.id, actor=CUSTOMER)


# Late -------------------------------------------------------------------------------------------------------------


def test_paid_after_the_hold_but_before_anybody_needed_the_places() -> None:
    booking = begin(sale())
    lapse(reservation_of(booking))
    assert pay(booking).status == "confirmed"


def test_paid_late_with_the_places_still_free_they_are_taken_again() -> None:
    session = sale(capacity=2)
    booking = begin(session, 2)
    first = reservation_of(booking)
    lapse(first, ago=timedelta(minutes=1))
    assert expiry.expire_pending_bookings() == 1
    reclaim(session)
    booking = pay(booking)
    now = reservation_of(booking)
    session.refresh_from_db()
    assert (booking.status, now.id != first.id, now.status) == ("confirmed", True, "confirmed")
    assert (session.places_held, session.places_booked) == (0, 2)
    assert kinds_of(booking.id) == ["booking_started", "booking_expired", "payment_received", "booking_confirmed"]
    assert refunds_of(booking) == []


@pytest.mark.parametrize("is_expired", [True, False])
def test_paid_when_the_places_are_gone_all_of_it_goes_back_and_the_reason_is_kept(is_expired: bool) -> None:
    session = sale(capacity=1)
    booking = begin(session)
    lapse(reservation_of(booking), ago=timedelta(minutes=1))
    if is_expired:
        expiry.expire_pending_bookings()
    book_free = hold(session, email="faster@example.org")  # reclaims the lapsed place
    booking = pay(booking)
    fact = booking.events.get(kind="late_payment_returned")
    assert (booking.status, refunds_of(booking)) == ("expired", [(1000, "late", "stripe")])
    assert (fact.reason_code, fact.after["amount_minor"], fact.after["why"]) == ("places_gone", 1000, "places_gone")
    assert Reservation.objects.get(id=book_free.id).status == "held"
    assert balance_of(booking.id).net_minor == 0


def test_who_waits_comes_before_who_pays_late() -> None:
    session = sale(capacity=1)
    booking = begin(session)
    entry = join(session)
    lapse(reservation_of(booking), ago=timedelta(minutes=1))
    capacity.hand_on([session.id])  # offers the place
    booking = pay(booking)
    entry.refresh_from_db()
    assert (entry.status, booking.status, refunds_of(booking)) == ("offered", "expired", [(1000, "late", "stripe")])


def test_paid_late_by_who_has_booked_again_meanwhile_goes_back() -> None:
    session = sale()
    late = begin(session)
    lapse(reservation_of(late), ago=timedelta(minutes=1))
    expiry.expire_pending_bookings()
    again = paid(session)
    late = pay(late)
    assert (again.status, late.status, refunds_of(late)) == ("confirmed", "expired", [(1000, "late", "stripe")])
    assert late.events.get(kind="late_payment_returned").reason_code == "booked_again"


def test_paid_for_a_session_that_does_not_take_place_goes_back() -> None:
    session = sale()
    booking = begin(session)
    Session.objects.filter(id=session.id).update(status="cancelled")
    booking = pay(booking)
    assert (booking.status, refunds_of(booking)) == ("expired", [(1000, "late", "stripe")])
    assert booking.events.get(kind="late_payment_returned").reason_code == "session_over"


def test_paid_late_for_two_sessions_of_which_one_is_gone_all_of_it_goes_back_and_no_place_is_kept() -> None:
    first, second = make_sessions(2, shop(), capacity=1)
    held = hold(first)
    hold(second, basket=held.basket)
    booking = submit(held)
    lapse(*Reservation.objects.all(), ago=timedelta(minutes=1))
    expiry.expire_pending_bookings()
    hold(second, email="faster@example.org")
    booking = pay(booking)
    first.refresh_from_db()
    assert (booking.status, refunds_of(booking)) == ("expired", [(2000, "late", "stripe")])
    assert first.places_booked == 0


def test_a_booking_that_is_not_paid_expires_and_its_code_and_voucher_are_free_again() -> None:
    session = sale()
    code = PromoCode.objects.create(
        organization_id=session.organization_id, code="SUMMER", percent=10, currency="GBP", most_uses=1
    )
    gift = make_voucher(session.organization, 300)
    booking = begin(session, promo_code="summer", voucher=gift.code)
    assert (booking.total_minor, payment_of(booking).amount_minor) == (900, 600)
    assert expiry.expire_pending_bookings() == 0
    lapse(reservation_of(booking), ago=timedelta(minutes=1))
    assert (expiry.expire_pending_bookings(), expiry.expire_pending_bookings()) == (1, 0)
    booking.refresh_from_db()
    code.refresh_from_db()
    gift.refresh_from_db()
    assert (booking.status, code.uses, gift.balance_minor) == ("expired", 0, 300)
    booking = pay(booking)  # of the voucher nothing is left in it: the card's part alone does not pay it
    assert (booking.status, refunds_of(booking)[-1]) == ("expired", (600, "late", "stripe"))


# Parts ------------------------------------------------------------------------------------------------------------


def test_a_voucher_that_covers_everything_books_at_once() -> None:
    session = sale()
    gift = make_voucher(session.organization, 2500)
    booking = begin(session, 2, voucher=gift.code)
    gift.refresh_from_db()
    assert (booking.status, booking.payment_method, gift.balance_minor) == ("confirmed", "online", 500)
    assert list(Payment.objects.values_list("provider", "status", "amount_minor")) == [("voucher", "succeeded", 2000)]


def test_a_voucher_in_part_and_a_card_for_the_rest_and_both_come_back_the_card_first() -> None:
    session = make_session(shop(), starts_in=timedelta(days=3))
    gift = make_voucher(session.organization, 600)
    booking = paid(session, 2, voucher=gift.code)
    assert (booking.status, payment_of(booking).amount_minor) == ("confirmed", 1400)
    cancellation.cancel_booking(booking_id=booking.id, actor=CUSTOMER)
    gift.refresh_from_db()
    assert refunds_of(booking) == [(1400, "cancelled", "stripe"), (600, "cancelled", "voucher")]
    assert gift.balance_minor == 600


def test_two_payers_settle_one_booking_and_what_is_too_much_goes_back() -> None:
    session = make_session(shop(deposit_percent=20, balance_days=1), starts_in=timedelta(days=30))
    booking = paid(session, 2)
    assert (booking.status, booking.deposit_minor, balance_of(booking.id).net_minor) == ("confirmed", 400, 400)
    one, other = (
        paying.open_balance(booking_id=booking.id, actor=CUSTOMER, amount_minor=amount, payer_email=email)
        for amount, email in ((1000, "one@example.org"), (1600, "other@example.org"))
    )
    settle(one)
    assert settlement.due_of(Booking.objects.get(), balance_of(booking.id)).due_minor == 600
    settle(other)
    booking.refresh_from_db()
    assert refunds_of(booking) == [(1000, "overpaid", "stripe")]
    assert (balance_of(booking.id).net_minor, booking.balance_due_at) == (2000, None)
    assert set(Payment.objects.exclude(purpose="deposit").values_list("payer_email", flat=True)) == {
        "one@example.org", "other@example.org"
    }  # fmt: skip


def test_a_balance_is_reminded_of_once_and_is_overdue_once_and_nobody_is_cancelled() -> None:
    session = make_session(shop(deposit_percent=20, balance_days=1), starts_in=timedelta(days=30))
    booking = paid(session)
    assert expiry.tell_balances() == 0
    Booking.objects.update(balance_due_at=database_now() + timedelta(days=2))
    assert (expiry.tell_balances(), expiry.tell_balances()) == (1, 0)
    Booking.objects.update(balance_due_at=database_now() - timedelta(hours=1))
    assert (expiry.tell_balances(), expiry.tell_balances()) == (1, 0)
    assert kinds_of(booking.id)[-2:] == ["balance_reminded", "balance_overdue"]
    assert Booking.objects.get().status == "confirmed"


@pytest.mark.parametrize("amount", [0, -1, 1601])
def test_a_balance_is_paid_within_what_is_due(amount: int) -> None:
    session = make_session(shop(deposit_percent=20, balance_days=1), starts_in=timedelta(days=30))
    booking = paid(session, 2)
    with pytest.raises(InvalidRequest, match="between 1 and 1600"):
        paying.open_balance(booking_id=booking.id, actor=CUSTOMER, amount_minor=amount)
    assert Payment.objects.count() == 1


def test_a_second_payment_of_the_same_booking_goes_back() -> None:
    booking = begin(sale())
    first = payment_of(booking)
    charges.apply_outcome(first.id, charges._nothing(first, State.CANCELLED))
    second = paying.open_or_new(booking_id=booking.id, actor=CUSTOMER)
    settle(second)
    settle(first)  # the bank's word comes after all
    booking.refresh_from_db()
    assert (booking.status, refunds_of(booking)) == ("confirmed", [(1000, "overpaid", "stripe")])
    assert balance_of(booking.id).net_minor == booking.total_minor


# Changes ----------------------------------------------------------------------------------------------------------


def test_what_a_change_costs_more_is_due_and_what_it_costs_less_goes_back() -> None:
    activity = shop(change_until_minutes=0)
    plain, dear, cheap = (
        make_session(activity, starts_in=timedelta(days=3), price_minor=price) for price in (1000, 1500, 800)
    )
    booking = paid(plain)
    line = booking.lines.get()
    changes.move_line(line_id=line.id, session_id=dear.id, actor=CUSTOMER)
    booking.refresh_from_db()
    due = settlement.due_of(booking, balance_of(booking.id))
    assert (booking.status, booking.total_minor, due.due_minor, refunds_of(booking)) == ("confirmed", 1500, 500, [])
    assert due.due_at is not None
    settle(paying.open_balance(booking_id=booking.id, actor=CUSTOMER))
    changes.move_line(line_id=line.id, session_id=cheap.id, actor=CUSTOMER)
    booking.refresh_from_db()
    assert (booking.total_minor, refunds_of(booking)) == (800, [(500, "changed", "stripe"), (200, "changed", "stripe")])
    assert booking.balance_due_at is None


def test_one_line_of_two_is_cancelled_and_its_money_less_the_fee_goes_back() -> None:
    activity = shop(cancel_fee_percent=25)
    held = hold(make_session(activity, starts_in=timedelta(days=5)), 2)
    hold(make_session(activity, starts_in=timedelta(days=6)), basket=held.basket)
    booking = pay(submit(held))
    line = booking.lines.get(reservation=held)
    cancellation.cancel_booking(booking_id=booking.id, actor=CUSTOMER, lines=[line.id])
    booking.refresh_from_db()
    assert (booking.total_minor, refunds_of(booking)) == (1500, [(1500, "cancelled", "stripe")])
    assert Refund.objects.get().lines == [str(line.id)]


def test_staff_let_a_customer_off_a_part_with_a_reason_and_never_more_than_was_paid() -> None:
    booking = paid(sale(), 3)
    settlement.give_back(booking_id=booking.id, amount_minor=700, actor=STAFF)
    booking.refresh_from_db()
    assert (booking.total_minor, booking.rebate_minor, refunds_of(booking)) == (
        2300,
        700,
        [(700, "goodwill", "stripe")],
    )
    with pytest.raises(settlement.RebateTooLarge, match="can go back"):
        settlement.give_back(booking_id=booking.id, amount_minor=2301, actor=STAFF)
    with pytest.raises(InvalidRequest, match="Say why"):
        settlement.give_back(booking_id=booking.id, amount_minor=1, actor=CUSTOMER)
    for nothing in (0, -5):
        with pytest.raises(InvalidRequest, match="1 or more"):
            settlement.give_back(booking_id=booking.id, amount_minor=nothing, actor=STAFF)
    assert Refund.objects.count() == 1


def test_a_checkout_is_kept_apart_from_another_organizations_account() -> None:
    session = make_session(shop())
    other = shop()
    booking = paid(session)
    account = payment_of(booking).account
    assert account
    assert account.organization_id == session.organization_id != other.organization_id


def test_only_live_lines_count_among_a_reservations_lines() -> None:
    held = hold(sale(pay_on_arrival=True))
    submit(held, payment_method="online")
    submit(held, payment_method="pay_on_arrival")
    assert sorted(Line.objects.filter(reservation=held).values_list("status", flat=True)) == ["cancelled", "live"]
    with pytest.raises(IntegrityError), transaction.atomic():
        Line.objects.filter(reservation=held, status="cancelled").update(status="live", cancelled_at=None)


def test_a_voucher_pays_a_part_of_what_is_paid_on_arrival() -> None:
    session = sale(pay_on_arrival=True)
    gift = make_voucher(session.organization, 600)
    booking = begin(session, 2, voucher=gift.code, payment_method="pay_on_arrival")
    gift.refresh_from_db()
    due = settlement.due_of(booking, balance_of(booking.id))
    assert (booking.status, booking.payment_method, gift.balance_minor) == ("confirmed", "pay_on_arrival", 0)
    assert (due.due_minor, due.paid_minor, due.due_at) == (1400, 600, None)


def test_who_has_begun_to_pay_pays_what_was_quoted_whatever_the_price_becomes() -> None:
    session = sale()
    booking = begin(session, 2)
    Unit.objects.filter(activity=session.activity).update(price_minor=9900)
    settle(payment_of(booking), state=State.FAILED, intent_ref="", provider_ref="")
    second = paying.open_or_new(booking_id=booking.id, actor=CUSTOMER)
    booking = pay(booking)
    assert (second.amount_minor, booking.status, booking.total_minor) == (2000, "confirmed", 2000)


def test_fees_that_a_cancelled_booking_kept_can_still_be_paid() -> None:
    session = sale(pay_on_arrival=True)  # tomorrow: late to cancel, all of it is kept
    booking = begin(session, payment_method="pay_on_arrival")
    cancellation.cancel_booking(booking_id=booking.id, actor=CUSTOMER)
    with transaction.atomic():
        charges.take_at_desk(
            organization_id=session.organization_id, reference=booking.id, amount_minor=1000, currency="GBP",
            actor=STAFF,
        )  # fmt: skip
    booking.refresh_from_db()
    assert (booking.status, booking.total_minor, refunds_of(booking)) == ("cancelled", 1000, [])
    assert kinds_of(booking.id)[-1] == "payment_received"
