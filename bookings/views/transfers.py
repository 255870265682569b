"""Customer pages: take over a booking that somebody offers, by the link in the mail. Parse, one call, answer."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from bookings.models import BookingEvent, Line
from bookings.money_pages import due_of_booking
from bookings.services import amendments, people, transfers
from config.kit.facts import Actor, ActorKind
from config.kit.refusals import Refusal
from config.kit.visitors import visit_detail


@never_cache
@require_http_methods(["GET", "POST"])
def show_offer(request: HttpRequest, offer_id: UUID, token: str) -> HttpResponse:
    """GET and POST /bookings/transfers/{offer}.{token}/: what it is, and the button; then the booking."""
    refusal: Refusal | None = None
    try:
        offer = transfers.open_offer(offer_id=offer_id, token=token)
        if request.method == "POST":
            booking = transfers.accept_transfer(
                offer_id=offer_id, token=token, actor=_actor(request), version=_seen(request)
            )
            return redirect("open-booking", number=booking.number, token=booking.token)
    except transfers.TransferOfferOver as over:
        return render(request, "bookings/transfer_over.html", {"refusal": over}, status=over.status)
    except Refusal as refused:
        refusal = refused
        offer = transfers.open_offer(offer_id=offer_id, token=token)
    return _render_offer(request, offer, refusal)


def _render_offer(request: HttpRequest, offer: BookingEvent, refusal: Refusal | None) -> HttpResponse:
    booking = offer.booking
    status = refusal.status if refusal else 200
    is_possible = True
    try:
        amendments.require_allowed(people.preview_transfer(booking, _actor(request)))
    except Refusal as refused:
        refusal, is_possible = refusal or refused, False
    rows = booking.lines.filter(status=Line.Status.LIVE).select_related("session__activity__venue")
    context = {
        "booking": booking, "organization": booking.organization, "lines": rows.order_by("session__starts_at", "id"),
        "until": transfers.ends_at(offer), "refusal": refusal, "is_possible": is_possible,
        "due": due_of_booking(booking),
    }  # fmt: skip
    return render(request, "bookings/transfer_offer.html", context, status=status)


def _actor(request: HttpRequest) -> Actor:
    return Actor(kind=ActorKind.CUSTOMER, channel="web", detail=visit_detail(request))


def _seen(request: HttpRequest) -> int:
    """Return the version of the booking that the page showed; what is none matches nothing."""
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0  # noqa: PLR2004
