"""Who comes and on what terms, for staff: to look at, and to book for somebody who calls. One module per noun.

Changes to what is sold are here, too: their pages show the people and the money that they touch.
"""

from bookings.admin.affected_lines import AffectedLineAdmin
from bookings.admin.attempts import AttemptAdmin
from bookings.admin.bookings import BookingAdmin
from bookings.admin.customers import CustomerAdmin
from bookings.admin.payments import PaymentAdmin
from bookings.admin.price_rules import PriceRuleAdmin
from bookings.admin.promo_codes import PromoCodeAdmin
from bookings.admin.schedule_changes import ScheduleChangeAdmin
from bookings.admin.waitlist import WaitlistEntryAdmin

__all__ = [
    "AffectedLineAdmin", "AttemptAdmin", "BookingAdmin", "CustomerAdmin", "PaymentAdmin", "PriceRuleAdmin",
    "PromoCodeAdmin", "ScheduleChangeAdmin", "WaitlistEntryAdmin",
]  # fmt: skip
