"""What staff must know, and what customers were told. One module per noun."""

from alerts.admin.alerts import AlertAdmin
from alerts.admin.bookings import BookingWithMessagesAdmin
from alerts.admin.notifications import NotificationAdmin

__all__ = ["AlertAdmin", "BookingWithMessagesAdmin", "NotificationAdmin"]
