"""A change as it was rehearsed: what it does and whom it touches, and the button that does exactly that."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from bookings.admin.change_editors import ChangeEditors, lead_to, signed_in
from bookings.rehearsals import moved_in_words, rehearsal_page
from bookings.services import schedule_changes
from config.kit.admin import ShownAdmin
from config.kit.refusals import Refusal
from config.kit.visitors import staff_actor
from config.tenants.scoping import OWNER_FILTER, ByRole
from scheduling.admin.schedules import week_context
from scheduling.models import ScheduleChange

APPLY = "apply_changes"  # the right; no list offers it: whoever applies a change has its page before them


@admin.register(ScheduleChange)
class ScheduleChangeAdmin(ByRole, ChangeEditors, ShownAdmin):
    """Rehearsals and what was applied; adding one begins at what shall change."""

    can_add = True
    list_display = ("what", "place", "organization", "status", "author", "created_at", "applied_at")
    list_filter = ("status", "kind", OWNER_FILTER)
    search_fields = ("venue__name", "activity__name")
    ordering = ("-created_at", "id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ScheduleChange]:
        """Fetch with each what its page names."""
        rows: QuerySet[ScheduleChange] = super().get_queryset(request)
        return rows.select_related("venue__organization", "organization", "activity", "author", "applied_by")

    @admin.display(description="change", ordering="kind")
    def what(self, change: ScheduleChange) -> str:
        """Return what kind of change it is."""
        return change.get_kind_display()

    @admin.display(description="of")
    def place(self, change: ScheduleChange) -> str:
        """Return the activity, or the whole venue."""
        return str(change.activity or change.venue)

    # A change

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None  # noqa: ARG002
    ) -> HttpResponse:  # fmt: skip
        """Show the rehearsal; apply it, or rehearse it anew, when that was pressed."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        change: ScheduleChange | None = self.get_object(request, object_id)
        if change is None:
            self.message_user(request, "There is no such change. Perhaps its address was cut off?", messages.WARNING)
            return redirect("admin:index")
        if request.method != "POST":
            return self._page(request, change)
        if not self.may(request, APPLY, change):
            raise PermissionDenied
        if "again" in request.POST:
            return self._rehearse_again(request, change)
        if "apply" not in request.POST:
            raise PermissionDenied  # nothing else is written here
        return self._apply(request, change)

    def _apply(self, request: HttpRequest, change: ScheduleChange) -> HttpResponse:
        try:
            schedule_changes.apply_change(
                change_id=change.id, actor=staff_actor(request), applied_by=signed_in(request)
            )
        except Refusal as refusal:
            return self._page(request, change, refusal)
        self.log_change(request, change, "Applied")
        self.message_user(request, "Applied, exactly as it was shown.", messages.SUCCESS)
        return redirect("admin:scheduling_schedulechange_change", change.id)

    def _rehearse_again(self, request: HttpRequest, change: ScheduleChange) -> HttpResponse:
        try:
            again = schedule_changes.rehearse_change(
                kind=change.kind, venue_id=change.venue_id, activity_id=change.activity_id,
                parameters=change.parameters, author=signed_in(request),
            )  # fmt: skip
        except Refusal as refusal:
            return self._page(request, change, refusal)
        return lead_to(again)

    def _page(self, request: HttpRequest, change: ScheduleChange, refusal: Refusal | None = None) -> HttpResponse:
        page = rehearsal_page(change)
        moved = moved_in_words(refusal.extra.get("moved", ()), change.venue.zone) if refusal else []
        context = {
            **self.admin_site.each_context(request), "title": page.title, "opts": self.opts, "page": page,
            "change": change, "refusal": refusal, "moved": moved, "may_apply": self.may(request, APPLY, change),
            **week_context(page.rules),
        }  # fmt: skip
        template = "admin/scheduling/schedulechange/rehearsal.html"
        return TemplateResponse(request, template, context, status=refusal.status if refusal else 200)
