"""Timetables. A version is never edited, only followed by the next; the page that adds one reads it aloud first."""

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from config.kit.admin import ShownAdmin
from config.kit.clock import database_now
from config.kit.refusals import FieldError, Refusal
from config.tenants.models import User
from config.tenants.scoping import OWNER_FILTER, ByRole, within
from scheduling.models import Activity, ScheduleVersion
from scheduling.schedule_rules import Rules, ScheduleProblem, parse_rules
from scheduling.schedule_words import week_in_words
from scheduling.services import generation, schedules

if TYPE_CHECKING:
    from django.forms import DateInput, Select, Textarea
else:
    from unfold.widgets import UnfoldAdminSelectWidget as Select
    from unfold.widgets import UnfoldAdminTextareaWidget as Textarea
    from unfold.widgets import UnfoldAdminTextInputWidget as DateInput

KIND = "scheduling.scheduleversion"
EXAMPLE = {
    "operatingDays": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"], "startTime": "09:00",
    "endTime": "17:00", "slotInterval": 60, "duration": 60, "capacity": 12,
    "customHours": {"Saturday": {"enabled": True, "startTime": "10:00", "endTime": "16:00"}},
}  # fmt: skip


class TimetableForm(forms.Form):
    """A timetable for an activity, from a date on."""

    activity = forms.ModelChoiceField(Activity.objects.none(), widget=Select(), empty_label="Choose an activity")
    effective_from = forms.DateField(
        label="In force from", widget=DateInput(attrs={"type": "date"}), help_text="A date at the venue."
    )
    rules = forms.CharField(
        label="Timetable",
        widget=Textarea(attrs={"rows": 22, "spellcheck": "false"}),
        help_text="Times as HH:MM, lengths in minutes. Days that are not named are closed.",
    )

    def __init__(self, *args: Any, activities: QuerySet[Activity], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice = self.fields["activity"]
        choice.queryset = activities  # type: ignore[attr-defined]
        choice.label_from_instance = lambda activity: f"{activity.name} ({activity.organization})"  # type: ignore[attr-defined]

    def clean_rules(self) -> Rules:
        """Read it as the timetable does; each error names its field."""
        try:
            document = json.loads(self.cleaned_data["rules"])
        except ValueError as error:
            where = f"line {error.lineno}: " if isinstance(error, json.JSONDecodeError) else ""
            raise forms.ValidationError(f"This cannot be read, {where}look for a comma or a quotation mark.") from error
        self.document = document
        try:
            return parse_rules(document)
        except ScheduleProblem as problem:
            raise forms.ValidationError(sentences(problem.errors)) from problem


def sentences(errors: list[FieldError]) -> list[str]:
    """Return each error with the name of the field that it is about."""
    return [f"{error.field}: {error.detail}" if error.field else error.detail for error in errors]


@admin.register(ScheduleVersion)
class ScheduleVersionAdmin(ByRole, ShownAdmin):
    """Versions to look at, and the editor of the next one."""

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
        """Say it in words."""
        return format_html_join("", "<p>{}</p>", ((line,) for line in week_in_words(version.parsed())))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:  # noqa: ARG002
        """Write a timetable, have it read aloud, and put it in force."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        activities = within(request, Activity.objects.select_related("organization", "venue"), KIND, "add")
        activities = activities.exclude(status=Activity.Status.DISCONTINUED).order_by("organization__name", "name")
        form = TimetableForm(request.POST or None, activities=activities, initial=_initial(request, activities))
        if form.is_bound and form.is_valid() and "publish" in request.POST:
            done = self._publish(request, form)
            if done:
                return done
        return self._page(request, form)

    def _publish(self, request: HttpRequest, form: TimetableForm) -> HttpResponse | None:
        """Publish it and fill the next 30 days, or say what is wrong on the form."""
        activity, author = form.cleaned_data["activity"], request.user
        try:
            version = schedules.publish_schedule(
                activity_id=activity.id, rules=form.document, effective_from=form.cleaned_data["effective_from"],
                author=author if isinstance(author, User) else None,
            )  # fmt: skip
        except Refusal as refusal:
            form.add_error("effective_from" if refusal.code == "invalid_request" else None, refusal.detail)
            return None
        today = database_now().astimezone(activity.venue.zone).date()
        days = generation.DAYS_AHEAD + 1
        made = generation.generate_activity_sessions(activity_id=activity.id, start_date=today, days_ahead=days)
        self.log_addition(request, version, "Published")
        text = f"{activity.name}: {version} is in force, and {made} sessions were made for the next 30 days."
        self.message_user(request, text, messages.SUCCESS)
        return redirect("admin:scheduling_scheduleversion_change", version.id)

    def _page(self, request: HttpRequest, form: TimetableForm) -> HttpResponse:
        rules = form.cleaned_data.get("rules") if form.is_bound else None
        context = {
            **self.admin_site.each_context(request),
            "title": "New timetable", "opts": self.opts, "form": form,
            "week": week_in_words(rules) if isinstance(rules, Rules) else None,
        }  # fmt: skip
        status = 422 if form.is_bound and form.errors else 200
        return TemplateResponse(request, "admin/scheduling/scheduleversion/new.html", context, status=status)


def _initial(request: HttpRequest, activities: QuerySet[Activity]) -> dict[str, Any]:
    """Begin with the timetable that the asked-for activity has now, or with an example."""
    activity = activities.filter(id__in=_uuids(request.GET.get("activity"))).first()
    newest = activity.schedules.order_by("-version").first() if activity else None
    zone = activity.venue.zone if activity else None
    return {
        "activity": activity and activity.id,
        "effective_from": database_now().astimezone(zone).date(),
        "rules": json.dumps(newest.rules if newest else EXAMPLE, indent=2),
    }


def _uuids(text: str | None) -> list[UUID]:
    try:
        return [UUID(text or "")]
    except ValueError:
        return []
