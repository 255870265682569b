"""Messages: to whom, whether they arrived, and once more at a click."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from alerts.message_words import kind_words, without_secrets
from alerts.models import Notification
from alerts.services import delivery
from bookings.models import Booking
from config.kit.admin import ShownAdmin
from config.kit.display import utc_text
from config.kit.visitors import staff_actor
from config.tenants.scoping import OWNER_FILTER, ByRole

REPEATABLE = (Notification.Status.SENT, Notification.Status.FAILED)


@admin.register(Notification)
class NotificationAdmin(ByRole, ShownAdmin):
    """To look at: what was said to whom. Links in it are without their secret part: they are the customer's."""

    fields = (
        "what", "recipient", "about", "status", "tries", "trouble", "due", "next_try", "sent", "provider_id", "title",
        "words",
    )  # fmt: skip
    list_display = ("what", "recipient", "organization", "status", "tries", "trouble", "due", "sent")
    list_filter = ("status", "language", OWNER_FILTER)
    list_select_related = ("organization",)
    search_fields = ("recipient", "title")
    search_help_text = "Search by e-mail address, title or booking number"
    ordering = ("-created_at",)
    actions = ("repeat_notifications",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Notification], search_term: str
    ) -> tuple[QuerySet[Notification], bool]:
        """Find by booking number, too."""
        found, may_have_duplicates = super().get_search_results(request, queryset, search_term)
        if search_term.strip():
            booked = Booking.objects.filter(number=search_term.strip().upper()).values("id")
            found = found | queryset.filter(subject_id__in=booked)
        return found, may_have_duplicates

    def name_of(self, row: Notification) -> str:
        """Name it by what it says, and to whom."""
        return f"“{kind_words(row.kind)}” to {row.recipient}"

    def can_be(self, act: str, row: Notification) -> bool:  # noqa: ARG002
        """Send again what was sent, or was given up."""
        return row.status in REPEATABLE

    @admin.display(description="message", ordering="kind")
    def what(self, row: Notification) -> str:
        """Return what it says, in a few words."""
        return kind_words(row.kind)

    @admin.display(description="about")
    def about(self, row: Notification) -> SafeString:
        """Lead to the booking."""
        booking = Booking.objects.filter(id=row.subject_id, organization=row.organization_id).first()
        if booking is None:
            return format_html("{}", "no booking")
        address = reverse("admin:bookings_booking_change", args=[booking.id])
        return format_html('<a class="booking-link" href="{}">Booking {}</a>', address, booking.number)

    @admin.display(description="last error")
    def trouble(self, row: Notification) -> str:
        """Return what went wrong last; nothing when it was sent."""
        return row.last_error

    @admin.display(description="due", ordering="due_at")
    def due(self, row: Notification) -> str:
        """Return from when on it is to be sent."""
        return utc_text(row.due_at)

    @admin.display(description="next try")
    def next_try(self, row: Notification) -> str:
        """Return when it is tried next."""
        return utc_text(row.next_try_at) if row.status == Notification.Status.QUEUED else ""

    @admin.display(description="sent", ordering="sent_at")
    def sent(self, row: Notification) -> str:
        """Return when the provider took it."""
        return utc_text(row.sent_at) if row.sent_at else ""

    @admin.display(description="text")
    def words(self, row: Notification) -> str:
        """Return its text."""
        return without_secrets(row.text)

    @admin.action(description="Send it again")
    def repeat_notifications(self, request: HttpRequest, chosen: QuerySet[Notification]) -> None:
        """Put it into the queue once more; the booking's history says who did."""
        actor = staff_actor(request)

        def act(row: Notification) -> str:
            return delivery.repeat_message(notification_id=row.id, actor=actor)

        self.act_on_each(request, chosen, act)


def message_rows(booking: Booking) -> list[dict[str, Any]]:
    """Return a booking's messages for its page, the newest first."""
    rows = Notification.objects.filter(subject_id=booking.id, organization=booking.organization_id)
    return [
        {
            "what": kind_words(row.kind),
            "recipient": row.recipient,
            "status": row.get_status_display(),
            "when": utc_text(row.sent_at or row.due_at),
            "address": reverse("admin:alerts_notification_change", args=[row.id]),
        }
        for row in rows.order_by("-created_at", "-id").defer("text", "html", "calendar")
    ]
