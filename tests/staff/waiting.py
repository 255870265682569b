"""Somebody who waits, for pages that show them."""

from datetime import timedelta

from bookings.models import WaitlistEntry
from scheduling.models import Session
from tests.factories import book, join, make_session, stranger


def make_waiter(session: Session) -> WaitlistEntry:
    """Let a party wait for another session of the same activity, whose one place is booked."""
    number = Session.objects.filter(activity=session.activity_id).count()
    full = make_session(session.activity, capacity=1, starts_in=timedelta(days=20 + number))
    book(full, contact=stranger())
    return join(full)
