"""Where booking and money meet: what is due, what goes back, and what a payment makes of a booking.

What a booking owes follows from its state: its total, or nothing once it has expired. What is too much goes back in
the transaction of the act that made it too much; what is too little is due.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from bookings.models import Booking, Line
from bookings.services import lifecycle, promo_codes
from bookings.services.confirmation import CannotConfirm, confirm_paid
from config.kit import idempotency
from config.kit.clock import database_now
from config.kit.display import money_text
from config.kit.facts import SYSTEM, Actor
from config.kit.idempotency import Claim
from config.kit.refusals import NotFound, Refusal, invalid
from config.kit.retries import retry_on_deadlock
from payments.methods import PaymentMethod
from payments.models import Dispute, Payment, Refund
from payments.services import charges, refunds
from payments.services.balances import Balance, balance_of


class RebateTooLarge(Refusal):
    """More than was paid, or than has not gone back yet."""

    code, title = "rebate_too_large", "There is not so much to give back"


logger = logging.getLogger(__name__)

LONGEST_DESCRIPTION = 200
TIME_TO_PAY = timedelta(days=1)  # for what a change costs more
AWAITING = (Booking.Status.PENDING, Booking.Status.EXPIRED)
DISPUTED = {
    Dispute.Status.OPEN: "payment_disputed",
    Dispute.Status.WON: "dispute_won",
    Dispute.Status.LOST: "dispute_lost",
}


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be paid, until when, and what could go back; minor units of the booking's currency."""

    due_minor: int
    due_at: datetime | None  # None: now, or at the desk
    paid_minor: int


def owed_minor(booking: Booking) -> int:
    """Return what a booking owes: of what was never confirmed, nothing once it is over."""
    return 0 if booking.status == Booking.Status.EXPIRED else booking.total_minor


def required_minor(booking: Booking) -> int:
    """Return what must be paid before it is confirmed: the deposit, or all of it."""
    deposit = booking.total_minor if booking.deposit_minor is None else booking.deposit_minor
    return min(deposit, booking.total_minor)


def purpose_of(booking: Booking) -> Payment.Purpose:
    """Before a booking is confirmed money is its price, or its deposit; afterwards what was left."""
    if booking.status == Booking.Status.CONFIRMED:
        return Payment.Purpose.BALANCE
    return Payment.Purpose.WHOLE if booking.deposit_minor is None else Payment.Purpose.DEPOSIT


def open_payment(
    booking: Booking, amount_minor: int, *, until: datetime, actor: Actor, payer_email: str = ""
) -> Payment:
    """Open a payment of so much of a locked booking, to be paid online until then; by its customer, unless said."""
    return charges.open_payment(
        organization_id=booking.organization_id, reference=booking.id, amount_minor=amount_minor,
        currency=booking.currency, purpose=purpose_of(booking), description=_describe(booking),
        payer_email=payer_email or booking.customer.email, language=booking.language, expires_at=until, actor=actor,
    )  # fmt: skip


def _describe(booking: Booking) -> str:
    """Say for the provider's page what is paid for."""
    names = booking.lines.filter(status=Line.Status.LIVE).order_by("id")
    what = ", ".join(dict.fromkeys(names.values_list("session__activity__name", flat=True)))
    return f"{what}, {booking.number}"[:LONGEST_DESCRIPTION]


def due_of(booking: Booking, balance: Balance) -> Due:
    """Say what is still to be paid. Money that is disputed is not asked for again: staff speak about it."""
    has = balance.net_minor + balance.disputed_minor
    return Due(max(owed_minor(booking) - has, 0), booking.balance_due_at, max(balance.net_minor, 0))


def settle_up(
    booking: Booking, *, actor: Actor, reason: Refund.Reason, lines: Iterable[UUID] = (), balance: Balance | None = None
) -> list[Refund]:
    """Request that what is too much goes back, and let nobody pay any more for what is over; the booking is locked.

    `balance` is what the act has read already, under the same locks.
    """
    balance = balance or balance_of(booking.id)
    if balance.open_minor and booking.status in (Booking.Status.CANCELLED, Booking.Status.EXPIRED):
        charges.let_go(booking.id)
    excess = balance.net_minor - owed_minor(booking)
    if excess <= 0:
        return []
    return refunds.request_refunds(
        reference=booking.id, amount_minor=excess, reason=reason, actor=actor, lines=list(lines)
    )


def amend_total(booking: Booking, fields: Mapping[str, Any], *, at: datetime) -> Balance:
    """Write the fields of a change with its new total, and by when what it costs more is due; return what was paid.

    It stays confirmed by what was paid so far: nobody loses a place for a change that they asked for.
    """
    balance = balance_of(booking.id)
    lifecycle.amend(booking, **_fallen_due(booking, fields, has=max(balance.net_minor, 0), at=at))
    return balance


def _fallen_due(booking: Booking, fields: Mapping[str, Any], *, has: int, at: datetime) -> dict[str, Any]:
    new = {"payment_method": booking.payment_method, "balance_due_at": booking.balance_due_at, **fields}
    if has >= new["total_minor"]:
        return {**fields, "deposit_minor": None, "balance_due_at": None}  # paid in full: no day is waited for
    if new["payment_method"] != PaymentMethod.ONLINE:
        return dict(fields)
    return {**fields, "deposit_minor": has, "balance_due_at": new["balance_due_at"] or at + TIME_TO_PAY}


@retry_on_deadlock
@transaction.atomic
def give_back(
    *, booking_id: UUID, amount_minor: int, actor: Actor, reason_code: str = "", lines: Sequence[UUID] = (),
    version: int | None = None, claim: Claim | None = None,
) -> Booking:  # fmt: skip
    """Let a customer off a part of what a booking costs, and return what was paid for it; staff say why.

    Refuses with VersionMoved, RebateTooLarge (more than was paid and is not on its way back already; of what waits for
    its money, anything: its payment is open for the whole price), and InvalidRequest for nothing, a missing reason, or
    lines of another booking.
    """
    booking = lifecycle.lock_booking(booking_id)
    if idempotency.prior_effect(claim):
        return booking
    lifecycle.check_version(booking, version)
    _check_rebate(booking, amount_minor, actor, reason_code, lines)
    total = max(booking.total_minor - amount_minor, 0)
    fields = {"total_minor": total, "rebate_minor": booking.rebate_minor + amount_minor}
    balance = amend_total(booking, fields, at=database_now())
    event = lifecycle.record_event(
        booking, kind="rebate_given", to_status=booking.status, actor=actor, reason_code=reason_code,
        after={"amount_minor": amount_minor, "total_minor": total, "currency": booking.currency,
               "lines": [str(line) for line in lines]},
    )  # fmt: skip
    settle_up(booking, actor=actor, reason=Refund.Reason.GOODWILL, lines=lines, balance=balance)
    idempotency.record(claim, organization_id=booking.organization_id, effect_id=event.id)
    return booking


def _check_rebate(booking: Booking, amount_minor: int, actor: Actor, reason_code: str, lines: Sequence[UUID]) -> None:
    if amount_minor < 1:
        raise invalid("amount_minor", "not_positive", "Say how much goes back, in minor units: 1 or more.")
    if not (reason_code or str(actor.detail.get("note") or "").strip()):
        raise invalid("reason", "required", "Say why: it is kept with the booking.")
    if set(lines) - set(booking.lines.values_list("id", flat=True)):
        raise invalid("lines", "unknown_line", "Some of the lines are not of this booking.")
    paid = 0 if booking.status in AWAITING else max(min(balance_of(booking.id).net_minor, booking.total_minor), 0)
    if amount_minor > paid:
        most, asked = money_text(paid, booking.currency), money_text(amount_minor, booking.currency)
        raise RebateTooLarge(f"{most} can go back, not {asked}.", extra={"refundable_minor": paid})


# What becomes of money --------------------------------------------------------------------------------------------


def take_payment(*, booking_id: UUID, payment_id: UUID, actor: Actor) -> None:
    """Make of a payment what it is for, whenever it comes: a confirmed booking, a smaller debt, or a refund.

    Called inside the transaction that settles the payment, under its lock. No paid intent ends as neither.
    """
    booking, payment = _lock(booking_id), Payment.objects.get(id=payment_id)
    if booking is None:
        return
    _record(booking, "payment_received", actor, payment)
    why = _confirm_or_why(booking, actor=actor)
    if why:
        _give_back(booking, payment, why)
    elif booking.status == Booking.Status.CONFIRMED:
        if booking.balance_due_at and not due_of(booking, balance_of(booking.id)).due_minor:
            lifecycle.amend(booking, deposit_minor=None, balance_due_at=None)  # paid in full: no day is waited for
        settle_up(booking, actor=SYSTEM, reason=Refund.Reason.OVERPAID)


def _lock(booking_id: UUID) -> Booking | None:
    """Lock a payment's booking; money that is for none is settled all the same, and the auditor shows it."""
    try:
        return lifecycle.lock_booking(booking_id)
    except NotFound:
        logger.warning("money is for %s, which is no booking", booking_id)
        return None


def _confirm_or_why(booking: Booking, *, actor: Actor) -> str:
    """Confirm what has its money, and return why that cannot be; empty when nothing stands against it."""
    if booking.status == Booking.Status.CANCELLED:  # the fees that it kept may be paid; more than these goes back
        return "cancelled" if balance_of(booking.id).net_minor > owed_minor(booking) else ""
    if booking.status not in AWAITING:
        return ""
    if booking.customer.erased_at:  # nobody is left who could come
        return "customer_erased"
    if balance_of(booking.id).net_minor < required_minor(booking):  # a part of it: the rest is to come
        return "too_little" if booking.status == Booking.Status.EXPIRED else ""
    try:
        confirm_paid(booking, actor=actor)
    except CannotConfirm as refused:
        booking.refresh_from_db()
        return refused.reason
    return ""


def _give_back(booking: Booking, payment: Payment, why: str) -> None:
    """Return money for which there is nothing to be had, tell the customer why, and let staff see it."""
    if booking.status == Booking.Status.PENDING:
        expire(booking, reason_code=why)
    after = {"payment": str(payment.id), "amount_minor": payment.amount_minor, "currency": payment.currency, "why": why}
    lifecycle.record_event(
        booking, kind="late_payment_returned", to_status=booking.status, actor=SYSTEM, reason_code=why, after=after
    )
    settle_up(booking, actor=SYSTEM, reason=Refund.Reason.LATE)


def expire(booking: Booking, *, reason_code: str) -> None:
    """Let a locked pending booking go that was not paid in time. Its places are its reservations' affair."""
    lifecycle.transition(
        booking, to=Booking.Status.EXPIRED, kind="booking_expired", actor=SYSTEM, reason_code=reason_code,
        after={"lines": [str(line) for line in booking.lines.values_list("id", flat=True)]},
    )  # fmt: skip
    promo_codes.release_promo_use(booking)
    settle_up(booking, actor=SYSTEM, reason=Refund.Reason.LATE)


# What is told about it ---------------------------------------------------------------------------------------------


def record_failure(*, booking_id: UUID, payment_id: UUID) -> None:
    """Say on the booking that the bank refused a payment; one that was only let go is no news."""
    booking, payment = _lock(booking_id), Payment.objects.get(id=payment_id)
    if booking is not None and payment.status == Payment.Status.FAILED:
        _record(booking, "payment_failed", SYSTEM, payment)


def record_refund(*, booking_id: UUID, refund_id: UUID, status: str) -> None:
    """Say on the booking that money went back, or could not."""
    booking, refund = _lock(booking_id), Refund.objects.get(id=refund_id)
    if booking is None:
        return
    kind = "payment_returned" if status == Refund.Status.SUCCEEDED else "refund_failed"
    lifecycle.record_event(
        booking, kind=kind, to_status=booking.status, actor=SYSTEM, reason_code=refund.reason,
        after={"refund": str(refund.id), "payment": str(refund.payment_id), "amount_minor": refund.amount_minor,
               "currency": refund.currency},
    )  # fmt: skip


def record_dispute(*, booking_id: UUID, dispute_id: UUID) -> None:
    """Say on the booking that the payer's bank asks its money back, or how that ended. The booking stays as it is."""
    booking, dispute = _lock(booking_id), Dispute.objects.get(id=dispute_id)
    if booking is None:
        return
    lifecycle.record_event(
        booking, kind=DISPUTED[Dispute.Status(dispute.status)], to_status=booking.status, actor=SYSTEM,
        after={"dispute": str(dispute.id), "payment": str(dispute.payment_id), "amount_minor": dispute.amount_minor,
               "currency": dispute.currency},
    )  # fmt: skip
    if dispute.status == Dispute.Status.WON:
        settle_up(booking, actor=SYSTEM, reason=Refund.Reason.CANCELLED)  # what was to go back can go back now


def _record(booking: Booking, kind: str, actor: Actor, payment: Payment) -> None:
    after = {
        "payment": str(payment.id), "amount_minor": payment.amount_minor, "currency": payment.currency,
        "provider": payment.provider, "purpose": payment.purpose,
    }  # fmt: skip
    lifecycle.record_event(booking, kind=kind, to_status=booking.status, actor=actor, after=after)
