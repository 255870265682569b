"""Amounts and currencies: whole minor units of an ISO 4217 currency, and how people see them.

How many decimals a currency has is ISO's word, because amounts are charged by it; Babel's tables say how many digits
are customary, which is fewer where the smallest coin is worth nothing any more. Writing 100.00 RSD as "RSD 10,000"
would be wrong by a factor of a hundred.
"""

import copy
from decimal import Decimal
from functools import cache

from babel import Locale
from babel.core import get_global
from babel.numbers import NumberPattern, get_currency_precision, get_territory_currencies

# Where ISO 4217 counts more decimals than are customary.
ISO_DIGITS = {
    "AFN": 2, "ALL": 2, "IQD": 3, "IRR": 2, "KPW": 2, "LAK": 2, "LBP": 2, "MGA": 2, "MMK": 2, "RSD": 2, "SOS": 2,
    "SYP": 2, "YER": 2,
}  # fmt: skip


@cache
def currencies() -> frozenset[str]:
    """Return every currency that is legal tender somewhere today."""
    return frozenset(code for territory in get_global("territory_currencies") for code in _tender_of(territory))


def is_currency(code: str) -> bool:
    """Is it the code of a currency in use, in capital letters?"""
    return code in currencies()


def exponent(currency: str) -> int:
    """Return how many decimals a currency has: 2 for GBP, 0 for JPY, 3 for KWD."""
    return ISO_DIGITS.get(currency, get_currency_precision(currency))


# The most that a column holds. What comes to more is refused before it is written: an array of integers, which is how
# several rows are inserted at once, would wrap round.
MOST_MINOR = 2**31 - 1


def amount_of(minor: int, currency: str) -> Decimal:
    """Return minor units as an exact decimal: 4500 GBP is 45.00."""
    return Decimal(minor).scaleb(-exponent(currency))


def minor_of(amount: Decimal, currency: str) -> int:
    """Return an amount in minor units, or raise ValueError when it is finer than the currency."""
    minor = amount.scaleb(exponent(currency))
    if minor != minor.to_integral_value():
        raise ValueError(f"{currency} has {exponent(currency)} digits after the point.")
    return int(minor)


def written(minor: int, currency: str, *, locale: str) -> str:
    """Write minor units as a language does, with all decimals of the currency: £45.00, 45,00 €, ¥4,500."""
    pattern = _pattern(locale, exponent(currency))
    return str(pattern.apply(amount_of(minor, currency), locale, currency=currency, currency_digits=False))


@cache
def _pattern(locale: str, digits: int) -> NumberPattern:
    """Return the language's own way to write money, with so many decimals; Babel's is left as it is."""
    pattern: NumberPattern = copy.copy(Locale.parse(locale).currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    return pattern


def _tender_of(territory: str) -> list[str]:
    found: list[str] = get_territory_currencies(territory)
    return found
