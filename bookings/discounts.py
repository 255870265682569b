"""What a promo code takes off a booking, and off each of its lines. Pure; all money in minor units.

How a price comes about, each step on what the one before left:

1. the price of one: the session's own, else its timetable version's, else the unit's (scheduling/prices.py);
2. the dated rules that apply, in their order;
3. the party's extras, at prices that no rule moves; that is the line's amount;
4. one promo code for the booking, on the sum of the lines that it is for: rounded once, then shared out among them;
5. a deposit, of what is left of each line (booking_quotes.py);
6. a voucher pays last: it is a means of payment, and changes no price.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bookings.policies import share


@dataclass(frozen=True, slots=True)
class Rebate:
    """What a promo code gives: so many percent (1 to 100), or else so much."""

    code: str
    percent: int | None = None
    amount_minor: int = 0

    def off(self, amount_minor: int) -> int:
        """Return what it takes off an amount: rounded half up, and never more than the amount."""
        off = self.amount_minor if self.percent is None else share(amount_minor, self.percent)
        return min(off, amount_minor)


def discounts_of(rebate: Rebate, amounts: Sequence[int], is_for: Sequence[bool]) -> list[int]:
    """Return what is taken off each line; of lines that the code is not for, nothing. The shares add up exactly."""
    eligible = [amount if covered else 0 for amount, covered in zip(amounts, is_for, strict=True)]
    return shared_out(rebate.off(sum(eligible)), eligible)


def shared_out(total: int, weights: Sequence[int]) -> list[int]:
    """Share a total out in proportion, by largest remainder; of equal ones the first gets more. It adds up exactly.

    Nobody gets more than their weight as long as the total is not above the sum of the weights.
    """
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    shares = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda place: -(total * weights[place] % whole))
    for place in by_remainder[: total - sum(shares)]:
        shares[place] += 1
    return shares


def discount_after(rebate: Rebate | None, *, old_minor: int, discount_minor: int, new_minor: int) -> int:
    """Return a line's discount once its amount is another; `rebate` is None where no code is for it.

    So many percent stay so many percent of the new amount. Of an amount off the booking the line keeps its share, as
    far as the new amount goes: what other lines have is not shared out anew.
    """
    if new_minor == old_minor or rebate is None:
        return min(discount_minor, new_minor)
    return rebate.off(new_minor) if rebate.percent is not None else min(discount_minor, new_minor)
