"""How a booking may be paid for, and when nothing is left to pay before it is confirmed."""

from django.db import models

from config.kit.refusals import Refusal, invalid


class PaymentMethod(models.TextChoices):
    """How the customer pays."""

    ONLINE = "online"
    PAY_ON_ARRIVAL = "pay_on_arrival"
    FREE = "free"


class PaymentRequired(Refusal):
    """Money must be settled before this can be confirmed."""

    code, title, status = "payment_required", "This has to be paid for before it can be confirmed", 402


def settling_method(
    *, chosen: str | None, total_minor: int, on_arrival_allowed: bool, online_allowed: bool = False,
    covered_minor: int = 0,
) -> PaymentMethod:  # fmt: skip
    """Return how this total (minor units) is paid, of which a voucher covers a part, or refuse with the reason.

    Free is for a total of zero and nothing else. What a voucher covers whole is paid online, and settled at once.
    Paying on arrival is for activities that allow it, and what happens there when nothing is chosen; else it is paid
    online, where the organization can take money so. Where it cannot, PaymentRequired.
    """
    if chosen == PaymentMethod.FREE and total_minor:
        raise invalid("payment_method", "not_free", "This booking has a price, so it cannot be booked as free.")
    if not total_minor:
        return PaymentMethod.FREE
    if covered_minor >= total_minor:
        return PaymentMethod.ONLINE
    if chosen == PaymentMethod.PAY_ON_ARRIVAL and not on_arrival_allowed:
        raise invalid("payment_method", "not_on_arrival", "This activity cannot be paid for on arrival.")
    if on_arrival_allowed and chosen in (None, PaymentMethod.PAY_ON_ARRIVAL):
        return PaymentMethod.PAY_ON_ARRIVAL
    if online_allowed:
        return PaymentMethod.ONLINE
    raise PaymentRequired
