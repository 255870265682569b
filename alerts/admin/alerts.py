"""What staff must know: the list to look at, each alert's story, and the two things to say about it."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from alerts.models import Alert
from alerts.services import alerts
from bookings.models import Booking
from bookings.timeline import timeline_of
from config.kit.admin import ShownAdmin
from config.kit.display import utc_text
from config.tenants.scoping import OWNER_FILTER, ByRole

REFRESH_SECONDS = 60


@admin.register(Alert)
class AlertAdmin(ByRole, ShownAdmin):
    """Alerts, the newest first; the list looks again every minute."""

    fields = ("description", "story", "severity", "status", "raised", "seen_by", "acknowledged_at")
    list_display = ("headline", "description", "severity", "organization", "status", "raised", "seen_by")
    list_filter = ("status", "severity", "type", OWNER_FILTER)
    list_select_related = ("organization", "acknowledged_by", "acknowledged_by_key")
    search_fields = ("title", "description")
    search_help_text = "Search by words or booking number"
    ordering = ("-id",)
    actions = ("acknowledge_alerts", "resolve_alerts")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the list, and have the browser look again in a minute."""
        response = super().changelist_view(request, extra_context)
        if request.method == "GET":
            response["Refresh"] = str(REFRESH_SECONDS)
        return response

    def can_be(self, act: str, row: Alert) -> bool:
        """Acknowledge what is unread, resolve what was acknowledged."""
        first = Alert.Status.UNREAD if act == "acknowledge_alerts" else Alert.Status.ACKNOWLEDGED
        return row.status == first

    @admin.display(description="alert", ordering="title")
    def headline(self, alert: Alert) -> SafeString:
        """Return its title, bold while nobody has seen it."""
        if alert.status == Alert.Status.UNREAD:
            return format_html('<strong class="unread">{}</strong>', alert.title)
        return format_html("{}", alert.title)

    @admin.display(ordering="id")
    def raised(self, alert: Alert) -> str:
        """Return when it was raised."""
        return utc_text(alert.created_at)

    @admin.display(description="seen by")
    def seen_by(self, alert: Alert) -> str:
        """Return who has acknowledged it: a person, or a program by its key."""
        user, key = alert.acknowledged_by, alert.acknowledged_by_key
        return (user.name or user.email) if user else f"program “{key.name}”" if key else ""

    @admin.display(description="its story")
    def story(self, alert: Alert) -> SafeString:
        """Tell what happened to the booking that it is about, with the way there."""
        booking = _booking_of(alert)
        context = {"booking": booking, "entries": timeline_of(booking) if booking else []}
        html = render_to_string("admin/alerts/alert/_story.html", context)
        return mark_safe(html)  # noqa: S308 a template's own output: it has escaped what it was given

    @admin.action(description="Acknowledge: I have seen it")
    def acknowledge_alerts(self, request: HttpRequest, chosen: QuerySet[Alert]) -> None:
        """Say who has seen them."""

        def act(alert: Alert) -> str:
            done = alerts.acknowledge_alert(alert_id=alert.id, user_id=request.user.pk)
            return f"{done.status}."

        self.act_on_each(request, chosen, act)

    @admin.action(description="Resolve: nothing is left to do")
    def resolve_alerts(self, request: HttpRequest, chosen: QuerySet[Alert]) -> None:
        """Say that they are done with."""
        self.act_on_each(request, chosen, lambda alert: f"{alerts.resolve_alert(alert_id=alert.id).status}.")


def _booking_of(alert: Alert) -> Booking | None:
    """Return the booking that it names, of its own organization, or None."""
    try:
        booking_id = UUID(str(alert.metadata.get("booking")))
    except ValueError:
        return None
    return Booking.objects.filter(id=booking_id, organization=alert.organization_id).first()
