"""The door's page for staff: who is expected today, one tap to check in. Parse, one call, answer."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from bookings.check_in_codes import UnknownCode, booking_of_code
from bookings.door import Arrival, arrival_of, door_sessions
from bookings.models import Booking, Line
from bookings.services import attendance
from config.kit.clock import database_now
from config.kit.facts import Actor
from config.kit.refusals import NotFound, Refusal
from config.kit.visitors import staff_actor
from config.tenants.scoping import may, within
from scheduling.models import Venue

KIND, RIGHT = "bookings.booking", "check_in_lines"
KEPT = ("venue", "q", "code")  # what the page is asked for, and comes back to

View = Callable[..., HttpResponse]


def for_staff(view: View) -> View:
    """Let those in who may check people in somewhere; whoever is not signed in is told what this is."""

    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            if request.GET.get("code"):
                sign_in = f"{reverse('admin:login')}?{urlencode({'next': request.get_full_path()})}"
                return render(request, "staff/code_for_the_door.html", {"sign_in": sign_in})
            return redirect_to_login(request.get_full_path(), reverse("admin:login"))
        if not may(request, KIND, RIGHT):
            raise NotFound
        return view(request, **kwargs)

    return guarded


@require_GET
@for_staff
def show_door(request: HttpRequest) -> HttpResponse:
    """GET /staff/check-in/?venue=&q=&code=: today's sessions as lists, and what a code or a search finds."""
    now, venues = database_now(), list(_venues(request))
    refusal: Refusal | None = None
    scanned: Scanned | None = None
    if code := request.GET.get("code"):
        try:
            scanned = _scan(request, code)
        except UnknownCode as refused:
            refusal = refused
    chosen = request.GET.get("venue") or (scanned.venue_id if scanned else "")
    venue = next((row for row in venues if str(row.id) == str(chosen)), venues[0] if venues else None)
    search = request.GET.get("q", "")
    context = {
        "venues": venues, "venue": venue, "search": search, "now": now, "scanned": scanned, "refusal": refusal,
        "sessions": door_sessions(venue, now=now, search=search) if venue else [],
        "kept": {name: value for name in KEPT if (value := request.GET.get(name))},
    }  # fmt: skip
    return render(request, "staff/check_in.html", context, status=refusal.status if refusal else 200)


class Scanned:
    """What a code led to: a booking, and its lines as the door sees them."""

    def __init__(self, booking: Booking) -> None:
        rows = booking.lines.select_related("session__activity__venue").prefetch_related("links__participant")
        now = database_now()
        self.booking = booking
        self.arrivals: list[Arrival] = [
            arrival_of(line, line.session.activity.venue.zone, now) for line in rows.order_by("session__starts_at")
        ]
        self.venue_id: UUID | str = self.arrivals[0].line.session.activity.venue_id if self.arrivals else ""


def _scan(request: HttpRequest, code: str) -> Scanned:
    """Another organization's code is answered like one that nobody made."""
    booking = booking_of_code(code)
    if not may(request, KIND, RIGHT, booking):
        raise UnknownCode("This code is not of a booking here, or it is of before the booking changed hands.")
    return Scanned(booking)


def _venues(request: HttpRequest) -> Any:
    return within(request, Venue.objects.select_related("organization"), KIND, RIGHT).order_by("name", "id")


@require_POST
@for_staff
def note_attendance(request: HttpRequest, line_id: UUID) -> HttpResponse:
    """POST /staff/check-in/{line}/ with `act`: one tap; then back to the list."""
    line = Line.objects.filter(id=line_id).first()
    act = ACTS.get(request.POST.get("act", ""))
    if line is None or act is None or not may(request, KIND, RIGHT, line):
        raise NotFound
    try:
        act(line, staff_actor(request))
    except Refusal as refusal:
        messages.error(request, refusal.detail)
    kept = {name: value for name in KEPT if (value := request.POST.get(name))}
    return redirect(f"{reverse('check-in')}?{urlencode(kept)}#line-{line.id}")


def _came_after_all(line: Line, actor: Actor) -> Line:
    """Correct a no-show: while the session lasts they are here, afterwards they came."""
    if database_now() < line.session.ends_at:
        return attendance.check_in_line(line_id=line.id, actor=actor, reason_code="came_after_all")
    return attendance.set_outcome(line_id=line.id, outcome="completed", actor=actor, reason_code="came_after_all")


ACTS: Mapping[str, Callable[[Line, Actor], Line]] = {
    "check_in": lambda line, actor: attendance.check_in_line(line_id=line.id, actor=actor),
    "undo": lambda line, actor: attendance.undo_check_in(line_id=line.id, actor=actor),
    "came": lambda line, actor: attendance.set_outcome(line_id=line.id, outcome="completed", actor=actor),
    "missed": lambda line, actor: attendance.set_outcome(line_id=line.id, outcome="no_show", actor=actor),
    "came_after_all": _came_after_all,
    "missed_after_all": lambda line, actor: attendance.set_outcome(
        line_id=line.id, outcome="no_show", actor=actor, reason_code="noted_by_mistake"
    ),
}
