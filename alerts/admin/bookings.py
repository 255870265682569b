"""A booking's page with what its customer was told: messages are of this app, so the page is completed here."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from alerts.admin.notifications import message_rows
from alerts.models import Notification
from bookings.admin import BookingAdmin
from bookings.models import Booking
from config.tenants.scoping import may

admin.site.unregister(Booking)


@admin.register(Booking)
class BookingWithMessagesAdmin(BookingAdmin):
    """The page of bookings, and under it the messages."""

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Add the messages for those who may see them."""
        fields = super().get_fields(request, obj)
        sees = obj is not None and may(request, Notification._meta.label_lower, "view", obj)
        return [*fields, "messages"] if sees else fields

    @admin.display(description="messages")
    def messages(self, booking: Booking) -> SafeString:
        """List what the customer was told, and what waits."""
        html = render_to_string("admin/alerts/notification/_list.html", {"rows": message_rows(booking)})
        return mark_safe(html)  # noqa: S308 a template's own output: it has escaped what it was given
