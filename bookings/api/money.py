"""The JSON of money: payments, refunds, and what is due."""

from typing import Any

from django.http import HttpRequest

from bookings import payment_links
from bookings.models import Booking
from bookings.services import paying, settlement
from config.kit.api import instant, money
from payments.models import Payment, Refund
from payments.services.balances import balance_of
from payments.services.charges import PaymentUnavailable


def begun(request: HttpRequest, payment: Payment) -> Payment:
    """Return the payment with its page; while the provider is away without: asking again brings it."""
    try:
        return paying.begin(payment, payment_links.links_of(request))
    except PaymentUnavailable:
        return payment


def payment_of(request: HttpRequest, booking: Booking) -> dict[str, Any] | None:
    """Return the payment that a new booking waits for, with the address of the provider's page; else None."""
    if booking.status != Booking.Status.PENDING:
        return None
    payment = Payment.objects.filter(reference=booking.id, provider="stripe").order_by("-id").first()
    return payment_json(begun(request, payment)) if payment else None


def payments_json(booking: Booking) -> dict[str, Any]:
    """Write what was paid for a booking, and what is due."""
    balance = balance_of(booking.id)
    due = settlement.due_of(booking, balance)
    rows = Payment.objects.filter(reference=booking.id).order_by("id")
    return {
        "results": [payment_json(payment) for payment in rows],
        "next": None,
        "total": money(booking.total_minor, booking.currency),
        "paid": money(due.paid_minor, booking.currency),
        "due": money(due.due_minor, booking.currency),
        "due_at": instant(due.due_at) if due.due_at else None,
        "returning": money(balance.returning_minor, booking.currency),
    }


def payment_json(payment: Payment) -> dict[str, Any]:
    """Write a payment; its page is there while it can be paid."""
    return {
        "id": payment.id,
        "provider": payment.provider,
        "purpose": payment.purpose,
        "status": payment.status,
        "amount": money(payment.amount_minor, payment.currency),
        "redirect_url": payment.redirect_url or None if payment.is_open else None,
        "expires_at": instant(payment.expires_at) if payment.expires_at else None,
        "created_at": instant(payment.created_at),
        "settled_at": instant(payment.settled_at) if payment.settled_at else None,
    }


def refunds_json(booking: Booking) -> dict[str, Any]:
    """Write what went back of a booking's payments, and what is on its way."""
    rows = Refund.objects.filter(reference=booking.id).order_by("id")
    return {"results": [refund_json(row) for row in rows], "next": None}


def refund_json(refund: Refund) -> dict[str, Any]:
    """Write a refund."""
    return {
        "id": refund.id,
        "payment": refund.payment_id,
        "status": refund.status,
        "reason": refund.reason,
        "amount": money(refund.amount_minor, refund.currency),
        "lines": refund.lines,
        "created_at": instant(refund.created_at),
        "settled_at": instant(refund.settled_at) if refund.settled_at else None,
    }
