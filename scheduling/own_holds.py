"""What a browser holds already: whoever holds a session in one tab meets that hold in the next, not a second one.

A cookie says which basket the browser was given last. It names no person, and proves that the basket is its own.
"""

from uuid import UUID

from django.http import HttpRequest, HttpResponse

from config.kit.clock import database_now
from config.kit.tokens import is_valid_token, make_token
from scheduling.models import Reservation

COOKIE = "newest_basket"  # "{basket}.{token}"
SECONDS = 60 * 60


def remember_newest(request: HttpRequest, response: HttpResponse, *, basket: UUID) -> HttpResponse:
    """Let every page of ours know which basket is this browser's newest."""
    response.set_cookie(
        COOKIE, f"{basket}.{make_token(purpose='basket', subject=basket)}", max_age=SECONDS, path="/",
        secure=request.is_secure(), httponly=True, samesite="Lax",
    )  # fmt: skip
    return response


def own_hold(request: HttpRequest, session_id: UUID) -> Reservation | None:
    """Return what this browser holds of a session, or None; without the cookie nothing is asked."""
    name, _, token = request.COOKIES.get(COOKIE, "").partition(".")
    try:
        basket = UUID(name)
    except ValueError:
        return None
    if not is_valid_token(token, purpose="basket", subject=basket):
        return None
    held = Reservation.objects.held().filter(basket=basket, session=session_id, expires_at__gt=database_now())
    return held.order_by("id").first()
