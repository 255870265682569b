"""Who comes, and on what terms."""

from bookings.models.affected import AffectedLine
from bookings.models.booking import Booking
from bookings.models.customer import Customer, Participant
from bookings.models.event import BookingEvent, BookingEventDetail
from bookings.models.line import Line, LineParticipant

__all__ = [
    "AffectedLine", "Booking", "BookingEvent", "BookingEventDetail", "Customer", "Line", "LineParticipant",
    "Participant",
]  # fmt: skip
