"""Everything that is kept of a customer, as JSON: theirs to have."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from bookings.models import Attempt, Booking, BookingEvent, Customer, Line, WaitlistEntry
from bookings.services.attempts import email_digest
from bookings.signals import personal_data_asked
from config.kit.refusals import NotFound
from payments.services.privacy import export_payments

CUSTOMER = ("id", "email", "name", "phone", "language", "created_at", "erased_at")
PARTICIPANT = ("id", "name", "birth_date", "level", "languages", "notes", "consent_by", "consent_at", "created_at")
BOOKING = (
    "id", "number", "status", "contact_name", "contact_phone", "language", "payment_method", "currency", "total_minor",
    "fee_minor", "rebate_minor", "deposit_minor", "balance_due_at", "created_at", "archived_at",
)  # fmt: skip
LINE = (
    "id", "status", "attendance", "party_size", "amount_minor", "discount_minor", "fee_minor", "quote", "cancelled_at",
)  # fmt: skip
FACT = ("seq", "kind", "at", "from_status", "to_status", "actor_kind", "channel", "reason_code", "before", "after")
DETAIL = ("ip_address", "user_agent", "note")
WAIT = ("id", "status", "email", "name", "phone", "language", "units", "party_size", "joined_at", "ended_at")
HANDED_OVER = "booking_transferred"
ATTEMPT = ("at", "channel", "outcome", "codes", "sessions", "party_size", "booking_id")


def export_customer(*, customer_id: UUID) -> dict[str, Any]:
    """Return what is kept of a customer: people, bookings with their lines and facts, waits, attempts, messages.

    Attempts are found by the digest of the address; ids are UUIDs, money is in minor units, times are datetimes.
    Refuses with NotFound.
    """
    customer = Customer.objects.select_related("organization").filter(id=customer_id).first()
    if customer is None:
        raise NotFound
    bookings = customer.bookings.order_by("created_at", "id").prefetch_related(
        "events__detail", "lines__session__activity__venue", "lines__links__participant", "lines__reservation"
    )
    waits = WaitlistEntry.objects.filter(organization=customer.organization_id, email=customer.email)
    paid = export_payments([booking.id for booking in bookings], email=customer.email)
    return {
        "organization": customer.organization.name,
        "customer": _picked(customer, CUSTOMER),
        "participants": [_picked(person, PARTICIPANT) for person in customer.participants.order_by("created_at", "id")],
        "bookings": [{**_booking(booking, customer), "payments": paid.get(booking.id, [])} for booking in bookings],
        "waitlist": [_wait(entry) for entry in waits.order_by("joined_at", "id").prefetch_related("events__detail")],
        "attempts": [_picked(attempt, ATTEMPT) for attempt in _attempts(customer)],
        **_kept_above(customer),
    }


def _picked(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _booking(booking: Booking, owner: Customer) -> dict[str, Any]:
    """Return a booking as its owner may have it: what stands beside facts from before it was theirs is another's."""
    events = list(booking.events.all())
    theirs_from = max((event.seq for event in events if event.kind == HANDED_OVER), default=0)
    return {
        **_picked(booking, BOOKING),
        "lines": [_line(line, owner) for line in booking.lines.all()],
        "facts": [_fact(event) if event.seq > theirs_from else _picked(event, FACT) for event in events],
    }


def _line(line: Line, owner: Customer) -> dict[str, Any]:
    session, email = line.session, line.reservation.email
    return {
        **_picked(line, LINE),
        "activity": session.activity.name,
        "venue": session.activity.venue.name,
        "starts_at": session.starts_at,
        "ends_at": session.ends_at,
        "email": email if email == owner.email else "",  # another's: it was booked before it was theirs
        "participants": [person.id for person in line.people],
    }


def _fact(event: BookingEvent | Any) -> dict[str, Any]:
    """Return a fact with what stands beside it, while that is there."""
    detail = getattr(event, "detail", None)
    return {**_picked(event, FACT), **(_picked(detail, DETAIL) if detail else {})}


def _wait(entry: WaitlistEntry) -> dict[str, Any]:
    return {**_picked(entry, WAIT), "facts": [_fact(event) for event in entry.events.all()]}


def _attempts(customer: Customer) -> "QuerySet[Attempt]":
    digest = email_digest(customer.email)
    return Attempt.objects.filter(organization=customer.organization_id, email_digest=digest).order_by("at")


def _kept_above(customer: Customer) -> dict[str, Any]:
    """Ask those above what they keep: messages."""
    subjects = list(customer.bookings.values_list("id", flat=True))
    answers: list[tuple[Any, Any]] = personal_data_asked.send(
        None, organization_id=customer.organization_id, email=customer.email, subjects=subjects
    )  # fmt: skip
    return {name: rows for _, answer in answers for name, rows in answer.items()}
