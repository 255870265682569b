"""Customer pages: wait for a full session, see how it stands, take what is offered. Parse, one call, answer."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from bookings.models import WaitlistEntry
from bookings.services import waitlist
from bookings.wait_forms import WaitForm
from bookings.waiting import wait_of
from config.kit.cookies import give_cookie
from config.kit.facts import Actor, ActorKind
from config.kit.idempotency import Claim
from config.kit.refusals import NotFound, Refusal
from config.kit.tokens import is_valid_token
from config.kit.visitors import visit_detail
from scheduling import pages
from scheduling.availability import check_slot_availability
from scheduling.models import Activity
from scheduling.party_pages import party_page
from scheduling.views import to_checkout

COOKIE = "waitlist"
COOKIE_SECONDS = 60 * 24 * 60 * 60


def _actor(request: HttpRequest) -> Actor:
    """Return whoever waits as facts name them; what is personal goes beside the fact."""
    return Actor(kind=ActorKind.CUSTOMER, channel="web", detail=visit_detail(request))


# Joining ----------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def join_waitlist(request: HttpRequest, organization: str, activity: str, session_id: UUID) -> HttpResponse:
    """GET and POST /{organization}/{activity}/{session}/wait/: who waits, and for what."""
    found = pages.find_activity(organization=organization, activity=activity)
    answer = check_slot_availability(session_id=session_id, organization_id=found.organization_id)
    if answer.session["activity_id"] != found.id:
        raise NotFound
    session = pages.session_row(answer, found.venue.zone)
    form = WaitForm(request.POST or None, activity=found, others=_others(found, session))
    refusal: Refusal | None = None
    if request.method == "POST" and form.is_valid():
        try:
            return _to_wait(_join(request, form, session_id))
        except Refusal as refused:
            refusal = refused
    context = {
        "activity": found, "organization": found.organization, "zone": found.venue.zone, "session": session,
        "form": form, "party": party_page(form, found, answer.session, priced=False), "refusal": refusal,
        "here": reverse("activity", kwargs={"organization": organization, "activity": activity}),
        "book_url": reverse(
            "hold-session", kwargs={"organization": organization, "activity": activity, "session_id": session_id}
        ),
    }  # fmt: skip
    return render(request, "bookings/waitlist_join.html", context, status=refusal.status if refusal else 200)


def _others(activity: Activity, session: pages.SessionRow) -> list[pages.SessionRow]:
    """Return the other sessions of the day that one can wait for."""
    day = session.starts_at.astimezone(activity.venue.zone).date()
    rows = pages.sessions_of_day(activity, day, pages.nowhere)
    return [row for row in rows if row.can_wait and row.id != session.id]


def _join(request: HttpRequest, form: WaitForm, session_id: UUID) -> WaitlistEntry:
    once = form.cleaned_data["once"]
    return waitlist.join_waitlist(
        wish=form.wish(session_id), contact=form.contact(), actor=_actor(request),
        claim=Claim(id=once, fingerprint=once) if once else None,
    )  # fmt: skip


def _to_wait(entry: WaitlistEntry) -> HttpResponse:
    return redirect("open-wait", entry_id=entry.id, token=entry.token)


# Waiting ----------------------------------------------------------------------------------------------------------


@require_GET
def open_wait(request: HttpRequest, entry_id: UUID, token: str) -> HttpResponse:
    """GET /waitlist/{id}.{token}/: the token becomes a cookie and leaves the address."""
    _require_entry(entry_id, token)
    response = redirect("wait", entry_id=entry_id)
    return give_cookie(
        request, response, name=COOKIE, value=token, path=f"/waitlist/{entry_id}/", seconds=COOKIE_SECONDS
    )


def _require_entry(entry_id: UUID, token: str | None) -> None:
    """Raise NotFound unless this token opens the entry."""
    version = WaitlistEntry.objects.filter(id=entry_id).values_list("token_version", flat=True).first()
    if version is None or not is_valid_token(token, purpose="waitlist", subject=entry_id, version=version):
        raise NotFound


@require_GET
def show_wait(request: HttpRequest, entry_id: UUID) -> HttpResponse:
    """GET /waitlist/{id}/: where the party stands, or what it is offered; its own script asks for the part alone."""
    _require_entry(entry_id, request.COOKIES.get(COOKIE))
    return _render_wait(request, entry_id)


def _render_wait(request: HttpRequest, entry_id: UUID, refusal: Refusal | None = None) -> HttpResponse:
    wait = wait_of(entry_id)
    organization, activity = wait.entry.organization, wait.activity
    context = {
        "wait": wait, "entry": wait.entry, "organization": organization, "activity": activity, "refusal": refusal,
        "activity_url": reverse(
            "activity", kwargs={"organization": organization.slug, "activity": activity.slug}
        ),
    }  # fmt: skip
    template = "bookings/_waitlist_state.html" if request.headers.get("HX-Request") else "bookings/waitlist.html"
    response = render(request, template, context, status=refusal.status if refusal else 200)
    response["Vary"] = "HX-Request"
    response["Cache-Control"] = "no-store"
    return response


@require_POST
def accept_offer(request: HttpRequest, entry_id: UUID) -> HttpResponse:
    """POST /waitlist/{id}/accept/: on to the checkout, with the places that are offered."""
    _require_entry(entry_id, request.COOKIES.get(COOKIE))
    try:
        return to_checkout(request, waitlist.accept_offer(entry_id=entry_id))
    except Refusal as refusal:
        return _render_wait(request, entry_id, refusal)


@require_POST
def leave_waitlist(request: HttpRequest, entry_id: UUID) -> HttpResponse:
    """POST /waitlist/{id}/leave/: wait no more; what was offered goes to the next."""
    _require_entry(entry_id, request.COOKIES.get(COOKIE))
    try:
        waitlist.leave_waitlist(entry_id=entry_id, actor=_actor(request))
    except Refusal as refusal:
        return _render_wait(request, entry_id, refusal)
    return redirect("wait", entry_id=entry_id)
