"""Money in: opened, begun once, settled once, given up; and what is lost on the way is found."""

from uuid import uuid4

import pytest
from django.db import transaction

from config.kit.clock import database_now
from config.kit.refusals import InvalidRequest
from payments.models import Payment, PaymentEvent, ProviderAccount
from payments.providers.base import Outcome, State
from payments.services import charges, closing
from payments.services.charges import (
    OnlinePaymentsOff,
    PaymentRefused,
    PaymentUnavailable,
)
from tests.payments.bank.shop import DECLINED, NO_FUNDS, Shop
from tests.payments.scenes import (
    BACK_URL,
    PAYER,
    apply_all,
    begin,
    begun_payment,
    charges_at,
    deliver,
    end_time,
    facts_of,
    look_long_ago,
    open_payment,
    sessions_at,
    status_of,
    story_of,
    told,
)

PAID = {"clearing": 4500, "bookings": -4500}


# Opening ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("amount_minor", "currency"), [(0, "GBP"), (-4500, "GBP"), (4501, "KWD"), (10**8, "GBP")])
def test_what_cannot_be_charged_is_refused_at_its_field(
    account: ProviderAccount, amount_minor: int, currency: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        open_payment(account, amount_minor=amount_minor, currency=currency)
    assert [error.field for error in refused.value.errors] == ["amount_minor"]
    assert Payment.objects.count() == 0


def test_without_an_account_nothing_is_paid_online(account: ProviderAccount) -> None:
    assert charges.can_pay_online(account.organization_id)
    ProviderAccount.objects.update(ended_at=database_now())
    assert not charges.can_pay_online(account.organization_id)
    with pytest.raises(OnlinePaymentsOff):
        open_payment(account)


def test_money_at_the_desk_is_there_at_once(account: ProviderAccount) -> None:
    with transaction.atomic():
        payment = charges.take_at_desk(
            organization_id=account.organization_id, reference=uuid4(), amount_minor=4500, currency="GBP", actor=PAYER
        )
    assert story_of(payment).entries == {"till": 4500, "bookings": -4500}
    assert facts_of(payment) == {"payment_opened": 1, "payment_succeeded": 1}


# Beginning --------------------------------------------------------------------------------------------------------


def test_a_payment_is_begun_at_the_bank_and_settled_when_it_is_looked_at(account: ProviderAccount, shop: Shop) -> None:
    payment = begun_payment(account)
    session = shop.look(payment.provider_ref)
    assert (payment.status, payment.redirect_url) == ("processing", session.url)
    assert (session.amount_total, session.currency, session.client_reference_id) == (4500, "gbp", str(payment.id))

    shop.pay(payment.provider_ref)
    charges.refresh_payment(payment.id)

    story = story_of(payment)
    assert (story.status, story.entries, story.names) == ("succeeded", PAID, (True, True))
    assert story.facts == {"payment_opened": 1, "payment_begun": 1, "payment_succeeded": 1}


def test_beginning_again_leads_to_the_same_page(account: ProviderAccount, shop: Shop) -> None:
    payment = begun_payment(account)
    assert begin(payment).redirect_url == payment.redirect_url
    assert sessions_at(shop) == [payment.provider_ref]


@pytest.mark.parametrize("again_to", [BACK_URL, "http://other.shop.test/basket"])
def test_a_lost_answer_is_found_by_asking_again_and_never_by_a_second_checkout(
    account: ProviderAccount, shop: Shop, again_to: str
) -> None:
    payment = open_payment(account)
    shop.faults(lost_answers=1)
    with pytest.raises(PaymentUnavailable) as refused:
        begin(payment)
    assert (refused.value.status, refused.value.extra["retry_after_seconds"]) == (503, 5)

    payment = charges.begin_payment(payment.id, return_url="http://shop.test/paid", back_url=again_to)
    shop.pay(payment.provider_ref)
    charges.refresh_payment(payment.id)

    assert (status_of(payment), sessions_at(shop)) == ("succeeded", [payment.provider_ref])
    assert charges_at(shop) == [(4500, "succeeded")]


@pytest.mark.parametrize(
    ("is_paid", "end", "there"), [(True, "succeeded", "complete"), (False, "cancelled", "expired")]
)
def test_a_payment_that_has_ended_here_is_looked_at_too_and_ends_there(
    account: ProviderAccount, shop: Shop, is_paid: bool, end: str, there: str
) -> None:
    payment = begun_payment(account)
    charges.apply_outcome(payment.id, Outcome(State.CANCELLED, 4500, "GBP"))
    if is_paid:
        shop.pay(payment.provider_ref)
    assert charges.refresh_payment(payment.id).status == end
    assert shop.look(payment.provider_ref).status == there


def test_a_charge_of_which_nothing_was_heard_is_found_by_a_look(account: ProviderAccount, shop: Shop) -> None:
    payment = begun_payment(account)
    shop.pay(payment.provider_ref)  # no event comes, and nobody comes back
    assert closing.reconcile_open_payments() == 0, "it was asked about a moment ago"
    look_long_ago(payment)

    assert closing.reconcile_open_payments() == 1

    assert (story_of(payment).status, story_of(payment).entries) == ("succeeded", PAID)
    assert charges_at(shop) == [(4500, "succeeded")]
    assert closing.reconcile_open_payments() == 0


def test_a_checkout_whose_answer_was_lost_is_found_and_closed_in_time(account: ProviderAccount, shop: Shop) -> None:
    payment = open_payment(account)
    shop.faults(lost_answers=1)
    with pytest.raises(PaymentUnavailable):
        begin(payment)
    end_time(payment)

    assert closing.close_lapsed_payments() == 1

    assert status_of(payment) == "cancelled"
    assert [shop.look(ref).status for ref in sessions_at(shop)] == ["expired"]


def test_what_the_bank_will_never_take_has_failed_in_words(account: ProviderAccount) -> None:
    payment = open_payment(account, currency="KPW")
    with pytest.raises(PaymentRefused):
        begin(payment)
    assert status_of(payment) == "failed"
    assert facts_of(payment)["payment_failed"] == 1


def test_an_address_that_the_bank_takes_for_none_is_left_out(account: ProviderAccount, shop: Shop) -> None:
    payment = begun_payment(account, payer_email='"anna b"@example.org')
    assert shop.look(payment.provider_ref).customer_email is None
    assert len(sessions_at(shop)) == 1


def test_a_key_that_is_dead_is_a_fact_and_the_payment_waits(account: ProviderAccount) -> None:
    payment = open_payment(account)
    account.api_key = "sk_live_revoked"
    account.save()
    for _ in range(2):
        with pytest.raises(PaymentUnavailable):
            begin(payment)
    assert (status_of(payment), facts_of(payment)) == ("created", {"payment_opened": 1, "account_refused": 1})


# Settling ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("amount_minor", "currency"), [(1, "GBP"), (4499, "GBP"), (9000, "GBP"), (4500, "EUR")])
def test_another_amount_or_currency_settles_nothing_and_is_told_once(
    account: ProviderAccount, amount_minor: int, currency: str
) -> None:
    payment = begun_payment(account)
    for _ in range(3):
        charges.apply_outcome(payment.id, Outcome(State.SUCCEEDED, amount_minor, currency, intent_ref="pi_1"))

    story = story_of(payment)
    assert (story.status, story.entries) == ("processing", {})
    fact = PaymentEvent.objects.get(payment=payment, kind="payment_mismatched")
    assert fact.after == {"amount_minor": amount_minor, "currency": currency}
    assert fact.before == {"amount_minor": 4500, "currency": "GBP"}


@pytest.mark.parametrize("is_reversed", [False, True])
def test_two_declined_attempts_and_one_that_succeeds_are_three_and_one_is_paid(
    account: ProviderAccount, shop: Shop, is_reversed: bool
) -> None:
    payment = begun_payment(account)
    for card in (DECLINED, NO_FUNDS, "4242424242424242"):
        shop.pay(payment.provider_ref, card)

    deliver(account, *(told(shop)[::-1] if is_reversed else told(shop)))
    apply_all()

    attempts = PaymentEvent.objects.filter(payment=payment, kind__in=["payment_declined", "payment_succeeded"])
    assert sorted(attempts.values_list("kind", flat=True)) == [
        "payment_declined", "payment_declined", "payment_succeeded",
    ]  # fmt: skip
    codes = {fact.after["failure_code"] for fact in attempts.filter(kind="payment_declined")}
    assert codes <= {"card_declined", "generic_decline", "insufficient_funds"}
    assert (story_of(payment).status, story_of(payment).entries) == ("succeeded", PAID)
    assert sorted(charges_at(shop)) == [(4500, "failed"), (4500, "failed"), (4500, "succeeded")]


@pytest.mark.parametrize("end", [State.FAILED, State.CANCELLED])
def test_money_that_comes_after_all_is_there_whatever_we_thought(account: ProviderAccount, end: State) -> None:
    payment = begun_payment(account)
    charges.apply_outcome(payment.id, Outcome(end, 4500, "GBP"))
    assert status_of(payment) == end.value
    charges.apply_outcome(payment.id, Outcome(State.SUCCEEDED, 4500, "GBP", intent_ref="pi_1"))
    charges.apply_outcome(payment.id, Outcome(end, 4500, "GBP"))
    assert (story_of(payment).status, story_of(payment).entries) == ("succeeded", PAID)


def test_a_checkout_that_the_bank_does_not_know_is_a_fact_and_stays_open(account: ProviderAccount) -> None:
    payment = begun_payment(account)
    Payment.objects.filter(id=payment.id).update(provider_ref="cs_of_another_account")
    with pytest.raises(PaymentUnavailable):
        charges.refresh_payment(payment.id)
    assert (status_of(payment), facts_of(payment)["account_refused"]) == ("processing", 1)
