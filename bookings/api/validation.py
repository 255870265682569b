"""REST: a dry run of a booking. Parse, one call, answer."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from bookings.api.bookings import held_people, wanted_lines
from bookings.orders import Contact, Terms
from bookings.serializers import BookingSerializer
from bookings.services import duplicates
from bookings.services.validation import LineVerdict, Order, Verdict, validate_booking
from config.kit.api import answer, api_view, checked, money, read_json
from config.kit.facts import ActorKind
from config.kit.refusals import FieldError, NotFound
from config.kit.tokens import is_valid_token
from config.tenants.authentication import api_key_of
from config.tenants.models import ApiKey
from scheduling.models import Reservation


def _validate(request: HttpRequest) -> HttpResponse:
    """POST bookings/validate: every line, every error and the total, as POST bookings would find them now.

    Whether the address has booked the same already is told to programs of the organization alone.
    """
    data = checked(BookingSerializer, read_json(request))
    key = api_key_of(request, scope=ApiKey.Scope.BOOKINGS)
    return answer(verdict_json(validate_booking(_order(data, key))))


def _order(data: dict[str, Any], key: ApiKey | None) -> Order:
    terms = Terms(data.get("payment_method"), data.get("expected_total"), data["confirm_duplicate"])
    owner = key.organization_id if key else None
    return Order(
        Contact(**data["customer"]), terms, lines=() if data.get("basket") else wanted_lines(data), held=_held(data),
        held_people=held_people(data),
        organization_id=owner, asked_by=ActorKind.API_KEY if key else ActorKind.CUSTOMER,
        look=duplicates.find_twins if key else None,
    )  # fmt: skip


def _held(data: dict[str, Any]) -> list[Reservation]:
    """Return what is in the basket that the caller has the token of."""
    basket = data.get("basket")
    if basket is None:
        return []
    if not is_valid_token(data.get("basket_token"), purpose="basket", subject=basket):
        raise NotFound
    rows = Reservation.objects.of_basket(basket).exclude(status=Reservation.Status.RELEASED)
    found = list(rows)
    if not found:
        raise NotFound
    return found


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """Write a verdict."""
    return {
        "bookable": verdict.is_bookable,
        "lines": [_line_json(line) for line in verdict.lines],
        "total": None if verdict.total_minor is None else money(verdict.total_minor, verdict.lines[0].currency),
        "payment_method": verdict.method,
        "errors": [_error_json(error) for error in verdict.errors],
    }


def _line_json(line: LineVerdict) -> dict[str, Any]:
    price = None if line.amount_minor is None else {**money(line.amount_minor, line.currency), "lines": line.quote}
    return {
        "session": line.session_id,
        "bookable": not line.refusals,
        "party_size": line.party_size or None,
        "available_spots": line.available_spots,
        "price": price,
        "errors": [_error_json(error) for error in line.errors],
    }


def _error_json(error: FieldError) -> dict[str, str]:
    return {"field": error.field, "code": error.code, "detail": error.detail}


booking_validation = api_view(POST=_validate)
