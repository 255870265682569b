"""What letters are put together from: the fact, the lines that it names, and the booking's own words and links."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.urls import reverse

from alerts.messages import Letter, Visit, Written
from alerts.models import Notification
from alerts.services import notifications
from bookings.models import Booking, BookingEvent, Line
from bookings.pages import BookingPage
from scheduling.models import Session


class NotSoAnyMore(Exception):
    """What the message would say is not true now."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A message ready to be sent: its words, and its calendar files one after the other (RFC 5545, 3.4)."""

    written: Written
    calendar: str


def fact_of(row: Notification) -> Any:
    """Return the booking's fact; of a message sent again, the one that it first told of."""
    fact = BookingEvent.objects.get(id=row.fact_id, organization=row.organization_id)
    while fact.kind == notifications.REPEATED:
        first = Notification.objects.get(id=fact.after["notification"], organization=row.organization_id)
        fact = BookingEvent.objects.get(id=first.fact_id, organization=row.organization_id)
    return fact


def lines_of(fact: Any, page: BookingPage) -> list[Line]:
    """Return the lines that a fact names, else those that are live."""
    named = {str(line) for side in (fact.before, fact.after) for line in (*side.get("lines", []), side.get("line"))}
    found = [line for line in page.lines if str(line.id) in named]
    return found or [line for line in page.lines if line.status == Line.Status.LIVE] or list(page.lines)


def letter_of(row: Notification, page: BookingPage, lines: Sequence[Line]) -> Letter:
    """Return what every letter about a booking has: its number, its sessions, and the link that opens it."""
    booking = page.booking
    return Letter(
        kind=row.kind, language=row.language, organization=page.organization.name, name=booking.contact_name,
        number=booking.number, link=booking_link(booking), link_label="manage",
        visits=tuple(visit_of(line.session, line.party_size) for line in lines), zone=page.zone,
    )  # fmt: skip


def visit_of(session: Session, party_size: int) -> Visit:
    """Return a session as a letter shows it."""
    venue = session.activity.venue
    return Visit(session.activity.name, venue.name, session.starts_at, session.ends_at, venue.zone, party_size)


def booking_link(booking: Booking, *, to: str = "") -> str:
    """Return the link that opens a booking to its customer and leads on to one of its pages: pay, receipt."""
    link = reverse("open-booking", kwargs={"number": booking.number, "token": booking.token})
    return f"{settings.SITE_URL}{link}{f'?to={to}' if to else ''}"
