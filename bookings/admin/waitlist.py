"""Who waits for a full session: in which order, since when, and how it went; staff add, prefer and remove them."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, Count, IntegerField, OuterRef, Q, QuerySet, Subquery, UUIDField, Value, When
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString, mark_safe

from bookings.models import WaitlistChoice, WaitlistEntry, WaitlistEvent
from bookings.services import waitlist
from bookings.services.waitlist_offers import LIVE
from bookings.wait_forms import StaffWaitForm
from config.kit.admin import ShownAdmin
from config.kit.display import utc_text
from config.kit.refusals import Refusal
from config.kit.visitors import staff_actor
from config.tenants.scoping import OWNER_FILTER, ByRole, may, within
from scheduling.availability import check_slot_availability
from scheduling.models import Session
from scheduling.pages import SessionRow, session_row
from scheduling.timeline import entries

KIND = "bookings.waitlistentry"
BY_SESSION = "choices__session__id__exact"  # in the list's address: of one session
NOTE = "note"  # posted along with an act
LONGEST_NOTE = 1000
Status = WaitlistEntry.Status
WORDS = {
    "waitlist_joined": "Joined the waiting list",
    "waitlist_offered": "Was offered places",
    "waitlist_converted": "Booked what was offered",
    "waitlist_lapsed": "The wait is over",
    "waitlist_left": "Left the waiting list",
    "waitlist_priority_set": "Was given another priority",
}
REASONS = {
    "offer_lapsed": "the offer was not taken in time",
    "offer_declined": "the places were given back",
    "booking_closed": "booking has ended",
    "removed_by_staff": "removed by staff",
}


class StillWaiting(admin.SimpleListFilter):
    """Who waits or has an offer, unless something else is asked for."""

    title = "status"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Offer each status."""
        return [*((value, str(label)) for value, label in Status.choices), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        """Say what is shown when nothing is chosen."""
        first, *others = super().choices(changelist)
        return [{**first, "display": "Waiting, or offered places"}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        """Keep to them."""
        wanted = self.value()
        if wanted == "all":
            return queryset
        return queryset.filter(status__in=[wanted] if wanted else LIVE)


@admin.register(WaitlistEntry)
class WaitlistEntryAdmin(ByRole, ShownAdmin):
    """One row a party. Its acts call services; adding somebody begins at a session."""

    can_add = True
    fields = (
        "sessions", "position", "status", "kind", "party_size", "places", "name", "email", "phone", "language",
        "priority", "skips", "joined", "booking", "timeline",
    )  # fmt: skip
    list_display = (
        "name", "sessions", "position", "party_size", "status", "priority", "organization", "joined",
    )  # fmt: skip
    list_filter = (StillWaiting, "kind", OWNER_FILTER)
    list_select_related = ("activity__venue", "organization", "booking")
    search_fields = ("name", "email", "phone", "activity__name")
    search_help_text = "Search by name, e-mail, phone or activity"
    ordering = ("-priority", "joined_at", "id")
    actions = ("raise_entries", "lower_entries", "remove_entries")
    change_form_outer_before_template = "admin/bookings/waitlistentry/_acts.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[WaitlistEntry]:
        """Count with each who stands before it: at the session that the list is of, else at the one it likes best."""
        rows: QuerySet[WaitlistEntry] = super().get_queryset(request)
        liked = WaitlistChoice.objects.filter(entry=OuterRef("id"), rank=1).values("session_id")
        chosen = _uuid(request.GET.get(BY_SESSION))
        before = Q(entry__priority__gt=OuterRef("priority")) | Q(
            entry__priority=OuterRef("priority"), entry__joined_at__lt=OuterRef("joined_at")
        )
        line = WaitlistChoice.objects.filter(before, session=OuterRef("stands_at"), entry__status=Status.WAITING)
        ahead = Subquery(line.order_by().values("session").annotate(n=Count("id")).values("n"))
        return (
            rows.annotate(stands_at=Value(chosen, output_field=UUIDField()) if chosen else Subquery(liked))
            .annotate(
                ahead=Case(
                    When(status=Status.WAITING, then=Coalesce(ahead, 0) + 1), output_field=IntegerField()
                )
            )
            .prefetch_related("choices__session")
        )  # fmt: skip

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Let a session's own page lead to those who wait for it."""
        return lookup == BY_SESSION or super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    def name_of(self, row: WaitlistEntry) -> str:
        """Name it by who waits, and for what."""
        return f"{row.name}, {row.party_size} for {row.activity.name}"

    def can_be(self, act: str, row: WaitlistEntry) -> bool:
        """Remove who is on the list; prefer who waits."""
        return row.status in LIVE if act == "remove_entries" else row.status == Status.WAITING

    # What is shown

    @admin.display(description="sessions, by the venue's clock")
    def sessions(self, row: WaitlistEntry) -> str:
        """Return what they would come to, the best first."""
        zone = row.activity.venue.zone
        times = [f"{choice.session.starts_at.astimezone(zone):%a %d %b, %H:%M}" for choice in row.choices.all()]
        return f"{row.activity.name}: {' or '.join(times)}"

    @admin.display(description="in line", ordering="ahead")
    def position(self, row: Any) -> str:
        """Return where they stand in their queue; nothing when they do not wait."""
        return "" if row.ahead is None else str(row.ahead)

    @admin.display(ordering="joined_at")
    def joined(self, row: WaitlistEntry) -> str:
        """Return since when they wait."""
        return utc_text(row.joined_at)

    @admin.display(description="what happened")
    def timeline(self, row: WaitlistEntry) -> SafeString:
        """Tell its story from its facts."""
        events = list(row.events.select_related("detail").order_by("seq"))
        story = entries(events, row.activity.venue.zone, WORDS, note=_note)
        return mark_safe(render_to_string("admin/_timeline.html", {"entries": story}))  # noqa: S308 a template's own

    # What is done

    @admin.action(description="Ask sooner")
    def raise_entries(self, request: HttpRequest, chosen: QuerySet[WaitlistEntry]) -> None:
        """Put them before those who have no such priority."""
        self._prefer(request, chosen, 1, "is asked sooner.")

    @admin.action(description="Ask later")
    def lower_entries(self, request: HttpRequest, chosen: QuerySet[WaitlistEntry]) -> None:
        """Put them behind."""
        self._prefer(request, chosen, -1, "is asked later.")

    def _prefer(self, request: HttpRequest, chosen: QuerySet[WaitlistEntry], by: int, outcome: str) -> None:
        actor = staff_actor(request, _said(request))

        def act(row: WaitlistEntry) -> str:
            waitlist.set_priority(entry_id=row.id, priority=row.priority + by, actor=actor)
            return outcome

        self.act_on_each(request, chosen, act)

    @admin.action(description="Remove from the waiting list")
    def remove_entries(self, request: HttpRequest, chosen: QuerySet[WaitlistEntry]) -> None:
        """End their wait; what was offered to them goes to the next."""
        actor = staff_actor(request, _said(request))

        def act(row: WaitlistEntry) -> str:
            waitlist.leave_waitlist(entry_id=row.id, actor=actor, reason_code="removed_by_staff")
            return "removed from the waiting list."

        self.act_on_each(request, chosen, act)

    # Adding

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:  # noqa: ARG002
        """Put a caller on the list of a session; without one, say where to begin."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        session = _session_to_wait_for(request)
        form, row = _form_and_row(request, session)
        if session and form and form.is_valid():
            entry = _add(request, session, form)
            if entry:
                self.log_addition(request, entry, "Put on the waiting list")
                self.message_user(request, f"{entry.name} is on the waiting list.", messages.SUCCESS)
                return redirect("admin:bookings_waitlistentry_change", entry.id)
        context = {
            **self.admin_site.each_context(request), "title": "Put somebody on a waiting list", "opts": self.opts,
            "session": session, "row": row, "form": form,
        }  # fmt: skip
        wrong = form is not None and form.is_bound
        return TemplateResponse(request, "admin/bookings/waitlistentry/add.html", context, status=422 if wrong else 200)


def _session_to_wait_for(request: HttpRequest) -> Session | None:
    """Return the session that is named, if it is of an organization in which they may add somebody."""
    named = _uuid(request.GET.get("session"))
    rows = within(request, Session.objects.select_related("activity__venue", "activity__organization"), KIND, "add")
    return rows.filter(id=named).first() if named else None


def _form_and_row(request: HttpRequest, session: Session | None) -> tuple[StaffWaitForm | None, SessionRow | None]:
    if session is None:
        return None, None
    row = session_row(check_slot_availability(session_id=session.id), session.activity.venue.zone)
    return StaffWaitForm(request.POST or None, activity=session.activity), row


def _add(request: HttpRequest, session: Session, form: StaffWaitForm) -> WaitlistEntry | None:
    """Put them on the list; or put what is refused on the form, and write nothing."""
    if not may(request, KIND, "add", session):
        raise PermissionDenied
    try:
        return waitlist.join_waitlist(
            wish=form.wish(session.id), contact=form.contact(), actor=staff_actor(request),
            organization_id=session.organization_id, priority=form.cleaned_data["priority"] or 0,
        )  # fmt: skip
    except Refusal as refusal:
        form.add_error(None, refusal.detail)
        return None


def _said(request: HttpRequest) -> str:
    return request.POST.get(NOTE, "").strip()[:LONGEST_NOTE]


def _note(event: WaitlistEvent) -> str:
    """Say why, and what whoever did it wrote beside."""
    detail = getattr(event, "detail", None)
    return ": ".join(part for part in (REASONS.get(event.reason_code, ""), detail.note if detail else "") if part)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None
