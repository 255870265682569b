"""What was given away that lowers a price, to try it out."""

from collections.abc import Iterator
from dataclasses import dataclass

from bookings.models import PromoCode
from config.kit.display import money_text
from payments.models import Voucher


@dataclass(frozen=True, slots=True)
class Gift:
    """A code to type at the checkout, whose it is, and what it gives."""

    organization: str
    code: str
    words: str


def gifts() -> Iterator[Gift]:
    """Yield the promo codes, then the vouchers on which something is left."""
    for promo in PromoCode.objects.filter(ended_at=None).select_related("organization").order_by("code"):
        gives = f"{promo.percent} %" if promo.percent else money_text(promo.amount_minor or 0, promo.currency)
        yield Gift(promo.organization.name, promo.code, f"promo code, {gives} off")
    left = Voucher.objects.filter(ended_at=None, balance_minor__gt=0).select_related("organization")
    for voucher in left.order_by("id"):
        worth = money_text(voucher.balance_minor, voucher.currency)
        yield Gift(voucher.organization.name, voucher.code, f"voucher, {worth} left")
