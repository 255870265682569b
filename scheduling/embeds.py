"""The widget: an activity, or a venue's activities, inside another site's frame; without cookies."""

from functools import partial
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from config.kit.embedding import allow_frames, embed_field, embedded
from config.kit.refusals import NotFound
from config.kit.tokens import make_token
from scheduling.models import Activity, Reservation
from scheduling.months import find_venue
from scheduling.pages import venue_page
from scheduling.views import WEEKDAYS, answer_party, render_activity

BASE = "embed.html"


@require_GET
@embedded
def show_embed(request: HttpRequest) -> HttpResponse:
    """GET /embed?widget=singlegame&activityId= or /embed?widget=calendar&key=: what a host page frames."""
    widget = request.GET.get("widget")
    if widget == "singlegame":
        return _single(request, find_embedded_activity(_uuid(request.GET.get("activityId"))))
    if widget == "calendar":
        return _venue(request, request.GET.get("key", ""))
    raise NotFound


def _uuid(text: str | None) -> UUID:
    try:
        return UUID(text or "")
    except ValueError as error:
        raise NotFound from error


def find_embedded_activity(activity_id: UUID) -> Activity:
    """Return an activity that is on sale, or raise NotFound: drafts cannot be framed."""
    rows = Activity.objects.on_sale().select_related("organization", "venue").prefetch_related("units")
    found = rows.filter(id=activity_id).first()
    if found is None:
        raise NotFound
    return found


def _single(request: HttpRequest, activity: Activity) -> HttpResponse:
    book_url = partial(_hold_url, activity.id)
    response = render_activity(request, activity, here=_here(activity), book_url=book_url, base=BASE)
    return allow_frames(response, activity.venue.allowed_embed_origins)


def _here(activity: Activity) -> str:
    return f"{reverse('embed')}?widget=singlegame&activityId={activity.id}&"


def _venue(request: HttpRequest, key: str) -> HttpResponse:
    venue = find_venue(key)
    page = venue_page(venue, month=request.GET.get("month"), day=request.GET.get("day"), book_url=_hold_url)
    is_part = request.headers.get("HX-Request")
    context = {
        "base": BASE, "venue": venue, "organization": venue.organization, "page": page, "weekdays": WEEKDAYS,
        "live_url": f"{settings.REALTIME_URL.replace('http', 'ws', 1)}/ws/availability/?venue={venue.embed_key}",
        "here": f"{reverse('embed')}?widget=calendar&key={venue.embed_key}&",
    }  # fmt: skip
    template = "scheduling/_calendar.html" if is_part else "scheduling/embed_venue.html"
    response = render(request, template, context)
    response["Vary"] = "HX-Request"
    return allow_frames(response, venue.allowed_embed_origins)


def _hold_url(activity_id: UUID, session_id: UUID) -> str:
    return reverse("embed-hold", kwargs={"activity_id": activity_id, "session_id": session_id})


@require_http_methods(["GET", "POST"])
@embedded
def hold_embedded(request: HttpRequest, activity_id: UUID, session_id: UUID) -> HttpResponse:
    """GET and POST /embed/{activity}/{session}/: how many come; then the hold."""
    activity = find_embedded_activity(activity_id)
    response = answer_party(
        request, activity, session_id, on_held=to_checkout, base=BASE, proof=embed_field(activity.venue_id),
        here=_here(activity),
    )  # fmt: skip
    return allow_frames(response, activity.venue.allowed_embed_origins)


def to_checkout(_: HttpRequest, reservation: Reservation) -> HttpResponse:
    """Lead on to the basket's own pages, with its token."""
    basket = reservation.basket
    return redirect("embed-checkout", basket=basket, token=make_token(purpose="basket", subject=basket))
