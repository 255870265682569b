"""Customer pages: what there is, when, and how many. Parse, one call, answer."""

from collections.abc import Callable, Sequence
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from config.kit.forms import csrf_field
from config.kit.problems import say_when
from config.kit.refusals import NotFound, Refusal
from config.tenants.models import Organization
from scheduling import pages
from scheduling.availability import check_slot_availability
from scheduling.baskets import open_basket, own_hold, remember_basket
from scheduling.forms import PartyForm
from scheduling.limits import visitor_of
from scheduling.models import Activity, Reservation
from scheduling.party_pages import party_page
from scheduling.schedule_rules import DAY_NAMES
from scheduling.services import reservations
from scheduling.services.assessing import Party
from scheduling.services.limited import hold_within_limits

OnHeld = Callable[[HttpRequest, Reservation], HttpResponse]
ASKS_ONLY = "show_price"
WEEKDAYS = [(name[:2], name) for name in DAY_NAMES]


@require_GET
def show_organizations(request: HttpRequest) -> HttpResponse:
    """GET /: who sells here."""
    organizations = Organization.objects.filter(status=Organization.Status.ACTIVE).order_by("name")
    return render(request, "scheduling/organizations.html", {"organizations": organizations})


@require_GET
def show_organization(request: HttpRequest, organization: str) -> HttpResponse:
    """GET /{organization}/: what it sells."""
    found, activities = pages.organization_page(organization)
    context = {"organization": found, "activities": activities, "basket": open_basket(request, found.id)}
    return render(request, "scheduling/organization.html", context)


@require_GET
def show_activity(request: HttpRequest, organization: str, activity: str) -> HttpResponse:
    """GET /{organization}/{activity}/?month=&day=: the month, and the sessions of a day."""
    found = pages.find_activity(organization=organization, activity=activity)
    slugs = {"organization": organization, "activity": activity}
    return render_activity(
        request, found, here=f"{reverse('activity', kwargs=slugs)}?",
        book_url=lambda session_id: reverse("hold-session", kwargs={**slugs, "session_id": session_id}),
        basket=open_basket(request, found.organization_id),
    )  # fmt: skip


def render_activity(
    request: HttpRequest, activity: Activity, *, here: str, book_url: pages.BookUrl, **extra: object
) -> HttpResponse:
    """Render an activity's month and day, for the site or for a frame; `here` is its address, ready for a query."""
    page = pages.activity_page(activity, month=request.GET.get("month"), day=request.GET.get("day"), book_url=book_url)
    template = "scheduling/_calendar.html" if request.headers.get("HX-Request") else "scheduling/activity.html"
    live = settings.REALTIME_URL.replace("http", "ws", 1)
    context = {
        "page": page,
        "organization": activity.organization,
        "weekdays": WEEKDAYS,
        "live_url": f"{live}/ws/availability/?activity={activity.id}",
        "here": here,
        **extra,
    }
    response = render(request, template, context)
    response["Vary"] = "HX-Request"
    return response


@require_http_methods(["GET", "POST"])
def hold_session(request: HttpRequest, organization: str, activity: str, session_id: UUID) -> HttpResponse:
    """GET and POST /{organization}/{activity}/{session}/: how many come; then the hold, and on to the checkout."""
    found = pages.find_activity(organization=organization, activity=activity)
    here = reverse("activity", kwargs={"organization": organization, "activity": activity})
    held = own_hold(request, session_id)
    if held and request.method == "POST" and ASKS_ONLY not in request.POST:
        return redirect(f"{reverse('checkout', kwargs={'basket': held.basket})}?held=already")
    return answer_party(
        request, found, session_id, on_held=to_checkout, here=f"{here}?", proof=csrf_field(request), held=held,
        basket=open_basket(request, found.organization_id),
    )  # fmt: skip


def answer_party(
    request: HttpRequest, activity: Activity, session_id: UUID, *, on_held: OnHeld, basket: UUID | None = None,
    **context: object,
) -> HttpResponse:  # fmt: skip
    """Ask how many come, and hold their places; `on_held` leads on, `context` is the site's or the frame's.

    They go into the basket that is open, if one is.
    """
    form = PartyForm(request.POST or None, activity=activity)
    refusal: Refusal | None = None
    only_asks = ASKS_ONLY in request.POST  # the button of those whose browser does not add up
    if request.method == "POST" and form.is_valid() and not only_asks:
        try:
            return on_held(request, _hold(request, form, session_id, basket))
        except Refusal as refused:
            refusal = refused
    answer = check_slot_availability(session_id=session_id, organization_id=activity.organization_id)
    if answer.session["activity_id"] != activity.id:
        raise NotFound
    context |= {
        "activity": activity,
        "organization": activity.organization,
        "zone": activity.venue.zone,
        "session": pages.session_row(answer, activity.venue.zone),
        "party": party_page(form, activity, answer.session, priced=only_asks and form.is_valid()),
        "form": form,
        "refusal": refusal,
        "basket": basket,
    }
    response = render(request, "scheduling/party.html", context, status=refusal.status if refusal else 200)
    say_when(response, refusal)
    return response


def _hold(request: HttpRequest, form: PartyForm, session_id: UUID, basket: UUID | None) -> Reservation:
    """Hold the party as a visitor: the plain hold when everybody is of the default unit, and nothing else is wanted."""
    counts, extras = form.counts(), form.extra_counts()
    default = next((unit.id for unit in form.units if unit.is_default), None)
    is_plain = len(counts) == 1 and counts[0][0] == default and not extras

    def hold(parties: Sequence[Party]) -> list[Reservation]:
        if not is_plain:
            return reservations.reserve_parties(parties, email="", basket=basket)
        plain = reservations.reserve_slot(
            session_id=session_id, party_size=counts[0][1], email="", basket=basket,
            reservation_id=parties[0].reservation_id,
        )  # fmt: skip
        return [plain]

    party = Party(session_id=session_id, party_size=None, units=counts, extras=extras)
    return hold_within_limits(visitor_of(request), [party], hold, basket=basket)[0]


def to_checkout(request: HttpRequest, reservation: Reservation) -> HttpResponse:
    """Lead on to the basket's own pages, with its token."""
    return remember_basket(request, redirect("checkout", basket=reservation.basket), basket=reservation.basket)
