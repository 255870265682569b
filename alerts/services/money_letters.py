"""Letters about money: what was received, what goes back and why, what is due, what a payer's bank asks for."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.urls import reverse

from alerts.messages import Letter, money_in, write_letter
from alerts.models import Notification
from alerts.services.letter_parts import Draft, NotSoAnyMore, booking_link, fact_of, letter_of, lines_of
from alerts.services.notifications import BALANCES, DISPUTE_TO_STAFF, LATE, MONEY, PAID
from bookings.models import Booking
from bookings.pages import booking_page
from bookings.services import settlement
from payments.methods import PaymentMethod
from payments.models import Dispute, Payment
from payments.services.balances import balance_of

WAYS = {"stripe": "card", "voucher": "voucher", "on_arrival": "desk"}


def with_balance(letter: Letter, booking: Booking) -> Letter:
    """Say what is paid and what is still due, as it is now; of what is not, nothing."""
    balance = balance_of(booking.id)
    due = settlement.due_of(booking, balance)
    is_at_desk = booking.payment_method == PaymentMethod.PAY_ON_ARRIVAL
    return replace(
        letter,
        paid=money_in(due.paid_minor, booking.currency, letter.language) if due.paid_minor else "",
        due=money_in(due.due_minor, booking.currency, letter.language) if due.due_minor else "",
        due_label="at_desk" if is_at_desk else "due", due_at=due.due_at if due.due_minor else None,
    )  # fmt: skip


def _of_money(row: Notification) -> Draft:
    """Tell of money that came, went, or cannot go back yet."""
    return Draft(write_letter(_letter(row, *_told(row))), "")


def _late(row: Notification) -> Draft:
    """Tell why a late payment goes back: there may be nothing to change or to cancel."""
    return Draft(write_letter(replace(_letter(row, *_told(row)), link_label="look")), "")


def _received(row: Notification) -> Draft:
    """Tell what was received, and what is still due."""
    booking, fact = _told(row)
    letter = replace(
        with_balance(_letter(row, booking, fact), booking), receipt=booking_link(booking, to="receipt"),
        total=money_in(booking.total_minor, booking.currency, row.language),
    )  # fmt: skip
    return Draft(write_letter(letter), "")


def _due(row: Notification) -> Draft:
    """Ask for what is still due, with the way to pay it; not once it is paid, or nothing is booked any more."""
    booking, fact = _told(row)
    due = settlement.due_of(booking, balance_of(booking.id))
    if booking.status != Booking.Status.CONFIRMED or not due.due_minor:
        raise NotSoAnyMore
    amount = money_in(due.due_minor, booking.currency, row.language)
    letter = replace(_letter(row, booking, fact), amount=amount, due_at=due.due_at)
    return Draft(write_letter(replace(letter, link=booking_link(booking, to="pay"), link_label="pay")), "")


def _dispute_to_staff(row: Notification) -> Draft:
    """Tell staff that a payer's bank asks for money, and until when it takes an answer."""
    booking, fact = _told(row)
    link = settings.SITE_URL + reverse("admin:bookings_booking_change", args=[booking.id])
    dispute = Dispute.objects.filter(id=fact.after.get("dispute"), organization=row.organization_id).first()
    letter = replace(
        _letter(row, booking, fact), name="", link=link, link_label="look",
        due_at=dispute.answer_by if dispute else None,
    )  # fmt: skip
    return Draft(write_letter(letter), "")


def _told(row: Notification) -> tuple[Booking, Any]:
    return Booking.objects.select_related("customer").get(id=row.subject_id), fact_of(row)


def _letter(row: Notification, booking: Booking, fact: Any) -> Letter:
    """Return the letter with the fact's amount, and how that was paid."""
    page = booking_page(booking.number)
    payment = Payment.objects.filter(id=fact.after.get("payment"), organization=row.organization_id).first()
    minor, currency = fact.after.get("amount_minor", 0), fact.after.get("currency", booking.currency)
    return replace(
        letter_of(row, page, lines_of(fact, page)), amount=money_in(minor, currency, row.language),
        way=WAYS[payment.provider] if payment else "card", why=fact.after.get("why", ""),
    )  # fmt: skip


WRITERS: Mapping[str, Callable[[Notification], Draft]] = {
    **dict.fromkeys(MONEY, _of_money),
    PAID: _received,
    LATE: _late,
    **dict.fromkeys(BALANCES, _due),
    DISPUTE_TO_STAFF: _dispute_to_staff,
}
