"""Who comes and on what terms, for staff: to look at, and to book for somebody who calls. One module per noun."""

from bookings.admin.bookings import BookingAdmin
from bookings.admin.customers import CustomerAdmin

__all__ = ["BookingAdmin", "CustomerAdmin"]
