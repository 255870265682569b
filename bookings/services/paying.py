"""On the way to the provider's page, and back. The provider is asked outside every transaction."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from django.db import transaction

from bookings.models import Booking
from bookings.services import lifecycle, settlement
from config.kit import idempotency
from config.kit.clock import database_now
from config.kit.facts import Actor
from config.kit.idempotency import Claim
from config.kit.refusals import Refusal, invalid
from config.kit.retries import retry_on_deadlock
from payments.models import Payment
from payments.services import charges
from payments.services.balances import balance_of
from scheduling.models import Reservation

Links = Callable[[Payment], tuple[str, str]]  # where the payer comes back to: having paid, and having turned back
BALANCE_MINUTES = 60


class NothingDue(Refusal):
    """It is paid already, or over."""

    code, title = "nothing_due", "There is nothing to pay for this booking"


def begin_paying(booking: Booking, links: Links, *, actor: Actor) -> Payment:
    """Return the payment of a pending booking with the address of the provider's page.

    One that has failed or lapsed is followed by a new one while the places are held. Refuses with PaymentUnavailable
    when the provider cannot be asked now (ask again), and with NothingDue.
    """
    payment = open_or_new(booking_id=booking.id, actor=actor)
    return begin(payment, links)


def begin(payment: Payment, links: Links) -> Payment:
    """Ask the provider for its page."""
    return_url, back_url = links(payment)
    return charges.begin_payment(payment.id, return_url=return_url, back_url=back_url)


@retry_on_deadlock
@transaction.atomic
def open_or_new(*, booking_id: UUID, actor: Actor) -> Payment:
    """Return the open payment of a pending booking, or open a new one for what is missing while its places are held."""
    booking = lifecycle.lock_booking(booking_id)
    rows = Payment.objects.filter(reference=booking_id, provider="stripe")
    waiting = [payment for payment in rows.order_by("-id") if payment.is_open]
    if waiting:
        return waiting[0]
    missing = settlement.required_minor(booking) - balance_of(booking.id).net_minor
    held = Reservation.objects.filter(lines__booking=booking, lines__status="live")
    ends = held.filter(status=Reservation.Status.HELD).order_by("expires_at").values_list("expires_at", flat=True)
    until = ends.first()
    if booking.status != Booking.Status.PENDING or missing <= 0 or until is None or until <= database_now():
        raise NothingDue
    return settlement.open_payment(booking, missing, until=until, actor=actor)


@retry_on_deadlock
@transaction.atomic
def open_balance(
    *, booking_id: UUID, actor: Actor, amount_minor: int | None = None, payer_email: str = "",
    claim: Claim | None = None,
) -> Payment:  # fmt: skip
    """Open a payment of what a confirmed booking still owes, or of a part of it, by whoever pays.

    Refuses with NothingDue, and InvalidRequest for more than is due, zero or less.
    """
    booking = lifecycle.lock_booking(booking_id)
    prior = idempotency.prior_effect(claim)
    if prior:
        return Payment.objects.get(id=prior)
    due = settlement.due_of(booking, balance_of(booking.id)).due_minor
    if booking.status != Booking.Status.CONFIRMED or due <= 0:
        raise NothingDue
    amount = due if amount_minor is None else amount_minor
    if not 1 <= amount <= due:
        raise invalid("amount_minor", "not_due", f"Pay between 1 and {due} (minor units of {booking.currency}).")
    until = database_now() + timedelta(minutes=BALANCE_MINUTES)
    payment = settlement.open_payment(booking, amount, until=until, actor=actor, payer_email=payer_email)
    idempotency.record(claim, organization_id=booking.organization_id, effect_id=payment.id)
    return payment
