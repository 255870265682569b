"""REST: a venue as its widget's calendar sees it, by the venue's public key. Parse, one call, answer."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from config.kit.api import answer, api_view, checked
from config.kit.keepable import wants_fresh
from scheduling.api import month_answer, session_json
from scheduling.availability import Availability
from scheduling.months import find_venue, venue_month
from scheduling.serializers import MonthSerializer, VenueDaySerializer
from scheduling.venue_days import venue_day


def _month(request: HttpRequest, embed_key: UUID) -> HttpResponse:
    """GET venues/{embed_key}/availability?month=YYYY-MM, with an ETag."""
    year, month = checked(MonthSerializer, request.GET.dict())["month"].split("-")
    found = venue_month(
        venue=find_venue(embed_key.hex), year=int(year), month=int(month), is_fresh=wants_fresh(request.META)
    )
    return month_answer(request, found)


def _sessions(request: HttpRequest, embed_key: UUID) -> HttpResponse:
    """GET venues/{embed_key}/sessions?date=YYYY-MM-DD&party_size="""
    asked = checked(VenueDaySerializer, request.GET.dict())
    venue = find_venue(embed_key.hex)
    found = venue_day(venue, asked["date"], party_size=asked.get("party_size"))
    return answer(
        {
            "venue": {"id": venue.id, "name": venue.name},
            "date": asked["date"],
            "timezone": venue.timezone,
            "results": [_session(each) for each in found],
        }
    )


def _session(found: Availability) -> dict[str, Any]:
    return session_json(found) | {"activity_name": found.session["activity_name"]}


venue_availability = api_view(GET=_month)
venue_sessions = api_view(GET=_sessions)
