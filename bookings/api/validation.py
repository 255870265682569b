"""REST: a dry run of a booking. Parse, one call, answer."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from bookings.api.bookings import held_people, wanted_lines
from bookings.code_guesses import counted_guesses
from bookings.orders import Contact, Terms
from bookings.serializers import BookingSerializer
from bookings.services import duplicates
from bookings.services.validation import LineVerdict, Order, Verdict, validate_booking
from config.kit.api import answer, api_view, checked, instant, money, read_json
from config.kit.facts import ActorKind
from config.kit.refusals import FieldError, NotFound
from config.kit.tokens import is_valid_token
from config.tenants.authentication import api_key_of
from config.tenants.models import ApiKey
from scheduling.models import Reservation


def _validate(request: HttpRequest) -> HttpResponse:
    """POST bookings/validate: every line, every error, the total and what is due, as POST bookings would find them now.

    What the address has booked already, or which code it has used, is told to programs of the organization alone.
    Refuses with TooManyCodes.
    """
    data = checked(BookingSerializer, read_json(request))
    key = api_key_of(request, scope=ApiKey.Scope.BOOKINGS)
    with counted_guesses(request, data["promo_code"], data["voucher"], is_exempt=key is not None) as guesses:
        verdict = validate_booking(_order(data, key))
        guesses.tell(verdict.errors)
    return answer(verdict_json(verdict))


def _order(data: dict[str, Any], key: ApiKey | None) -> Order:
    terms = Terms(
        data.get("payment_method"), data.get("expected_total"), data["confirm_duplicate"],
        promo_code=data["promo_code"], voucher=data["voucher"], currency=data["currency"],
    )  # fmt: skip
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
        **_quote_json(verdict),
        "payment_method": verdict.method,
        "errors": [_error_json(error) for error in verdict.errors],
    }


def _quote_json(verdict: Verdict) -> dict[str, Any]:
    """Write what it comes to, and what is due when; all of it null while a line has no price."""
    quote = verdict.quote
    if quote is None:
        nothing = ("total", "discount", "deposit", "due_now", "due_later", "balance_due_at", "promo", "voucher")
        return {**dict.fromkeys(nothing), "explanation": []}
    code, used = quote.rebate, verdict.voucher
    return {
        "total": money(quote.total_minor, quote.currency),
        "discount": money(quote.discount_minor, quote.currency),
        "deposit": None if quote.deposit_minor is None else money(quote.deposit_minor, quote.currency),
        "due_now": money(quote.due_now_minor, quote.currency),
        "due_later": money(quote.due_later_minor, quote.currency),
        "balance_due_at": instant(quote.balance_due_at) if quote.balance_due_at else None,
        "promo": {"code": code.code, "discount": money(quote.discount_minor, quote.currency)} if code else None,
        "voucher": {"code": used.code, "pays": money(quote.voucher_minor, quote.currency)} if used else None,
        "explanation": quote.explained(),
    }


def _line_json(line: LineVerdict) -> dict[str, Any]:
    price = None if line.amount_minor is None else {**money(line.amount_minor, line.currency), "lines": line.quote}
    return {
        "session": line.session_id,
        "bookable": not line.refusals,
        "party_size": line.party_size or None,
        "available_spots": line.available_spots,
        "price": price,
        **_line_money(line),
        "errors": [_error_json(error) for error in line.errors],
    }


def _line_money(line: LineVerdict) -> dict[str, Any]:
    """Write what a code takes off, what is left, and what of it is due at once where there is a deposit."""
    if line.money is None:
        return {"discount": None, "total": None, "deposit": None}
    deposit = line.money.deposit_minor
    return {
        "discount": money(line.money.discount_minor, line.currency),
        "total": money(line.money.net_minor, line.currency),
        "deposit": None if deposit is None else money(deposit, line.currency),
    }


def _error_json(error: FieldError) -> dict[str, str]:
    return {"field": error.field, "code": error.code, "detail": error.detail}


booking_validation = api_view(POST=_validate)
