"""Refunds at a bank: made once, whatever is lost; tried again, sent back, given up, and shown to staff."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from config.kit.clock import database_now
from config.kit.ids import uuid7
from payments.models import PaymentEvent, ProviderAccount, Refund
from payments.providers import gateway
from payments.providers.base import RefundOutcome, State
from payments.services import refund_rows, refund_submission, refunds
from payments.services.balances import balance_of
from payments.services.refund_outcomes import apply_refund_outcome
from payments.services.refund_submission import submit_due_refunds, submit_refund
from payments.signals import refund_settled
from tests.payments.bank.shop import DISPUTED, REFUNDS_WAIT, Shop
from tests.payments.money import STAFF, accounts, facts, give_back, lines, make_due, paid_online

pytestmark = pytest.mark.usefixtures("committed_db")

PAID = {"bookings": -4500, "clearing": 4500}
ENDS = ("refund_failed", "refund_succeeded", "refund_declined", "refund_returned")


@pytest.fixture
def heard() -> Iterator[list[tuple[Any, str]]]:
    """Listen to what the apps above hear of refunds: which, and how it ended."""
    told: list[tuple[Any, str]] = []

    def hear(refund_id: object, status: str, **_: object) -> None:
        told.append((refund_id, status))

    refund_settled.connect(hear)
    yield told
    refund_settled.disconnect(hear)


def stands(refund: Refund) -> tuple[str, int]:
    refund.refresh_from_db()
    return refund.status, refund.attempt


def test_a_refund_goes_to_the_bank_and_is_written_down(account: ProviderAccount, shop: Shop, heard: list[Any]) -> None:
    payment = paid_online(account, shop)
    refund = give_back(payment, 1000)
    assert submit_due_refunds() == 1
    assert stands(refund) == ("succeeded", 1)
    assert lines(shop) == [("charge", 4500), ("refund", -1000)]
    assert accounts() == {"bookings": -3500, "clearing": 3500}
    assert heard == [(refund.id, "succeeded")]
    assert submit_due_refunds() == 0


def test_a_refund_whose_answer_was_lost_is_made_once(account: ProviderAccount, shop: Shop) -> None:
    refund = give_back(paid_online(account, shop))
    shop.faults(lost_answers=1)
    submit_refund(refund.id)
    assert stands(refund) == ("requested", 1)
    assert lines(shop) == [("charge", 4500), ("refund", -4500)]
    assert refund.next_try_at
    assert refund.next_try_at > database_now()
    make_due(refund)
    submit_refund(refund.id)
    assert stands(refund) == ("succeeded", 1)
    assert (lines(shop), accounts()) == ([("charge", 4500), ("refund", -4500)], {})


def test_while_the_bank_is_down_a_refund_waits_longer_and_longer_and_is_not_given_up(
    account: ProviderAccount, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "FAILURES", 100)
    monkeypatch.setattr("payments.services.refund_rows.random.uniform", lambda *_: 1.0)
    refund = give_back(paid_online(account, shop))
    shop.faults(down=True)
    pauses = []
    for _ in range(10):
        make_due(refund)
        before = database_now()
        submit_refund(refund.id)
        assert stands(refund) == ("requested", 1)
        assert refund.next_try_at
        pauses.append(round((refund.next_try_at - before).total_seconds() / 15))
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 240, 240]
    shop.faults()
    make_due(refund)
    submit_refund(refund.id)
    assert stands(refund) == ("succeeded", 1)


def test_a_refund_that_keeps_failing_is_tried_with_pauses_then_shown_to_staff_and_tried_again_by_them(
    account: ProviderAccount, shop: Shop, heard: list[Any]
) -> None:
    payment = paid_online(account, shop, card=DISPUTED)
    refund = give_back(payment)
    for attempt in range(1, refund_rows.ATTEMPTS):
        submit_refund(refund.id)
        assert (stands(refund), refund.failure_code) == (("requested", attempt + 1), "charge_disputed")
        assert submit_due_refunds() == 0  # not before the pause is over
        make_due(refund)
    assert heard == []
    submit_refund(refund.id)
    assert (stands(refund), refund.next_try_at) == (("failed", refund_rows.ATTEMPTS), None)
    assert heard == [(refund.id, "failed")]
    assert facts(payment, *ENDS) == ["refund_declined"] * refund_rows.ATTEMPTS + ["refund_failed"]
    assert balance_of(payment.reference).refundable_minor == 4500

    shop.act("win_dispute", shop.ledger()["disputes"][0]["id"])
    refunds.retry_refund(refund.id, actor=STAFF)
    assert stands(refund) == ("requested", refund_rows.ATTEMPTS + 1)
    submit_refund(refund.id)
    assert stands(refund) == ("succeeded", refund_rows.ATTEMPTS + 1)
    assert heard == [(refund.id, "failed"), (refund.id, "succeeded")]


def test_a_refund_that_the_bank_sends_back_is_booked_back_and_made_again(account: ProviderAccount, shop: Shop) -> None:
    payment = paid_online(account, shop)
    refund = give_back(payment)
    submit_refund(refund.id)
    first = Refund.objects.get(id=refund.id).provider_ref
    shop.act("fail_refund", first)
    apply_refund_outcome(account.id, RefundOutcome(State.FAILED, 4500, "GBP", first, failure_code="closed_account"))
    assert (stands(refund), accounts()) == (("requested", 2), PAID)
    make_due(refund)
    submit_refund(refund.id)
    assert (stands(refund), accounts()) == (("succeeded", 2), {})
    assert refund.provider_ref != first
    assert facts(payment, *ENDS) == ["refund_succeeded", "refund_returned", "refund_succeeded"]
    assert sum(amount for _, amount in lines(shop)) == 0


def test_a_refund_that_the_bank_takes_its_time_with_is_looked_at_again(account: ProviderAccount, shop: Shop) -> None:
    refund = give_back(paid_online(account, shop, card=REFUNDS_WAIT))
    submit_refund(refund.id)
    assert (stands(refund), accounts()) == (("submitted", 1), PAID)
    assert refund.next_try_at
    assert refund.next_try_at > database_now() + timedelta(minutes=50)
    shop.act("settle_refund", refund.provider_ref)
    make_due(refund)
    submit_refund(refund.id)
    assert (stands(refund), accounts()) == (("succeeded", 1), {})


def test_a_refund_that_has_not_gone_back_after_a_day_is_told_once_each_time_it_is_asked_for(
    account: ProviderAccount, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "FAILURES", 100)
    payment = paid_online(account, shop)
    waiting, unheard = give_back(paid_online(account, shop, card=REFUNDS_WAIT)), give_back(payment, 1000)
    submit_refund(waiting.id)
    shop.faults(down=True)
    submit_refund(unheard.id)
    assert late_facts() == []

    monkeypatch.setattr(refund_rows, "LATE_AFTER", timedelta(0))
    for _ in range(2):
        make_due(unheard)
        submit_refund(unheard.id)
    shop.faults()
    for _ in range(2):
        make_due(waiting)
        submit_refund(waiting.id)
    assert late_facts() == [(str(unheard.id), 1000, "GBP"), (str(waiting.id), 4500, "GBP")]
    make_due(unheard)
    submit_refund(unheard.id)
    assert (stands(unheard), stands(waiting)) == (("succeeded", 1), ("submitted", 1))

    sent_back = RefundOutcome(
        State.FAILED, 1000, "GBP", unheard.provider_ref, failure_code="closed_account"
    )  # fmt: skip
    apply_refund_outcome(account.id, sent_back)
    shop.faults(down=True)
    make_due(unheard)
    submit_refund(unheard.id)
    assert len(late_facts()) == 3, "it came back, is asked for anew, and late anew"


def late_facts() -> list[tuple[str, int, str]]:
    """Return which refunds were told to be late, and of how much they are."""
    told = PaymentEvent.objects.filter(kind="refund_delayed").order_by("at").values_list("after", flat=True)
    return [(after["refund"], after["amount_minor"], after["currency"]) for after in told]


def test_after_so_long_that_keys_are_forgotten_the_statement_is_asked_before_anything_is_sent(
    account: ProviderAccount, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    refund = give_back(paid_online(account, shop))
    shop.faults(lost_answers=1)
    submit_refund(refund.id)
    long_ago = database_now() - timedelta(days=2)
    Refund.objects.filter(id=refund.id).update(created_at=long_ago, next_try_at=long_ago)
    monkeypatch.setattr(refund_submission._Claimed, "key", property(lambda _: uuid7().hex))  # the bank forgot ours
    submit_refund(refund.id)
    assert (stands(refund), lines(shop)) == (("succeeded", 1), [("charge", 4500), ("refund", -4500)])


def test_a_forgotten_key_alone_would_send_it_twice(
    account: ProviderAccount, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: without the look at the statement."""
    refund = give_back(paid_online(account, shop), 1000)
    shop.faults(lost_answers=1)
    submit_refund(refund.id)
    make_due(refund)
    monkeypatch.setattr(refund_submission._Claimed, "key", property(lambda _: uuid7().hex))
    submit_refund(refund.id)
    assert lines(shop) == [("charge", 4500), ("refund", -1000), ("refund", -1000)]


def test_a_dead_key_of_the_account_says_nothing_about_the_money(account: ProviderAccount, shop: Shop) -> None:
    payment = paid_online(account, shop)
    refund = give_back(payment)
    account.api_key = "sk_live_revoked"
    account.save()
    for _ in range(2):
        make_due(refund)
        submit_refund(refund.id)
    assert stands(refund) == ("requested", 1)
    assert facts(payment, "account_refused", *ENDS) == ["account_refused"]  # once: staff are told
    account.api_key = shop.key
    account.save()
    make_due(refund)
    submit_refund(refund.id)
    assert stands(refund) == ("succeeded", 1)


def test_one_refund_that_breaks_stops_no_other(
    account: ProviderAccount, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, well = (give_back(paid_online(account, shop)) for _ in range(2))
    submit = submit_refund

    def break_one(refund_id: object) -> Refund:
        if refund_id == broken.id:
            raise RuntimeError("a mistake of ours")
        return submit(well.id)

    monkeypatch.setattr(refund_submission, "submit_refund", break_one)
    assert submit_due_refunds() == 2
    assert (stands(broken), stands(well)) == (("requested", 1), ("succeeded", 1))
