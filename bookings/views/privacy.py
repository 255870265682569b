"""Customer pages: one's own data, to have or to erase, by a link from the venue. Parse, one call, answer."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from bookings.data_links import customer_of_link
from bookings.services.personal_data import export_customer
from bookings.services.privacy import erase_customer
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from config.kit.refusals import Refusal

CUSTOMER = Actor(kind=ActorKind.CUSTOMER, channel="web")


@never_cache
@require_http_methods(["GET", "POST"])
def show_data(request: HttpRequest, customer_id: UUID, token: str) -> HttpResponse:
    """GET and POST /bookings/your-data/{customer}.{token}/: what can be had; with `erase` and `sure`, the end of it."""
    customer = customer_of_link(customer_id, token, at=database_now())
    context: dict[str, object] = {"customer": customer, "organization": customer.organization}
    refusal: Refusal | None = None
    if request.method == "POST" and "sure" in request.POST:
        try:
            erase_customer(customer_id=customer_id, actor=CUSTOMER)
            return render(request, "bookings/data_erased.html", {"organization": customer.organization})
        except Refusal as refused:
            refusal = refused
    context |= {"refusal": refusal, "is_unsure": request.method == "POST" and refusal is None}
    return render(request, "bookings/your_data.html", context, status=refusal.status if refusal else 200)


@never_cache
@require_GET
def download_data(request: HttpRequest, customer_id: UUID, token: str) -> HttpResponse:  # noqa: ARG001 a view
    """GET /bookings/your-data/{customer}.{token}/data.json"""
    customer = customer_of_link(customer_id, token, at=database_now())
    return data_file(export_customer(customer_id=customer.id))


def data_file(data: object) -> JsonResponse:
    """Return data as a file to keep."""
    response = JsonResponse(data, json_dumps_params={"indent": 2, "ensure_ascii": False}, safe=False)
    response["Content-Disposition"] = 'attachment; filename="personal-data.json"'
    response["Cache-Control"] = "no-store"
    return response
