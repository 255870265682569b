"""Customer pages: a booking after the checkout. Parse, one call, answer."""

import segno
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from bookings.calendars import booking_calendar
from bookings.check_in_codes import check_in_code
from bookings.models import Booking
from bookings.pages import booking_page
from config.kit.cookies import give_cookie
from config.kit.refusals import NotFound
from config.kit.tokens import is_valid_token

COOKIE = "booking"
COOKIE_SECONDS = 180 * 24 * 60 * 60
LEADS_TO = {"pay": "pay-booking", "receipt": "receipt"}  # where a letter's link leads on to
DONE = {  # what the page says after an act
    "cancel": "Cancelled. The places have gone back.",
    "time": "Your new time is booked.",
    "party": "The number of people is changed.",
    "people": "Who comes is changed.",
    "transfer": "Offered. We have written to them; the booking stays yours until they agree.",
}


@require_GET
def open_booking(request: HttpRequest, number: str, token: str) -> HttpResponse:
    """GET /bookings/{number}.{token}/?to=: the token becomes a cookie and leaves the address. `to`: pay, receipt."""
    require_booking(number, token)
    response = redirect(LEADS_TO.get(request.GET.get("to", ""), "booking"), number=number)
    return give_cookie(request, response, name=COOKIE, value=token, path=f"/bookings/{number}/", seconds=COOKIE_SECONDS)


def require_booking(number: str, token: str | None) -> Booking:
    """Return the booking that this token opens, or raise NotFound."""
    booking = Booking.objects.filter(number=number).first()
    if booking is None or not is_valid_token(
        token, purpose="booking", subject=booking.id, version=booking.token_version
    ):
        raise NotFound
    return booking


@require_GET
def show_booking(request: HttpRequest, number: str) -> HttpResponse:
    """GET /bookings/{number}/: when, where, and what to show at the door."""
    booking = require_booking(number, request.COOKIES.get(COOKIE))
    address = {"number": number}
    return render_booking(
        request, booking, here=reverse("booking", kwargs=address),
        calendar_url=reverse("booking-calendar", kwargs=address), receipt_url=reverse("receipt", kwargs=address),
    )  # fmt: skip


def render_booking(
    request: HttpRequest, booking: Booking, *, here: str, calendar_url: str, receipt_url: str, **context: object
) -> HttpResponse:
    """Render a booking with its code, its link and what can be changed, for the site or for a frame at `here`."""
    number = booking.number
    page = booking_page(number)
    link = request.build_absolute_uri(reverse("open-booking", kwargs={"number": number, "token": booking.token}))
    code = segno.make(door_address(request, booking), error="m").svg_inline(scale=4, border=2, omitsize=True)
    context |= {
        "page": page,
        "organization": page.organization,
        "code": code,
        "link": link,
        "calendar_url": calendar_url,
        "receipt_url": receipt_url,
        "here": here,
        "done": DONE.get(request.GET.get("done", "")),
    }
    return render(request, "bookings/booking.html", context)


def door_address(request: HttpRequest, booking: Booking) -> str:
    """Return what the code on the page leads to: the door's page for staff. It opens nothing to anybody else."""
    return request.build_absolute_uri(f"{reverse('check-in')}?code={check_in_code(booking)}")


@require_GET
def download_calendar(request: HttpRequest, number: str) -> HttpResponse:
    """GET /bookings/{number}/calendar.ics"""
    require_booking(number, request.COOKIES.get(COOKIE))
    response = HttpResponse(booking_calendar(booking_page(number)), content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="booking-{number}.ics"'
    return response
