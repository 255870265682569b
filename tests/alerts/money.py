"""What became of money, as providers say it, and what was made of it."""

from datetime import timedelta
from typing import Any

from alerts.models import Alert, Notification
from alerts.sandbox.server import Provider
from alerts.services import fan_out
from alerts.services.notifications import MONEY
from bookings.models import Booking
from bookings.services import cancellation, desk_money, expiry
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from payments.models import Payment, ProviderAccount, Reconciliation, Refund
from tests.alerts.mail import mails, tell
from tests.factories import (
    book,
    book_online,
    lapse,
    make_activity,
    make_session,
    open_payment_of,
    pay,
    settle_payment,
)

STAFF = Actor(kind=ActorKind.STAFF, channel="admin")
WEEKS = timedelta(days=21)


def alert() -> Alert:
    """Return the only alert, once the facts were handed over."""
    fan_out.fan_out_facts()
    return Alert.objects.get()


def said(found: Alert) -> tuple[str, str, str]:
    return found.type, found.severity, found.description


def told() -> list[str]:
    """Return which messages about money customers are sent."""
    fan_out.fan_out_facts()
    return list(Notification.objects.filter(kind__in=MONEY).order_by("id").values_list("kind", flat=True))


def texts(provider: Provider) -> list[tuple[str, str]]:
    """Return the titles and words of all that was sent."""
    tell()
    return [(mail["subject"], mail["text"]) for mail in mails(provider)]


def paid(**kwargs: Any) -> Booking:
    return pay(book_online(make_session(), **kwargs))


def payment_of(booking: Booking) -> Payment:
    return Payment.objects.get(reference=booking.id)


def pay_too_late() -> Booking:
    """Return a booking of 10.00 that was paid when somebody else had its only place."""
    session = make_session(capacity=1)
    booking = book_online(session)
    payment = open_payment_of(booking)
    lapse(booking.lines.get().reservation, ago=timedelta(minutes=1))
    expiry.expire_pending_bookings()
    book(session)
    settle_payment(payment)
    booking.refresh_from_db()
    return booking


def with_deposit() -> Booking:
    """Return a booking of 10.00 of which 3.00 are paid, and 7.00 due."""
    activity = make_activity(deposit_percent=30, balance_days=14)
    return pay(book_online(make_session(activity, starts_in=WEEKS)))


def fall_due(booking: Booking, *, ago: timedelta) -> None:
    Booking.objects.filter(id=booking.id).update(balance_due_at=database_now() - ago)
    booking.refresh_from_db()


def cancel(booking: Booking) -> Refund:
    """Cancel a booking that was paid online; return its refund."""
    cancellation.cancel_booking(booking_id=booking.id, actor=STAFF, reason_code="weather", waive_fee=True)
    return Refund.objects.get(reference=booking.id)


def differ(account: ProviderAccount, *refs: str) -> Reconciliation:
    """Note a reconciliation of an account that left these differences open."""
    now = database_now()
    differences = [{"kind": "unknown_charge", "ref": ref, "currency": "GBP", "ours_minor": 0, "theirs_minor": 1000,
                    "healed": False} for ref in refs]  # fmt: skip
    return Reconciliation.objects.create(
        organization_id=account.organization_id, account=account, since=now, until=now, checked=9,
        differences=differences, open_count=len(refs),
    )  # fmt: skip


def take_at_desk(booking: Booking, amount_minor: int) -> Payment:
    """Take so much for a booking at the desk."""
    return desk_money.take_money(booking_id=booking.id, amount_minor=amount_minor, actor=STAFF)
