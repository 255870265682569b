"""What a change or a cancellation costs, until when and for whom: the table of rules, and properties of any terms."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookings import policies, quotes
from bookings.policies import Act, Consequence, LineMoney, Situation, Terms

STARTS = datetime(2031, 5, 5, 10, tzinfo=UTC)
ENDS = STARTS + timedelta(hours=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STRICT = Terms(may_change=False, may_transfer=False, may_cancel=False)
PAID = Terms(change_fee_minor=250, cancel_fee_percent=10, late_cancel_fee_percent=60)


def at(now: datetime, terms: Terms = PAID, **others: bool) -> Situation:
    return Situation(terms=terms, starts_at=STARTS, ends_at=ENDS, now=now, **others)


def codes(situation: Situation) -> dict[str, str | None]:
    found = {act: policies.obstacle(act, situation) for act in Act}
    return {act.value: each.code if each else None for act, each in found.items()}


EVERYTHING = dict.fromkeys([act.value for act in Act])


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        (at(STARTS - 2 * DAY), EVERYTHING),
        (at(STARTS - HOUR), {**EVERYTHING, "move": "change_too_late", "resize": "change_too_late"}),
        (at(STARTS), dict.fromkeys(EVERYTHING, "session_begun")),
        (
            at(STARTS - 2 * DAY, STRICT),
            {
                "cancel": "cancel_not_offered", "move": "change_not_offered", "resize": "change_not_offered",
                "name_people": "change_not_offered", "transfer": "transfer_not_offered",
            },
        ),
        (at(STARTS, STRICT, by_venue=True), EVERYTHING),
        (at(ENDS - HOUR / 60, by_venue=True), EVERYTHING),
        (
            at(STARTS - HOUR, STRICT, is_released=True),
            {
                "cancel": None, "move": None, "resize": "change_not_offered", "name_people": "change_not_offered",
                "transfer": "transfer_not_offered",
            },
        ),
        (
            at(STARTS - 2 * DAY, is_expected=False),
            {**dict.fromkeys(EVERYTHING, "already_arrived"), "name_people": None},
        ),
    ],
    ids=["early", "late", "begun", "switched off", "the venue, begun", "the venue, to the end", "released", "arrived"],
)  # fmt: skip
def test_who_may_do_what_until_when(situation: Situation, expected: dict[str, str | None]) -> None:
    assert codes(situation) == expected


@pytest.mark.parametrize("by_venue", [True, False])
@pytest.mark.parametrize("released", [True, False])
def test_nothing_can_be_changed_once_the_session_is_over(by_venue: bool, released: bool) -> None:
    over = at(ENDS, by_venue=by_venue, is_released=released)
    assert codes(over) == dict.fromkeys(EVERYTHING, "session_over")


@pytest.mark.parametrize(
    ("situation", "cancel", "move"),
    [
        (at(STARTS - 2 * DAY), 100, 250),
        (at(STARTS - DAY), 100, 250),  # the deadline itself is in time
        (at(STARTS - DAY + timedelta(seconds=1)), 600, 250),
        (at(STARTS - HOUR, is_released=True), 0, 0),
        (at(STARTS + HOUR / 2, by_venue=True), 600, 250),
    ],
)
def test_what_is_kept_by_the_terms(situation: Situation, cancel: int, move: int) -> None:
    assert (policies.cancel_fee(1000, situation), policies.move_fee(situation)) == (cancel, move)


@pytest.mark.parametrize(
    ("amount", "percent", "expected"), [(1, 50, 1), (3, 50, 2), (1, 49, 0), (999, 33, 330), (0, 100, 0), (7, 100, 7)]
)
def test_shares_are_rounded_half_up(amount: int, percent: int, expected: int) -> None:
    assert policies.share(amount, percent) == expected


amounts = st.integers(0, 10**9)
percents = st.integers(0, 100)


@given(amount=amounts, early=percents, later=percents, hours=st.integers(-48, 48), released=st.booleans())
def test_a_fee_is_never_negative_and_never_more_than_the_amount(
    amount: int, early: int, later: int, hours: int, released: bool
) -> None:
    terms = Terms(cancel_fee_percent=early, late_cancel_fee_percent=later)
    fee = policies.cancel_fee(amount, at(STARTS + hours * HOUR, terms, is_released=released))
    assert 0 <= fee <= amount
    assert isinstance(fee, int)


lines = st.builds(LineMoney, amount_minor=amounts, fee_minor=amounts, is_live=st.booleans())


@given(money=st.lists(lines), fee=amounts, before=amounts)
def test_a_total_is_live_amounts_and_fees_and_a_difference_goes_one_way(
    money: list[LineMoney], fee: int, before: int
) -> None:
    total = policies.total_of(money, fee_minor=fee)
    live = sum(line.amount_minor for line in money if line.is_live)
    kept = sum(line.fee_minor for line in money if not line.is_live)
    assert total == live + kept + fee
    consequence = Consequence("GBP", before, total)
    assert consequence.due_minor - consequence.refundable_minor == total - before
    assert 0 in (consequence.due_minor, consequence.refundable_minor)
    assert min(consequence.due_minor, consequence.refundable_minor) >= 0


# The quote of a party that changes --------------------------------------------------------------------------------

UNITS = [f"00000000-0000-0000-0000-00000000000{n}" for n in (1, 2)]


def entry(unit: str, count: int, price: int) -> dict[str, object]:
    text = f"{count} x {unit[-1]} at {price}"
    return {"unit": unit, "name": unit[-1], "count": count, "amount_minor": count * price, "why": text}


def test_who_stays_keeps_the_price_and_who_was_added_last_leaves_first() -> None:
    quote = quotes.joined([entry(UNITS[0], 2, 1000)], [entry(UNITS[0], 3, 1200)])
    assert quote == [entry(UNITS[0], 2, 1000), entry(UNITS[0], 3, 1200)]
    added, leaving = quotes.differences(quote, {UUID(UNITS[0]): 1})
    assert (added, leaving) == ({}, {UUID(UNITS[0]): 4})
    assert quotes.without(quote, leaving) == [entry(UNITS[0], 1, 1000)]


entries = st.lists(
    st.builds(entry, unit=st.sampled_from(UNITS), count=st.integers(1, 9), price=st.integers(0, 5000)), max_size=5
)
wanted = st.dictionaries(st.sampled_from([UUID(unit) for unit in UNITS]), st.integers(0, 12))


@given(quote=entries, wanted=wanted, today=st.integers(0, 5000))
def test_a_changed_quote_counts_what_is_wanted_and_never_dearer_for_those_who_stay(
    quote: list[dict[str, Any]], wanted: dict[UUID, int], today: int
) -> None:
    added, leaving = quotes.differences(quote, wanted)
    kept = quotes.without(quote, leaving)
    changed = quotes.joined(kept, [entry(str(unit), count, today) for unit, count in added.items()])
    assert quotes.unit_counts(changed) == {unit: count for unit, count in wanted.items() if count}
    assert quotes.amount_of(kept) <= quotes.amount_of(quote)
    assert quotes.amount_of(changed) == quotes.amount_of(kept) + today * sum(added.values())
    assert all(each["amount_minor"] >= 0 and each["count"] > 0 for each in changed)


def test_extras_stay_with_the_party_and_rules_are_told_again() -> None:
    ruled = {**entry(UNITS[0], 2, 1200), "rules": [{"name": "Weekend", "change_minor": 200}]}
    locker = {"extra": UNITS[1], "name": "Locker", "count": 1, "amount_minor": 300, "why": "1 x Locker at 300"}
    kept = quotes.without([ruled, locker], {UUID(UNITS[0]): 1})
    assert kept == [{**ruled, "count": 1, "amount_minor": 1200, "why": "1 x 1 at 1200: Weekend +200"}, locker]
