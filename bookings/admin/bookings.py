"""Agreements, with their lines and their story."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString, mark_safe

from bookings.admin.acts import BookingActs
from bookings.admin.as_it_was import AsItWas, address_of_history
from bookings.admin.cancellations import CancellationPages
from bookings.admin.desk import Desk
from bookings.admin.money_acts import MoneyActs
from bookings.admin.money_box import money_box
from bookings.models import Booking, Line
from bookings.timeline import timeline_of
from config.kit.admin import ShownAdmin, ShownInline
from config.kit.display import money_text, utc_text
from config.tenants.scoping import OWNER_FILTER, ByRole, PartByRole
from scheduling.change_words import plural
from scheduling.prices import party_text


class LineInline(PartByRole, ShownInline):
    """What is booked, and who comes."""

    model = Line
    fields = ("activity", "starts", "party", "people", "amount", "beyond", "status", "attendance")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Line]:
        """Fetch what the lines show with them."""
        lines: QuerySet[Line] = super().get_queryset(request)
        return lines.select_related("session__activity__venue", "booking", "reservation").prefetch_related(
            "participants"
        )

    def activity(self, line: Line) -> str:
        """Return what it is a place of."""
        return line.session.activity.name

    @admin.display(description="session, by the venue's clock")
    def starts(self, line: Line) -> str:
        """Return when it starts on the venue's wall."""
        return f"{line.session.starts_at.astimezone(line.session.activity.venue.zone):%a %d %b %Y, %H:%M}"

    @admin.display(description="places for")
    def party(self, line: Line) -> str:
        """Return the party by its units."""
        return party_text(line.quote)

    @admin.display(description="participants")
    def people(self, line: Line) -> str:
        """Return who comes, as far as they were named."""
        return ", ".join(person.name for person in line.people)

    def amount(self, line: Line) -> str:
        """Return its price."""
        return money_text(line.amount_minor, line.booking.currency)

    @admin.display(description="beyond the capacity")
    def beyond(self, line: Line) -> str:
        """Say that somebody put it beyond the capacity; the history says who, and why."""
        places = line.reservation.places
        return plural(places, "place", "places") if line.reservation.overbooked else ""


@admin.register(Booking)
class BookingAdmin(BookingActs, MoneyActs, AsItWas, CancellationPages, ByRole, ShownAdmin):
    """To look at; they change through their services. Adding one is booking for a caller; acts have pages."""

    can_add = True
    inlines = (LineInline,)
    fields = (
        "status", "contact_name", "contact_email", "contact_phone", "total", "payment_method", "organization",
        "timeline",
    )  # fmt: skip
    list_display = ("number", "contact_name", "contact_email", "organization", "status", "total", "booked")
    list_filter = ("status", "payment_method", ("archived_at", admin.EmptyFieldListFilter), OWNER_FILTER)
    list_select_related = ("organization", "customer")
    search_fields = ("number", "contact_name", "contact_phone", "customer__email", "customer__name", "customer__phone")
    search_help_text = "Search by number, name, e-mail address or phone"
    ordering = ("-created_at",)
    change_form_outer_before_template = "admin/bookings/booking/_top.html"

    def name_of(self, row: Booking) -> str:
        """Name it by its number."""
        return f"Booking {row.number}"

    @admin.display(description="e-mail", ordering="customer__email")
    def contact_email(self, booking: Booking) -> str:
        """Return where the customer is written to."""
        return booking.customer.email

    @admin.display(ordering="total_minor")
    def total(self, booking: Booking) -> str:
        """Return what it costs."""
        return money_text(booking.total_minor, booking.currency)

    @admin.display(ordering="created_at")
    def booked(self, booking: Booking) -> str:
        """Return when it was made."""
        return utc_text(booking.created_at)

    @admin.display(description="what happened")
    def timeline(self, booking: Booking) -> SafeString:
        """Tell its story from its facts."""
        context = {"entries": timeline_of(booking), "as_it_was": address_of_history(booking.id)}
        html = render_to_string("admin/_timeline.html", context)
        return mark_safe(html)  # noqa: S308 a template's own output: it has escaped what it was given

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show its money to those who may look at payments."""
        booking: Booking | None = context["original"]
        if booking is not None:
            context["money"] = money_box(request, booking)
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return response

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:  # noqa: ARG002
        """Book for a caller: find the session, then who comes."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        desk = Desk(request)
        booking = desk.book() if request.method == "POST" else None
        if booking:
            self.log_addition(request, booking, "Booked for a caller")
            waits = booking.status == Booking.Status.PENDING
            what = "Kept until it is paid" if waits else "Booked"
            text = f"{what}: {booking.number} for {booking.contact_name}, {self.total(booking)}."
            self.message_user(request, text, messages.SUCCESS)
            return redirect("admin:bookings_booking_change", booking.id)
        context = {
            **self.admin_site.each_context(request), **desk.context(), "title": "Book for a caller", "opts": self.opts,
        }  # fmt: skip
        return TemplateResponse(request, "admin/bookings/booking/desk.html", context, status=desk.refused)
