"""Who comes, and on what terms."""

from bookings.models.affected import AffectedLine
from bookings.models.attempt import Attempt
from bookings.models.booking import Booking
from bookings.models.customer import Customer, Participant
from bookings.models.event import BookingEvent, BookingEventDetail
from bookings.models.line import Line, LineParticipant
from bookings.models.promo_code import PromoActivity, PromoCode, PromoUse
from bookings.models.resume import ResumeLink
from bookings.models.waitlist import WaitlistChoice, WaitlistEntry, WaitlistEvent, WaitlistEventDetail

__all__ = [
    "AffectedLine", "Attempt", "Booking", "BookingEvent", "BookingEventDetail", "Customer", "Line", "LineParticipant",
    "Participant", "PromoActivity", "PromoCode", "PromoUse", "ResumeLink", "WaitlistChoice", "WaitlistEntry",
    "WaitlistEvent", "WaitlistEventDetail",
]  # fmt: skip
