"""Customer pages: the checkout, and the booking afterwards. Parse, one call, answer."""

from collections.abc import Callable
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
from config.kit.facts import Actor, ActorKind
from config.kit.forms import csrf_field
from config.kit.idempotency import Claim
from config.kit.refusals import NotFound, Refusal
from config.kit.tokens import is_valid_token
from scheduling.baskets import require_basket
from scheduling.services import reservations
from scheduling.views import OnHeld, to_checkout

OnBooked = Callable[[Booking], HttpResponse]

COOKIE = "booking"
COOKIE_SECONDS = 180 * 24 * 60 * 60
LONGEST_USER_AGENT = 400


@require_http_methods(["GET", "POST"])
def show_checkout(request: HttpRequest, basket: UUID) -> HttpResponse:
    """GET and POST /checkout/{basket}/: who comes, then the booking."""
    require_basket(request, basket)
    return answer_checkout(request, basket, channel="web", on_booked=_to_booking, **_site(request, basket))


def _site(request: HttpRequest, basket: UUID) -> dict[str, object]:
    """Return what the checkout's templates need to know of the site's own pages."""
    return {"here": reverse("checkout", kwargs={"basket": basket}), "proof": csrf_field(request)}


def answer_checkout(
    request: HttpRequest, basket: UUID, *, channel: str, on_booked: OnBooked, **context: object
) -> HttpResponse:
    """Ask who comes, and book; a basket that has lapsed is shown as it was."""
    form = ContactForm(request.POST or None)
    refusal: Refusal | None = None
    if request.method == "POST" and form.is_valid():
        try:
            return on_booked(_book(request, basket, form, channel))
        except Refusal as refused:
            refusal = refused
    page = basket_page(basket)
    if page.booking:
        return on_booked(page.booking)
    template = "bookings/checkout.html" if page.is_held else "bookings/expired.html"
    context = {"activity_url": activity_url(page), **context}
    context |= {"page": page, "organization": page.organization, "form": form, "refusal": refusal}
    return render(request, template, context, status=refusal.status if refusal else 200)


def _book(request: HttpRequest, basket: UUID, form: ContactForm, channel: str) -> Booking:
    """Buy the basket; the basket's own id makes a second click find the first one's booking."""
    detail = {
        "ip_address": request.META.get("REMOTE_ADDR") or None,
        "user_agent": request.headers.get("User-Agent", "")[:LONGEST_USER_AGENT],
    }
    actor = Actor(kind=ActorKind.CUSTOMER, channel=channel, detail=detail)
    claim = Claim(id=basket, fingerprint=basket)
    return checkout.book_basket(
        basket=basket, contact=Contact(**form.cleaned_data), actor=actor, claim=claim,
        terms=Terms(confirm_duplicate="confirm_duplicate" in request.POST),
    )  # fmt: skip


def _to_booking(booking: Booking) -> HttpResponse:
    return redirect("open-booking", number=booking.number, token=booking.token)


@require_POST
def extend_basket(request: HttpRequest, basket: UUID) -> HttpResponse:
    """POST /checkout/{basket}/extend/: once longer."""
    require_basket(request, basket)
    extend_all(basket)
    return redirect("checkout", basket=basket)


def extend_all(basket: UUID) -> None:
    """Keep every reservation of the basket once longer."""
    for line in basket_page(basket).lines:
        reservations.extend_reservation(reservation_id=line.reservation.id)


@require_POST
def release_basket(request: HttpRequest, basket: UUID) -> HttpResponse:
    """POST /checkout/{basket}/release/: the places go back at once."""
    require_basket(request, basket)
    return redirect(activity_url(release_all(basket)))


def release_all(basket: UUID) -> BasketPage:
    """Give every reservation of the basket back; return what it was."""
    page = basket_page(basket)
    for line in page.lines:
        reservations.release_reservation(reservation_id=line.reservation.id)
    return page


@require_POST
def hold_again(request: HttpRequest, basket: UUID) -> HttpResponse:
    """POST /checkout/{basket}/again/: the same parties, held anew; or the page says what is still free."""
    require_basket(request, basket)
    return answer_again(request, basket, on_held=to_checkout, **_site(request, basket))


def answer_again(request: HttpRequest, basket: UUID, *, on_held: OnHeld, **context: object) -> HttpResponse:
    """Hold a lapsed basket's parties anew, or show what is still free."""
    page = basket_page(basket)
    parties = [reservations.same_party(line.reservation) for line in page.lines]
    try:
        return on_held(request, reservations.reserve_parties(parties, email=page.lines[0].reservation.email)[0])
    except Refusal as refusal:
        context = {"activity_url": activity_url(page), **context}
        context |= {"page": basket_page(basket), "organization": page.organization, "refusal": refusal}
        return render(request, "bookings/expired.html", context, status=refusal.status)


def activity_url(page: BasketPage) -> str:
    """Return where the basket's first activity is sold."""
    activity = page.lines[0].activity
    return reverse("activity", kwargs={"organization": page.organization.slug, "activity": activity.slug})


# The booking --------------------------------------------------------------------------------------------------------


@require_GET
def open_booking(request: HttpRequest, number: str, token: str) -> HttpResponse:
    """GET /bookings/{number}.{token}/: the token becomes a cookie and leaves the address."""
    require_booking(number, token)
    response = redirect("booking", number=number)
    response.set_cookie(
        COOKIE, token, max_age=COOKIE_SECONDS, path=f"/bookings/{number}/", secure=request.is_secure(), httponly=True,
        samesite="Lax",
    )  # fmt: skip
    return response


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
    return render_booking(request, booking, calendar_url=reverse("booking-calendar", kwargs={"number": number}))


def render_booking(request: HttpRequest, booking: Booking, *, calendar_url: str, **context: object) -> HttpResponse:
    """Render a booking with its code and its link, for the site or for a frame."""
    number = booking.number
    page = booking_page(number)
    link = request.build_absolute_uri(reverse("open-booking", kwargs={"number": number, "token": booking.token}))
    code = segno.make(link, error="m").svg_inline(scale=4, border=2, omitsize=True)
    context |= {
        "page": page,
        "organization": page.organization,
        "code": code,
        "link": link,
        "calendar_url": calendar_url,
    }
    return render(request, "bookings/booking.html", context)


@require_GET
def download_calendar(request: HttpRequest, number: str) -> HttpResponse:
    """GET /bookings/{number}/calendar.ics"""
    require_booking(number, request.COOKIES.get(COOKIE))
    response = HttpResponse(booking_calendar(booking_page(number)), content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="booking-{number}.ics"'
    return response
