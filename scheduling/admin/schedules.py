"""Timetables to look at. A version is never edited, only followed by the next: an app above ours rehearses that."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from config.kit.admin import ShownAdmin
from config.tenants.scoping import OWNER_FILTER, ByRole
from scheduling.models import ScheduleVersion
from scheduling.schedule_rules import Rules
from scheduling.schedule_words import week_in_words
from scheduling.week_picture import draw_week


@admin.register(ScheduleVersion)
class ScheduleVersionAdmin(ByRole, ShownAdmin):
    """Versions, each with its week."""

    can_add = True
    fields = ("activity", "version", "effective_from", "effective_to", "week", "author", "created_at")
    list_display = ("activity", "organization", "version", "effective_from", "effective_to", "author")
    list_filter = (OWNER_FILTER,)
    list_select_related = ("activity", "organization", "author")
    search_fields = ("activity__name",)
    ordering = ("activity__name", "-version")

    def name_of(self, row: ScheduleVersion) -> str:
        """Name it by its activity."""
        return f"{row.activity}, {row}"

    @admin.display(description="the week")
    def week(self, version: ScheduleVersion) -> SafeString:
        """Draw it, and say it in words."""
        html = render_to_string("admin/scheduling/_week.html", week_context(version.parsed()))
        return mark_safe(html)  # noqa: S308 a template's own output: it has escaped what it was given

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:  # noqa: ARG002
        """Lead to the editor, which rehearses before anything is in force."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        return redirect(f"{reverse('admin:scheduling_schedulechange_timetable')}?{request.GET.urlencode()}")


def week_context(rules: Rules | None) -> dict[str, Any]:
    """Return a week for the eye and in words, as `_week.html` wants it; nothing of rules that cannot be read."""
    return {"picture": draw_week(rules), "week": week_in_words(rules)} if rules else {"picture": None, "week": []}
