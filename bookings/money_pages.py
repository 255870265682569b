"""A booking's money as its customer sees it: the price, every payment and refund, what is due, what would go back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bookings.models import Booking, Line
from bookings.services import promo_codes, settlement
from bookings.services.settlement import Due
from payments.models import Dispute, Payment, ProviderName, Refund
from payments.services import charges
from payments.services.balances import balance_of, left_by_payment

PAID_BY = {ProviderName.STRIPE: "Paid by card", ProviderName.ON_ARRIVAL: "Paid at the desk",
           ProviderName.VOUCHER: "Paid with a voucher"}  # fmt: skip
BACK_TO = {ProviderName.STRIPE: "to your card", ProviderName.ON_ARRIVAL: "at the desk",
           ProviderName.VOUCHER: "onto your voucher"}  # fmt: skip
ON_ITS_WAY = {
    ProviderName.STRIPE: "on its way; it can take 5 to 10 days", ProviderName.ON_ARRIVAL: "to be handed to you",
    ProviderName.VOUCHER: "",
}  # fmt: skip
NOT_BACK = "did not go through; the venue has been told"
DISPUTES = {
    Dispute.Status.OPEN: "Your bank has asked for this payment back. Your booking stands while it is being decided.",
    Dispute.Status.WON: "Your bank asked for this payment back, and it was decided that it stands.",
    Dispute.Status.LOST: "Your bank has taken this payment back.",
}
GOES_BACK_FIRST = (ProviderName.STRIPE, ProviderName.ON_ARRIVAL, ProviderName.VOUCHER)


@dataclass(frozen=True, slots=True)
class Moved:
    """Money that came, or went back, or is on its way; minor units, always positive."""

    at: datetime
    what: str
    amount_minor: int
    is_back: bool = False
    state: str = ""  # empty: it has arrived


@dataclass(frozen=True, slots=True)
class Money:
    """All there is to say of a booking's money."""

    currency: str
    total_minor: int
    discount_minor: int
    code: str
    rebate_minor: int
    moved: tuple[Moved, ...]
    due: Due
    is_overdue: bool
    disputes: tuple[str, ...]
    can_pay: bool  # what is due can be paid online now

    @property
    def due_words(self) -> str:
        """Say of what is due how it stands; the day follows, where there is one."""
        if self.due.due_at is None:
            return "Still to pay"
        return "Was due on" if self.is_overdue else "Due by"


def due_of_booking(booking: Booking) -> Due:
    """Return what is to be paid for a booking, and until when."""
    return settlement.due_of(booking, balance_of(booking.id))


def money_of(booking: Booking, lines: Sequence[Line], *, now: datetime) -> Money:
    """Gather a booking's money; `lines` are all of its lines."""
    rows = Payment.objects.filter(reference=booking.id, status=Payment.Status.SUCCEEDED)
    payments = list(rows.order_by("settled_at", "id").prefetch_related("refunds", "disputes"))
    due = settlement.due_of(booking, balance_of(booking.id))
    is_due = due.due_minor > 0 and booking.status == Booking.Status.CONFIRMED
    discount = sum(line.discount_minor for line in lines if line.status == Line.Status.LIVE)
    use = promo_codes.use_of(booking) if discount else None
    return Money(
        currency=booking.currency, total_minor=booking.total_minor, discount_minor=discount,
        code=use.code if use else "", rebate_minor=booking.rebate_minor,
        moved=tuple(sorted(_moved(payments), key=lambda each: each.at)), due=due,
        is_overdue=is_due and due.due_at is not None and due.due_at < now,
        disputes=tuple(DISPUTES[Dispute.Status(each.status)] for paid in payments for each in paid.disputes.all()),
        can_pay=is_due and charges.can_pay_online(booking.organization_id),
    )  # fmt: skip


def _moved(payments: Iterable[Payment]) -> Iterable[Moved]:
    for payment in payments:
        provider = ProviderName(payment.provider)
        yield Moved(payment.settled_at or payment.created_at, PAID_BY[provider], payment.amount_minor)
        for refund in payment.refunds.all():
            words = f"{'Given back' if refund.settled_at else 'Goes back'} {BACK_TO[provider]}"
            at, state = refund.settled_at or refund.created_at, _state(refund, provider)
            yield Moved(at, words, refund.amount_minor, is_back=True, state=state)
        for dispute in payment.disputes.all():
            if dispute.is_withdrawn and dispute.status != Dispute.Status.WON:
                yield Moved(dispute.opened_at, "Taken back by your bank", dispute.amount_minor, is_back=True)


def _state(refund: Refund, provider: ProviderName) -> str:
    if refund.status == Refund.Status.FAILED:
        return NOT_BACK
    return "" if refund.status == Refund.Status.SUCCEEDED else ON_ITS_WAY[provider]


# What an act would come to ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Settled:
    """What would go back and to where, and what would be due, once a booking's total is another; minor units."""

    back: tuple[tuple[str, int], ...]
    due_minor: int
    has_paid: bool


def settled_at(booking: Booking, total_minor: int) -> Settled:
    """Say what a new total would mean for the money, in the order in which it goes back (payments/services/refunds)."""
    balance = balance_of(booking.id)
    rows = Payment.objects.filter(reference=booking.id, status=Payment.Status.SUCCEEDED)
    payments = sorted(rows, key=lambda each: GOES_BACK_FIRST.index(ProviderName(each.provider)))
    left, still = left_by_payment(payments) if payments else {}, balance.net_minor - total_minor
    back: dict[str, int] = {}
    for payment in payments:
        part = max(min(still, left[payment.id]), 0)
        if part:
            where = BACK_TO[ProviderName(payment.provider)]
            back[where] = back.get(where, 0) + part
            still -= part
    return Settled(
        back=tuple(back.items()), due_minor=max(total_minor - balance.net_minor - balance.disputed_minor, 0),
        has_paid=bool(payments),
    )  # fmt: skip
