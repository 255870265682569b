"""REST: confirm a hold, make a booking, look at one. Parse, one call, answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from bookings.models import Booking
from bookings.serializers import BookingSerializer, ConfirmSerializer
from bookings.services import checkout
from bookings.services.checkout import Contact, Person, Terms, Wanted
from bookings.services.duplicates import DuplicateBooking
from config.kit.api import answer, api_view, checked, instant, local_time, money, read_json
from config.kit.facts import Actor, ActorKind
from config.kit.idempotency import claim_of
from config.kit.refusals import NotFound
from config.kit.tokens import is_valid_token
from config.tenants.authentication import api_key_of
from config.tenants.models import ApiKey
from scheduling.api import own_reservation, party_of


def _confirm(request: HttpRequest, reservation_id: UUID) -> HttpResponse:
    """POST reservations/{id}/confirm: the whole basket becomes a booking."""
    reservation = own_reservation(request, reservation_id)
    data = checked(ConfirmSerializer, read_json(request))
    key = api_key_of(request, scope=ApiKey.Scope.BOOKINGS)
    with _naming_its_own(request, key, basket=reservation.basket):
        booking = checkout.confirm_reservation(
            reservation_id=reservation_id,
            contact=Contact(**data["customer"]),
            actor=_actor(request, key),
            confirm_duplicate=data["confirm_duplicate"],
            claim=claim_of(request, caller=str(reservation_id), route="POST confirm"),
        )
    return answer(booking_json(booking))


def _book(request: HttpRequest) -> HttpResponse:
    """POST bookings: take places for every line, or buy a basket, and confirm."""
    data = checked(BookingSerializer, read_json(request))
    key = api_key_of(request, scope=ApiKey.Scope.BOOKINGS)
    claim = claim_of(request, caller=str(key.id) if key else "public", route="POST bookings")
    contact, actor = Contact(**data["customer"]), _actor(request, key)
    terms = Terms(
        payment_method=data.get("payment_method"), expected_total=data.get("expected_total"),
        confirm_duplicate=data["confirm_duplicate"],
    )  # fmt: skip
    basket = data.get("basket")
    if basket and not is_valid_token(data.get("basket_token"), purpose="basket", subject=basket):
        raise NotFound
    with _naming_its_own(request, key, basket=basket):
        if basket:
            booking = checkout.book_basket(basket=basket, contact=contact, terms=terms, actor=actor, claim=claim)
        else:
            booking = checkout.book_lines(
                lines=[_wanted(line) for line in data["lines"]], contact=contact, terms=terms, actor=actor,
                organization_id=key.organization_id if key else None, claim=claim,
            )  # fmt: skip
    return answer(booking_json(booking), status=201)


@contextmanager
def _naming_its_own(request: HttpRequest, key: ApiKey | None, *, basket: UUID | None) -> Iterator[None]:
    """Let a refused duplicate name the booking that was there first, to its owner alone."""

    def owns(booking: Booking) -> bool:
        if key:
            return key.organization_id == booking.organization_id
        is_of_basket = basket is not None and booking.lines.filter(reservation__basket=basket).exists()
        return is_of_basket or _has_token(request, booking)

    try:
        yield
    except DuplicateBooking as refused:
        refused.name_to_owner(owns)
        raise


def _has_token(request: HttpRequest, booking: Booking) -> bool:
    token = request.headers.get("Booking-Token")
    return is_valid_token(token, purpose="booking", subject=booking.id, version=booking.token_version)


def _wanted(line: dict[str, Any]) -> Wanted:
    return Wanted(party_of(line), tuple(Person(**person) for person in line.get("participants", ())))


def _actor(request: HttpRequest, key: ApiKey | None) -> Actor:
    detail = {"ip_address": request.META.get("REMOTE_ADDR") or None}
    if agent := request.headers.get("User-Agent"):
        detail["user_agent"] = agent[:400]
    if key:
        return Actor(kind=ActorKind.API_KEY, id=key.id, channel="api", detail=detail)
    return Actor(kind=ActorKind.CUSTOMER, channel="api", detail=detail)


def _show(request: HttpRequest, booking_id: UUID) -> HttpResponse:
    """GET bookings/{id}, by its token or by a key of its organization; its version is the ETag."""
    booking = Booking.objects.filter(id=booking_id).first()
    if booking is None:
        raise NotFound
    if not _has_token(request, booking):
        key = api_key_of(request, scope=ApiKey.Scope.BOOKINGS)
        if key is None or key.organization_id != booking.organization_id:
            raise NotFound
    response = answer(booking_json(booking))
    response["ETag"] = f'"{booking.version}"'
    return response


def booking_json(booking: Booking) -> dict[str, Any]:
    """Write a booking, with its token: the answer goes to its owner, or to its organization."""
    lines = booking.lines.select_related("session__activity__venue").prefetch_related("participants")
    return {
        "id": booking.id,
        "number": booking.number,
        "token": booking.token,
        "status": booking.status,
        "version": booking.version,
        "created_at": instant(booking.created_at),
        "customer": {
            "email": booking.customer.email, "name": booking.contact_name, "phone": booking.contact_phone
        },
        "payment_method": booking.payment_method,
        "total": money(booking.total_minor, booking.currency),
        "lines": [_line_json(line, booking.currency) for line in lines.order_by("session__starts_at", "id")],
    }  # fmt: skip


def _line_json(line: Any, currency: str) -> dict[str, Any]:
    session, venue = line.session, line.session.activity.venue
    return {
        "id": line.id,
        "reservation": line.reservation_id,
        "session": session.id,
        "activity": session.activity_id,
        "activity_name": session.activity.name,
        "starts_at": instant(session.starts_at),
        "starts_at_local": local_time(session.starts_at, venue.timezone),
        "timezone": venue.timezone,
        "status": line.status,
        "attendance": line.attendance,
        "party_size": line.party_size,
        "price": {**money(line.amount_minor, currency), "lines": line.quote},
        "participants": [{"id": person.id, "name": person.name} for person in line.participants.all()],
    }


reservation_confirm = api_view(POST=_confirm)
booking_list = api_view(POST=_book)
booking_detail = api_view(GET=_show)
