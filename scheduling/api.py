"""REST: what is on sale, and the hold. Parse, one call, answer.

The plain hold and the availabilities are plain views, because they are the hot path; the lists use the REST framework.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from math import ceil
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kit.api import CursorPages, answer, api_view, checked, instant, local_time, money, read_json
from config.kit.clock import database_now
from config.kit.idempotency import Claim, claim_of
from config.kit.keepable import allow_keeping, wants_fresh
from config.kit.refusals import NotFound
from config.kit.tokens import is_valid_token
from config.tenants.authentication import api_key_of
from config.tenants.models import ApiKey
from scheduling.availability import Availability, check_slot_availability, judged, with_availability
from scheduling.display_cache import alternatives
from scheduling.limits import visitor_of
from scheduling.models import Activity, Extra, Reservation, Session
from scheduling.months import Month, month_availability
from scheduling.serializers import (
    LARGEST_PARTY,
    MonthSerializer,
    PartySizeSerializer,
    ReservationSerializer,
    SessionRangeSerializer,
)
from scheduling.services import assessing, reservations
from scheduling.services.limited import hold_within_limits

# Activities and sessions ------------------------------------------------------------------------------------------


class ActivityList(APIView):
    """GET activities?organization=slug: what is on sale."""

    def get(self, request: Request) -> Response:
        """Answer a page; a key sees its own organization."""
        rows = _activities(request).prefetch_related("units", "extras")
        slug = request.query_params.get("organization")
        if slug is not None:
            rows = rows.filter(organization__slug=slug)
        pages = CursorPages()
        pages.ordering = "id"
        page = pages.paginate_queryset(rows, request, view=self)
        return pages.get_paginated_response([activity_json(activity) for activity in page or []])


class ActivityDetail(APIView):
    """GET activities/{id}."""

    def get(self, request: Request, activity_id: UUID) -> Response:
        """Answer one, or 404."""
        activity = _activities(request).prefetch_related("units", "extras").filter(id=activity_id).first()
        if activity is None:
            raise NotFound
        return Response(activity_json(activity))


def _activities(request: Request) -> QuerySet[Activity]:
    rows = Activity.objects.on_sale().select_related("organization", "venue")
    key: ApiKey | None = request.auth  # type: ignore[assignment]
    return rows.filter(organization=key.organization_id) if key else rows


def activity_json(activity: Activity) -> dict[str, Any]:
    """Write an activity, with its units and their prices."""
    return {
        "id": activity.id,
        "organization": activity.organization.slug,
        "slug": activity.slug,
        "name": activity.name,
        "summary": activity.summary,
        "kind": activity.kind,
        "venue": {"id": activity.venue_id, "name": activity.venue.name},
        "timezone": activity.venue.timezone,
        "pay_on_arrival": activity.pay_on_arrival,
        "units": [
            {
                "id": unit.id,
                "name": unit.name,
                "price": money(unit.price_minor, activity.currency),
                "places": unit.places,
                "minimum_age": unit.minimum_age,
                "maximum_age": unit.maximum_age,
                "minimum_count": unit.minimum_count,
                "maximum_count": unit.maximum_count,
                "needs_accompaniment": unit.needs_accompaniment,
                "can_accompany": unit.can_accompany,
                "is_default": unit.is_default,
            }
            for unit in activity.units.all()
        ],
        "smallest_party": activity.smallest_party,
        "largest_party": activity.largest_party,
        "extras": [_extra_json(extra, activity.currency) for extra in activity.extras.all() if extra.is_offered],
    }


def _extra_json(extra: Extra, currency: str) -> dict[str, Any]:
    """Write what may be had beside the places: its price, and how many a session and a party may have (or null)."""
    return {
        "id": extra.id,
        "name": extra.name,
        "summary": extra.summary,
        "price": money(extra.price_minor, currency),
        "stock_per_session": extra.stock_per_session,
        "maximum_per_party": extra.maximum_per_party,
    }


class SessionList(APIView):
    """GET sessions?activity=&from=&to=: the sessions of some dates of the venue, both included."""

    def get(self, request: Request) -> Response:
        """Answer a page in order of time."""
        asked = checked(SessionRangeSerializer, request.query_params.dict())
        activity = _activities(request).filter(id=asked["activity"]).first()
        if activity is None:
            raise NotFound
        sessions = Session.objects.visible().filter(
            activity=activity,
            starts_at__gte=_midnight(activity, asked["from"]),
            starts_at__lt=_midnight(activity, asked["to"] + timedelta(days=1)),
        )
        pages = CursorPages()
        pages.ordering = "starts_at"
        page: Sequence[Any] = pages.paginate_queryset(with_availability(sessions), request, view=self) or []
        found = judged(list(page), party_size=asked.get("party_size"))
        return pages.get_paginated_response([session_json(each) for each in found])


def _midnight(activity: Activity, day: Any) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=activity.venue.zone)


def session_json(found: Availability) -> dict[str, Any]:
    """Write a session as its list does."""
    session = found.session
    return {
        "id": session["id"],
        "activity": session["activity_id"],
        "starts_at": instant(session["starts_at"]),
        "ends_at": instant(session["ends_at"]),
        "starts_at_local": local_time(session["starts_at"], session["timezone"]),
        "timezone": session["timezone"],
        "capacity_total": session["capacity_total"],
        "capacity_remaining": max(session["free"], 0),
        "status": found.status,
        "is_full": found.is_full,
        "price": _price(session),
        "reasons": reasons_json(found),
    }


def reasons_json(found: Availability) -> list[dict[str, str]]:
    """Write why a session cannot be booked: a code for programs, words for customers."""
    return [{"code": code, "detail": words} for code, words in found.words.items()]


def _price(session: Any) -> dict[str, Any] | None:
    return None if session["price"] is None else money(session["price"], session["currency"])


def _session_availability(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """GET sessions/{id}/availability?party_size="""
    asked = checked(PartySizeSerializer, request.GET.dict())
    key = api_key_of(request)
    party_size = asked.get("party_size")
    found = check_slot_availability(
        session_id=session_id, party_size=party_size, organization_id=key.organization_id if key else None
    )
    return answer(
        {
            "session": session_id,
            "available": found.is_available,
            "available_spots": found.spots,
            "status": found.status,
            "price": _price(found.session),
            "is_full": found.is_full,
            "reasons": reasons_json(found),
            "alternatives": alternatives_json(found, party_size),
        }
    )


def alternatives_json(found: Availability, party_size: int | None) -> list[dict[str, Any]]:
    """Write where else the party could go, soonest thought of first; nothing when it fits, or fits nowhere."""
    session = found.session
    if found.is_available or found.is_party_unfit:
        return []
    return alternatives(session["activity_id"], session["starts_at"], party_size or session["smallest_party"])


def _month(request: HttpRequest, activity_id: UUID) -> HttpResponse:
    """GET activities/{id}/availability?month=YYYY-MM, with an ETag."""
    year, month = checked(MonthSerializer, request.GET.dict())["month"].split("-")
    found = month_availability(
        activity_id=activity_id, year=int(year), month=int(month), is_fresh=wants_fresh(request.META)
    )
    return month_answer(request, found)


def month_answer(request: HttpRequest, found: Month) -> HttpResponse:
    """Answer a month, or 304; the server's front may give it again for a moment."""
    if request.headers.get("If-None-Match") == found.etag:
        response = HttpResponse(status=304)
    else:
        response = HttpResponse(found.body, content_type="application/json")
    response["ETag"] = found.etag
    response["Cache-Control"] = "no-cache"
    allow_keeping(request, activities=found.activities, versions=found.versions)
    return response


session_availability = api_view(GET=_session_availability)
activity_availability = api_view(GET=_month)

# Reservations -----------------------------------------------------------------------------------------------------

PLAIN = frozenset({"session", "party_size", "email"})


def _reserve(request: HttpRequest) -> HttpResponse:
    """POST reservations: hold places."""
    data = read_json(request)
    key = api_key_of(request, scope=ApiKey.Scope.BOOKINGS)
    organization_id = key.organization_id if key else None
    claim = claim_of(request, caller=str(key.id) if key else "public", route="POST reservations")
    plain = _read_plain(data)
    if plain:
        session_id, party_size, email = plain
        wanted: dict[str, Any] = {"session": session_id, "party_size": party_size, "email": email}
    else:
        wanted = checked(ReservationSerializer, data)
    basket = wanted.get("basket")
    if basket and not is_valid_token(wanted.get("basket_token"), purpose="basket", subject=basket):
        raise NotFound
    hold = partial(_hold, wanted, organization_id, claim)
    visitor = None if key else visitor_of(request)
    held = hold_within_limits(visitor, [party_of(wanted)], hold, email=wanted["email"], basket=basket, claim=claim)
    return answer(reservation_json(held[0]), status=201)


def _read_plain(data: Any) -> tuple[UUID, int, str] | None:
    """Read the plain hold, or None for the serializer, which says what is wrong or takes what is more."""
    if not isinstance(data, dict) or data.keys() != PLAIN:
        return None
    party_size, email = data["party_size"], data["email"]
    if type(party_size) is not int or not 1 <= party_size <= LARGEST_PARTY:
        return None
    try:
        validate_email(email)
        return UUID(data["session"]), party_size, email.lower()
    except (ValidationError, ValueError, AttributeError, TypeError):
        return None


def _hold(
    data: dict[str, Any], organization_id: UUID | None, claim: Claim | None, parties: Sequence[assessing.Party]
) -> list[Reservation]:
    """Hold a party: a bare number by the plain hold."""
    basket = data.get("basket")
    if data.keys().isdisjoint(("units", "extras", "ages")):
        held = reservations.reserve_slot(
            session_id=data["session"], party_size=data["party_size"], email=data["email"], basket=basket,
            organization_id=organization_id, claim=claim, reservation_id=parties[0].reservation_id,
        )  # fmt: skip
        return [held]
    return reservations.reserve_parties(
        parties, email=data["email"], basket=basket, organization_id=organization_id, claim=claim
    )


def party_of(data: dict[str, Any], *, path: str = "") -> assessing.Party:
    """Read a party from validated data; `path` is where it stands in the request."""
    return assessing.Party(
        session_id=data["session"],
        party_size=data.get("party_size"),
        units=tuple((unit["unit"], unit["count"]) for unit in data.get("units", ())),
        extras=tuple((extra["extra"], extra["count"]) for extra in data.get("extras", ())),
        ages=data.get("ages", ()),
        path=path,
    )


def own_reservation(request: HttpRequest, reservation_id: UUID) -> Reservation:
    """Return the caller's reservation: by its token, or by a key of its organization; else there is none."""
    reservation = Reservation.objects.filter(id=reservation_id).first()
    if reservation is None:
        raise NotFound
    token, version = request.headers.get("Reservation-Token"), reservation.token_version
    if is_valid_token(token, purpose="reservation", subject=reservation_id, version=version):
        return reservation
    key = api_key_of(request, scope=ApiKey.Scope.BOOKINGS)
    if key is None or key.organization_id != reservation.organization_id:
        raise NotFound
    return reservation


def _show(request: HttpRequest, reservation_id: UUID) -> HttpResponse:
    """GET reservations/{id}"""
    return answer(reservation_json(own_reservation(request, reservation_id)))


def _release(request: HttpRequest, reservation_id: UUID) -> HttpResponse:
    """DELETE reservations/{id}: the places go back at once; again is harmless."""
    own_reservation(request, reservation_id)
    reservations.release_reservation(reservation_id=reservation_id)
    return HttpResponse(status=204)


def _extend(request: HttpRequest, reservation_id: UUID) -> HttpResponse:
    """POST reservations/{id}/extend: once, by three minutes."""
    own_reservation(request, reservation_id)
    claim = claim_of(request, caller=str(reservation_id), route="POST extend")
    return answer(reservation_json(reservations.extend_reservation(reservation_id=reservation_id, claim=claim)))


def reservation_json(reservation: Reservation) -> dict[str, Any]:
    """Write a reservation, with its token: the answer goes to its holder alone."""
    # A row that the plain hold has just made is as old as its answer; for any other, ask the clock that decides.
    now = reservation.held_at if reservation._state.adding else database_now()
    lapsed = reservation.status == Reservation.Status.HELD and not reservation.is_held(at=now)
    return {
        "id": reservation.id,
        "token": reservation.token,
        "basket": reservation.basket,
        "basket_token": reservation.basket_token,
        "session": reservation.session_id,
        "party_size": reservation.party_size,
        "status": Reservation.Status.EXPIRED if lapsed else reservation.status,
        "expires_at": instant(reservation.expires_at),
        "expires_in_seconds": max(ceil((reservation.expires_at - now).total_seconds()), 0),
        "price": {**money(reservation.amount_minor, reservation.currency), "lines": reservation.quote},
    }


reservation_list = api_view(POST=_reserve)
reservation_detail = api_view(GET=_show, DELETE=_release)
reservation_extend = api_view(POST=_extend)
