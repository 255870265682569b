"""Customer pages: what there is, when, and how many. Parse, one call, answer."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from config.kit.refusals import NotFound, Refusal
from config.tenants.models import Organization
from scheduling import pages
from scheduling.availability import check_slot_availability
from scheduling.baskets import remember_basket
from scheduling.forms import PartyForm
from scheduling.models import Reservation
from scheduling.services import reservations
from scheduling.services.reservations import Party


@require_GET
def show_organizations(request: HttpRequest) -> HttpResponse:
    """GET /: who sells here."""
    organizations = Organization.objects.filter(status=Organization.Status.ACTIVE).order_by("name")
    return render(request, "scheduling/organizations.html", {"organizations": organizations})


@require_GET
def show_organization(request: HttpRequest, organization: str) -> HttpResponse:
    """GET /{organization}/: what it sells."""
    found, activities = pages.organization_page(organization)
    return render(request, "scheduling/organization.html", {"organization": found, "activities": activities})


@require_GET
def show_activity(request: HttpRequest, organization: str, activity: str) -> HttpResponse:
    """GET /{organization}/{activity}/?month=&day=: the month, and the sessions of a day."""
    found = pages.find_activity(organization=organization, activity=activity)
    page = pages.activity_page(found, month=request.GET.get("month"), day=request.GET.get("day"))
    template = "scheduling/_calendar.html" if request.headers.get("HX-Request") else "scheduling/activity.html"
    response = render(request, template, {"page": page, "organization": found.organization})
    response["Vary"] = "HX-Request"
    return response


@require_http_methods(["GET", "POST"])
def hold_session(request: HttpRequest, organization: str, activity: str, session_id: UUID) -> HttpResponse:
    """GET and POST /{organization}/{activity}/{session}/: how many come; then the hold, and on to the checkout."""
    found = pages.find_activity(organization=organization, activity=activity)
    form = PartyForm(request.POST or None, activity=found)
    refusal: Refusal | None = None
    if request.method == "POST" and form.is_valid():
        try:
            return _to_checkout(request, _hold(form, session_id))
        except Refusal as refused:
            refusal = refused
    answer = check_slot_availability(session_id=session_id, organization_id=found.organization_id)
    if answer.session["activity_id"] != found.id:
        raise NotFound
    context = {
        "activity": found,
        "organization": found.organization,
        "zone": found.venue.zone,
        "session": pages.session_row(answer, found.venue.zone),
        "form": form,
        "refusal": refusal,
    }
    return render(request, "scheduling/party.html", context, status=refusal.status if refusal else 200)


def _hold(form: PartyForm, session_id: UUID) -> Reservation:
    """Hold the party: the plain hold when everybody is of the default unit."""
    counts = form.counts()
    default = next((unit.id for unit in form.units if unit.is_default), None)
    if len(counts) == 1 and counts[0][0] == default:
        return reservations.reserve_slot(session_id=session_id, party_size=counts[0][1], email="")
    return reservations.reserve_parties([Party(session_id=session_id, party_size=None, units=counts)], email="")[0]


def _to_checkout(request: HttpRequest, reservation: Reservation) -> HttpResponse:
    return remember_basket(request, redirect("checkout", basket=reservation.basket), basket=reservation.basket)
