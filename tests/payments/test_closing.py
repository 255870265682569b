"""Payments whose time is over are closed, and those of which nothing was heard are looked at."""

from urllib.error import HTTPError
from uuid import UUID

import pytest
from django.db import transaction

from payments.models import Payment, ProviderAccount
from payments.providers.base import Outcome, State
from payments.services import charges, closing
from payments.services.charges import (
    PaymentOver,
)
from tests.factories import make_organization
from tests.payments.bank.shop import LATE, Shop
from tests.payments.scenes import (
    begin,
    begun_payment,
    end_time,
    look_long_ago,
    make_account,
    open_payment,
    sessions_at,
    status_of,
    story_of,
)

PAID = {"clearing": 4500, "bookings": -4500}


def test_what_is_over_is_closed_at_the_bank(account: ProviderAccount, shop: Shop) -> None:
    payment = begun_payment(account)
    end_time(payment)
    assert closing.close_lapsed_payments() == 1
    assert (status_of(payment), shop.look(payment.provider_ref).status) == ("cancelled", "expired")
    with pytest.raises(HTTPError, match="400"):
        shop.pay(payment.provider_ref)


def test_what_was_paid_at_the_last_moment_is_settled_by_its_closing(account: ProviderAccount, shop: Shop) -> None:
    payment = begun_payment(account)
    shop.pay(payment.provider_ref)
    end_time(payment)
    assert closing.close_lapsed_payments() == 1
    assert (story_of(payment).status, story_of(payment).entries) == ("succeeded", PAID)


def test_what_is_on_its_way_stays_open_until_the_bank_knows(account: ProviderAccount, shop: Shop) -> None:
    payment = begun_payment(account)
    shop.faults(late_success_seconds=3600)
    shop.pay(payment.provider_ref, LATE)
    assert charges.close_payment(payment.id).status == "processing"
    shop.act("settle_late", payment.provider_ref)
    assert charges.close_payment(payment.id).status == "succeeded"


def test_what_no_bank_has_heard_of_is_cancelled_without_asking(account: ProviderAccount, shop: Shop) -> None:
    payment = open_payment(account)
    shop.faults(down=True)
    end_time(payment)
    assert closing.close_lapsed_payments() == 1
    assert status_of(payment) == "cancelled"
    assert begin(payment).redirect_url == ""


def test_nobody_pays_any_more_for_what_is_let_go(account: ProviderAccount, shop: Shop) -> None:
    payment = begun_payment(account)
    waiting = open_payment(account, reference=payment.reference)
    with transaction.atomic():
        charges.let_go(payment.reference)
    with pytest.raises(PaymentOver):
        begin(waiting)
    assert closing.close_lapsed_payments() == 2
    assert (status_of(payment), status_of(waiting)) == ("cancelled", "cancelled")
    assert shop.look(payment.provider_ref).status == "expired"


def test_a_payment_given_up_while_the_bank_was_asked_is_closed_there(
    account: ProviderAccount, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = open_payment(account)
    ask = charges._open_checkout

    def given_up_meanwhile(*args: object, **kwargs: object) -> Outcome:
        charges.apply_outcome(payment.id, Outcome(State.CANCELLED, 4500, "GBP"))
        return ask(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(charges, "_open_checkout", given_up_meanwhile)
    begin(payment)
    assert status_of(payment) == "cancelled"
    assert [shop.look(ref).status for ref in sessions_at(shop)] == ["expired"]


def test_one_account_that_cannot_be_asked_does_not_keep_the_others_waiting(
    account: ProviderAccount, shop: Shop
) -> None:
    broken = [begun_payment(account) for _ in range(3)]
    account.api_key = "sk_live_revoked"
    account.save()
    fine = begun_payment(make_account(make_organization(), shop))
    shop.pay(fine.provider_ref)
    for payment in [*broken, fine]:
        look_long_ago(payment)
    assert closing.reconcile_open_payments() == 1
    assert status_of(fine) == "succeeded"
    assert {status_of(payment) for payment in broken} == {"processing"}


def test_a_payment_is_claimed_for_one_look_at_a_time(account: ProviderAccount) -> None:
    payment = begun_payment(account)
    look_long_ago(payment)
    claimed: list[UUID] = []

    def look(payment_id: UUID) -> Payment:
        claimed.append(payment_id)
        return Payment.objects.get(id=payment_id)

    for _ in range(2):
        closing._sweep(closing.CLAIM.format(which=closing.UNHEARD_OF), look)
    assert claimed == [payment.id]


def test_what_one_payment_runs_into_keeps_no_other_waiting(
    account: ProviderAccount, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlucky, fine = begun_payment(account), begun_payment(account)
    for payment in (unlucky, fine):
        shop.pay(payment.provider_ref)
        look_long_ago(payment)
    apply = charges.apply_outcome

    def stumble(payment_id: UUID, outcome: Outcome) -> Payment:
        return apply(payment_id, outcome) if payment_id == fine.id else 1 / 0  # type: ignore[return-value]

    monkeypatch.setattr(charges, "apply_outcome", stumble)
    assert closing.reconcile_open_payments() == 1
    assert (status_of(unlucky), status_of(fine)) == ("processing", "succeeded")
