"""The last pound of a voucher is spent once."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

import pytest
from django.db import IntegrityError
from django.db.models import F

from config.kit.ids import uuid7
from payments.models import Payment, Voucher
from payments.services import vouchers
from payments.services.vouchers import VoucherEmpty
from tests.concurrency.races import race, tally
from tests.factories import make_organization
from tests.payments.conftest import nobody_else_hears
from tests.payments.money import STAFF, accounts, give_back, make_voucher, redeemed

__all__ = ["nobody_else_hears"]

pytestmark = pytest.mark.usefixtures("committed_db")

BUYERS = 8
TEN_POUNDS = 1000


def spend(voucher: Voucher, amounts: list[int]) -> list[Payment | Exception]:
    buyers: list[Callable[[], Payment]] = [partial(redeemed, voucher, amount) for amount in amounts]
    return race(buyers)


def balance(voucher: Voucher) -> int:
    return Voucher.objects.get(id=voucher.id).balance_minor


def test_one_of_eight_racing_buyers_spends_the_last_ten_pounds() -> None:
    voucher = make_voucher(make_organization().id, TEN_POUNDS)
    outcomes = spend(voucher, [TEN_POUNDS] * BUYERS)
    assert tally(outcomes) == {"Payment": 1, "VoucherEmpty": BUYERS - 1}
    assert (balance(voucher), Payment.objects.count()) == (0, 1)
    assert accounts() == {"bookings": -TEN_POUNDS, "given": TEN_POUNDS}


def test_the_balance_is_what_was_given_less_spent_plus_returned_however_many_race() -> None:
    voucher = make_voucher(make_organization().id, TEN_POUNDS)
    early = redeemed(voucher, 600)
    returns: list[Callable[[], object]] = [partial(give_back, early, 100) for _ in range(4)]
    buyers: list[Callable[[], object]] = [partial(redeemed, voucher, 300) for _ in range(4)]
    outcomes = race(returns + buyers)
    spent = sum(each.amount_minor for each in outcomes if isinstance(each, Payment))
    assert not [each for each in outcomes if isinstance(each, Exception) and not isinstance(each, VoucherEmpty)]
    assert balance(voucher) == TEN_POUNDS - 600 + 400 - spent
    assert balance(voucher) == sum(voucher.entries.values_list("amount_minor", flat=True))


def test_without_the_condition_the_database_refuses_to_overdraw(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the condition left out, the race is there, and the CHECK is what stops it."""

    def take_anyhow(voucher_id: UUID, amount_minor: int) -> bool:
        Voucher.objects.filter(id=voucher_id).update(balance_minor=F("balance_minor") - amount_minor)
        return True

    monkeypatch.setattr(vouchers, "_take", take_anyhow)
    voucher = make_voucher(make_organization().id, TEN_POUNDS)
    outcomes = spend(voucher, [TEN_POUNDS] * BUYERS)
    assert tally(outcomes) == {"Payment": 1, "IntegrityError": BUYERS - 1}
    refused = [str(each) for each in outcomes if isinstance(each, IntegrityError)]
    assert all("balance_minor" in words or "balance_within" in words for words in refused)
    assert balance(voucher) == 0


def test_ending_a_voucher_while_it_is_spent_loses_no_penny() -> None:
    voucher = make_voucher(make_organization().id, TEN_POUNDS)
    buyers: list[Callable[[], object]] = [partial(redeemed, voucher, 300) for _ in range(4)]
    buyers.append(partial(vouchers.end_voucher, voucher_id=voucher.id, actor=STAFF))
    race(buyers)
    assert (balance(voucher), sum(voucher.entries.values_list("amount_minor", flat=True))) == (0, 0)
    assert accounts().get("vouchers", 0) == 0
    with pytest.raises(vouchers.VoucherExpired):
        redeemed(voucher, 1, reference=uuid7())
