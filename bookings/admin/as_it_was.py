"""A booking as it was after any of its facts."""

from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from bookings.history import BookingThen, LineThen
from bookings.models import Booking
from bookings.services.time_machine import booking_as_of
from bookings.timeline import timeline_of
from config.kit.admin import AskingMay, ShownAdmin
from config.kit.display import clock_text, day_text, money_text
from scheduling.models import Session

if TYPE_CHECKING:

    class Page(ShownAdmin):
        """What it is mixed into."""

else:
    Page = AskingMay


def address_of_history(booking_id: UUID) -> str:
    """Return the address to which the number of a fact is added."""
    return reverse("admin:bookings_booking_as_it_was", args=[booking_id, 1]).removesuffix("1/")


class AsItWas(Page):
    """Mixed in before the booking's page."""

    def get_urls(self) -> list[URLPattern]:
        """Add the page."""
        view = self.admin_site.admin_view(self.show_as_it_was)
        address = path("<uuid:booking_id>/as-it-was/<int:seq>/", view, name="bookings_booking_as_it_was")
        return [address, *super().get_urls()]

    def show_as_it_was(self, request: HttpRequest, booking_id: UUID, seq: int) -> HttpResponse:
        """Show a booking as it stood once a fact of it was written."""
        booking = self.get_queryset(request).filter(id=booking_id).first()
        if booking is None:
            raise Http404
        if not self.has_view_permission(request, booking):
            raise PermissionDenied
        told = timeline_of(booking)
        fact = booking.events.filter(seq=seq).first()
        if fact is None:
            raise Http404
        then = booking_as_of(booking, fact.at)
        context = {
            **self.admin_site.each_context(request), "title": f"Booking {booking.number} as it was", "opts": self.opts,
            "booking": booking, "entry": told[seq - 1], "then": then, "lines": _rows(booking, then),
            "total": money_text(then.total_minor, booking.currency),
        }  # fmt: skip
        return TemplateResponse(request, "admin/bookings/booking/as_it_was.html", context)


def _rows(booking: Booking, then: BookingThen) -> list[dict[str, Any]]:
    """Return the lines in words."""
    rows = Session.objects.select_related("activity__venue")
    sessions = rows.in_bulk([line.session_id for line in then.lines.values()])
    return [_row(line, sessions[line.session_id], booking.currency) for line in then.lines.values()]


def _row(line: LineThen, session: Session, currency: str) -> dict[str, Any]:
    zone: ZoneInfo = session.activity.venue.zone
    return {
        "activity": session.activity.name,
        "starts": f"{day_text(session.starts_at, zone)}, {clock_text(session.starts_at, zone)}",
        "people": line.party_size,
        "places": line.places,
        "amount": money_text(line.net_minor, currency),
        "fee": money_text(line.fee_minor, currency) if line.fee_minor else "",
        "status": line.status,
        "attendance": line.attendance.replace("_", " "),
    }
