"""The pages on which staff say what shall change: each leads to a rehearsal, and none writes anything else."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.views.decorators.http import require_POST

from bookings.services import schedule_changes
from config.kit.admin import KeptAdmin
from config.kit.clock import database_now
from config.kit.refusals import Refusal
from config.tenants.models import User
from config.tenants.scoping import may, within
from scheduling.admin.schedules import week_context
from scheduling.models import Activity, ScheduleChange, ScheduleException, Session, Venue
from scheduling.schedule_forms import MOST_SESSIONS, ActivityForm, ChangeForm, ExceptionForm, SessionsForm
from scheduling.schedule_rules import Rules
from scheduling.timetable_form import TimetableForm, newest_rules, timetable_initial

View = Callable[..., HttpResponse]

# Who may rehearse what: the kind of row, and the right.
TIMETABLE = ("scheduling.scheduleversion", "add")
EXCEPTION = ("scheduling.scheduleexception", "add")
LIFT = ("scheduling.scheduleexception", "lift_exceptions")
SESSIONS = ("scheduling.session", "revise_sessions")
END_OF_SALE = ("scheduling.activity", "discontinue_activities")


def signed_in(request: HttpRequest) -> User | None:
    """Return who is at the desk."""
    return request.user if isinstance(request.user, User) else None


def rehearse(
    request: HttpRequest, form: ChangeForm, *, kind: str, venue_id: UUID, activity_id: UUID | None,
    parameters: dict[str, Any],
) -> HttpResponse | None:  # fmt: skip
    """Rehearse what was filled in and lead to its page; or put what is refused on the form, and write nothing."""
    try:
        change = schedule_changes.rehearse_change(
            kind=kind, venue_id=venue_id, activity_id=activity_id, parameters=parameters, author=signed_in(request)
        )
    except Refusal as refusal:
        form.put_refusal(refusal)
        return None
    return lead_to(change)


def lead_to(change: ScheduleChange) -> HttpResponse:
    """Lead to the page of a rehearsal."""
    return redirect("admin:scheduling_schedulechange_change", change.id)


def require(request: HttpRequest, right: tuple[str, str], row: Any = None) -> None:
    """Let nobody in whose role does not include it."""
    if not may(request, *right, row):
        raise PermissionDenied


class ChangeEditors(KeptAdmin):
    """The pages, for the admin of changes to mix in."""

    def get_urls(self) -> list[Any]:
        """Have an address for each."""
        pages: list[tuple[str, View, str]] = [
            ("timetable/", self.timetable_view, "timetable"),
            ("exception/", self.exception_view, "exception"),
            ("sessions/", self.sessions_view, "sessions"),
            ("lift/<uuid:exception_id>/", require_POST(self.lift_view), "lift"),
        ]
        own = [
            path(address, self.admin_site.admin_view(view), name=f"scheduling_schedulechange_{name}")
            for address, view, name in pages
        ]
        return [*own, *super().get_urls()]

    def answer(self, request: HttpRequest, template: str, title: str, *bound: Any, **context: Any) -> HttpResponse:
        """Render a page; one with something to put right is no success."""
        plain = {**self.admin_site.each_context(request), "title": title, "opts": self.opts}
        wrong = any(form is not None and form.is_bound and form.errors for form in bound)
        template = f"admin/scheduling/schedulechange/{template}.html"
        return TemplateResponse(request, template, {**plain, **context}, status=422 if wrong else 200)

    # The ways in

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:  # noqa: ARG002
        """Ask what shall change; ending an activity's sale begins here, the others have pages of their own."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ActivityForm(request.POST or None, activities=activities_for(request, END_OF_SALE))
        if form.is_valid():
            activity: Activity = form.cleaned_data["activity"]
            rehearsed = rehearse(
                request, form, kind="discontinue", venue_id=activity.venue_id, activity_id=activity.id, parameters={}
            )
            if rehearsed:
                return rehearsed
        return self.answer(
            request, "new", "Change the timetable", form, form=form, may_end_sale=may(request, *END_OF_SALE)
        )

    def timetable_view(self, request: HttpRequest) -> HttpResponse:
        """Write a timetable and see its week."""
        require(request, TIMETABLE)
        choice = ActivityForm(request.GET or None, activities=activities_for(request, TIMETABLE))
        activity = choice.cleaned_data["activity"] if choice.is_valid() else None
        form = _timetable_form(request, activity) if activity else None
        if form and form.is_valid() and "preview" in request.POST:
            rehearsed = rehearse(
                request, form, kind="timetable", venue_id=form.activity.venue_id, activity_id=form.activity.id,
                parameters=form.parameters(),
            )  # fmt: skip
            if rehearsed:
                return rehearsed
        rules = _rules_of(form) if form else None
        return self.answer(
            request, "timetable", "New timetable", choice, form, choice=choice, form=form, **week_context(rules)
        )

    def exception_view(self, request: HttpRequest) -> HttpResponse:
        """Close, or open besides the timetable."""
        require(request, EXCEPTION)
        venues = within(request, Venue.objects.select_related("organization"), *EXCEPTION).order_by("name")
        form = ExceptionForm(request.POST or None, venues=venues, activities=activities_for(request, EXCEPTION))
        if form.is_valid():
            venue_id, activity_id = form.owner
            rehearsed = rehearse(
                request, form, kind=form.cleaned_data["kind"], venue_id=venue_id, activity_id=activity_id,
                parameters=form.parameters(),
            )  # fmt: skip
            if rehearsed:
                return rehearsed
        return self.answer(request, "exception", "Close, or open besides the timetable", form, form=form)

    def lift_view(self, request: HttpRequest, exception_id: UUID) -> HttpResponse:
        """Let the timetable hold again where an exception stands."""
        row = within(request, ScheduleException.objects.select_related("activity"), *LIFT).filter(id=exception_id)
        exception = row.first()
        if exception is None:
            require(request, LIFT)
            raise Http404
        venue_id = exception.activity.venue_id if exception.activity else exception.venue_id
        try:
            change = schedule_changes.rehearse_change(
                kind="lift", venue_id=venue_id, activity_id=exception.activity_id,  # type: ignore[arg-type]
                parameters={"exception": str(exception.id)}, author=signed_in(request),
            )  # fmt: skip
        except Refusal as refusal:
            self.message_user(request, refusal.detail, "ERROR")
            return redirect("admin:scheduling_scheduleexception_change", exception.id)
        return lead_to(change)

    def sessions_view(self, request: HttpRequest) -> HttpResponse:
        """Give sessions other places or another price: those that were chosen, or an activity's by days and hours."""
        require(request, SESSIONS)
        chosen = _chosen_sessions(request)
        asked = {"activity": chosen[0].activity_id} if chosen else request.GET or None
        choice = ActivityForm(asked, activities=activities_for(request, SESSIONS))
        form: SessionsForm | None = None
        if choice.is_valid():
            ids = [session.id for session in chosen]
            form = SessionsForm(request.POST or None, activity=choice.cleaned_data["activity"], sessions=ids)
        if form and form.is_valid():
            rehearsed = rehearse(
                request, form, kind=form.kind, venue_id=form.activity.venue_id, activity_id=form.activity.id,
                parameters=form.parameters(),
            )  # fmt: skip
            if rehearsed:
                return rehearsed
        return self.answer(
            request, "sessions", "Places and prices of sessions", choice, form, choice=choice, form=form, chosen=chosen
        )


def activities_for(request: HttpRequest, right: tuple[str, str]) -> QuerySet[Activity]:
    """Return the activities with which they may do this; what is discontinued has no sessions to come."""
    rows = Activity.objects.select_related("organization", "venue").exclude(status=Activity.Status.DISCONTINUED)
    return within(request, rows, *right).order_by("organization__name", "name")


def _timetable_form(request: HttpRequest, activity: Activity) -> TimetableForm:
    """Begin with the timetable that the activity has now, or with an example, from today on."""
    today = database_now().astimezone(activity.venue.zone).date()
    initial = {"effective_from": today, **timetable_initial(newest_rules(activity))}
    return TimetableForm(request.POST or None, activity=activity, initial=initial)


def _rules_of(form: TimetableForm) -> Rules | None:
    """Return what the form says, or begins with; None when it cannot be read."""
    return form.rules if form.is_bound else newest_rules(form.activity)


def _chosen_sessions(request: HttpRequest) -> list[Session]:
    """Return the sessions named in the address that they may revise, of one activity."""
    rows = Session.objects.filter(id__in=uuids(request.GET.get("sessions"))[:MOST_SESSIONS])
    allowed = within(request, rows, *SESSIONS).select_related("activity__venue")
    found = list(allowed.order_by("starts_at", "id"))
    return [session for session in found if session.activity_id == found[0].activity_id]


def uuids(text: str | None) -> list[UUID]:
    """Return the ids in a comma-separated argument; what is none is left out."""
    found = []
    for part in (text or "").split(","):
        try:
            found.append(UUID(part))
        except ValueError:
            continue
    return found
