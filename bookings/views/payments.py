"""Customer pages of money: where a payer comes back to, and where the rest is paid. Parse, one call, answer."""

from uuid import UUID

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from bookings import payment_links
from bookings.forms import BalanceForm
from bookings.models import Booking
from bookings.money_pages import due_of_booking
from bookings.payment_pages import PaymentPage, State, payment_page
from bookings.services import paying
from bookings.views.baskets import customer
from bookings.views.booking import COOKIE
from bookings.views.manage import Visit
from config.kit.cookies import give_cookie
from config.kit.display import money_text
from config.kit.problems import say_when
from config.kit.refusals import Refusal
from config.kit.tokens import is_valid_token
from payments.models import Payment
from payments.services import charges
from scheduling.display_cache import AWAY

LOOK_AGAIN_SECONDS = 2
REMEMBERED_SECONDS = 24 * 60 * 60


def lead_to_provider(request: HttpRequest, booking: Booking, payment: Payment) -> HttpResponse:
    """Lead to the provider's page; who comes back from it to the payment's own page is known there as the customer."""
    path = payment_links.own_address(payment)
    seconds = REMEMBERED_SECONDS
    return give_cookie(request, _onward(payment), name=COOKIE, value=booking.token, path=path, seconds=seconds)


def _onward(payment: Payment) -> HttpResponse:
    """Lead to the provider's page while there is one to pay at, else to where the payment tells how it is."""
    return redirect((payment.is_open and payment.redirect_url) or payment_links.own_address(payment))


# The payment's own page -------------------------------------------------------------------------------------------


@require_GET
def show_payment(request: HttpRequest, payment_id: UUID, token: str) -> HttpResponse:
    """GET /pay/{payment}.{token}/: what became of it, by the provider's own word, asked now."""
    payment = payment_links.require_payment(payment_id, token)
    if payment.status == Payment.Status.PROCESSING and _may_look(payment):
        payment = _look(payment)
    return _render(request, payment)


def _may_look(payment: Payment) -> bool:
    """Is it a few seconds since somebody's page asked? Without Redis each may."""
    try:
        return bool(cache.add(f"payment-looked-at-{payment.id}", 1, timeout=LOOK_AGAIN_SECONDS))
    except AWAY:
        return True


def _look(payment: Payment) -> Payment:
    """Ask the provider; when it is away, what we know is what we say."""
    try:
        return charges.refresh_payment(payment.id)
    except charges.PaymentUnavailable:
        return payment


@require_http_methods(["GET", "POST"])
def go_to_provider(request: HttpRequest, payment_id: UUID, token: str) -> HttpResponse:
    """GET and POST /pay/{payment}.{token}/go/: on to the provider's page; POST pays anew what came to nothing."""
    payment = payment_links.require_payment(payment_id, token)
    page = payment_page(payment)
    try:
        if page.can_go:
            payment = paying.begin(payment, payment_links.links_of(request))
        elif request.method == "POST" and page.state in (State.FAILED, State.LAPSED):
            payment = _again(request, page)
    except charges.PaymentUnavailable as away:
        return _render(request, payment, refusal=away)
    except Refusal as refusal:
        return _render(request, payment, refusal=refusal)
    return _on(request, payment, page.booking)


def _again(request: HttpRequest, page: PaymentPage) -> Payment:
    """Open another payment for the same, and the provider's page for it."""
    actor, links, payment = customer(request, "web"), payment_links.links_of(request), page.payment
    if not page.is_balance:
        return paying.begin_paying(page.booking, links, actor=actor)
    if payment.is_open:  # its hour is over: first it is closed, so that nobody pays twice
        payment = charges.close_payment(payment.id)
    if payment.is_open or payment.status == Payment.Status.SUCCEEDED:
        return payment
    opened = paying.open_balance(
        booking_id=page.booking.id, actor=actor, amount_minor=page.again_minor, payer_email=payment.payer_email
    )
    return paying.begin(opened, links)


def _on(request: HttpRequest, payment: Payment, booking: Booking) -> HttpResponse:
    """Lead on; who was known as the customer stays known."""
    if _is_customer(request, booking):
        return lead_to_provider(request, booking, payment)
    return _onward(payment)


def _is_customer(request: HttpRequest, booking: Booking) -> bool:
    """Is it whoever booked, and not somebody else who pays?"""
    token = request.COOKIES.get(COOKIE)
    return is_valid_token(token, purpose="booking", subject=booking.id, version=booking.token_version)


def _render(request: HttpRequest, payment: Payment, *, refusal: Refusal | None = None) -> HttpResponse:
    """Say how it stands, or lead the customer to the booking that it has become."""
    page = payment_page(payment)
    number, is_customer = page.booking.number, _is_customer(request, page.booking)
    manage = reverse("open-booking", kwargs={"number": number, "token": page.booking.token}) if is_customer else ""
    if manage and refusal is None and page.state in (State.BOOKED, State.PAID) and not page.came_late:
        return redirect(manage)
    context = {
        "page": page, "organization": page.organization, "manage_url": manage, "refusal": refusal,
        "own": payment_links.own_address(payment), "activity_url": reverse("activity", kwargs=page.activity_slugs),
    }  # fmt: skip
    response = render(request, "bookings/payment.html", context, status=refusal.status if refusal else 200)
    say_when(response, refusal)
    return response


# What is still due ------------------------------------------------------------------------------------------------


def answer_pay(visit: Visit) -> HttpResponse:
    """GET and POST …/pay/: all that is due, or a part; here, or by a link for somebody else."""
    booking = visit.booking
    due = due_of_booking(booking).due_minor
    words = money_text(due, booking.currency)
    data = visit.request.POST if visit.is_post else None
    form = BalanceForm(data, due_minor=due, currency=booking.currency, words=words)
    can_pay = booking.status == Booking.Status.CONFIRMED and charges.can_pay_online(booking.organization_id)
    if not (visit.is_post and due and can_pay and form.is_valid()):
        return visit.page("pay", form=form, due_minor=due, can_pay=can_pay)
    try:
        payment = paying.open_balance(
            booking_id=booking.id, actor=visit.actor, amount_minor=form.cleaned_data["amount"],
            payer_email=form.cleaned_data["email"],
        )  # fmt: skip
        if "link" in visit.asked or visit.channel == "widget":
            link = visit.request.build_absolute_uri(payment_links.own_address(payment))
            return visit.page("pay_link", payment=payment, link=link)
        links = payment_links.links_of(visit.request, back=f"{visit.here}pay/")
        return lead_to_provider(visit.request, booking, paying.begin(payment, links))
    except Refusal as refusal:
        response = visit.page("pay", form=form, due_minor=due, can_pay=True, refusal=refusal)
        say_when(response, refusal)
        return response
