"""A venue's calendar, to be subscribed to by a calendar program: without a login, by an address that nobody guesses.

It names activities and counts places; there is nothing of a person in it.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db.models import F, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from config.kit.clock import database_now
from config.kit.tokens import is_valid_token, make_token
from scheduling.calendars import venue_calendar
from scheduling.models import Activity, Session, Venue

PURPOSE = "venue_feed"
DAYS_BACK, DAYS_AHEAD = 7, 62  # of the venue's own dates
COLUMNS = (
    "id", "starts_at", "ends_at", "status", "version", "is_legacy", "capacity_total", "places_booked",
    "honoured_capacity",
)  # fmt: skip


def feed_path(venue: Venue) -> str:
    """Return the path and query under which a venue's calendar is read, until it is given another."""
    token = make_token(purpose=PURPOSE, subject=venue.id, version=venue.feed_version)
    return f"{reverse('venue-feed', args=[venue.id])}?token={token}"


@require_safe
def show_venue_calendar(request: HttpRequest, venue_id: UUID) -> HttpResponseBase:
    """GET /calendar/venues/{id}.ics?token=…: the .ics file, or 304; without the right token there is no such page."""
    venue, token = Venue.objects.filter(id=venue_id).first(), request.GET.get("token")
    if venue is None or not is_valid_token(token, purpose=PURPOSE, subject=venue_id, version=venue.feed_version):
        raise Http404
    now = database_now()
    sessions = feed_sessions(venue, at=now)
    etag = _etag(venue, sessions)
    response = get_conditional_response(request, etag=etag)
    if response is None:
        body = venue_calendar(name=venue.name, zone=venue.zone, sessions=sessions, read_at=now)
        response = HttpResponse(body, content_type="text/calendar; charset=utf-8")
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    return response


def feed_sessions(venue: Venue, *, at: datetime) -> list[dict[str, Any]]:
    """Return the venue's sessions near this instant, as rows: what is published, and whatever somebody has booked."""
    today = at.astimezone(venue.zone).date()
    first, last = (
        datetime.combine(today + timedelta(days=days), time(), tzinfo=venue.zone)
        for days in (-DAYS_BACK, DAYS_AHEAD + 1)
    )
    known = Q(activity__status=Activity.Status.PUBLISHED, is_legacy=False) | Q(places_booked__gt=0)
    rows = (
        Session.objects.filter(known, organization_id=venue.organization_id, activity__venue_id=venue.id)
        .filter(starts_at__gte=first, starts_at__lt=last)
        .exclude(status=Session.Status.WITHDRAWN)
        .order_by("starts_at", "id")
    )
    return list(rows.values(*COLUMNS, activity_name=F("activity__name")))


def _etag(venue: Venue, sessions: Iterable[dict[str, Any]]) -> str:
    """Return a tag of all that the file says, but for when it was made."""
    said = repr([venue.name, venue.timezone, *(list(row.values()) for row in sessions)])
    return f'"{hashlib.sha256(said.encode()).hexdigest()}"'
