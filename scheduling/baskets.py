"""Whose basket it is: its token, in a cookie that only the basket's own pages are sent.

Two more cookies name a basket beside its token, and so prove that it is the browser's own. One, for the organization's
pages, until its holds end: what is held next goes into it. The other, for every page of ours, says which was the
newest: whoever holds a session in one tab meets that hold in the next, not a second one. None names a person.
"""

from uuid import UUID

from django.http import HttpRequest, HttpResponse

from config.kit.clock import database_now
from config.kit.cookies import give_cookie
from config.kit.refusals import NotFound
from config.kit.tokens import is_valid_token, make_token
from scheduling.models import Reservation

COOKIE, SECONDS = "basket", 24 * 60 * 60
MORE_COOKIE, NEWEST_COOKIE = "more", "newest_basket"  # "{basket}.{token}"
NAMED_SECONDS = 60 * 60


def remember_basket(request: HttpRequest, response: HttpResponse, *, basket: UUID) -> HttpResponse:
    """Give the browser the basket's token, and let every page of ours know that it is this browser's newest."""
    path = f"/checkout/{basket}/"
    give_cookie(request, response, name=COOKIE, value=_token(basket), path=path, seconds=SECONDS)
    return _name_basket(request, response, NEWEST_COOKIE, basket, path="/")


def require_basket(request: HttpRequest, basket: UUID) -> None:
    """Raise NotFound unless the browser has the basket's token."""
    if not is_valid_token(request.COOKIES.get(COOKIE), purpose="basket", subject=basket):
        raise NotFound


def keep_open(request: HttpRequest, response: HttpResponse, *, basket: UUID, slug: str) -> HttpResponse:
    """Let what is held next on this organization's pages go into the basket."""
    return _name_basket(request, response, MORE_COOKIE, basket, path=f"/{slug}/")


def open_basket(request: HttpRequest, organization_id: UUID) -> UUID | None:
    """Return the basket that this browser puts more into: of this organization, all of it held; else None."""
    basket = _named_basket(request, MORE_COOKIE)
    if basket is None:
        return None
    members = list(Reservation.objects.of_basket(basket).exclude(status=Reservation.Status.RELEASED))
    now = database_now()
    binds = all(each.is_held(at=now) and each.organization_id == organization_id for each in members)
    return basket if members and binds else None


def own_hold(request: HttpRequest, session_id: UUID) -> Reservation | None:
    """Return what this browser holds of a session, or None; without the cookie nothing is asked."""
    basket = _named_basket(request, NEWEST_COOKIE)
    if basket is None:
        return None
    held = Reservation.objects.held().filter(basket=basket, session=session_id, expires_at__gt=database_now())
    return held.order_by("id").first()


def _token(basket: UUID) -> str:
    return make_token(purpose="basket", subject=basket)


def _name_basket(request: HttpRequest, response: HttpResponse, name: str, basket: UUID, *, path: str) -> HttpResponse:
    value = f"{basket}.{_token(basket)}"
    return give_cookie(request, response, name=name, value=value, path=path, seconds=NAMED_SECONDS)


def _named_basket(request: HttpRequest, name: str) -> UUID | None:
    """Return the basket that a cookie names, when it has its token, too."""
    text, _, token = request.COOKIES.get(name, "").partition(".")
    try:
        basket = UUID(text)
    except ValueError:
        return None
    return basket if is_valid_token(token, purpose="basket", subject=basket) else None
