"""What staff must know: the list to look at, and the two things to say about a row of it."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from alerts.models import Alert
from alerts.services import alerts
from config.kit.refusals import Refusal
from config.tenants.admin import ShownAdmin

REFRESH_SECONDS = 60


@admin.register(Alert)
class AlertAdmin(ShownAdmin):
    """Alerts, the newest first; the list looks again every minute."""

    fields = (
        "title", "organization", "type", "severity", "status", "description", "metadata", "fact_id", "created_at",
        "acknowledged_at", "acknowledged_by", "acknowledged_by_key",
    )  # fmt: skip
    list_display = ("title", "organization", "severity", "status", "description", "created_at", "acknowledged_by")
    list_filter = ("status", "severity", "type", "organization")
    list_select_related = ("organization", "acknowledged_by")
    search_fields = ("title", "description")
    ordering = ("-id",)
    actions = ("acknowledge_alerts", "resolve_alerts")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the list, and have the browser look again in a minute."""
        response = super().changelist_view(request, extra_context)
        if request.method == "GET":
            response["Refresh"] = str(REFRESH_SECONDS)
        return response

    @admin.action(description="Acknowledge: I have seen it", permissions=["view"])
    def acknowledge_alerts(self, request: HttpRequest, chosen: QuerySet[Alert]) -> None:
        """Say who has seen them."""
        user_id = request.user.pk
        self._act(request, chosen, lambda alert: alerts.acknowledge_alert(alert_id=alert.id, user_id=user_id))

    @admin.action(description="Resolve: nothing is left to do", permissions=["view"])
    def resolve_alerts(self, request: HttpRequest, chosen: QuerySet[Alert]) -> None:
        """Say that they are done with."""
        self._act(request, chosen, lambda alert: alerts.resolve_alert(alert_id=alert.id))

    def _act(self, request: HttpRequest, chosen: QuerySet[Alert], act: Callable[[Alert], Alert]) -> None:
        for alert in chosen:
            try:
                done = act(alert)
            except Refusal as refusal:
                self.message_user(request, f"{alert}: {refusal.detail}", messages.ERROR)
            else:
                self.message_user(request, f"{alert} is {done.status}.", messages.SUCCESS)
