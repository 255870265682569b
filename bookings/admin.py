"""Who comes and on what terms, for those who run the site: to look at; bookings change through their services."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from bookings.models import Booking, BookingEvent, Customer, Line, Participant
from config.tenants.admin import ShownAdmin, ShownInline, money


class LineInline(ShownInline):
    """What is booked."""

    model = Line
    fields = ("activity", "session", "reservation", "party_size", "amount", "status", "attendance")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Line]:
        """Fetch what the lines show with them."""
        lines: QuerySet[Line] = super().get_queryset(request)
        return lines.select_related("session__activity", "reservation", "booking")

    def activity(self, line: Line) -> str:
        """Return what it is a place of."""
        return line.session.activity.name

    def amount(self, line: Line) -> str:
        """Return its price."""
        return money(line.amount_minor, line.booking.currency)


class BookingEventInline(ShownInline):
    """What happened, in order."""

    model = BookingEvent
    fields = (
        "seq",
        "at",
        "kind",
        "from_status",
        "to_status",
        "actor_kind",
        "actor_id",
        "channel",
        "reason_code",
        "after",
    )


class ParticipantInline(ShownInline):
    """Who has come along."""

    model = Participant
    fields = ("name", "birth_date")


@admin.register(Booking)
class BookingAdmin(ShownAdmin):
    """Agreements, with their lines and facts."""

    inlines = (LineInline, BookingEventInline)
    fields = (
        "number", "organization", "customer", "contact_name", "contact_phone", "status", "payment_method", "total",
        "created_at", "version",
    )  # fmt: skip
    list_display = (
        "number",
        "organization",
        "customer",
        "contact_name",
        "status",
        "payment_method",
        "total",
        "created_at",
    )
    list_filter = ("status", "payment_method", "organization")
    list_select_related = ("organization", "customer")
    search_fields = ("number", "contact_name", "customer__email")
    ordering = ("-created_at",)

    @admin.display(ordering="total_minor")
    def total(self, booking: Booking) -> str:
        """Return what it costs."""
        return money(booking.total_minor, booking.currency)


@admin.register(Customer)
class CustomerAdmin(ShownAdmin):
    """Who books, and who comes along."""

    inlines = (ParticipantInline,)
    fields = ("organization", "name", "email", "phone", "created_at")
    list_display = ("name", "email", "organization", "created_at")
    list_filter = ("organization",)
    list_select_related = ("organization",)
    search_fields = ("name", "email")
    ordering = ("name",)
