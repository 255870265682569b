"""Customer pages: the checkout, and the booking afterwards. Parse, one call, answer."""

from uuid import UUID

import segno
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from bookings.calendars import booking_calendar
from bookings.forms import ContactForm
from bookings.models import Booking
from bookings.pages import BasketPage, basket_page, booking_page
from bookings.services import checkout
from bookings.services.checkout import Contact, Terms
from bookings.services.lifecycle import Actor
from config.kit.facts import ActorKind
from config.kit.idempotency import Claim
from config.kit.refusals import NotFound, Refusal
from config.kit.tokens import is_valid_token
from scheduling.baskets import remember_basket, require_basket
from scheduling.services import reservations

COOKIE = "booking"
COOKIE_SECONDS = 180 * 24 * 60 * 60
LONGEST_USER_AGENT = 400


@require_http_methods(["GET", "POST"])
def show_checkout(request: HttpRequest, basket: UUID) -> HttpResponse:
    """GET and POST /checkout/{basket}/: who comes, then the booking."""
    require_basket(request, basket)
    form = ContactForm(request.POST or None)
    refusal: Refusal | None = None
    if request.method == "POST" and form.is_valid():
        try:
            return _to_booking(_book(request, basket, form))
        except Refusal as refused:
            refusal = refused
    page = basket_page(basket)
    if page.booking:
        return _to_booking(page.booking)
    template = "bookings/checkout.html" if page.is_held else "bookings/expired.html"
    context = {"page": page, "organization": page.organization, "form": form, "refusal": refusal}
    return render(request, template, context, status=refusal.status if refusal else 200)


def _book(request: HttpRequest, basket: UUID, form: ContactForm) -> Booking:
    """Buy the basket; the basket's own id makes a second click find the first one's booking."""
    detail = {
        "ip_address": request.META.get("REMOTE_ADDR") or None,
        "user_agent": request.headers.get("User-Agent", "")[:LONGEST_USER_AGENT],
    }
    actor = Actor(kind=ActorKind.CUSTOMER, channel="web", detail=detail)
    claim = Claim(id=basket, fingerprint=basket)
    return checkout.book_basket(
        basket=basket, contact=Contact(**form.cleaned_data), terms=Terms(), actor=actor, claim=claim
    )


def _to_booking(booking: Booking) -> HttpResponse:
    return redirect("open-booking", number=booking.number, token=booking.token)


@require_POST
def extend_basket(request: HttpRequest, basket: UUID) -> HttpResponse:
    """POST /checkout/{basket}/extend/: once longer."""
    require_basket(request, basket)
    for line in basket_page(basket).lines:
        reservations.extend_reservation(reservation_id=line.reservation.id)
    return redirect("checkout", basket=basket)


@require_POST
def release_basket(request: HttpRequest, basket: UUID) -> HttpResponse:
    """POST /checkout/{basket}/release/: the places go back at once."""
    require_basket(request, basket)
    page = basket_page(basket)
    for line in page.lines:
        reservations.release_reservation(reservation_id=line.reservation.id)
    return redirect(_activity_url(page))


@require_POST
def hold_again(request: HttpRequest, basket: UUID) -> HttpResponse:
    """POST /checkout/{basket}/again/: the same parties, held anew; or the page says what is still free."""
    require_basket(request, basket)
    page = basket_page(basket)
    parties = [reservations.same_party(line.reservation) for line in page.lines]
    try:
        held = reservations.reserve_parties(parties, email=page.lines[0].reservation.email)
    except Refusal as refusal:
        context = {"page": basket_page(basket), "organization": page.organization, "refusal": refusal}
        return render(request, "bookings/expired.html", context, status=refusal.status)
    return remember_basket(request, redirect("checkout", basket=held[0].basket), basket=held[0].basket)


def _activity_url(page: BasketPage) -> str:
    activity = page.lines[0].activity
    return reverse("activity", kwargs={"organization": page.organization.slug, "activity": activity.slug})


# The booking --------------------------------------------------------------------------------------------------------


@require_GET
def open_booking(request: HttpRequest, number: str, token: str) -> HttpResponse:
    """GET /bookings/{number}.{token}/: the token becomes a cookie and leaves the address."""
    _require_token(number, token)
    response = redirect("booking", number=number)
    response.set_cookie(
        COOKIE, token, max_age=COOKIE_SECONDS, path=f"/bookings/{number}/", secure=request.is_secure(), httponly=True,
        samesite="Lax",
    )  # fmt: skip
    return response


def _require_token(number: str, token: str | None) -> Booking:
    booking = Booking.objects.filter(number=number).first()
    if booking is None or not is_valid_token(
        token, purpose="booking", subject=booking.id, version=booking.token_version
    ):
        raise NotFound
    return booking


@require_GET
def show_booking(request: HttpRequest, number: str) -> HttpResponse:
    """GET /bookings/{number}/: when, where, and what to show at the door."""
    booking = _require_token(number, request.COOKIES.get(COOKIE))
    page = booking_page(number)
    link = request.build_absolute_uri(reverse("open-booking", kwargs={"number": number, "token": booking.token}))
    code = segno.make(link, error="m").svg_inline(scale=4, border=2, dark="currentColor", omitsize=True)
    return render(
        request, "bookings/booking.html", {"page": page, "organization": page.organization, "code": code, "link": link}
    )


@require_GET
def download_calendar(request: HttpRequest, number: str) -> HttpResponse:
    """GET /bookings/{number}/calendar.ics"""
    _require_token(number, request.COOKIES.get(COOKIE))
    response = HttpResponse(booking_calendar(booking_page(number)), content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="booking-{number}.ics"'
    return response
