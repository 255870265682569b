"""The work list of schedule changes: whoever booked what is left outside, until somebody has decided about it."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from bookings.admin.change_editors import signed_in
from bookings.models import AffectedLine
from bookings.rehearsals import WHY
from bookings.services import schedule_changes
from config.kit.admin import ShownAdmin
from config.kit.display import money_text
from config.kit.visitors import staff_actor
from config.tenants.scoping import OWNER_FILTER, ByRole

Status = AffectedLine.Status
NOTE = "note"  # posted along with a decision
LONGEST_NOTE = 1000
DECISIONS = {
    "contact_lines": (Status.CONTACTED, "noted: the customer was contacted."),
    "keep_lines": (Status.KEEP, "noted: it stays as it is."),
    "move_lines": (Status.MOVE, "noted: it is to be moved."),
    "refund_lines": (Status.REFUND, "noted: it is to be refunded."),
}


class Undecided(admin.SimpleListFilter):
    """What is to be decided, unless something else is asked for."""

    title = "decision"
    parameter_name = "decision"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Offer each decision."""
        return [*((value, label) for value, label in Status.choices if value != Status.OPEN), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        """Say what is shown when nothing is chosen."""
        first, *others = super().choices(changelist)
        return [{**first, "display": "To decide"}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        """Keep to them."""
        wanted = self.value() or Status.OPEN
        return queryset if wanted == "all" else queryset.filter(status=wanted)


@admin.register(AffectedLine)
class AffectedLineAdmin(ByRole, ShownAdmin):
    """One row a booked line and change; deciding about it moves nothing by itself."""

    fields = (
        "booking", "customer", "phone", "email", "starts", "people", "amount", "why", "change", "status", "decided_by",
        "decided_at",
    )  # fmt: skip
    list_display = ("session", "booking", "customer", "phone", "why", "organization", "status", "decided_by")
    list_filter = (Undecided, "change__kind", OWNER_FILTER)
    list_select_related = (
        "line__booking__customer", "line__session__activity__venue", "change", "organization", "decided_by",
    )  # fmt: skip
    search_fields = ("line__booking__number", "line__booking__contact_name", "line__booking__contact_phone")
    search_help_text = "Search by number, name or phone"
    ordering = ("created_at", "id")
    actions = tuple(DECISIONS)
    change_form_outer_before_template = "admin/bookings/affectedline/_decide.html"

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Let a change's own page lead to its lines."""
        return lookup == "change__id__exact" or super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    def name_of(self, row: AffectedLine) -> str:
        """Name it by booking and session."""
        return f"Booking {row.line.booking.number}, {self.session(row)}"

    def can_be(self, act: str, row: AffectedLine) -> bool:
        """Offer the decisions that its transition table knows."""
        return AffectedLine.TRANSITIONS.allows(row.status, DECISIONS[act][0])

    # What is shown

    @admin.display(ordering="line__session__starts_at")
    def session(self, row: AffectedLine) -> str:
        """Return what was booked, and when, by the venue's clock."""
        return f"{row.line.session.activity.name}, {self.starts(row)}"

    @admin.display(description="session, by the venue's clock")
    def starts(self, row: AffectedLine) -> str:
        """Return when it starts on the venue's wall."""
        session = row.line.session
        return f"{session.starts_at.astimezone(session.activity.venue.zone):%a %d %b %Y, %H:%M}"

    def booking(self, row: AffectedLine) -> SafeString:
        """Lead to the booking."""
        address = reverse("admin:bookings_booking_change", args=[row.line.booking_id])
        return format_html('<a class="story-link" href="{}">{}</a>', address, row.line.booking.number)

    @admin.display(ordering="line__booking__contact_name")
    def customer(self, row: AffectedLine) -> str:
        """Return who booked."""
        return row.line.booking.contact_name

    def phone(self, row: AffectedLine) -> str:
        """Return where to call them."""
        return row.line.booking.contact_phone

    @admin.display(description="e-mail")
    def email(self, row: AffectedLine) -> str:
        """Return where to write to them."""
        return row.line.booking.customer.email

    def people(self, row: AffectedLine) -> int:
        """Return how many come."""
        return row.line.party_size

    def amount(self, row: AffectedLine) -> str:
        """Return its price, which stays."""
        return money_text(row.line.amount_minor, row.line.booking.currency)

    def why(self, row: AffectedLine) -> str:
        """Return what became of its session."""
        return WHY.get(row.effect, row.effect)

    # What is decided

    @admin.action(description="Customer was contacted")
    def contact_lines(self, request: HttpRequest, chosen: QuerySet[AffectedLine]) -> None:
        """Note that somebody has spoken to them."""
        self._decide(request, chosen, "contact_lines")

    @admin.action(description="Keep as it is")
    def keep_lines(self, request: HttpRequest, chosen: QuerySet[AffectedLine]) -> None:
        """Note that it takes place as booked."""
        self._decide(request, chosen, "keep_lines")

    @admin.action(description="To be moved")
    def move_lines(self, request: HttpRequest, chosen: QuerySet[AffectedLine]) -> None:
        """Note that they come at another time."""
        self._decide(request, chosen, "move_lines")

    @admin.action(description="To be refunded")
    def refund_lines(self, request: HttpRequest, chosen: QuerySet[AffectedLine]) -> None:
        """Note that they get their money back."""
        self._decide(request, chosen, "refund_lines")

    def _decide(self, request: HttpRequest, chosen: QuerySet[AffectedLine], act: str) -> None:
        status, outcome = DECISIONS[act]
        actor, user = staff_actor(request, request.POST.get(NOTE, "").strip()[:LONGEST_NOTE]), signed_in(request)

        def decide(row: AffectedLine) -> str:
            schedule_changes.decide_line(affected_line_id=row.id, status=status, actor=actor, decided_by=user)
            return outcome

        self.act_on_each(request, chosen, decide)
