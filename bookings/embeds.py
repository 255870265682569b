"""The widget's checkout and booking, inside another site's frame: the address bears the token, since no cookie does."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from bookings.calendars import booking_calendar
from bookings.models import Booking
from bookings.pages import booking_page
from bookings.views.baskets import answer_again, customer, extend_all, release_all, remove_one
from bookings.views.booking import render_booking, require_booking
from bookings.views.checkout import Place, answer_checkout
from config.kit.embedding import allow_frames, embed_field, embedded
from config.kit.refusals import NotFound
from config.kit.tokens import is_valid_token
from scheduling.embeds import BASE, to_checkout
from scheduling.models import Activity, Reservation


def _activity(basket: UUID, token: str) -> Activity:
    """Return the first activity of a basket that this token opens, or raise NotFound."""
    if not is_valid_token(token, purpose="basket", subject=basket):
        raise NotFound
    rows = Reservation.objects.of_basket(basket).select_related("session__activity__venue")
    first = rows.first()
    if first is None:
        raise NotFound
    return first.session.activity


def _frame(basket: UUID, token: str, activity: Activity) -> dict[str, object]:
    """Return what the checkout's templates need to know of the frame."""
    return {
        "base": BASE,
        "here": reverse("embed-checkout", kwargs={"basket": basket, "token": token}),
        "proof": embed_field(activity.venue_id),
        "activity_url": f"{reverse('embed')}?widget=singlegame&activityId={activity.id}",
    }


@require_http_methods(["GET", "POST"])
@embedded
def checkout_embedded(request: HttpRequest, basket: UUID, token: str) -> HttpResponse:
    """GET and POST /embed/checkout/{basket}/{token}/: who comes, then the booking."""
    activity = _activity(basket, token)
    frame = _frame(basket, token, activity)

    def wait_here(*_: object) -> HttpResponse:
        """Stay in the frame: what leads to the provider's page opens on top."""
        return redirect(str(frame["here"]))

    response = answer_checkout(request, Place(basket, "widget", _to_booking, wait_here, frame))
    return allow_frames(response, activity.venue.allowed_embed_origins)


def _to_booking(booking: Booking) -> HttpResponse:
    return redirect("embed-booking", number=booking.number, token=booking.token)


@require_POST
@embedded
def extend_embedded(request: HttpRequest, basket: UUID, token: str) -> HttpResponse:  # noqa: ARG001 a view
    """POST …/extend/: once longer."""
    activity = _activity(basket, token)
    extend_all(basket)
    return allow_frames(redirect("embed-checkout", basket=basket, token=token), activity.venue.allowed_embed_origins)


@require_POST
@embedded
def release_embedded(request: HttpRequest, basket: UUID, token: str) -> HttpResponse:
    """POST …/release/: the places go back at once."""
    activity = _activity(basket, token)
    release_all(basket, customer(request, "widget"))
    back = redirect(f"{reverse('embed')}?widget=singlegame&activityId={activity.id}")
    return allow_frames(back, activity.venue.allowed_embed_origins)


@require_POST
@embedded
def remove_line_embedded(request: HttpRequest, basket: UUID, token: str, reservation_id: UUID) -> HttpResponse:
    """POST …/remove/{reservation}/: one of several goes back."""
    activity = _activity(basket, token)
    is_last = remove_one(basket, reservation_id, customer(request, "widget"))
    frame = _frame(basket, token, activity)
    back = redirect(str(frame["activity_url"] if is_last else frame["here"]))
    return allow_frames(back, activity.venue.allowed_embed_origins)


@require_POST
@embedded
def hold_again_embedded(request: HttpRequest, basket: UUID, token: str) -> HttpResponse:
    """POST …/again/: the same parties, held anew."""
    activity = _activity(basket, token)
    response = answer_again(request, basket, on_held=to_checkout, **_frame(basket, token, activity))
    return allow_frames(response, activity.venue.allowed_embed_origins)


@require_GET
@embedded
def show_booking_embedded(request: HttpRequest, number: str, token: str) -> HttpResponse:
    """GET /embed/bookings/{number}.{token}/: booked."""
    booking = require_booking(number, token)
    address = {"number": number, "token": token}
    calendar, here = reverse("embed-calendar", kwargs=address), reverse("embed-booking", kwargs=address)
    response = render_booking(
        request, booking, here=here, calendar_url=calendar, receipt_url=f"{here}receipt.pdf", base=BASE
    )
    return allow_frames(response, booking_page(number).lines[0].session.activity.venue.allowed_embed_origins)


@require_GET
@embedded
def download_calendar_embedded(request: HttpRequest, number: str, token: str) -> HttpResponse:  # noqa: ARG001 a view
    """GET …/calendar.ics"""
    require_booking(number, token)
    response = HttpResponse(booking_calendar(booking_page(number)), content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="booking-{number}.ics"'
    return response
