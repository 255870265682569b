"""Bookings that are paid for online, as far as they are ours: what the bank says is said by the test."""

from typing import Any
from uuid import UUID

from bookings.models import Booking
from bookings.orders import Contact, Terms
from bookings.services import checkout
from payments.models import Payment, Refund
from scheduling.models import Activity, Reservation, Session
from tests.factories import (
    ANNA,
    CUSTOMER,
    hold,
    make_account,
    make_activity,
    make_organization,
    make_session,
    make_venue,
    settle_payment,
)

settle = settle_payment  # what the bank says of a payment


def shop(**overrides: Any) -> Activity:
    """Create an activity that is paid for online alone."""
    organization = make_organization()
    make_account(organization)
    return make_activity(make_venue(organization), **{"pay_on_arrival": False, **overrides})


def sale(capacity: int = 10, **overrides: Any) -> Session:
    """Create a session of such an activity, at 10.00 a place."""
    return make_session(shop(**overrides), capacity=capacity)


def submit(held: Reservation, *, contact: Contact = ANNA, **terms: Any) -> Booking:
    """Send the checkout of a basket off, as the page does."""
    terms.setdefault("confirm_duplicate", True)
    return checkout.book_basket(basket=held.basket, contact=contact, terms=Terms(**terms), actor=CUSTOMER)


def begin(session: Session, party_size: int = 1, **terms: Any) -> Booking:
    """Hold places and send the checkout off; the booking waits for its money."""
    return submit(hold(session, party_size), **terms)


def payment_of(booking: Booking) -> Payment:
    """Return the newest online payment of a booking."""
    return Payment.objects.filter(reference=booking.id, provider="stripe").latest("id")


def pay(booking: Booking) -> Booking:
    """Let a booking's open payment succeed; return the booking as it is then."""
    settle(payment_of(booking))
    return Booking.objects.get(id=booking.id)


def paid(session: Session, party_size: int = 1, **terms: Any) -> Booking:
    """Book and pay."""
    return pay(begin(session, party_size, **terms))


def reservation_of(booking: Booking) -> Reservation:
    """Return the reservation of a booking's only line."""
    return booking.lines.select_related("reservation").get().reservation


def refunds_of(booking: Booking) -> list[tuple[int, str, str]]:
    """Return what goes back of a booking: amounts, reasons, and through which provider."""
    rows = Refund.objects.filter(reference=booking.id).order_by("id")
    return [(row.amount_minor, row.reason, row.payment.provider) for row in rows]


def kinds_of(booking_id: UUID) -> list[str]:
    """Return the kinds of a booking's facts, in their order."""
    return list(Booking.objects.get(id=booking_id).events.order_by("seq").values_list("kind", flat=True))
