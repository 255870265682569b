"""Whose basket it is: its token, in a cookie that only the basket's own pages are sent.

Whoever wants to put more into it gets a second cookie, for the organization's pages, until its holds end.
"""

from uuid import UUID

from django.http import HttpRequest, HttpResponse

from config.kit.clock import database_now
from config.kit.refusals import NotFound
from config.kit.tokens import is_valid_token, make_token
from scheduling.models import Reservation
from scheduling.own_holds import remember_newest

COOKIE = "basket"
MORE_COOKIE = "more"  # "{basket}.{token}"
SECONDS = 24 * 60 * 60
MORE_SECONDS = 60 * 60


def remember_basket(request: HttpRequest, response: HttpResponse, *, basket: UUID) -> HttpResponse:
    """Give the browser the basket's token."""
    response.set_cookie(
        COOKIE, make_token(purpose="basket", subject=basket), max_age=SECONDS, path=f"/checkout/{basket}/",
        secure=request.is_secure(), httponly=True, samesite="Lax",
    )  # fmt: skip
    return remember_newest(request, response, basket=basket)


def require_basket(request: HttpRequest, basket: UUID) -> None:
    """Raise NotFound unless the browser has the basket's token."""
    if not is_valid_token(request.COOKIES.get(COOKIE), purpose="basket", subject=basket):
        raise NotFound


def keep_open(request: HttpRequest, response: HttpResponse, *, basket: UUID, slug: str) -> HttpResponse:
    """Let what is held next on this organization's pages go into the basket."""
    token = make_token(purpose="basket", subject=basket)
    response.set_cookie(
        MORE_COOKIE, f"{basket}.{token}", max_age=MORE_SECONDS, path=f"/{slug}/", secure=request.is_secure(),
        httponly=True, samesite="Lax",
    )  # fmt: skip
    return response


def open_basket(request: HttpRequest, organization_id: UUID) -> UUID | None:
    """Return the basket that this browser puts more into: of this organization, all of it held; else None."""
    name, _, token = request.COOKIES.get(MORE_COOKIE, "").partition(".")
    try:
        basket = UUID(name)
    except ValueError:
        return None
    if not is_valid_token(token, purpose="basket", subject=basket):
        return None
    members = list(Reservation.objects.of_basket(basket).exclude(status=Reservation.Status.RELEASED))
    now = database_now()
    binds = all(each.is_held(at=now) and each.organization_id == organization_id for each in members)
    return basket if members and binds else None
