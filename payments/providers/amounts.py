"""Our minor units and Stripe's: the same whole numbers, but for a few currencies.

We count decimals as ISO 4217 does (0 for ISK and UGX, 2 for MGA); Stripe wants two of all but the currencies below.
https://docs.stripe.com/currencies#zero-decimal, #three-decimal, #special-cases
"""

from decimal import Decimal

from config.kit.money import exponent
from config.kit.refusals import invalid

TWO = 2
NO_DECIMALS = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
)
THREE_DECIMALS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})  # of which the last must be 0: cards have two
LARGEST = 99_999_999  # Stripe's, in its own units


def stripe_digits(currency: str) -> int:
    """Return how many decimals Stripe counts a currency in."""
    return 0 if currency in NO_DECIMALS else 3 if currency in THREE_DECIMALS else TWO


def to_stripe(amount_minor: int, currency: str) -> int:
    """Return our amount in Stripe's units; refuses, in words, what Stripe cannot charge."""
    shift = stripe_digits(currency) - exponent(currency)
    amount, rest = (amount_minor * _power(shift), 0) if shift >= 0 else divmod(amount_minor, _power(-shift))
    if rest or (currency in THREE_DECIMALS and amount % 10):
        raise invalid("amount_minor", "not_chargeable", f"Cards take {currency} in steps of {_step(currency)}.")
    if amount > LARGEST:
        raise invalid("amount_minor", "not_chargeable", "This is more than can be paid online at once.")
    return amount


def from_stripe(amount: int, currency: str) -> int:
    """Return Stripe's amount in our minor units.

    A fraction that we do not count cannot come of our own checkouts; it is rounded up, so as not to be overlooked.
    """
    shift = exponent(currency) - stripe_digits(currency)
    return amount * _power(shift) if shift >= 0 else -(-amount // _power(-shift))


def _step(currency: str) -> Decimal:
    """Return the smallest amount that cards can pay more or less: 0.01 KWD, 1 MGA."""
    return Decimal(1).scaleb(-min(stripe_digits(currency), TWO))


def _power(digits: int) -> int:
    return int(10**digits)
