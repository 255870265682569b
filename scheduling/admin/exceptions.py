"""Closures and extra openings: dated, with a reason for customers; never edited, but lifted."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse

from config.kit.admin import ShownAdmin
from config.tenants.scoping import OWNER_FILTER, ByRole
from scheduling.change_words import dates_in_words, hours_in_words
from scheduling.models import ScheduleException

SAME_REQUEST = 307  # a redirect that is followed by POST, with what was posted


class InForce(admin.SimpleListFilter):
    """Those in force, unless the lifted ones are asked for: they stay to read."""

    title = "in force"
    parameter_name = "in_force"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Offer the others."""
        return [("lifted", "Lifted"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        """Say what is shown when nothing is chosen."""
        first, *others = super().choices(changelist)
        return [{**first, "display": "In force"}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        """Keep to them."""
        if self.value() == "all":
            return queryset
        return queryset.filter(lifted_at__isnull=self.value() != "lifted")


@admin.register(ScheduleException)
class ScheduleExceptionAdmin(ByRole, ShownAdmin):
    """Adding one, and lifting one, is rehearsed first, by an app above ours."""

    can_add = True
    fields = (
        "kind", "place", "days", "hours", "capacity", "reason", "author", "created_at", "lifted_at", "lifted_by",
    )  # fmt: skip
    list_display = ("days", "hours", "kind", "place", "reason", "organization", "lifted_at")
    list_filter = (InForce, "kind", OWNER_FILTER)
    list_select_related = ("venue", "activity", "organization")
    search_fields = ("reason", "venue__name", "activity__name")
    ordering = ("-first_date", "id")
    actions = ("lift_exceptions",)

    def name_of(self, row: ScheduleException) -> str:
        """Name it by what it is, where and when."""
        return f"{row.get_kind_display()}, {self.place(row)}, {self.days(row)}"

    def can_be(self, act: str, row: ScheduleException) -> bool:  # noqa: ARG002
        """Lift what is in force."""
        return row.lifted_at is None

    @admin.display(description="days", ordering="first_date")
    def days(self, exception: ScheduleException) -> str:
        """Return its dates in words."""
        return dates_in_words(exception.first_date, exception.last_date)

    def hours(self, exception: ScheduleException) -> str:
        """Return the hours of each day."""
        return hours_in_words(exception.from_time, exception.to_time) or "whole days"

    @admin.display(description="where")
    def place(self, exception: ScheduleException) -> str:
        """Return the venue, or the activity."""
        return str(exception.activity or exception.venue)

    @admin.action(description="Lift: see first what comes back")
    def lift_exceptions(self, request: HttpRequest, chosen: QuerySet[ScheduleException]) -> HttpResponse | None:
        """Lead to the rehearsal of its lifting, as the same request."""
        row = chosen.first()
        if row is None or chosen.count() > 1:
            self.message_user(request, "Lift one at a time: each has a preview of its own.", messages.WARNING)
            return None
        return HttpResponseRedirect(reverse("admin:scheduling_schedulechange_lift", args=[row.id]), status=SAME_REQUEST)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:  # noqa: ARG002
        """Lead to the page that rehearses one."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        return redirect("admin:scheduling_schedulechange_exception")
