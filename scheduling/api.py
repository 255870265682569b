"""REST: what is on sale, and the hold. Parse, one call, answer.

The plain hold and the availabilities are plain views, because they are the hot path; the lists use the REST framework.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
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
from config.kit.refusals import NotFound
from config.kit.tokens import is_valid_token
from config.tenants.authentication import api_key_of
from config.tenants.models import ApiKey
from scheduling.availability import REASONS, Availability, check_slot_availability, judge, with_availability
from scheduling.models import Activity, Reservation, Session
from scheduling.months import month_availability
from scheduling.serializers import (
    LARGEST_PARTY,
    MonthSerializer,
    PartySizeSerializer,
    ReservationSerializer,
    SessionRangeSerializer,
)
from scheduling.services import reservations

# Activities and sessions ------------------------------------------------------------------------------------------


class ActivityList(APIView):
    """GET activities?organization=slug: what is on sale."""

    def get(self, request: Request) -> Response:
        """Answer a page; a key sees its own organization."""
        rows = _activities(request)
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
        activity = _activities(request).filter(id=activity_id).first()
        if activity is None:
            raise NotFound
        return Response(activity_json(activity))


def _activities(request: Request) -> QuerySet[Activity]:
    rows = Activity.objects.on_sale().select_related("organization", "venue").prefetch_related("units")
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
                "is_default": unit.is_default,
            }
            for unit in activity.units.all()
        ],
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
        party_size = asked["party_size"]
        return pages.get_paginated_response([session_json(judge(row, party_size=party_size)) for row in page])


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
    return [{"code": reason, "detail": REASONS[reason]} for reason in found.reasons]


def _price(session: Any) -> dict[str, Any] | None:
    return None if session["price"] is None else money(session["price"], session["currency"])


def _session_availability(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """GET sessions/{id}/availability?party_size="""
    asked = checked(PartySizeSerializer, request.GET.dict())
    key = api_key_of(request)
    found = check_slot_availability(
        session_id=session_id, party_size=asked["party_size"], organization_id=key.organization_id if key else None
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
        }
    )


def _month(request: HttpRequest, activity_id: UUID) -> HttpResponse:
    """GET activities/{id}/availability?month=YYYY-MM, with an ETag."""
    year, month = checked(MonthSerializer, request.GET.dict())["month"].split("-")
    found = month_availability(activity_id=activity_id, year=int(year), month=int(month))
    if request.headers.get("If-None-Match") == found.etag:
        response = HttpResponse(status=304)
    else:
        response = HttpResponse(found.body, content_type="application/json")
    response["ETag"] = found.etag
    response["Cache-Control"] = "no-cache"
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
        reservation = reservations.reserve_slot(
            session_id=session_id, party_size=party_size, email=email, organization_id=organization_id, claim=claim
        )
    else:
        reservation = _reserve_in_full(checked(ReservationSerializer, data), organization_id, claim)
    return answer(reservation_json(reservation), status=201)


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


def _reserve_in_full(data: dict[str, Any], organization_id: UUID | None, claim: Claim | None) -> Reservation:
    basket = data.get("basket")
    if basket and not is_valid_token(data.get("basket_token"), purpose="basket", subject=basket):
        raise NotFound
    if "units" not in data:
        return reservations.reserve_slot(
            session_id=data["session"], party_size=data["party_size"], email=data["email"], basket=basket,
            organization_id=organization_id, claim=claim,
        )  # fmt: skip
    return reservations.reserve_parties(
        [party_of(data)], email=data["email"], basket=basket, organization_id=organization_id, claim=claim
    )[0]


def party_of(data: dict[str, Any]) -> reservations.Party:
    """Read a party from validated data."""
    units = tuple((unit["unit"], unit["count"]) for unit in data.get("units", ()))
    return reservations.Party(session_id=data["session"], party_size=data.get("party_size"), units=units)


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
