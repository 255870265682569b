"""A booking's quote: what each line costs, what a code takes off, what is due at once, and what is due later. Pure.

Of an activity with a deposit only a share of what a line costs is paid at once, and the rest until so many days before
the start: that day's last second, by the venue's clock. Of several lines the earliest day counts, for all of them; when
it is over already, everything is due at once. Only who pays online pays a deposit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

from bookings.discounts import Rebate
from bookings.policies import share
from config.kit.display import change_text, day_text
from payments.methods import PaymentMethod

LAST_SECOND = time(23, 59, 59)


@dataclass(frozen=True, slots=True)
class DepositTerms:
    """An activity's deposit, for a session: in percent of the price, and until when the rest is due."""

    percent: int
    balance_days: int  # before the start
    starts_at: datetime  # by the venue's clock

    @property
    def balance_due_at(self) -> datetime:
        """Return the last second of the day on which the rest is due, by the venue's clock."""
        day = self.starts_at.date() - timedelta(days=self.balance_days)
        return datetime.combine(day, LAST_SECOND, tzinfo=self.starts_at.tzinfo)


@dataclass(frozen=True, slots=True)
class LineQuote:
    """One line, in minor units: what its party costs as quoted, and what a code takes off it."""

    amount_minor: int
    discount_minor: int = 0
    entries: Sequence[Mapping[str, Any]] = ()  # as scheduling/prices.py wrote them
    terms: DepositTerms | None = None
    deposit_minor: int | None = None  # None: all of it is due at once

    @property
    def net_minor(self) -> int:
        """What is left to pay for it."""
        return self.amount_minor - self.discount_minor

    @property
    def at_once_minor(self) -> int:
        """What of it is to be paid before it is booked, where it is paid online."""
        return self.net_minor if self.deposit_minor is None else self.deposit_minor


@dataclass(frozen=True, slots=True)
class BookingQuote:
    """All lines, and how they are paid for; in minor units of one currency."""

    currency: str
    lines: tuple[LineQuote, ...]
    rebate: Rebate | None = None
    voucher_minor: int = 0  # what a voucher pays of the total
    method: PaymentMethod | None = None  # None: it cannot be paid for as it is
    balance_due_at: datetime | None = None  # by the clock of the venue whose session decides

    @property
    def is_online(self) -> bool:
        """Is it paid for online?"""
        return self.method == PaymentMethod.ONLINE

    @property
    def gross_minor(self) -> int:
        """The sum of the lines, before any code."""
        return sum(line.amount_minor for line in self.lines)

    @property
    def discount_minor(self) -> int:
        """What the code takes off."""
        return sum(line.discount_minor for line in self.lines)

    @property
    def total_minor(self) -> int:
        """The price: what is paid in the end, in whatever way."""
        return self.gross_minor - self.discount_minor

    @property
    def deposit_minor(self) -> int | None:
        """What has to be paid to confirm it; None: all of it, or nothing where it is not paid online."""
        return sum(line.at_once_minor for line in self.lines) if self.balance_due_at else None

    @property
    def due_now_minor(self) -> int:
        """What has to be paid online before it is booked, besides what the voucher pays."""
        required = self.total_minor if self.deposit_minor is None else self.deposit_minor
        return max(required - self.voucher_minor, 0) if self.is_online else 0

    @property
    def due_later_minor(self) -> int:
        """What is left for later: the balance, or what is paid on arrival."""
        return self.total_minor - self.voucher_minor - self.due_now_minor

    def explained(self) -> list[dict[str, str | int]]:
        """Return how it comes to what is due, in words for people: `[{label, amount_minor}]`, from top to bottom."""
        rows = [*_priced(self), *_reduced(self), ("Total", self.total_minor), *_paid(self)]
        return [{"label": label, "amount_minor": amount} for label, amount in rows]


def with_deposit(quote: BookingQuote, *, at: datetime) -> BookingQuote:
    """Return the quote with what is due at once and until when the rest is, where it is paid online with a deposit.

    A deposit of nothing, or of everything, is none; and there is none once the rest would be due already, or is paid by
    a voucher.
    """
    terms = [line.terms for line in quote.lines if line.terms and line.net_minor]
    due_at = min((each.balance_due_at for each in terms), default=None)
    if due_at is None or due_at <= at or not quote.is_online or quote.voucher_minor >= quote.total_minor:
        return quote
    lines = tuple(replace(line, deposit_minor=_deposit(line)) for line in quote.lines)
    found = replace(quote, lines=lines, balance_due_at=due_at)
    return found if 0 < (found.deposit_minor or 0) < found.total_minor else quote


def _deposit(line: LineQuote) -> int | None:
    return share(line.net_minor, line.terms.percent) if line.terms else None


# In words ---------------------------------------------------------------------------------------------------------

Row = tuple[str, int]


def _priced(quote: BookingQuote) -> Iterable[Row]:
    for line in quote.lines:
        for entry in line.entries:
            yield _label(entry, quote.currency), int(entry["amount_minor"])


def _label(entry: Mapping[str, Any], currency: str) -> str:
    """Write `2 × Adult (Weekend +£2.00 each)`."""
    rules = [f"{rule['name']} {change_text(rule['change_minor'], currency)}" for rule in entry.get("rules", ())]
    return f"{entry['count']} × {entry['name']}" + (f" ({', '.join(rules)} each)" if rules else "")


def _reduced(quote: BookingQuote) -> Iterable[Row]:
    if quote.rebate:
        percent = f" ({quote.rebate.percent} % off)" if quote.rebate.percent else ""
        yield f"Code {quote.rebate.code}{percent}", -quote.discount_minor


def _paid(quote: BookingQuote) -> Iterable[Row]:
    if quote.voucher_minor:
        yield "Voucher", -quote.voucher_minor
    if quote.is_online and (quote.due_now_minor or quote.due_later_minor):
        yield "To pay now", quote.due_now_minor
    if quote.balance_due_at and quote.due_later_minor:
        yield f"To pay by {day_text(quote.balance_due_at, quote.balance_due_at.tzinfo or UTC)}", quote.due_later_minor
    elif quote.method == PaymentMethod.PAY_ON_ARRIVAL:
        yield "To pay on arrival", quote.due_later_minor
