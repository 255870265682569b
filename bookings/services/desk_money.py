"""Money at the desk: taken by hand for a booking, or asked for once more by a letter with a link."""

from uuid import UUID

from django.db import transaction

from bookings.models import Booking
from bookings.services import lifecycle, settlement
from bookings.services.paying import NothingDue
from config.kit.display import money_text
from config.kit.facts import Actor
from config.kit.refusals import invalid
from config.kit.retries import retry_on_deadlock
from payments.models import Payment
from payments.services import charges
from payments.services.balances import balance_of


def due_now(booking: Booking) -> int:
    """Return what is still to be paid for a booking, in minor units; of a cancelled one, the fees that it kept."""
    return settlement.due_of(booking, balance_of(booking.id)).due_minor


@retry_on_deadlock
@transaction.atomic
def take_money(*, booking_id: UUID, amount_minor: int, actor: Actor, version: int | None = None) -> Payment:
    """Write that staff took so much (minor units) for a booking; whoever waited for it is confirmed by that.

    Refuses with VersionMoved, NothingDue, and at its field more than is due, nought or less.
    """
    booking = lifecycle.lock_booking(booking_id)
    lifecycle.check_version(booking, version)
    due = _require_due(booking)
    if not 1 <= amount_minor <= due:
        raise invalid("amount_minor", "not_due", f"{money_text(due, booking.currency)} is due: take that, or less.")
    if amount_minor == due:
        charges.let_go(booking.id)  # nobody pays the same once more online
    return charges.take_at_desk(
        organization_id=booking.organization_id, reference=booking.id, amount_minor=amount_minor,
        currency=booking.currency, actor=actor, purpose=settlement.purpose_of(booking),
    )  # fmt: skip


@retry_on_deadlock
@transaction.atomic
def remind_of_balance(*, booking_id: UUID, actor: Actor) -> Booking:
    """Ask the customer of a confirmed booking for what is due, by a letter with the link. Refuses with NothingDue."""
    booking = lifecycle.lock_booking(booking_id)
    due = _require_due(booking)
    if booking.status != Booking.Status.CONFIRMED:
        raise NothingDue
    until = booking.balance_due_at.isoformat() if booking.balance_due_at else None
    lifecycle.record_event(
        booking, kind="balance_reminded", to_status=booking.status, actor=actor, reason_code="asked_by_staff",
        after={"due_minor": due, "currency": booking.currency, "balance_due_at": until},
    )  # fmt: skip
    return booking


def _require_due(booking: Booking) -> int:
    due = due_now(booking)
    if not due:
        raise NothingDue
    return due
