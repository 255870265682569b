"""Sessions: how full they are, and the three things that staff do to one."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin import RelatedOnlyFieldListFilter
from django.contrib.admin.views.main import ChangeList
from django.db.models import DateField, F, Func, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from config.kit.admin import ShownAdmin
from config.kit.display import money_text
from config.tenants.scoping import OWNER_FILTER, ByRole
from scheduling.availability import LAPSED
from scheduling.fill import Fill
from scheduling.models import Session
from scheduling.services import capacity, reservations, sessions


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
        "activity", "starts", "ends", "fill_bar", "status", "on_sale", "left_over", "booking_opens", "booking_closes",
        "price", "places_booked", "places_held", "lapsed", "capacity_total", "capacity_remaining", "waiting",
        "schedule", "version",
    )  # fmt: skip
    list_display = ("starts", "activity", "fill_bar", "organization", "status", "on_sale")
    list_filter = (When, ("activity", RelatedOnlyFieldListFilter), "status", "on_sale", OWNER_FILTER)
    list_select_related = ("activity__venue", "organization")
    search_fields = ("activity__name", "organization__name")
    search_help_text = "Search by activity"
    ordering = ("starts_at", "id")
    actions = ("close_sessions", "reopen_sessions", "recalculate_sessions")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:
        """Count what has lapsed with each: the next buyer gets it, so it is not taken."""
        rows: QuerySet[Session] = super().get_queryset(request)
        return rows.annotate(lapsed_places=LAPSED)

    def name_of(self, row: Session) -> str:
        """Name it by activity and the venue's clock."""
        return f"{row.activity.name}, {self.starts(row)}"

    def can_be(self, act: str, row: Session) -> bool:
        """Close what is open, open what is closed."""
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

    # What is done

    @admin.action(description="Close for new bookings")
    def close_sessions(self, request: HttpRequest, chosen: QuerySet[Session]) -> None:
        """Take no new bookings."""

        def act(session: Session) -> str:
            sessions.close_session(session_id=session.id)
            return "closed for new bookings."

        self.act_on_each(request, chosen, act)

    @admin.action(description="Take bookings again")
    def reopen_sessions(self, request: HttpRequest, chosen: QuerySet[Session]) -> None:
        """Take bookings again."""

        def act(session: Session) -> str:
            sessions.reopen_session(session_id=session.id)
            return "open for bookings again."

        self.act_on_each(request, chosen, act)

    @admin.action(description="Recalculate places from the reservations")
    def recalculate_sessions(self, request: HttpRequest, chosen: QuerySet[Session]) -> None:
        """Count anew, and say by how much the counters were off."""
        self.act_on_each(
            request, chosen, lambda session: _drift_text(reservations.recalculate_capacity(session_id=session.id))
        )


def _on_the_wall(session: Session, at: datetime) -> str:
    return f"{at.astimezone(session.activity.venue.zone):%a %d %b %Y, %H:%M}"


def _drift_text(drift: capacity.Drift) -> str:
    """Say what was repaired, in numbers that can be checked."""
    counted = f"{drift.counted_held} held, {drift.counted_booked} booked"
    if drift.is_clean:
        return f"recalculated, nothing was off: {counted}."
    return f"recalculated and repaired: {drift.places_held} held, {drift.places_booked} booked became {counted}."
