"""Customer pages: what is done with a basket beside booking it. Parse, one call, answer."""

from functools import partial
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from bookings.pages import BasketPage, basket_page
from bookings.services import leaving
from config.kit.facts import Actor, ActorKind
from config.kit.forms import csrf_field
from config.kit.problems import say_when
from config.kit.refusals import NotFound, Refusal
from config.kit.visitors import visit_detail
from scheduling.baskets import keep_open, require_basket
from scheduling.limits import visitor_of
from scheduling.services import assessing, baskets, reservations
from scheduling.services.limited import hold_within_limits
from scheduling.views import OnHeld, to_checkout


def site_context(request: HttpRequest, basket: UUID) -> dict[str, object]:
    """Return what the checkout's templates need to know of the site's own pages."""
    return {"here": reverse("checkout", kwargs={"basket": basket}), "proof": csrf_field(request), "can_add": True}


def customer(request: HttpRequest, channel: str) -> Actor:
    """Return whoever has the basket, as facts name them; what is personal goes beside the fact."""
    return Actor(kind=ActorKind.CUSTOMER, channel=channel, detail=visit_detail(request))


@require_POST
def extend_basket(request: HttpRequest, basket: UUID) -> HttpResponse:
    """POST /checkout/{basket}/extend/: once longer."""
    require_basket(request, basket)
    extend_all(basket)
    return redirect("checkout", basket=basket)


def extend_all(basket: UUID) -> None:
    """Keep every place of the basket once longer, or none."""
    baskets.extend_basket(basket=basket)


@require_POST
def release_basket(request: HttpRequest, basket: UUID) -> HttpResponse:
    """POST /checkout/{basket}/release/: the places go back at once."""
    require_basket(request, basket)
    return redirect(activity_url(release_all(basket, customer(request, "web"))))


def release_all(basket: UUID, actor: Actor) -> BasketPage:
    """Give every reservation of the basket back, and what was begun of it with them; return what it was."""
    page = basket_page(basket)
    if page.waiting:
        leaving.leave_checkout(basket=basket, actor=actor)
    baskets.release_basket(basket=basket)
    return page


@require_POST
def add_session(request: HttpRequest, basket: UUID) -> HttpResponse:
    """POST /checkout/{basket}/add/: on to what else there is; what is held next goes into this basket."""
    require_basket(request, basket)
    organization = basket_page(basket).organization
    response = redirect("organization", organization=organization.slug)
    return keep_open(request, response, basket=basket, slug=organization.slug)


@require_POST
def remove_line(request: HttpRequest, basket: UUID, reservation_id: UUID) -> HttpResponse:
    """POST /checkout/{basket}/remove/{reservation}/: one of several goes back, the rest stays held."""
    require_basket(request, basket)
    is_last = remove_one(basket, reservation_id, customer(request, "web"))
    return redirect(is_last or reverse("checkout", kwargs={"basket": basket}))


def remove_one(basket: UUID, reservation_id: UUID, actor: Actor) -> str:
    """Give one reservation of a basket back; return where to go when nothing is left of it."""
    page = basket_page(basket)
    if reservation_id not in {line.reservation.id for line in page.lines}:
        raise NotFound
    if page.waiting:
        leaving.leave_checkout(basket=basket, actor=actor)
    reservations.release_reservation(reservation_id=reservation_id)
    return activity_url(page) if len(page.lines) == 1 else ""


@require_POST
def hold_again(request: HttpRequest, basket: UUID) -> HttpResponse:
    """POST /checkout/{basket}/again/: the same parties, held anew; or the page says what is still free."""
    require_basket(request, basket)
    return answer_again(request, basket, on_held=to_checkout, **site_context(request, basket))


def answer_again(request: HttpRequest, basket: UUID, *, on_held: OnHeld, **context: object) -> HttpResponse:
    """Hold a lapsed basket's parties anew, or show what is still free."""
    page = basket_page(basket)
    parties = [assessing.same_party(line.reservation) for line in page.lines]
    try:
        email = page.lines[0].reservation.email
        hold = partial(reservations.reserve_parties, email=email)
        return on_held(request, hold_within_limits(visitor_of(request), parties, hold, email=email)[0])
    except Refusal as refusal:
        context = {"activity_url": activity_url(page), **context}
        context |= {"page": basket_page(basket), "organization": page.organization, "refusal": refusal}
        response = render(request, "bookings/expired.html", context, status=refusal.status)
        say_when(response, refusal)
        return response


def activity_url(page: BasketPage) -> str:
    """Return where the basket's first activity is sold."""
    activity = page.lines[0].activity
    return reverse("activity", kwargs={"organization": page.organization.slug, "activity": activity.slug})
