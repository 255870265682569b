"""Customer pages: the checkout on another device, by a link in the mail. Parse, one call, answer."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from bookings.forms import LinkForm
from bookings.pages import basket_page
from bookings.services import recovery
from config.kit.refusals import Refusal
from scheduling.baskets import remember_basket, require_basket


@require_http_methods(["GET", "POST"])
def continue_elsewhere(request: HttpRequest, basket: UUID) -> HttpResponse:
    """GET and POST /checkout/{basket}/elsewhere/: where the link is to go; then that it is on its way."""
    require_basket(request, basket)
    form, refusal = LinkForm(request.POST or None), None
    if request.method == "POST" and form.is_valid():
        try:
            recovery.ask_resume_link(basket=basket, email=form.cleaned_data["email"])
            return redirect(f"{request.path}?sent=yes")
        except Refusal as refused:
            refusal = refused
    page = basket_page(basket)
    context = {
        "form": form, "refusal": refusal, "page": page, "organization": page.organization,
        "is_sent": "sent" in request.GET, "checkout_url": reverse("checkout", kwargs={"basket": basket}),
    }  # fmt: skip
    return render(request, "bookings/elsewhere.html", context, status=refusal.status if refusal else 200)


@never_cache
@require_http_methods(["GET", "POST"])
def resume_basket(request: HttpRequest, link_id: UUID, token: str) -> HttpResponse:
    """GET and POST /resume/{link}.{token}/: a button, since mail programs open links by themselves; then the basket."""
    try:
        if request.method == "POST":
            basket = recovery.open_resume_link(link_id=link_id, token=token)
            return remember_basket(request, redirect("checkout", basket=basket), basket=basket)
        link = recovery.check_resume_link(link_id=link_id, token=token)
    except recovery.ResumeLinkOver as refusal:
        return render(request, "bookings/resume_over.html", _again(link_id, token), status=refusal.status)
    return render(request, "bookings/resume.html", {"organization": link.organization, "until": link.expires_at})


@never_cache
@require_POST
def send_link_again(request: HttpRequest, link_id: UUID, token: str) -> HttpResponse:
    """POST /resume/{link}.{token}/again/: another link, to the same address."""
    refusal: Refusal | None = None
    try:
        recovery.ask_again(link_id=link_id, token=token)
    except recovery.TooManyLinks as refused:
        refusal = refused
    context = {**_again(link_id, token), "refusal": refusal, "is_sent": refusal is None}
    return render(request, "bookings/resume_over.html", context, status=refusal.status if refusal else 200)


def _again(link_id: UUID, token: str) -> dict[str, object]:
    return {"again_url": reverse("send-link-again", kwargs={"link_id": link_id, "token": token})}
