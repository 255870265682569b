"""Stored value: given, spent in parts, given back, ended; refused in words."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.db import transaction

from alerts.services.auditor import check_invariants
from config.kit.clock import database_now
from config.kit.ids import CROCKFORD, uuid7
from config.kit.refusals import InvalidRequest, NotFound
from config.tenants.models import OrganizationEvent
from payments.models import Payment, Voucher
from payments.services import vouchers
from payments.services.balances import balance_of
from payments.services.vouchers import (
    UnknownVoucher,
    VoucherEmpty,
    VoucherExpired,
    VoucherOtherCurrency,
    VoucherRefused,
    require_voucher,
)
from tests.factories import make_organization
from tests.payments.money import STAFF, accounts, facts, give_back, make_voucher, redeemed

pytestmark = pytest.mark.django_db


def find(voucher: Voucher, code: str = "", **other: object) -> Voucher:
    asked = {"organization_id": voucher.organization_id, "currency": "GBP", "at": database_now(), **other}
    return require_voucher(code=code or voucher.code, **asked)  # type: ignore[arg-type]


def balance(voucher: Voucher) -> int:
    voucher.refresh_from_db()
    return voucher.balance_minor


def entries(voucher: Voucher) -> list[tuple[str, int]]:
    return list(voucher.entries.order_by("at", "id").values_list("kind", "amount_minor"))


def test_a_code_is_sixteen_letters_that_nobody_guesses_or_misreads() -> None:
    codes = {make_voucher(make_organization().id).code for _ in range(5)}
    assert len(codes) == 5
    assert all([len(part) for part in code.split("-")] == [4, 4, 4, 4] for code in codes)
    assert all(set(code) <= {*CROCKFORD, "-"} for code in codes)


@pytest.mark.parametrize(
    "typed", ["0A1B-1CD0-23EF-4567", "oa1b icdo 23ef 4567", "0A1BLCDO23EF4567", " OAIB-1CDO--23EF-4567 "]
)
def test_a_code_is_found_however_it_was_typed(typed: str) -> None:
    voucher = make_voucher(make_organization().id)
    Voucher.objects.filter(id=voucher.id).update(code="0A1B-1CD0-23EF-4567")
    assert find(voucher, typed) == voucher


def test_a_voucher_is_spent_in_parts_and_a_part_comes_back() -> None:
    voucher, reference = make_voucher(make_organization().id, 1000), uuid7()
    first, second = (redeemed(voucher, amount, reference=reference) for amount in (400, 600))
    assert [payment.status for payment in (first, second)] == [Payment.Status.SUCCEEDED] * 2
    assert facts(first) == ["payment_opened", "payment_succeeded"]
    assert (balance(voucher), balance_of(reference).paid_minor) == (0, 1000)
    assert accounts() == {"bookings": -1000, "given": 1000}

    refund = give_back(first, 150)
    assert (refund.status, balance(voucher)) == ("succeeded", 150)
    assert facts(first)[2:] == ["refund_requested", "refund_succeeded"]
    assert (balance_of(reference).net_minor, accounts()) == (850, {"bookings": -850, "given": 1000, "vouchers": -150})
    assert entries(voucher) == [("issued", 1000), ("redeemed", -400), ("redeemed", -600), ("returned", 150)]


def test_what_is_left_is_the_most_that_can_be_spent() -> None:
    voucher = make_voucher(make_organization().id, 1000)
    redeemed(voucher, 700)
    with pytest.raises(VoucherEmpty, match=r"£3\.00 is left on this voucher; £3\.01 was asked\.") as refused:
        redeemed(voucher, 301)
    assert refused.value.extra == {"balance_minor": 300}
    assert (balance(voucher), Payment.objects.count()) == (300, 1)


def test_each_refusal_names_itself_at_the_field() -> None:
    organization = make_organization()
    good = make_voucher(organization.id)
    foreign = make_voucher(make_organization().id)
    spent = make_voucher(organization.id, 500)
    redeemed(spent, 500)
    ended = vouchers.end_voucher(voucher_id=make_voucher(organization.id).id, actor=STAFF)
    tomorrow = database_now() + timedelta(days=1)
    today = make_voucher(organization.id, expires_on=database_now().date())
    cases: list[tuple[type[VoucherRefused], Callable[[], Voucher]]] = [
        (UnknownVoucher, lambda: find(good, "0000-0000-0000-0000")),
        (UnknownVoucher, lambda: find(good, foreign.code)),
        (VoucherExpired, lambda: find(ended)),
        (VoucherExpired, lambda: find(today, at=tomorrow)),
        (VoucherOtherCurrency, lambda: find(good, currency="EUR")),
        (VoucherEmpty, lambda: find(spent)),
    ]
    for refusal, act in cases:
        with pytest.raises(refusal) as refused:
            act()
        assert [(error.field, error.code) for error in refused.value.errors] == [("voucher", refusal.code)]
    assert find(today) == today  # its last day counts


def test_an_expired_or_ended_voucher_pays_nothing_even_if_it_was_good_a_moment_ago() -> None:
    organization = make_organization()
    ended = vouchers.end_voucher(voucher_id=make_voucher(organization.id).id, actor=STAFF)
    expired = make_voucher(organization.id)
    Voucher.objects.filter(id=expired.id).update(expires_on=database_now().date() - timedelta(days=1))
    for voucher in (ended, expired):
        with pytest.raises(VoucherExpired):
            redeemed(voucher, 100)
    with transaction.atomic(), pytest.raises(NotFound):
        vouchers.redeem_voucher(voucher_id=uuid7(), reference=uuid7(), amount_minor=1, actor=STAFF)
    assert Payment.objects.count() == 0


def test_nothing_is_given_or_spent_that_is_worth_nothing() -> None:
    organization = make_organization()
    with pytest.raises(InvalidRequest) as worthless:
        make_voucher(organization.id, 0)
    with pytest.raises(InvalidRequest) as late:
        make_voucher(organization.id, expires_on=database_now().date() - timedelta(days=1))
    with pytest.raises(InvalidRequest) as nothing:
        redeemed(make_voucher(organization.id), 0)
    assert [each.value.errors[0].field for each in (worthless, late, nothing)] == [
        "amount_minor", "expires_on", "amount_minor",
    ]  # fmt: skip


def test_ending_a_voucher_takes_what_is_left_off_it_once() -> None:
    voucher = make_voucher(make_organization().id, 1000)
    redeemed(voucher, 400)
    for _ in range(2):
        vouchers.end_voucher(voucher_id=voucher.id, actor=STAFF)
    assert balance(voucher) == 0
    assert entries(voucher) == [("issued", 1000), ("redeemed", -400), ("ended", -600)]
    assert accounts() == {"bookings": -400, "given": 400}
    with pytest.raises(NotFound):
        vouchers.end_voucher(voucher_id=uuid7(), actor=STAFF)


# What came back ---------------------------------------------------------------------------------------------------


def day(days: int) -> date:
    return database_now().date() + timedelta(days=days)


@pytest.mark.parametrize(("last_day", "then"), [(-1, 90), (0, 90), (89, 90), (90, 90), (200, 200), (None, None)])
def test_what_came_back_can_be_spent_for_ninety_days_at_least(last_day: int | None, then: int | None) -> None:
    voucher = make_voucher(make_organization().id, 1000)
    payment = redeemed(voucher, 1000)
    Voucher.objects.filter(id=voucher.id).update(expires_on=None if last_day is None else day(last_day))
    give_back(payment, 300)
    assert (balance(voucher), voucher.expires_on) == (300, None if then is None else day(then))
    told = OrganizationEvent.objects.filter(kind="voucher_prolonged").count()
    assert told == (0 if last_day in (90, 200, None) else 1)
    assert redeemed(voucher, 300).status == "succeeded"


def test_what_came_back_to_an_ended_voucher_waits_until_staff_open_it_or_take_it_off() -> None:
    voucher = make_voucher(make_organization().id, 1000, expires_on=day(5))
    first, second = (redeemed(voucher, amount) for amount in (300, 200))
    vouchers.end_voucher(voucher_id=voucher.id, actor=STAFF)
    with pytest.raises(VoucherEmpty):
        vouchers.open_voucher(voucher_id=voucher.id, actor=STAFF)
    give_back(first)
    with pytest.raises(VoucherExpired):
        redeemed(voucher, 300)
    vouchers.end_voucher(voucher_id=voucher.id, actor=STAFF)  # again: what came back goes, too
    give_back(second)
    for _ in range(2):
        opened = vouchers.open_voucher(voucher_id=voucher.id, actor=STAFF)
        assert (opened.ended_at, opened.expires_on) == (None, day(5))
    redeemed(voucher, 200)
    assert entries(voucher) == [
        ("issued", 1000), ("redeemed", -300), ("redeemed", -200), ("ended", -500), ("returned", 300), ("ended", -300),
        ("returned", 200), ("redeemed", -200),
    ]  # fmt: skip
    assert accounts() == {"bookings": -200, "given": 200}
    kinds = list(OrganizationEvent.objects.order_by("seq").values_list("kind", flat=True))
    assert kinds == ["voucher_issued", "voucher_ended", "voucher_ended", "voucher_opened"]
    assert check_invariants() == []


def test_a_voucher_whose_last_day_is_over_is_opened_for_ninety_days() -> None:
    voucher = make_voucher(make_organization().id, 1000)
    Voucher.objects.filter(id=voucher.id).update(expires_on=day(-3))
    assert vouchers.open_voucher(voucher_id=voucher.id, actor=STAFF).expires_on == day(90)
    with pytest.raises(NotFound):
        vouchers.open_voucher(voucher_id=uuid7(), actor=STAFF)
