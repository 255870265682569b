"""Customer pages: the checkout, on the site and in frames. Parse, one call, answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from bookings import payment_links
from bookings.checkout_pages import Begun, Prices, begun_of, known_of, known_people, prices_of
from bookings.code_guesses import TooManyCodes, counted_guesses
from bookings.forms import ContactForm, PayForm, wrong_fields
from bookings.models import Booking
from bookings.pages import BasketPage, basket_page
from bookings.people_forms import PeopleForm, people_form
from bookings.services import attempts, checkout, leaving, paying
from bookings.services.attempts import Submitted
from bookings.services.checkout import Contact, Terms
from bookings.services.paying import NothingDue
from bookings.views.baskets import activity_url, customer, site_context
from bookings.views.payments import lead_to_provider
from bookings.waiting import contact_of_offer
from config.kit.facts import Actor
from config.kit.problems import say_when
from config.kit.refusals import Refusal
from payments.models import Payment
from payments.services.charges import PaymentUnavailable
from scheduling.baskets import require_basket

OnBooked = Callable[[Booking], HttpResponse]
OnPay = Callable[[HttpRequest, Booking, Payment], HttpResponse]
LONGEST_TOTAL = 12  # digits


@dataclass(frozen=True, slots=True)
class Place:
    """Where a checkout is shown, the site or a frame, and where it leads on to from there."""

    basket: UUID
    channel: str
    on_booked: OnBooked
    on_pay: OnPay
    context: Mapping[str, object]  # what the templates need to know of it
    back: str = ""  # where whoever turns back at the provider's page comes to; else to the payment's own page

    def actor(self, request: HttpRequest) -> Actor:
        """Return who does what is done here."""
        return customer(request, self.channel)


@require_http_methods(["GET", "POST"])
def show_checkout(request: HttpRequest, basket: UUID) -> HttpResponse:
    """GET and POST /checkout/{basket}/: who comes and how it is paid for, then the booking, or the provider's page."""
    require_basket(request, basket)
    context = site_context(request, basket)
    place = Place(basket, "web", _to_booking, lead_to_provider, context, back=str(context["here"]))
    return answer_checkout(request, place)


def _to_booking(booking: Booking) -> HttpResponse:
    return redirect("open-booking", number=booking.number, token=booking.token)


def answer_checkout(request: HttpRequest, place: Place) -> HttpResponse:
    """Show the checkout, or do what was asked: price it, book it, go on to payment, or begin anew."""
    if request.method == "GET":
        return _show(request, place)
    answer = {"pay": _go_on, "change": _begin_anew}.get(request.POST.get("act", ""), _submit)
    return answer(request, place)


# The order --------------------------------------------------------------------------------------------------------


def _submit(request: HttpRequest, place: Place) -> HttpResponse:
    """Book the basket; but a code that is not in the price shown is put into the price first, and shown."""
    form, pay, people = ContactForm(request.POST), PayForm(request.POST), people_form(request, place.basket)
    pay.full_clean()
    shown = {name: request.POST.get(f"priced_{name}", "") for name in pay.codes}
    if request.POST.get("act") == "apply" or pay.codes != shown:
        return _show(request, place, pay=pay, form=_unasked(request), is_priced=True)
    if not (form.is_valid() and pay.is_valid() and (people is None or people.is_valid())):
        attempts.record_unbooked(
            Submitted(place.actor(request), email=request.POST.get("email", ""), basket=place.basket),
            wrong_fields(form),
        )
        return _show(request, place, form=form, pay=pay, people=people)
    try:
        booking = _book(request, place, form, pay, people)
    except Refusal as refusal:
        return _show(request, place, form=form, pay=pay, people=people, refusal=refusal)
    return _lead_on(request, place, booking)


def _book(request: HttpRequest, place: Place, form: ContactForm, pay: PayForm, people: PeopleForm | None) -> Booking:
    """Buy the basket; a second click finds what the first began."""
    terms = Terms(
        payment_method=pay.cleaned_data["payment_method"] or None, expected_total=_shown_total(request),
        confirm_duplicate="confirm_duplicate" in request.POST, **pay.codes,
    )  # fmt: skip
    with counted_guesses(request, *pay.codes.values()):
        return checkout.book_basket(
            basket=place.basket, contact=Contact(**form.cleaned_data), actor=place.actor(request), terms=terms,
            people=people.people() if people else None,
        )  # fmt: skip


def _shown_total(request: HttpRequest) -> int | None:
    """Return the total that the page showed, in minor units: something may have been put into the basket since."""
    shown = request.POST.get("expected_total", "")
    return int(shown) if shown.isascii() and shown.isdigit() and len(shown) < LONGEST_TOTAL else None


# Paying -----------------------------------------------------------------------------------------------------------


def _lead_on(request: HttpRequest, place: Place, booking: Booking) -> HttpResponse:
    """Lead to the booking, or to where it is paid for; the provider is asked now, outside every transaction."""
    if booking.status != Booking.Status.PENDING:
        return place.on_booked(booking)
    links = payment_links.links_of(request, back=place.back)
    try:
        payment = paying.begin_paying(booking, links, actor=place.actor(request))
    except PaymentUnavailable as away:
        return _render(request, place, "bank_away", basket_page(place.basket), refusal=away, begun=begun_of(booking))
    except NothingDue:  # paid meanwhile, or the places went back
        return _back(request, place)
    except Refusal as refusal:  # the provider will not take it, today or tomorrow
        return _show(request, place, refusal=refusal)
    return place.on_pay(request, booking, payment)


def _go_on(request: HttpRequest, place: Place) -> HttpResponse:
    """Go on to the payment of what was begun."""
    waiting = basket_page(place.basket).waiting
    return _lead_on(request, place, waiting) if waiting else _back(request, place)


def _begin_anew(request: HttpRequest, place: Place) -> HttpResponse:
    """Let go of what was begun, and show the form again, filled in."""
    booked = leaving.leave_checkout(basket=place.basket, actor=place.actor(request))
    return place.on_booked(booked) if booked else _back(request, place)


def _back(request: HttpRequest, place: Place) -> HttpResponse:
    """Lead back to the checkout, which says what is so; what its address asked for stays in it."""
    return redirect(f"{place.context['here']}{'?' if request.GET else ''}{request.GET.urlencode()}")


# Showing it -------------------------------------------------------------------------------------------------------


def _show(
    request: HttpRequest, place: Place, *, form: ContactForm | None = None, pay: PayForm | None = None,
    people: PeopleForm | None = None, refusal: Refusal | None = None, is_priced: bool = False,
) -> HttpResponse:  # fmt: skip
    """Show the basket as it is now: booked, begun and not paid, held, or lapsed."""
    page = basket_page(place.basket)
    if page.booking:
        return place.on_booked(page.booking)
    if page.waiting:
        template = "begun" if page.is_held else "expired"
        return _render(request, place, template, page, refusal=refusal, begun=begun_of(page.waiting))
    if not page.is_held:
        return _render(request, place, "expired", page, refusal=refusal)
    known: dict[str, Any] = {**contact_of_offer(place.basket), **known_of(place.basket)} if form is None else {}
    form, pay = form or ContactForm(initial=known), pay or _known_ways(known)
    prices, too_many = _prices(request, page, _codes(pay))
    if too_many:  # the fields come back empty: so the next click books, without a code
        pay, is_priced, refusal = _known_ways({}), False, too_many
    elif pay.is_bound and pay.blame([refusal] if refusal else list(prices.faults)):
        refusal = None
    return _render(
        request, place, "checkout", page, refusal=refusal, status=422 if pay.errors else 200, form=form, pay=pay,
        people=people or _unasked_people(request, place), prices=prices, chosen=prices.chosen(_method(request, known)),
        is_priced=is_priced, priced=_priced(_codes(pay), prices),
    )  # fmt: skip


def _unasked(request: HttpRequest) -> ContactForm:
    """Return what was filled in so far, without a word on what is missing: nothing is booked yet."""
    return ContactForm(initial={name: request.POST.get(name, "") for name in ContactForm.base_fields})


def _unasked_people(request: HttpRequest, place: Place) -> PeopleForm | None:
    people = people_form(request, place.basket)
    if people and people.is_bound:
        people.is_bound, people.initial = False, request.POST.dict()
    elif people:
        people.fill_in(known_people(place.basket))
    return people


def _known_ways(known: Mapping[str, Any]) -> PayForm:
    return PayForm(initial={name: known.get(name, "") for name in ("promo_code", "voucher")})


def _codes(pay: PayForm) -> dict[str, str]:
    if pay.is_bound:
        return pay.codes
    return {name: str(pay.initial.get(name, "")) for name in ("promo_code", "voucher")}


def _prices(request: HttpRequest, page: BasketPage, codes: Mapping[str, str]) -> tuple[Prices, Refusal | None]:
    """Price a basket with these codes; without them, and why, where too many wrong ones were tried."""
    try:
        with counted_guesses(request, *codes.values()) as guesses:
            prices = prices_of(page, **codes)
            guesses.tell(error for refusal in prices.faults for error in refusal.errors)
            return prices, None
    except TooManyCodes as refusal:
        return prices_of(page), refusal


def _priced(codes: Mapping[str, str], prices: Prices) -> dict[str, str]:
    """Return the codes that are in the price shown: those against which nothing stands."""
    wrong = {error.field for refusal in prices.faults for error in refusal.errors}
    return {name: "" if name in wrong else code for name, code in codes.items()}


def _method(request: HttpRequest, known: Mapping[str, Any]) -> str | None:
    asked = request.POST.get("payment_method") or request.GET.get("pay") or known.get("payment_method")
    return str(asked) if asked else None


def _render(
    request: HttpRequest, place: Place, template: str, page: BasketPage, *, refusal: Refusal | None = None,
    status: int = 200, begun: Begun | None = None, **context: object,
) -> HttpResponse:  # fmt: skip
    """Render a page of the basket, with what was refused on it."""
    context |= {"page": page, "organization": page.organization, "refusal": refusal, "begun": begun}
    context = {"activity_url": activity_url(page), **place.context, **context}
    status = refusal.status if refusal else status
    response = render(request, f"bookings/{template}.html", context, status=status)
    say_when(response, refusal)
    return response
