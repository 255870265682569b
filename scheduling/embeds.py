"""The widget: an activity, or a venue's activities, inside another site's frame; without cookies."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from config.kit.embedding import allow_frames, embed_field, embedded
from config.kit.refusals import NotFound
from config.kit.tokens import make_token
from config.tenants.models import Organization
from scheduling.models import Activity, Reservation, Venue
from scheduling.views import answer_party, render_activity

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
    def book_url(session_id: UUID) -> str:
        return reverse("embed-hold", kwargs={"activity_id": activity.id, "session_id": session_id})

    response = render_activity(request, activity, here=_here(activity), book_url=book_url, base=BASE)
    return allow_frames(response, activity.venue.allowed_embed_origins)


def _here(activity: Activity) -> str:
    return f"{reverse('embed')}?widget=singlegame&activityId={activity.id}&"


def _venue(request: HttpRequest, key: str) -> HttpResponse:
    venue = Venue.objects.filter(embed_key=key, organization__status=Organization.Status.ACTIVE).first()
    if venue is None:
        raise NotFound
    activities = Activity.objects.on_sale().filter(venue=venue).prefetch_related("units").order_by("name")
    context = {"base": BASE, "venue": venue, "activities": list(activities)}
    return allow_frames(render(request, "scheduling/embed_venue.html", context), venue.allowed_embed_origins)


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
