"""What a booking costs and how it is paid for: promo code, total, voucher, method, deposit; and what stands against it.

The arithmetic is in bookings/discounts.py and booking_quotes.py; the order of the steps is told there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models.expressions import RawSQL

from bookings import policies
from bookings.booking_quotes import BookingQuote, DepositTerms, LineQuote, with_deposit
from bookings.discounts import discounts_of
from bookings.models import Booking, Line, PromoCode
from bookings.services import promo_codes
from bookings.services.verdicts import CurrencyNotAccepted, LineVerdict, Order, TotalDiffers
from config.kit.refusals import FieldError, InvalidRequest, Refusal
from payments.methods import PaymentMethod, settling_method
from payments.models import Voucher
from payments.services import charges, vouchers
from scheduling.models import Session
from scheduling.services.assessing import too_much_money
from scheduling.wall_clock import load_zone

SOLD = (
    "id", "starts_at", "activity_id", "activity__pay_on_arrival", "activity__deposit_percent", "activity__balance_days",
    "activity__venue__timezone", "activity__organization__currency", "activity__organization__other_currencies",
    *(f"activity__{name}" for name in policies.COLUMNS),
)  # fmt: skip
Sold = Mapping[UUID, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Priced:
    """The lines with what each costs in the end, the whole, by which code and voucher, and what stands against it."""

    lines: tuple[LineVerdict, ...]
    quote: BookingQuote | None = None
    promo: PromoCode | None = None
    voucher: Voucher | None = None
    refusals: tuple[Refusal, ...] = ()


def price_booking(order: Order, lines: Sequence[LineVerdict]) -> Priced:
    """Price lines of one organization and one currency; without a price of each there is no total.

    Says everything at once: a currency in which it cannot be paid for, what stands against the code and the voucher, a
    total other than the one that was shown, a method that is not offered.
    """
    amounts = [line.amount_minor for line in lines if line.amount_minor is not None]
    owner = next((line.organization_id for line in lines if line.organization_id), None)
    if owner is None or len(amounts) < len(lines):
        return Priced(tuple(lines))
    sold = _sold(lines)
    now = next(iter(sold.values()))["now"]
    quote = BookingQuote(lines[0].currency, tuple(_line_quote(line, sold[line.session_id]) for line in lines))
    quote, promo, of_code = _with_code(order, quote, lines, sold, organization_id=owner, at=now)
    quote, voucher, of_voucher = _with_voucher(order, quote, organization_id=owner, at=now)
    quote, of_payment = _with_method(order, quote, sold, organization_id=owner, at=now)
    refusals = (
        *_currency(order, quote.currency, sold), *_too_much(quote), *of_code, *of_voucher,
        *_another_total(order, quote), *of_payment,
    )  # fmt: skip
    priced = tuple(
        replace(line, money=money, terms=_terms(sold[line.session_id]))
        for line, money in zip(lines, quote.lines, strict=True)
    )
    return Priced(priced, quote, promo, voucher, refusals)


def _sold(lines: Sequence[LineVerdict]) -> Sold:
    """Read what is sold, and on what terms; the clock with it, after whatever lock was waited for."""
    rows = Session.objects.filter(id__in=[each.session_id for each in lines])
    return {row["id"]: row for row in rows.annotate(now=RawSQL("clock_timestamp()", ())).values(*SOLD, "now")}


def _line_quote(line: LineVerdict, sold: Mapping[str, Any]) -> LineQuote:
    return LineQuote(line.amount_minor or 0, entries=line.quote, terms=_deposit_terms(sold))


def _terms(sold: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: sold[f"activity__{name}"] for name in policies.COLUMNS}


def _deposit_terms(sold: Mapping[str, Any]) -> DepositTerms | None:
    percent = sold["activity__deposit_percent"]
    zone = load_zone(sold["activity__venue__timezone"])
    starts_at = sold["starts_at"].astimezone(zone)
    return DepositTerms(percent, sold["activity__balance_days"], starts_at) if percent else None


# Currency and total -----------------------------------------------------------------------------------------------


def _currency(order: Order, currency: str, sold: Sold) -> Iterator[Refusal]:
    """Yield that the organization does not take this currency, or that it is not the one the caller means."""
    row = next(iter(sold.values()))
    accepted = [row["activity__organization__currency"], *row["activity__organization__other_currencies"]]
    if currency not in accepted:
        yield _not_accepted(currency, list(dict.fromkeys(accepted)))
    elif order.terms.currency not in ("", currency):
        yield _not_accepted(order.terms.currency, [currency])


def _too_much(quote: BookingQuote) -> Iterator[Refusal]:
    errors = too_much_money(sum(line.amount_minor for line in quote.lines), quote.currency, path="lines")
    if errors:
        yield InvalidRequest(errors[0].detail, errors=errors)


def _not_accepted(currency: str, accepted: list[str]) -> CurrencyNotAccepted:
    words = f"This cannot be paid for in {currency}, but in {' or '.join(accepted)}."
    error = FieldError("currency", CurrencyNotAccepted.code, words)
    return CurrencyNotAccepted(words, errors=[error], extra={"accepted": accepted})


def _another_total(order: Order, quote: BookingQuote) -> Iterator[Refusal]:
    """Yield that the customer was shown another total; it is compared before a voucher pays."""
    expected, total = order.terms.expected_total, quote.total_minor
    if expected not in (None, total):
        words = f"The total is {total}, not {expected} (in minor units of {quote.currency})."
        yield TotalDiffers(words, extra={"total_minor": total})


# Promo code -------------------------------------------------------------------------------------------------------


def _with_code(
    order: Order, quote: BookingQuote, lines: Sequence[LineVerdict], sold: Sold, *, organization_id: UUID, at: datetime
) -> tuple[BookingQuote, PromoCode | None, list[Refusal]]:
    """Take off what the code gives; or say what stands against it, and take nothing off."""
    if not order.terms.promo_code.strip():
        return quote, None, []
    try:
        promo = promo_codes.find_promo_code(organization_id=organization_id, code=order.terms.promo_code, at=at)
    except Refusal as refusal:
        return quote, None, [refusal]
    scope = promo_codes.activities_of(promo)
    is_for = [not scope or sold[line.session_id]["activity_id"] in scope for line in lines]
    eligible = sum(line.amount_minor for line, covered in zip(quote.lines, is_for, strict=True) if covered)
    found = _reduced(quote, promo, is_for)
    worth = promo_codes.faults_of_worth(
        promo, eligible_minor=eligible, off_minor=found.discount_minor, currency=quote.currency
    )
    faults = [*promo_codes.faults_of_use(promo, email=_may_look_at(order), replaced=_replaced(order)), *worth]
    return (quote, None, faults) if faults else (found, promo, [])


def _reduced(quote: BookingQuote, promo: PromoCode, is_for: Sequence[bool]) -> BookingQuote:
    rebate = promo_codes.rebate_of(promo)
    shares = discounts_of(rebate, [line.amount_minor for line in quote.lines], is_for)
    lines = (replace(line, discount_minor=off) for line, off in zip(quote.lines, shares, strict=True))
    return replace(quote, lines=tuple(lines), rebate=rebate)


def _may_look_at(order: Order) -> str | None:
    """Return whose earlier uses may be told: a stranger who asks what would be must not learn who has booked."""
    return order.contact.email if order.look else None


def _replaced(order: Order) -> list[UUID]:
    """Return the bookings, begun and not paid, of the same reservations: this one would take their place."""
    held = [reservation.id for reservation in order.held]
    begun = Line.objects.filter(reservation__in=held, booking__status=Booking.Status.PENDING)
    return list(begun.values_list("booking_id", flat=True).distinct()) if held else []


# Paying -----------------------------------------------------------------------------------------------------------


def _with_voucher(
    order: Order, quote: BookingQuote, *, organization_id: UUID, at: datetime
) -> tuple[BookingQuote, Voucher | None, list[Refusal]]:
    """Let the voucher pay what it can; or say what stands against it. Of nothing it pays nothing."""
    code = order.terms.voucher
    if not code.strip():
        return quote, None, []
    try:
        found = vouchers.require_voucher(organization_id=organization_id, code=code, currency=quote.currency, at=at)
    except Refusal as refusal:
        return quote, None, [refusal]
    pays = min(found.balance_minor, quote.total_minor)
    return replace(quote, voucher_minor=pays), found if pays else None, []


def _with_method(
    order: Order, quote: BookingQuote, sold: Sold, *, organization_id: UUID, at: datetime
) -> tuple[BookingQuote, list[Refusal]]:
    """Settle how it is paid for, and what of it at once; or say why it cannot be like that."""
    on_arrival, chosen = _on_arrival(sold.values()), order.terms.payment_method
    is_open = quote.total_minor > quote.voucher_minor
    asks_online = is_open and chosen != PaymentMethod.PAY_ON_ARRIVAL and not (on_arrival and chosen is None)
    try:
        method = settling_method(
            chosen=chosen, total_minor=quote.total_minor, covered_minor=quote.voucher_minor,
            on_arrival_allowed=on_arrival, online_allowed=asks_online and charges.can_pay_online(organization_id),
        )  # fmt: skip
    except Refusal as refusal:
        return quote, [refusal]
    return with_deposit(replace(quote, method=method), at=at), []


def _on_arrival(sold: Iterable[Mapping[str, Any]]) -> bool:
    return all(row["activity__pay_on_arrival"] for row in sold)
