"""Sessions: how full they are, why one can or cannot be booked, and what staff do to one, or to many at once."""

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import RelatedOnlyFieldListFilter
from django.contrib.admin.views.main import ChangeList
from django.db.models import DateField, F, Func, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from config.kit.admin import ShownAdmin
from config.kit.display import money_text
from config.kit.visitors import staff_actor
from config.tenants.scoping import OWNER_FILTER, ByRole
from scheduling.availability import LAPSED, staff_reasons
from scheduling.fill import Fill
from scheduling.models import Session
from scheduling.schedule_forms import MOST_SESSIONS
from scheduling.services import capacity, reservations, sessions
from scheduling.timeline import overbookings_of, timeline_of_session


class VenueDate(Func):
    """The date on the venue's wall: of an instant, or so many days from its own today."""

    function = "timezone"
    template = "%(function)s(%(expressions)s)::date + %(days)s"
    output_field: Any = DateField()

    def __init__(self, instant: Any, *, days: int = 0) -> None:
        super().__init__(F("activity__venue__timezone"), instant, days=days)


class When(admin.SimpleListFilter):
    """From now on, unless another time is asked for; days are the venue's own."""

    title = "when"
    parameter_name = "when"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Offer what people at a desk ask for."""
        return [("today", "Today"), ("tomorrow", "Tomorrow"), ("week", "Next 7 days"), ("past", "Past"), ("all", "All")]

    def choices(self, changelist: ChangeList) -> Any:
        """Say what is shown when nothing is chosen."""
        first, *others = super().choices(changelist)
        return [{**first, "display": "From now on"}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        """Keep to the sessions of that time."""
        dated: QuerySet[Any] = queryset.alias(venue_date=VenueDate(F("starts_at")))
        match self.value():
            case "today":
                return dated.filter(venue_date=VenueDate(Now()))
            case "tomorrow":
                return dated.filter(venue_date=VenueDate(Now(), days=1))
            case "week":
                return dated.filter(venue_date__range=(VenueDate(Now()), VenueDate(Now(), days=6)))
            case "past":
                return queryset.filter(ends_at__lte=Now()).order_by("-starts_at", "id")
            case "all":
                return queryset
        return queryset.filter(ends_at__gt=Now())


@admin.register(Session)
class SessionAdmin(ByRole, ShownAdmin):
    """Places at a time: services/capacity.py alone writes its counters."""

    fields = (
        "activity", "starts", "ends", "fill_bar", "bookable", "beyond", "status", "on_sale", "left_over",
        "booking_opens", "booking_closes", "price", "places_booked", "places_held", "lapsed", "capacity_total",
        "own_capacity", "capacity_remaining", "waiters", "schedule", "version", "timeline",
    )  # fmt: skip
    list_display = ("starts", "activity", "fill_bar", "organization", "status", "on_sale")
    list_filter = (When, ("activity", RelatedOnlyFieldListFilter), "status", "on_sale", OWNER_FILTER)
    list_select_related = ("activity__venue", "organization")
    search_fields = ("activity__name", "organization__name")
    search_help_text = "Search by activity"
    ordering = ("starts_at", "id")
    actions = ("close_sessions", "reopen_sessions", "revise_sessions", "cancel_sessions", "recalculate_sessions")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:
        """Count what has lapsed with each: the next buyer gets it, so it is not taken."""
        rows: QuerySet[Session] = super().get_queryset(request)
        return rows.annotate(lapsed_places=LAPSED)

    def name_of(self, row: Session) -> str:
        """Name it by activity and the venue's clock."""
        return f"{row.activity.name}, {self.starts(row)}"

    def can_be(self, act: str, row: Session) -> bool:
        """Close what is open, open what is closed, cancel what nobody is booked in."""
        if act == "cancel_sessions":
            return Session.TRANSITIONS.allows(row.status, Session.Status.CANCELLED) and not row.places_booked
        wanted = {"close_sessions": Session.Status.PUBLISHED, "reopen_sessions": Session.Status.CLOSED}
        return row.status == wanted.get(act, row.status)

    # What is shown

    @admin.display(description="starts, by the venue's clock", ordering="starts_at")
    def starts(self, session: Session) -> str:
        """Return what the clock on the venue's wall shows."""
        return _on_the_wall(session, session.starts_at)

    @admin.display(description="ends")
    def ends(self, session: Session) -> str:
        """Return when it is over, by the venue's clock."""
        return f"{_on_the_wall(session, session.ends_at)}, {session.activity.venue.timezone}"

    @admin.display(description="booking opens")
    def booking_opens(self, session: Session) -> str:
        """Return when booking opens, by the venue's clock."""
        return _on_the_wall(session, session.opens_at)

    @admin.display(description="booking closes")
    def booking_closes(self, session: Session) -> str:
        """Return when booking closes, by the venue's clock."""
        return _on_the_wall(session, session.closes_at)

    @admin.display(description="price of its own")
    def price(self, session: Session) -> str:
        """Return what the default unit costs here, when that is not the unit's own price."""
        return "" if session.price_minor is None else money_text(session.price_minor, session.activity.currency)

    @admin.display(description="left over from an older timetable", boolean=True)
    def left_over(self, session: Session) -> bool:
        """Does it stand outside the timetable of now? Then it is not sold any more."""
        return session.is_legacy

    @admin.display(description="of these lapsed, free for the next buyer")
    def lapsed(self, session: Any) -> int:
        """Return how many held places nobody is kept from."""
        return int(session.lapsed_places)

    @admin.display(description="places taken")
    def fill_bar(self, session: Any) -> SafeString:
        """Show how full it is, to the eye and in words; from 80 % on with a warning."""
        taken = session.places_held - session.lapsed_places + session.places_booked
        fill = Fill(taken, session.capacity_total)
        return format_html(
            '<span class="fill fill-{}"><span class="fill-count">{}</span>'
            '<progress max="{}" value="{}" aria-label="{} places taken"></progress>'
            '<span class="fill-word">{}</span></span>',
            fill.level, fill, max(fill.total, 1), min(fill.taken, fill.total) if fill.total else 1, fill, fill.word,
        )  # fmt: skip

    @admin.display(description="can it be booked?")
    def bookable(self, session: Session) -> SafeString:
        """Say that it can; or each reason why not, and what would change that."""
        return _rendered("admin/scheduling/session/_reasons.html", {"reasons": staff_reasons(session.id)})

    @admin.display(description="waiting list")
    def waiters(self, session: Session) -> SafeString:
        """Lead to those who wait, and to the page that adds somebody."""
        waiting = reverse("admin:bookings_waitlistentry_changelist")
        return format_html(
            '<a class="story-link" href="{}?choices__session__id__exact={}">{}</a>'
            ' · <a class="story-link" href="{}?session={}">Put somebody on its waiting list</a>',
            waiting, session.id, f"{session.waiting} waiting",
            reverse("admin:bookings_waitlistentry_add"), session.id,
        )  # fmt: skip

    @admin.display(description="booked beyond the capacity")
    def beyond(self, session: Session) -> SafeString | str:
        """Name the parties that somebody put beyond the capacity, and why; the mark stays for good."""
        return format_html_join("", "<p>{}</p>", ((line,) for line in overbookings_of(session))) or "nobody"

    @admin.display(description="what happened")
    def timeline(self, session: Session) -> SafeString:
        """Tell its story from the facts about it, and about its activity as a whole."""
        return _rendered("admin/_timeline.html", {"entries": timeline_of_session(session)})

    # What is done

    @admin.action(description="Change places or price, or call them off: see first what that does")
    def revise_sessions(self, request: HttpRequest, chosen: QuerySet[Session]) -> HttpResponse | None:
        """Lead to the page that does it, with these sessions."""
        ids = list(chosen.order_by("starts_at", "id").values_list("id", flat=True)[: MOST_SESSIONS + 1])
        if len(ids) > MOST_SESSIONS or len(set(chosen.order_by().values_list("activity_id", flat=True))) > 1:
            text = f"Choose up to {MOST_SESSIONS} sessions of one activity; for more, choose them by their dates."
            self.message_user(request, text, messages.WARNING)
            return None
        sessions_text = ",".join(str(session_id) for session_id in ids)
        return redirect(f"{reverse('admin:scheduling_schedulechange_sessions')}?sessions={sessions_text}")

    @admin.action(description="Close for new bookings")
    def close_sessions(self, request: HttpRequest, chosen: QuerySet[Session]) -> None:
        """Take no new bookings."""

        def act(session: Session) -> str:
            sessions.close_session(session_id=session.id, actor=staff_actor(request))
            return "closed for new bookings."

        self.act_on_each(request, chosen, act)

    @admin.action(description="Take bookings again")
    def reopen_sessions(self, request: HttpRequest, chosen: QuerySet[Session]) -> None:
        """Take bookings again."""

        def act(session: Session) -> str:
            sessions.reopen_session(session_id=session.id, actor=staff_actor(request))
            return "open for bookings again."

        self.act_on_each(request, chosen, act)

    @admin.action(description="Cancel what nobody is booked in")
    def cancel_sessions(self, request: HttpRequest, chosen: QuerySet[Session]) -> None:
        """Say for good that they do not take place; whoever is booked stands against it."""

        def act(session: Session) -> str:
            sessions.cancel_session(session_id=session.id, actor=staff_actor(request))
            return "cancelled; nobody was booked."

        self.act_on_each(request, chosen, act)

    @admin.action(description="Recalculate places from the reservations")
    def recalculate_sessions(self, request: HttpRequest, chosen: QuerySet[Session]) -> None:
        """Count anew, and say by how much the counters were off."""
        self.act_on_each(
            request, chosen, lambda session: _drift_text(reservations.recalculate_capacity(session_id=session.id))
        )


def _rendered(template: str, context: dict[str, Any]) -> SafeString:
    return mark_safe(render_to_string(template, context))  # noqa: S308 a template's own output: it has escaped all


def _on_the_wall(session: Session, at: datetime) -> str:
    return f"{at.astimezone(session.activity.venue.zone):%a %d %b %Y, %H:%M}"


def _drift_text(drift: capacity.Drift) -> str:
    """Say what was repaired, in numbers that can be checked."""
    counted = f"{drift.counted_held} held, {drift.counted_booked} booked"
    if drift.is_clean:
        return f"recalculated, nothing was off: {counted}."
    return f"recalculated and repaired: {drift.places_held} held, {drift.places_booked} booked became {counted}."
