"""A booking as calendar entries (RFC 5545), one per booked line; the UID stays the same for the line's whole life."""

from datetime import datetime

from icalendar import Calendar, Event, vCalAddress

from bookings.models import Line
from bookings.pages import BookingPage
from scheduling.change_words import plural


def booking_calendar(page: BookingPage) -> bytes:
    """Return the .ics file of a booking, in UTC instants: right in every calendar, whatever its zone data."""
    calendar = Calendar()
    calendar.add("prodid", "-//Holdfast//Booking//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    for row in page.rows:
        if row.is_live:  # what waits for its money is not booked, and what has expired is not any more
            calendar.add_component(_event(page, row.line))
    return bytes(calendar.to_ical())


def invitation(page: BookingPage, line: Line, *, method: str, organizer: str, attendee: str, at: datetime) -> bytes:
    """Return one line as an invitation (RFC 5546: a file of its own): METHOD REQUEST adds or moves it, CANCEL takes it
    out. SEQUENCE is the booking's version, so that what comes late changes nothing. `at` is when it is said.
    """  # fmt: skip
    calendar = Calendar()
    calendar.add("prodid", "-//Holdfast//Booking//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method)
    event = _event(page, line)
    event.DTSTAMP = at
    event.add("status", "CANCELLED" if method == "CANCEL" else "CONFIRMED")
    for name, address in (("organizer", organizer), ("attendee", attendee)):
        event.add(name, vCalAddress(f"mailto:{address}"))
    calendar.add_component(event)
    return bytes(calendar.to_ical())


def _event(page: BookingPage, line: Line) -> Event:
    event, activity = Event(), line.session.activity
    event.add("uid", f"{line.id}@holdfast")
    event.add("sequence", page.booking.version)
    event.add("dtstamp", page.booking.created_at)
    event.add("dtstart", line.session.starts_at)
    event.add("dtend", line.session.ends_at)
    event.add("summary", f"{activity.name}, {page.organization.name}")
    event.add("location", activity.venue.name)
    event.add("description", f"Booking {page.booking.number}, {plural(line.party_size, 'person', 'people')}")
    return event
