"""Money back: how much, in which order, and what becomes of it whatever is told of it."""

from itertools import permutations

import pytest
from django.db import transaction

from config.kit.ids import uuid7
from config.kit.refusals import InvalidRequest, NotFound
from payments.models import Payment, PaymentEvent, Refund
from payments.providers.base import RefundOutcome, State
from payments.services import disputes, refund_rows, refunds
from payments.services.balances import balance_of, lock_payments
from payments.services.refund_outcomes import apply_refund_outcome
from payments.services.refunds import RefundMovedOn, RefundTooLarge
from tests.payments.money import (
    STAFF,
    accounts,
    facts,
    give_back,
    make_account,
    make_voucher,
    paid,
    paid_at_desk,
    redeemed,
    request_all,
    said_of_dispute,
    said_of_refund,
)

pytestmark = pytest.mark.django_db

PAID = {"bookings": -4500, "clearing": 4500}
ENDS = ("refund_failed", "refund_succeeded", "refund_declined", "refund_returned")


def stands(refund: Refund) -> tuple[str, int]:
    refund.refresh_from_db()
    return refund.status, refund.attempt


# How much, and of what --------------------------------------------------------------------------------------------


def test_cards_have_it_back_first_the_newest_before_the_rest_then_the_desk_then_vouchers() -> None:
    account, reference = make_account(), uuid7()
    voucher = make_voucher(account.organization_id, 1000)
    by_voucher = redeemed(voucher, 1000, reference=reference)
    at_desk = paid_at_desk(account.organization_id, 300, reference=reference)
    old, new = (paid(account, amount, reference=reference) for amount in (200, 100))
    asked = request_all(reference, 1100)
    assert [(each.payment_id, each.amount_minor, each.status) for each in asked] == [
        (new.id, 100, "requested"),
        (old.id, 200, "requested"),
        (at_desk.id, 300, "requested"),
        (by_voucher.id, 500, "succeeded"),
    ]
    assert [each.next_try_at is None for each in asked] == [False, False, True, True]
    voucher.refresh_from_db()
    assert (voucher.balance_minor, balance_of(reference).refundable_minor) == (500, 500)
    rest = request_all(reference, 500)
    assert [(each.payment_id, each.amount_minor) for each in rest] == [(by_voucher.id, 500)]


def test_no_more_goes_back_than_was_paid_less_what_went_and_what_is_disputed() -> None:
    account, reference = make_account(), uuid7()
    _, disputed = (paid(account, amount, reference=reference) for amount in (4500, 900))
    disputes.apply_dispute_outcome(account.id, said_of_dispute(disputed, "open", is_withdrawn=True))
    request_all(reference, 4000)
    with pytest.raises(RefundTooLarge, match=r"£5\.00 is left") as refused:
        request_all(reference, 501)
    assert refused.value.extra == {"refundable_minor": 500}
    with pytest.raises(RefundTooLarge, match="Nothing is left"):
        request_all(uuid7(), 1)  # for which nothing was ever paid
    assert Refund.objects.count() == 1


def test_a_refund_and_its_fact_name_the_lines_for_which_it_is_and_who_asked() -> None:
    payment, line = paid(make_account()), uuid7()
    with transaction.atomic():
        lock_payments(payment.reference)
        [refund] = refunds.request_refunds(
            reference=payment.reference, amount_minor=100, reason=Refund.Reason.CHANGED, actor=STAFF, lines=[line]
        )
    assert (refund.lines, refund.reason, refund.actor_kind) == ([str(line)], "changed", "staff")
    told = PaymentEvent.objects.get(payment=payment, kind="refund_requested")
    assert told.after == {
        "refund": str(refund.id), "amount_minor": 100, "status": "requested", "reason": "changed", "lines": [str(line)],
    }  # fmt: skip


@pytest.mark.parametrize("amount_minor", [0, -100])
def test_nothing_and_less_is_no_refund(amount_minor: int) -> None:
    payment = paid(make_account())
    with pytest.raises(InvalidRequest) as refused:
        request_all(payment.reference, amount_minor)
    assert refused.value.errors[0].field == "amount_minor"
    assert Refund.objects.count() == 0


def test_desk_money_is_back_when_staff_say_so() -> None:
    account = make_account()
    payment = paid_at_desk(account.organization_id, 300, reference=uuid7())
    refund = give_back(payment)
    assert balance_of(payment.reference).returning_minor == 300
    for _ in range(2):
        assert refunds.hand_back(refund.id, actor=STAFF).status == "succeeded"
    assert (accounts(), facts(payment, *ENDS)) == ({}, ["refund_succeeded"])
    card = give_back(paid(account))
    with pytest.raises(RefundMovedOn):
        refunds.hand_back(card.id, actor=STAFF)
    with pytest.raises(RefundMovedOn):
        refunds.retry_refund(card.id, actor=STAFF)
    with pytest.raises(NotFound):
        refunds.hand_back(uuid7(), actor=STAFF)


# What the provider says, in any order ------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations(["pending", "succeeded", "failed"])))
def test_the_news_of_a_refund_may_come_in_any_order_and_twice(order: tuple[str, ...]) -> None:
    account = make_account()
    payment = paid(account)
    refund = give_back(payment)
    states = {"pending": State.OPEN, "succeeded": State.SUCCEEDED, "failed": State.FAILED}
    for news in [*order, *order]:
        assert apply_refund_outcome(account.id, said_of_refund(payment, states[news], "re_1", refund_id=refund.id))
    assert (stands(refund), accounts()) == (("requested", 2), PAID)
    assert balance_of(payment.reference).returning_minor == 4500


@pytest.mark.parametrize("order", list(permutations(["pending", "succeeded"])))
def test_a_refund_never_goes_back_to_where_it_was(order: tuple[str, ...]) -> None:
    account = make_account()
    payment = paid(account)
    refund = give_back(payment)
    for news in [*order, *order]:
        state = State.SUCCEEDED if news == "succeeded" else State.OPEN
        apply_refund_outcome(account.id, said_of_refund(payment, state, "re_1", refund_id=refund.id))
    assert (stands(refund), accounts()) == (("succeeded", 1), {})
    assert facts(payment, *ENDS) == ["refund_succeeded"]


def test_a_refund_made_at_the_provider_is_recorded_once() -> None:
    account = make_account()
    payment = paid(account)
    by_hand = said_of_refund(payment, State.SUCCEEDED, "re_hand", amount_minor=1500)
    for _ in range(2):
        assert apply_refund_outcome(account.id, by_hand)
    refund = Refund.objects.get()
    assert (refund.reason, refund.amount_minor, refund.actor_kind, refund.status) == (
        "at_provider", 1500, "system", "succeeded",
    )  # fmt: skip
    assert balance_of(payment.reference).net_minor == 3000


def test_a_refund_made_at_the_provider_makes_what_we_meant_to_send_give_way() -> None:
    account = make_account()
    payment = paid(account)
    ours, small = give_back(payment, 3000), give_back(payment, 500)
    apply_refund_outcome(account.id, said_of_refund(payment, State.SUCCEEDED, "re_hand", amount_minor=1500))
    assert (stands(ours), stands(small)) == (("requested", 1), ("failed", 1))
    apply_refund_outcome(account.id, said_of_refund(payment, State.SUCCEEDED, "re_hand_2", amount_minor=3000))
    assert (stands(ours), ours.failure_code) == (("failed", 1), "refunded_at_provider")
    assert balance_of(payment.reference).net_minor == 0


@pytest.mark.parametrize("order", list(permutations([State.SUCCEEDED, State.FAILED])))
def test_one_made_at_the_provider_that_came_back_leaves_the_money_with_us(order: tuple[State, ...]) -> None:
    account = make_account()
    payment = paid(account)
    for state in [*order, *order]:
        apply_refund_outcome(account.id, said_of_refund(payment, state, "re_hand"))
    assert (balance_of(payment.reference).net_minor, accounts()) == (4500, PAID)
    assert not Refund.objects.exclude(status="failed").exists()


def test_a_second_refund_in_the_name_of_one_that_went_back_is_not_overlooked() -> None:
    account = make_account()
    payment = paid(account)
    refund = give_back(payment, 1000)
    for ref in ("re_1", "re_2"):
        news = said_of_refund(payment, State.SUCCEEDED, ref, refund_id=refund.id, amount_minor=1000)
        apply_refund_outcome(account.id, news)
    assert [each.provider_ref for each in Refund.objects.order_by("id")] == ["re_1", "re_2"]
    assert balance_of(payment.reference).refunded_minor == 2000


def test_the_news_of_money_that_is_not_ours_or_not_yet_settled_waits() -> None:
    account, other = make_account(), make_account()
    payment = paid(account)
    refund = give_back(payment)
    assert not apply_refund_outcome(other.id, said_of_refund(payment, State.SUCCEEDED, "re_1", refund_id=refund.id))
    assert not apply_refund_outcome(account.id, RefundOutcome(State.SUCCEEDED, 1, "GBP", "re_9", intent_ref="pi_none"))
    Payment.objects.filter(id=payment.id).update(intent_ref="")
    assert not apply_refund_outcome(account.id, RefundOutcome(State.SUCCEEDED, 1, "GBP", "re_9"))
    assert stands(refund) == ("requested", 1)


def test_a_refund_that_was_given_up_and_arrived_after_all_is_there() -> None:
    account = make_account()
    payment = paid(account)
    refund = give_back(payment)
    with transaction.atomic():
        refund_rows.fail(refund_rows.lock_refund(refund.id), "given_up", actor=STAFF)
    again = give_back(payment)  # meanwhile staff asked once more
    apply_refund_outcome(account.id, said_of_refund(payment, State.SUCCEEDED, "re_1", refund_id=refund.id))
    assert (stands(refund)[0], stands(again)[0]) == ("succeeded", "failed")
    assert balance_of(payment.reference).net_minor == 0


def test_a_failed_refund_is_not_tried_again_when_the_money_went_back_otherwise() -> None:
    payment = paid(make_account())
    refund = give_back(payment)
    with transaction.atomic():
        refund_rows.fail(refund_rows.lock_refund(refund.id), "given_up", actor=STAFF)
    give_back(payment, 1)
    with pytest.raises(RefundTooLarge):
        refunds.retry_refund(refund.id, actor=STAFF)
