"""What the page says to which the provider sends the payer back: what became of the money, and of the booking."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from django.db.models import Q

from bookings.models import Booking, BookingEvent, Line
from bookings.services import settlement
from config.kit.clock import database_now
from config.kit.display import money_text
from config.tenants.models import Organization
from payments.models import Payment, PaymentEvent, Refund
from payments.services.balances import balance_of
from scheduling.models import Reservation

Status = Payment.Status


class State(StrEnum):
    """What there is to say."""

    TO_PAY = "to_pay"  # nobody has been at the provider's page yet
    WAITING = "waiting"  # for the payer, or for the bank
    BOOKED = "booked"
    PAID = "paid"  # a part, or the rest, of what is booked
    PART = "part"  # paid, and more is missing before it is booked
    RETURNED = "returned"  # it came when there was nothing to be had for it
    CANCELLED = "cancelled"  # it was paid, and what it was for has been cancelled since
    MISMATCHED = "mismatched"  # another amount came than was asked for: staff must look
    FAILED = "failed"  # it may be tried again
    LAPSED = "lapsed"  # nobody paid in its hour; what it was for is still due
    OVER = "over"  # it came to nothing, and there is nothing left to pay for


NOTHING_TO_PAY = "There is nothing to pay here any more"
HEADLINES = {
    State.WAITING: "Waiting for your payment",
    State.BOOKED: "You are booked",
    State.PAID: "Thank you, that is paid",
    State.PART: "Paid, and a part is missing",
    State.RETURNED: "Your money goes back to you",
    State.CANCELLED: "The booking was cancelled",
    State.MISMATCHED: "Not the amount we asked for",
    State.FAILED: "The payment did not go through",
    State.OVER: "The payment was not made",
}
WHY_RETURNED = {
    "places_gone": "Somebody else had booked the places in the meantime.",
    "session_over": "The session does not take place.",
    "cancelled": "The booking had been cancelled before.",
    "booked_again": "You had booked the same again in the meantime, and that booking stands.",
    "customer_erased": "Your data had been erased before, as you asked, and the booking with it.",
    "too_little": "It was a part of the price, and the rest did not come in time.",
}
DECLINED = {
    "insufficient_funds": "There was not enough money on the card.",
    "expired_card": "The card has expired.",
    "authentication_required": "Your bank wanted you to approve it, and it was not approved.",
}


@dataclass(frozen=True, slots=True)
class PaymentPage:
    """A payment with its booking, as whoever pays may see it: no names, no addresses."""

    payment: Payment
    booking: Booking
    organization: Organization
    lines: tuple[Line, ...]
    refunds: tuple[Refund, ...]
    state: State
    held_until: datetime | None  # while the places are kept for a booking that is not paid yet
    came_late: bool  # the hold was over, and the places were still there
    can_go: bool  # there is a page to go to, and something to pay there
    again_minor: int = 0  # what another payment would be of, where a balance payment came to nothing
    why: str = ""  # what went wrong, in words
    came: str = ""  # the amount that came instead of the one that was asked for

    @property
    def zone(self) -> ZoneInfo:
        """The first line's: pages name it beside the time."""
        return self.lines[0].session.activity.venue.zone

    @property
    def headline(self) -> str:
        """Say how it stands."""
        if self.state == State.LAPSED or (self.state == State.TO_PAY and self.can_go):
            return f"Pay {money_text(self.asked_minor, self.payment.currency)}"
        is_over = self.state == State.OVER and self.is_balance
        return NOTHING_TO_PAY if is_over else HEADLINES.get(self.state, NOTHING_TO_PAY)

    @property
    def asked_minor(self) -> int:
        """Return how much it is about; of what came to nothing, what is still due of it."""
        return self.again_minor or self.payment.amount_minor

    @property
    def is_balance(self) -> bool:
        """Is it for what is still due of a booking, and not for the booking itself?"""
        return is_balance(self.payment)

    @property
    def activity_slugs(self) -> dict[str, str]:
        """Return where its activity is sold."""
        return {"organization": self.organization.slug, "activity": self.lines[0].session.activity.slug}


def payment_page(payment: Payment) -> PaymentPage:
    """Gather the page of a payment, as its rows say now."""
    booking = Booking.objects.select_related("organization").get(id=payment.reference)
    rows = booking.lines.select_related("session__activity__venue", "reservation").order_by("session__starts_at", "id")
    lines = tuple(rows)
    held_until, again_minor = _held_until(booking, lines), _again_minor(payment, booking)
    is_over = payment.is_open and _is_over(payment, booking)
    came = came_instead(payment)
    facts = _facts(payment, booking) if payment.status == Status.SUCCEEDED else {}
    state = State.MISMATCHED if came else state_of(
        payment, booking, can_retry=held_until is not None or again_minor > 0, is_over=is_over,
        came_too_late="late_payment_returned" in facts,
    )  # fmt: skip
    goes_back = state in (State.RETURNED, State.CANCELLED)
    return PaymentPage(
        payment=payment, booking=booking, organization=booking.organization, lines=lines,
        refunds=tuple(payment.refunds.order_by("id")) if goes_back else (), state=state, held_until=held_until,
        came_late=facts.get("booking_confirmed") == Booking.Status.EXPIRED,
        can_go=state in (State.TO_PAY, State.WAITING) and not is_over, again_minor=again_minor,
        why=_why(payment, state, facts), came=came,
    )  # fmt: skip


def state_of(payment: Payment, booking: Booking, *, can_retry: bool, is_over: bool, came_too_late: bool) -> State:
    """Return what there is to say. Pure."""
    is_booked, is_part = booking.status == Booking.Status.CONFIRMED, is_balance(payment)
    if payment.status == Status.SUCCEEDED:
        return State.PAID if is_booked and is_part else _paid_state(booking, came_too_late=came_too_late)
    if is_booked and not is_part:
        return State.BOOKED  # by another payment
    if payment.status in (Status.FAILED, Status.CANCELLED):
        return State.FAILED if can_retry else State.OVER
    if is_over and is_part:
        return State.LAPSED if can_retry else State.OVER
    return State.TO_PAY if payment.status == Status.CREATED else State.WAITING


def _paid_state(booking: Booking, *, came_too_late: bool) -> State:
    if booking.status == Booking.Status.CANCELLED and not came_too_late:
        return State.CANCELLED
    return {Booking.Status.CONFIRMED: State.BOOKED, Booking.Status.PENDING: State.PART}.get(
        Booking.Status(booking.status), State.RETURNED
    )


def is_balance(payment: Payment) -> bool:
    """Is it for what is still due of a booking, and not for the booking itself?"""
    return payment.purpose == Payment.Purpose.BALANCE


def _again_minor(payment: Payment, booking: Booking) -> int:
    """Return how much of what a balance payment was for is still due."""
    if payment.status == Status.SUCCEEDED or not is_balance(payment) or booking.status != Booking.Status.CONFIRMED:
        return 0
    return min(payment.amount_minor, settlement.due_of(booking, balance_of(booking.id)).due_minor)


def came_instead(payment: Payment) -> str:
    """Return what came instead of what was asked for, as an amount; empty when nothing did."""
    if payment.status in (Status.CREATED, Status.SUCCEEDED):
        return ""
    facts = PaymentEvent.objects.filter(payment=payment, kind="payment_mismatched").order_by("-seq")
    came = facts.values_list("after", flat=True).first()
    return money_text(came["amount_minor"], came["currency"]) if came else ""


def _is_over(payment: Payment, booking: Booking) -> bool:
    """Is the time over in which it may be paid? Money that comes all the same finds its way."""
    wants = Booking.Status.CONFIRMED if is_balance(payment) else Booking.Status.PENDING
    lapsed = payment.expires_at is not None and payment.expires_at <= database_now()
    return lapsed or booking.status != wants


def _held_until(booking: Booking, lines: tuple[Line, ...]) -> datetime | None:
    if booking.status != Booking.Status.PENDING or not lines:
        return None
    held, now = [line.reservation for line in lines], database_now()
    is_held = all(each.status == Reservation.Status.HELD and each.expires_at > now for each in held)
    return min(each.expires_at for each in held) if is_held else None


def _facts(payment: Payment, booking: Booking) -> dict[str, str]:
    """Return from which state it was confirmed, and why this payment went back, by the facts' kinds."""
    is_told = Q(kind="booking_confirmed") | Q(kind="late_payment_returned", after__payment=str(payment.id))
    rows = BookingEvent.objects.filter(is_told, booking=booking)
    return {
        kind: before if kind == "booking_confirmed" else reason
        for kind, before, reason in rows.order_by("seq").values_list("kind", "from_status", "reason_code")
    }


def _why(payment: Payment, state: State, facts: dict[str, str]) -> str:
    if state == State.RETURNED:
        return WHY_RETURNED.get(facts.get("late_payment_returned", "too_little"), "")
    if payment.status == Status.FAILED:
        return DECLINED.get(payment.failure_code, "It was not accepted.")
    return ""
