"""From facts to messages: who is told, in which language, and when. The one writer of new notifications.

Runs in the transaction of the fact's Handled row, so that a fact tells everybody once or nobody yet. The words are
written when a message is sent.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from alerts.models import Notification
from alerts.sources import AnyFact
from bookings import transfer_links
from bookings.models import Booking, BookingEvent, Customer, Line, ResumeLink, WaitlistEntry
from config.kit.clock import database_now
from config.kit.tokens import keyed_digest
from config.tenants.models import Membership
from scheduling.models import Reservation, Session

REMINDER = "reminder"
TRANSFERRED, RECEIVED = "booking_transferred", "booking_received"
OFFERED = transfer_links.KIND
CLOSED = "session_closed_offers"
CHANGED = frozenset(
    {"booking_confirmed", "booking_cancelled", "line_cancelled", "line_moved", "party_changed", CLOSED}
)  # fmt: skip
REPEATED = "message_repeated"
TO_STAFF = frozenset({"duplicate_refused", "duplicate_overridden"})  # beside the alert, to who runs the organization
BALANCES = frozenset({"balance_reminded", "balance_overdue"})
DISPUTED, DISPUTE_TO_STAFF = "payment_disputed", "dispute_opened"  # the same fact, in words for each
PAID, RETURNED, LATE = "payment_received", "payment_returned", "late_payment_returned"
MONEY = frozenset({PAID, RETURNED, LATE, "refund_failed", DISPUTED})
TOLD: Mapping[str, frozenset[str]] = {
    "booking": CHANGED | TO_STAFF | MONEY | BALANCES | {TRANSFERRED, OFFERED, REPEATED},
    "waitlist": frozenset({"waitlist_joined", "waitlist_offered", "waitlist_lapsed", REPEATED}),
    "resume": frozenset({"resume_link_asked"}),
}


@dataclass(frozen=True, slots=True)
class Addressee:
    """Who is told of a fact, about what, with which words, and when: None means now."""

    recipient: str
    language: str
    subject_id: UUID
    kind: str
    due_at: datetime | None = None


def notify(fact: Any) -> None:
    """Write a notification for each person that a fact is told to; again changes nothing."""
    _write(fact, TELLERS.get(fact.kind, _waiting_party)(fact))


def _write(fact: AnyFact, addressees: Iterable[Addressee]) -> None:
    rows = [
        Notification(
            organization_id=fact.organization_id, fact_id=fact.id, kind=each.kind, recipient=each.recipient,
            language=each.language, subject_id=each.subject_id,
            **({"due_at": each.due_at, "next_try_at": each.due_at} if each.due_at else {}),
        )
        for each in addressees
    ]  # fmt: skip
    Notification.objects.bulk_create(rows, ignore_conflicts=True)


# About a booking --------------------------------------------------------------------------------------------------


def _customer_of_booking(fact: Any) -> Iterator[Addressee]:
    booking = _lock_booking(fact.booking_id)
    is_told_with_the_whole = bool(fact.after.get("booking_ends"))  # by booking_cancelled, which follows
    if booking.customer.erased_at is None and _concerns_the_future(booking) and not is_told_with_the_whole:
        yield _about(booking, booking.customer, fact.kind)
    yield from _reminders(booking)


def _both_customers(fact: Any) -> Iterator[Addressee]:
    """Tell who gave the booking away, and who has it now."""
    booking = _lock_booking(fact.booking_id)
    former = Customer.objects.filter(
        id=fact.before.get("customer"), organization=fact.organization_id, erased_at=None
    ).first()
    if former is not None:
        yield Addressee(former.email, former.language, booking.id, TRANSFERRED)
    yield _about(booking, booking.customer, RECEIVED)
    yield from _reminders(booking)


def _invited(fact: Any) -> Iterator[Addressee]:
    """Ask whom a booking is offered to, in their language where it is known."""
    contact = transfer_links.contact_of(fact)
    if contact is None:
        return
    booking = _lock_booking(fact.booking_id)
    known = Customer.objects.filter(organization=fact.organization_id, email=contact.email, erased_at=None).first()
    yield Addressee(contact.email, known.language if known else booking.language, booking.id, OFFERED)


def _once_more(fact: Any) -> Iterator[Addressee]:
    """Tell again what staff asked to be told again."""
    was = Notification.objects.get(id=fact.after["notification"], organization=fact.organization_id)
    yield Addressee(was.recipient, was.language, was.subject_id, was.kind)


def _who_paid(fact: Any) -> Iterator[Addressee]:
    """Tell the customer what became of money, also of what is over; not what another message says already."""
    booking = _lock_booking(fact.booking_id)
    if booking.customer.erased_at is None and not _is_told_otherwise(fact):
        yield _about(booking, booking.customer, fact.kind)


def _is_told_otherwise(fact: Any) -> bool:
    """Is it what confirmed the booking, the end of a late payment that was announced, or a checkout begun anew?"""
    if fact.kind == PAID:
        return bool(fact.to_status != Booking.Status.CONFIRMED)
    if fact.kind != RETURNED:
        return False
    events = BookingEvent.objects.filter(booking=fact.booking_id)
    announced = events.filter(kind=LATE, after__payment=fact.after.get("payment"))
    return announced.exists() or events.filter(kind="checkout_left").exists()


def _payer_and_staff(fact: Any) -> Iterator[Addressee]:
    """Tell the customer, and those who have to answer the bank."""
    yield from _who_paid(fact)
    yield from (replace(each, kind=DISPUTE_TO_STAFF) for each in _who_runs_it(fact))


def _who_runs_it(fact: Any) -> Iterator[Addressee]:
    """Tell the owners and managers, in the organization's language."""
    running = (Membership.Role.OWNER, Membership.Role.MANAGER)
    members = Membership.objects.filter(organization=fact.organization_id, role__in=running, user__is_active=True)
    for member in members.select_related("user", "organization").order_by("user__email"):
        yield Addressee(member.user.email, member.organization.language, fact.booking_id, fact.kind)


def _lock_booking(booking_id: UUID) -> Booking:
    """Lock it, so that two facts of one booking plan its reminders one after the other."""
    rows = Booking.objects.select_related("customer", "organization")
    return rows.select_for_update(no_key=True, of=("self",)).get(id=booking_id)


def _about(booking: Booking, customer: Customer, kind: str) -> Addressee:
    return Addressee(customer.email, booking.language, booking.id, kind)


def _concerns_the_future(booking: Booking) -> bool:
    """Is any of it still to come? Nobody is told of what is over: a consumer may be new, or long away."""
    return Session.objects.filter(lines__booking=booking, ends_at__gt=database_now()).exists()


# Reminders --------------------------------------------------------------------------------------------------------


def reminder_kind(starts_at: datetime) -> str:
    """Return the kind of a reminder, which names the start: a booking has one for each."""
    return f"{REMINDER}_{starts_at.astimezone(UTC):%Y%m%d%H%M}"


def live_lines(booking_id: UUID) -> "list[Line]":
    """Return the lines that still stand, of a confirmed booking, in order of their start."""
    rows = Line.objects.filter(booking=booking_id, status="live", booking__status=Booking.Status.CONFIRMED)
    return list(rows.select_related("session__activity__venue").order_by("session__starts_at", "id"))


def _reminders(booking: Booking) -> list[Addressee]:
    """Plan what is missing, drop what is not so any more; a reminder whose time has passed is not planned."""
    wanted = _wanted_reminders(booking)
    rows = Notification.objects.filter(subject_id=booking.id, kind__startswith=f"{REMINDER}_")
    waiting = rows.filter(status=Notification.Status.QUEUED, tries=0)  # others are looked at when they are tried
    dropped = [row.id for row in waiting if (row.kind, row.recipient) not in wanted]
    Notification.objects.filter(id__in=dropped, status=Notification.Status.QUEUED).update(
        status=Notification.Status.DROPPED, last_error="it is not so any more"
    )
    there = set(rows.exclude(status=Notification.Status.DROPPED).values_list("kind", "recipient"))
    return [addressee for key, addressee in wanted.items() if key not in there]


def _wanted_reminders(booking: Booking) -> dict[tuple[str, str], Addressee]:
    hours = booking.organization.reminder_hours
    if not hours or booking.customer.erased_at is not None:
        return {}
    now, before, email = database_now(), timedelta(hours=hours), booking.customer.email
    starts = {line.session.starts_at for line in live_lines(booking.id)}
    return {
        (reminder_kind(at), email): Addressee(email, booking.language, booking.id, reminder_kind(at), at - before)
        for at in sorted(starts)
        if at - before > now
    }


# About others -----------------------------------------------------------------------------------------------------


def _waiting_party(fact: Any) -> Iterator[Addressee]:
    entry: WaitlistEntry = fact.entry
    yield Addressee(entry.email, entry.language, entry.id, fact.kind)


def _owner_of_basket(link: ResumeLink) -> Iterator[Addressee]:
    """Write to the address that the link was asked for; the row knows its digest alone, the basket the address."""
    emails = Reservation.objects.of_basket(link.basket).values_list("email", flat=True)
    for email in sorted(set(emails)):
        if keyed_digest(email, purpose="resume-email") == link.email_digest:
            yield Addressee(email, link.organization.language, link.id, "resume_link_asked")


TELLERS: Mapping[str, Callable[[Any], Iterable[Addressee]]] = {
    **dict.fromkeys(CHANGED, _customer_of_booking),
    **dict.fromkeys(TO_STAFF, _who_runs_it),
    **dict.fromkeys(MONEY | BALANCES, _who_paid),
    DISPUTED: _payer_and_staff,
    TRANSFERRED: _both_customers,
    OFFERED: _invited,
    REPEATED: _once_more,
    "resume_link_asked": _owner_of_basket,
}
