"""Codes, deposits and vouchers on a booking's price: the table of how they stack, and properties of every amount."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookings.booking_quotes import BookingQuote, DepositTerms, LineQuote, with_deposit
from bookings.discounts import Rebate, discount_after, discounts_of, shared_out
from payments.methods import PaymentMethod

LONDON = ZoneInfo("Europe/London")
STARTS = datetime(2031, 7, 15, 10, tzinfo=LONDON)
EARLY = STARTS - timedelta(days=100)
AMOUNTS = st.lists(st.integers(0, 10_000_000), min_size=1, max_size=12)


# A code on lines --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rebate", "amounts", "is_for", "expected"),
    [
        (Rebate("TEN", percent=10), [4000], [True], [400]),
        (Rebate("TEN", percent=10), [4000, 2000], [True, False], [400, 0]),
        (Rebate("TEN", percent=10), [5, 5], [True, True], [1, 0]),  # 1 of 10 in all, not 1 of each
        (Rebate("TEN", percent=10), [14], [True], [1]),
        (Rebate("TEN", percent=10), [15], [True], [2]),  # half up
        (Rebate("THIRD", percent=33), [100, 100, 100], [True] * 3, [33, 33, 33]),
        (Rebate("ALL", percent=100), [999, 0, 1], [True] * 3, [999, 0, 1]),
        (Rebate("FIVE", amount_minor=500), [3000, 2000], [True, True], [300, 200]),
        (Rebate("FIVE", amount_minor=500), [1000, 1000, 1000], [True] * 3, [167, 167, 166]),
        (Rebate("FIVE", amount_minor=500), [300, 9000], [True, False], [300, 0]),  # never more than they cost
        (Rebate("FIVE", amount_minor=500), [0, 0], [True, True], [0, 0]),
    ],
)  # fmt: skip
def test_a_code_is_rounded_once_and_shared_out_by_largest_remainder(
    rebate: Rebate, amounts: list[int], is_for: list[bool], expected: list[int]
) -> None:
    assert discounts_of(rebate, amounts, is_for) == expected


@given(AMOUNTS, st.integers(1, 100), st.integers(1, 30_000_000), st.randoms())
def test_discounts_add_up_exactly_and_stay_within_each_line(
    amounts: list[int], percent: int, off_minor: int, random: Any
) -> None:
    is_for = [random.random() < 0.7 for _ in amounts]
    eligible = [amount for amount, covered in zip(amounts, is_for, strict=True) if covered]
    for rebate in (Rebate("P", percent=percent), Rebate("A", amount_minor=off_minor)):
        found = discounts_of(rebate, amounts, is_for)
        assert sum(found) == rebate.off(sum(eligible)) <= sum(eligible)
        assert all(0 <= off <= (amount if covered else 0)
                   for off, amount, covered in zip(found, amounts, is_for, strict=True))  # fmt: skip
    exact = sum(eligible) * percent
    assert abs(100 * Rebate("P", percent=percent).off(sum(eligible)) - exact) <= 50


@given(AMOUNTS, st.data())
def test_what_is_shared_out_is_within_one_of_everybodys_part(weights: list[int], data: st.DataObject) -> None:
    total = data.draw(st.integers(0, sum(weights)))
    shares = shared_out(total, weights)
    whole = sum(weights)
    parts = list(zip(shares, weights, strict=True)) if whole else []
    assert sum(shares) == (total if whole else 0)
    assert all(abs(share * whole - total * weight) < whole for share, weight in parts)


@pytest.mark.parametrize(
    ("rebate", "old", "off", "new", "expected"),
    [
        (Rebate("TEN", percent=10), 4000, 400, 2000, 200),
        (Rebate("TEN", percent=10), 4000, 400, 6000, 600),
        (Rebate("TEN", percent=10), 5, 1, 5, 1),  # its share is kept while the amount is
        (Rebate("FIVE", amount_minor=500), 4000, 300, 2000, 300),
        (Rebate("FIVE", amount_minor=500), 4000, 300, 200, 200),
        (Rebate("FIVE", amount_minor=500), 4000, 300, 9000, 300),
        (None, 4000, 0, 9000, 0),
    ],
)
def test_a_changed_line_keeps_its_percent_or_its_share_of_an_amount(
    rebate: Rebate | None, old: int, off: int, new: int, expected: int
) -> None:
    assert discount_after(rebate, old_minor=old, discount_minor=off, new_minor=new) == expected


# The whole --------------------------------------------------------------------------------------------------------


def priced(
    amount: int, off: int = 0, *, deposit: int | None = None, days: int = 14, starts_at: datetime = STARTS
) -> LineQuote:
    terms = DepositTerms(deposit, days, starts_at) if deposit else None
    entry = {"name": "Adult", "count": 2, "amount_minor": amount}
    return LineQuote(amount, off, entries=[entry], terms=terms)


def quote(
    *lines: LineQuote, method: PaymentMethod = PaymentMethod.ONLINE, voucher: int = 0, at: datetime = EARLY
) -> BookingQuote:
    found = BookingQuote("GBP", lines, voucher_minor=voucher, method=method)
    return with_deposit(found, at=at)


def sums(found: BookingQuote) -> tuple[int, int, int | None, int, int]:
    return found.gross_minor, found.total_minor, found.deposit_minor, found.due_now_minor, found.due_later_minor


ON_ARRIVAL = PaymentMethod.PAY_ON_ARRIVAL


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        # gross, total, deposit, due now, due later
        (quote(priced(4000)), (4000, 4000, None, 4000, 0)),
        (quote(priced(4000, 400)), (4000, 3600, None, 3600, 0)),
        (quote(priced(4000, 400, deposit=30)), (4000, 3600, 1080, 1080, 2520)),  # of what the code left
        (quote(priced(4000, deposit=30), priced(1000)), (5000, 5000, 2200, 2200, 2800)),
        (quote(priced(4000, deposit=30), voucher=500), (4000, 4000, 1200, 700, 2800)),  # a voucher pays for now
        (quote(priced(4000, deposit=30), voucher=2000), (4000, 4000, 1200, 0, 2000)),
        (quote(priced(4000), voucher=4000), (4000, 4000, None, 0, 0)),
        (quote(priced(4000, deposit=30), method=ON_ARRIVAL), (4000, 4000, None, 0, 4000)),
        (quote(priced(4000, deposit=30), method=ON_ARRIVAL, voucher=500), (4000, 4000, None, 0, 3500)),
        (quote(priced(4000, deposit=30), at=STARTS - timedelta(days=13)), (4000, 4000, None, 4000, 0)),  # due already
        (quote(priced(1, deposit=30)), (1, 1, None, 1, 0)),  # a deposit of nothing is none
        (quote(priced(1, deposit=50)), (1, 1, None, 1, 0)),  # … and of everything
        (quote(priced(4000, 4000, deposit=30), method=PaymentMethod.FREE), (4000, 0, None, 0, 0)),
    ],
)  # fmt: skip
def test_code_then_deposit_then_voucher(found: BookingQuote, expected: tuple[int, ...]) -> None:
    assert sums(found) == expected


@pytest.mark.parametrize(
    ("zone", "starts_at", "expected"),
    [
        ("Europe/London", datetime(2031, 7, 15, 10, tzinfo=UTC), datetime(2031, 7, 1, 22, 59, 59, tzinfo=UTC)),
        ("Europe/London", datetime(2031, 1, 15, 10, tzinfo=UTC), datetime(2031, 1, 1, 23, 59, 59, tzinfo=UTC)),
        ("America/Denver", datetime(2031, 1, 15, 2, tzinfo=UTC), datetime(2031, 1, 1, 6, 59, 59, tzinfo=UTC)),
        ("Pacific/Auckland", datetime(2031, 1, 14, 22, tzinfo=UTC), datetime(2031, 1, 1, 10, 59, 59, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_the_rest_is_due_by_the_end_of_a_day_of_the_venue(zone: str, starts_at: datetime, expected: datetime) -> None:
    terms = DepositTerms(30, 14, starts_at.astimezone(ZoneInfo(zone)))
    assert terms.balance_due_at == expected


def test_of_several_lines_the_earliest_day_counts_for_all() -> None:
    later = STARTS + timedelta(days=30)
    found = quote(priced(4000, deposit=30, starts_at=later), priced(4000, deposit=50, days=7))
    assert found.balance_due_at == datetime(2031, 7, 8, 23, 59, 59, tzinfo=LONDON)


LINES = st.lists(
    st.builds(
        lambda amount, off, deposit, days: priced(amount, amount * off // 100, deposit=deposit, days=days),
        st.integers(0, 10_000_000), st.integers(0, 100), st.none() | st.integers(1, 99), st.integers(0, 150),
    ),
    min_size=1, max_size=8,
)  # fmt: skip


@given(LINES, st.integers(0, 100), st.sampled_from(PaymentMethod))
def test_what_is_due_now_and_later_and_what_the_voucher_pays_is_the_total(
    lines: list[LineQuote], covered: int, method: PaymentMethod
) -> None:
    total = sum(line.net_minor for line in lines)
    found = quote(*lines, method=method, voucher=total * covered // 100)
    assert found.due_now_minor + found.due_later_minor + found.voucher_minor == found.total_minor == total
    assert min(found.due_now_minor, found.due_later_minor) >= 0
    assert found.deposit_minor is None or (method == PaymentMethod.ONLINE and 0 < found.deposit_minor < total)
    assert (found.deposit_minor is None) == (found.balance_due_at is None)
    rows = {row["label"]: row["amount_minor"] for row in found.explained()}
    assert rows["Total"] == total


def test_a_quote_explains_itself_from_top_to_bottom() -> None:
    rules = [{"name": "Weekend", "change_minor": 200}]
    entries: list[dict[str, Any]] = [
        {"name": "Adult", "count": 2, "amount_minor": 4400, "rules": rules},
        {"name": "Locker", "count": 1, "amount_minor": 300},
    ]
    line = LineQuote(4700, 470, entries=entries, terms=DepositTerms(30, 14, STARTS))
    found = BookingQuote(
        "GBP", (line,), rebate=Rebate("SUMMER", percent=10), voucher_minor=1000, method=PaymentMethod.ONLINE
    )
    assert [(row["label"], row["amount_minor"]) for row in with_deposit(found, at=EARLY).explained()] == [
        ("2 × Adult (Weekend +£2.00 each)", 4400),
        ("1 × Locker", 300),
        ("Code SUMMER (10 % off)", -470),
        ("Total", 4230),
        ("Voucher", -1000),
        ("To pay now", 269),
        ("To pay by Tuesday 1 July", 2961),
    ]
