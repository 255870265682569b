"""A booking's money on its page: what it costs, what was paid, what is due, and each payment with what went back."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse

from bookings.admin.money_acts import LINK, payment_link
from bookings.models import Booking
from bookings.services import promo_codes, settlement
from config.kit.display import money_text, utc_text
from config.tenants.scoping import may
from payments.admin.words import amount_of, dispute_words, payment_words, refund_words
from payments.models import Payment
from payments.services.balances import Balance, balance_of

KIND, BOOKING = "payments.payment", "bookings.booking"


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment in words, with what became of it since."""

    address: str
    what: str
    when: str
    since: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MoneyBox:
    """The sums, in order, each with its name; the payments; and where it can still be paid."""

    sums: tuple[tuple[str, str], ...]
    payments: tuple[Paid, ...]
    link: str
    link_until: str


def money_box(request: HttpRequest, booking: Booking) -> MoneyBox | None:
    """Return what the page shows of money; None for whoever may not look at payments."""
    if not may(request, KIND, "view", booking):
        return None
    rows = Payment.objects.filter(reference=booking.id).prefetch_related("refunds__payment", "disputes")
    payments = list(rows.order_by("id"))
    waiting = [payment for payment in payments if payment.is_open]
    shows_link = waiting and booking.status == Booking.Status.PENDING and may(request, BOOKING, LINK, booking)
    until = waiting[-1].expires_at if waiting else None
    return MoneyBox(
        sums=tuple(_sums(booking, balance_of(booking.id))),
        payments=tuple(_paid(payment) for payment in payments),
        link=payment_link(request, booking) if shows_link else "",
        link_until=utc_text(until) if until else "",
    )


def _sums(booking: Booking, balance: Balance) -> Iterator[tuple[str, str]]:
    """Yield what is not nothing; the price and what was paid always."""
    due = settlement.due_of(booking, balance)
    off = sum(line.discount_minor for line in booking.lines.all() if line.status == "live")
    use = promo_codes.use_of(booking) if off else None
    amounts = (
        ("Price", booking.total_minor, True),
        (f"In it, taken off by {use.code}" if use else "In it, taken off", off, False),
        ("In it, given back by staff", booking.rebate_minor, False),
        ("Paid", balance.paid_minor, True),
        ("Gone back", balance.refunded_minor, False),
        ("On its way back", balance.returning_minor, False),
        ("Disputed, with the bank", balance.disputed_minor, False),
        (_due_label(booking), due.due_minor, False),
    )
    return ((label, money_text(minor, booking.currency)) for label, minor, always in amounts if minor or always)


def _due_label(booking: Booking) -> str:
    return f"Due by {utc_text(booking.balance_due_at)}" if booking.balance_due_at else "Due"


def _paid(payment: Payment) -> Paid:
    refunds = tuple(f"{amount_of(row)} {refund_words(row)}" for row in payment.refunds.all())
    disputes = tuple(f"{amount_of(row)} disputed, {dispute_words(row)}" for row in payment.disputes.all())
    return Paid(
        address=reverse("admin:payments_payment_change", args=[payment.id]),
        what=f"{amount_of(payment)}, {payment.get_provider_display()}: {payment_words(payment)}",
        when=utc_text(payment.settled_at or payment.created_at),
        since=(*refunds, *disputes),
    )
