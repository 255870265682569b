"""Whose basket it is: its token, in a cookie that only the basket's own pages are sent."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse

from config.kit.refusals import NotFound
from config.kit.tokens import is_valid_token, make_token

COOKIE = "basket"
SECONDS = 24 * 60 * 60


def remember_basket(request: HttpRequest, response: HttpResponse, *, basket: UUID) -> HttpResponse:
    """Give the browser the basket's token."""
    response.set_cookie(
        COOKIE, make_token(purpose="basket", subject=basket), max_age=SECONDS, path=f"/checkout/{basket}/",
        secure=request.is_secure(), httponly=True, samesite="Lax",
    )  # fmt: skip
    return response


def require_basket(request: HttpRequest, basket: UUID) -> None:
    """Raise NotFound unless the browser has the basket's token."""
    if not is_valid_token(request.COOKIES.get(COOKIE), purpose="basket", subject=basket):
        raise NotFound
