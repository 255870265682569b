"""REST: confirm a hold, make a booking, look at one. Parse, one call, answer."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import ValidationError
from rest_framework.serializers import Serializer

from bookings.api.money import payment_of
from bookings.code_guesses import counted_guesses
from bookings.labels import label_of
from bookings.models import Booking
from bookings.serializers import BookingSerializer, ConfirmSerializer
from bookings.services import attempts, checkout
from bookings.services.attempts import Submitted
from bookings.services.checkout import Contact, Person, Terms, Wanted
from bookings.services.duplicates import DuplicateBooking
from config.kit.addresses import UUID_FORM
from config.kit.api import answer, api_view, checked, instant, local_time, money, read_json
from config.kit.facts import Actor, ActorKind
from config.kit.idempotency import claim_of
from config.kit.refusals import NotFound
from config.kit.tokens import is_valid_token
from config.kit.visitors import visit_detail
from config.tenants.authentication import api_key_of
from config.tenants.models import ApiKey
from scheduling.api import own_reservation, party_of

UUID_TEXT = re.compile(UUID_FORM)


def _confirm(request: HttpRequest, reservation_id: UUID) -> HttpResponse:
    """POST reservations/{id}/confirm: the whole basket becomes a booking."""
    reservation = own_reservation(request, reservation_id)
    key = api_key_of(request, scope=ApiKey.Scope.BOOKINGS)
    submitted = Submitted(actor_of(request, key), basket=reservation.basket)
    data = _checked(ConfirmSerializer, read_json(request), submitted)
    with _naming_its_own(request, key, basket=reservation.basket):
        booking = checkout.confirm_reservation(
            reservation_id=reservation_id,
            contact=Contact(**data["customer"]),
            actor=actor_of(request, key),
            confirm_duplicate=data["confirm_duplicate"],
            people=held_people(data),
            claim=claim_of(request, caller=str(reservation_id), route="POST confirm"),
        )
    return answer(booking_json(booking))


def _book(request: HttpRequest) -> HttpResponse:
    """POST bookings: take places for every line, or buy a basket, and confirm."""
    sent, key = read_json(request), api_key_of(request, scope=ApiKey.Scope.BOOKINGS)
    data = _checked(BookingSerializer, sent, Submitted(actor_of(request, key), sessions=named_sessions(sent)))
    claim = claim_of(request, caller=str(key.id) if key else "public", route="POST bookings")
    contact, actor = Contact(**data["customer"]), actor_of(request, key)
    terms = Terms(
        payment_method=data.get("payment_method"), expected_total=data.get("expected_total"),
        confirm_duplicate=data["confirm_duplicate"], promo_code=data.get("promo_code", ""),
        voucher=data.get("voucher", ""), currency=data.get("currency", ""),
    )  # fmt: skip
    basket = data.get("basket")
    if basket and not is_valid_token(data.get("basket_token"), purpose="basket", subject=basket):
        raise NotFound
    guesses = counted_guesses(request, terms.promo_code, terms.voucher, is_exempt=key is not None)
    with _naming_its_own(request, key, basket=basket), guesses:
        if basket:
            booking = checkout.book_basket(
                basket=basket, contact=contact, terms=terms, actor=actor, people=held_people(data), claim=claim
            )
        else:
            booking = checkout.book_lines(
                lines=wanted_lines(data), contact=contact,
                terms=terms, actor=actor, organization_id=key.organization_id if key else None, claim=claim,
            )  # fmt: skip
    return answer({**booking_json(booking), "payment": payment_of(request, booking)}, status=201)


@contextmanager
def _naming_its_own(request: HttpRequest, key: ApiKey | None, *, basket: UUID | None) -> Iterator[None]:
    """Let a refused duplicate name the booking that was there first, to its owner alone."""

    def owns(booking: Booking) -> bool:
        if key:
            return key.organization_id == booking.organization_id
        is_of_basket = basket is not None and booking.lines.filter(reservation__basket=basket).exists()
        return is_of_basket or has_token(request, booking)

    try:
        yield
    except DuplicateBooking as refused:
        refused.name_to_owner(owns)
        raise


def has_token(request: HttpRequest, booking: Booking) -> bool:
    token = request.headers.get("Booking-Token")
    return is_valid_token(token, purpose="booking", subject=booking.id, version=booking.token_version)


def wanted_lines(data: dict[str, Any]) -> list[Wanted]:
    """Read the lines of a booking from validated data."""
    return [
        Wanted(
            party_of(line, path=f"lines.{number}."), tuple(Person(**person) for person in line.get("participants", ()))
        )
        for number, line in enumerate(data["lines"])
    ]


def held_people(data: dict[str, Any]) -> dict[UUID, tuple[Person, ...]]:
    """Read who comes on the reservations of a basket."""
    return {
        row["reservation"]: tuple(Person(**person) for person in row["participants"]) for row in data.get("people", ())
    }


def _checked(serializer: type[Serializer[Any]], data: Any, submitted: Submitted) -> dict[str, Any]:
    """Read what was sent; what cannot be read is an attempt too."""
    try:
        return checked(serializer, data)
    except ValidationError as error:
        attempts.record_unbooked(submitted, error)
        raise


def named_sessions(sent: Any) -> list[UUID]:
    """Return the sessions that an unreadable request names, as far as they can be read."""
    lines = sent.get("lines") if isinstance(sent, dict) else None
    named = [line.get("session") for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []
    return [UUID(name) for name in named if isinstance(name, str) and UUID_TEXT.fullmatch(name)]


def actor_of(request: HttpRequest, key: ApiKey | None) -> Actor:
    """Return who asks: a program of the organization, or a customer."""
    detail = visit_detail(request)
    if key:
        return Actor(kind=ActorKind.API_KEY, id=key.id, channel="api", detail=detail)
    return Actor(kind=ActorKind.CUSTOMER, channel="api", detail=detail)


def _show(request: HttpRequest, booking_id: UUID) -> HttpResponse:
    """GET bookings/{id}, by its token or by a key of its organization; its version is the ETag."""
    booking, _ = own_booking(request, booking_id)
    return with_version(answer(booking_json(booking)), booking)


def own_booking(request: HttpRequest, booking_id: UUID) -> tuple[Booking, ApiKey | None]:
    """Return the booking that the caller's token opens, or their key, and the key; or raise NotFound."""
    booking = Booking.objects.select_related("customer").filter(id=booking_id).first()
    if booking is None:
        raise NotFound
    if has_token(request, booking):
        return booking, None
    key = api_key_of(request, scope=ApiKey.Scope.BOOKINGS)
    if key is None or key.organization_id != booking.organization_id:
        raise NotFound
    return booking, key


def with_version(response: HttpResponse, booking: Booking) -> HttpResponse:
    """Name the booking's version as the answer's ETag, to be sent back as If-Match."""
    response["ETag"] = f'"{booking.version}"'
    return response


def booking_json(booking: Booking) -> dict[str, Any]:
    """Write a booking, with its token: the answer goes to its owner, or to its organization."""
    rows = booking.lines.select_related("session__activity__venue").prefetch_related("links__participant")
    lines = list(rows.order_by("session__starts_at", "id"))
    return {
        "id": booking.id,
        "number": booking.number,
        "token": booking.token,
        "status": booking.status,
        "label": label_of(booking.status, lines),
        "version": booking.version,
        "created_at": instant(booking.created_at),
        "customer": {
            "email": booking.customer.email, "name": booking.contact_name, "phone": booking.contact_phone
        },
        "payment_method": booking.payment_method,
        "total": money(booking.total_minor, booking.currency),
        "fee": money(booking.fee_minor, booking.currency),
        "rebate": money(booking.rebate_minor, booking.currency),
        "deposit": None if booking.deposit_minor is None else money(booking.deposit_minor, booking.currency),
        "balance_due_at": instant(booking.balance_due_at) if booking.balance_due_at else None,
        "lines": [_line_json(line, booking.currency) for line in lines],
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
        "cancelled_at": instant(line.cancelled_at) if line.cancelled_at else None,
        "fee": money(line.fee_minor, currency),
        "attendance": line.attendance,
        "party_size": line.party_size,
        "price": {**money(line.amount_minor, currency), "lines": line.quote},
        "discount": money(line.discount_minor, currency),
        "participants": [{"id": person.id, "name": person.name} for person in line.people],
    }


reservation_confirm = api_view(POST=_confirm)
booking_list = api_view(POST=_book)
booking_detail = api_view(GET=_show)
