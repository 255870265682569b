"""Customer pages: the checkout. Parse, one call, answer."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from bookings.forms import ContactForm, wrong_fields
from bookings.models import Booking
from bookings.pages import BasketPage, basket_page
from bookings.people_forms import PeopleForm, people_form
from bookings.services import attempts, checkout
from bookings.services.attempts import Submitted
from bookings.services.checkout import Contact, Terms
from bookings.waiting import contact_of_offer
from config.kit.facts import Actor, ActorKind
from config.kit.forms import csrf_field
from config.kit.idempotency import Claim
from config.kit.problems import say_when
from config.kit.refusals import NotFound, Refusal
from config.kit.visitors import visit_detail
from scheduling.baskets import keep_open, require_basket
from scheduling.limits import visitor_of
from scheduling.services import baskets, reservations
from scheduling.services.limited import hold_within_limits
from scheduling.views import OnHeld, to_checkout

OnBooked = Callable[[Booking], HttpResponse]
LONGEST_TOTAL = 12  # digits


@require_http_methods(["GET", "POST"])
def show_checkout(request: HttpRequest, basket: UUID) -> HttpResponse:
    """GET and POST /checkout/{basket}/: who comes, then the booking."""
    require_basket(request, basket)
    return answer_checkout(request, basket, channel="web", on_booked=_to_booking, **_site(request, basket))


def _site(request: HttpRequest, basket: UUID) -> dict[str, object]:
    """Return what the checkout's templates need to know of the site's own pages."""
    return {"here": reverse("checkout", kwargs={"basket": basket}), "proof": csrf_field(request), "can_add": True}


def answer_checkout(
    request: HttpRequest, basket: UUID, *, channel: str, on_booked: OnBooked, **context: object
) -> HttpResponse:
    """Ask who comes, and book; a basket that has lapsed is shown as it was."""
    known = contact_of_offer(basket) if request.method == "GET" else None
    form, people = ContactForm(request.POST or None, initial=known), people_form(request, basket)
    refusal: Refusal | None = None
    if request.method == "POST":
        if form.is_valid() and (people is None or people.is_valid()):
            try:
                return on_booked(_book(request, basket, form, channel, people))
            except Refusal as refused:
                refusal = refused
        else:
            attempts.record_unbooked(_unreadable(request, basket, channel), wrong_fields(form))
    page = basket_page(basket)
    if page.booking:
        return on_booked(page.booking)
    template = "bookings/checkout.html" if page.is_held else "bookings/expired.html"
    context = {"activity_url": activity_url(page), **context}
    context |= {"page": page, "organization": page.organization, "form": form, "refusal": refusal}
    context["people"] = people
    return render(request, template, context, status=refusal.status if refusal else 200)


def _book(
    request: HttpRequest, basket: UUID, form: ContactForm, channel: str, people: PeopleForm | None = None
) -> Booking:
    """Buy the basket; the basket's own id makes a second click find the first one's booking."""
    claim = Claim(id=basket, fingerprint=basket)
    return checkout.book_basket(
        basket=basket, contact=Contact(**form.cleaned_data), actor=_actor(request, channel), claim=claim,
        people=people.people() if people else None,
        terms=Terms(expected_total=_shown_total(request), confirm_duplicate="confirm_duplicate" in request.POST),
    )  # fmt: skip


def _shown_total(request: HttpRequest) -> int | None:
    """Return the total that the page showed, in minor units: something may have been put into the basket since."""
    shown = request.POST.get("expected_total", "")
    return int(shown) if shown.isascii() and shown.isdigit() and len(shown) < LONGEST_TOTAL else None


def _actor(request: HttpRequest, channel: str) -> Actor:
    return Actor(kind=ActorKind.CUSTOMER, channel=channel, detail=visit_detail(request))


def _unreadable(request: HttpRequest, basket: UUID, channel: str) -> Submitted:
    """Return the attempt of somebody whose details were not complete."""
    return Submitted(_actor(request, channel), email=request.POST.get("email", ""), basket=basket)


def _to_booking(booking: Booking) -> HttpResponse:
    return redirect("open-booking", number=booking.number, token=booking.token)


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
    return redirect(activity_url(release_all(basket)))


def release_all(basket: UUID) -> BasketPage:
    """Give every reservation of the basket back; return what it was."""
    page = basket_page(basket)
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
    is_last = remove_one(basket, reservation_id)
    return redirect(is_last or reverse("checkout", kwargs={"basket": basket}))


def remove_one(basket: UUID, reservation_id: UUID) -> str:
    """Give one reservation of a basket back; return where to go when nothing is left of it."""
    page = basket_page(basket)
    if reservation_id not in {line.reservation.id for line in page.lines}:
        raise NotFound
    reservations.release_reservation(reservation_id=reservation_id)
    return activity_url(page) if len(page.lines) == 1 else ""


@require_POST
def hold_again(request: HttpRequest, basket: UUID) -> HttpResponse:
    """POST /checkout/{basket}/again/: the same parties, held anew; or the page says what is still free."""
    require_basket(request, basket)
    return answer_again(request, basket, on_held=to_checkout, **_site(request, basket))


def answer_again(request: HttpRequest, basket: UUID, *, on_held: OnHeld, **context: object) -> HttpResponse:
    """Hold a lapsed basket's parties anew, or show what is still free."""
    page = basket_page(basket)
    parties = [reservations.same_party(line.reservation) for line in page.lines]
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
