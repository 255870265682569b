"""Customer pages: change a booking, or cancel it. Each shows what it comes to before its button."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods

from bookings.forms import TransferForm
from bookings.models import Booking, Line
from bookings.money_pages import due_of_booking, settled_at
from bookings.orders import Contact
from bookings.people_forms import ComersForm
from bookings.policies import Consequence
from bookings.services import amendments, cancellation, changes, line_rows, party_changes, people, transfers
from bookings.views.booking import COOKIE, require_booking
from config.kit.embedding import allow_frames, embed_field, embedded
from config.kit.facts import Actor, ActorKind
from config.kit.forms import csrf_field
from config.kit.refusals import NotFound, Refusal
from config.kit.visitors import visit_detail
from scheduling.embeds import BASE
from scheduling.forms import PartyForm
from scheduling.models import Activity
from scheduling.pages import activity_page
from scheduling.views import WEEKDAYS

MOST_NAMES = 60


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody at the pages of their booking: on the site, or in a frame of another site."""

    request: HttpRequest
    booking: Booking
    here: str  # the address of the booking's own page
    proof: SafeString
    channel: str
    base: str = "base.html"

    @property
    def actor(self) -> Actor:
        """Return who does what is done here."""
        return Actor(kind=ActorKind.CUSTOMER, channel=self.channel, detail=visit_detail(self.request))

    @property
    def is_post(self) -> bool:
        """Was the button pressed?"""
        return self.request.method == "POST"

    @property
    def asked(self) -> Mapping[str, Any]:
        """Return what was sent: by the button, or by the address."""
        return self.request.POST if self.is_post else self.request.GET

    @property
    def seen(self) -> dict[str, int | None]:
        """Return what the page with the button showed: the booking's version, and the total it would come to."""
        return {"version": _number(self.asked.get("version")), "expected_total": _number(self.asked.get("total"))}

    def line(self) -> Line:
        """Return the line that is meant, or raise NotFound."""
        try:
            line_id = line_rows.only_line(self.booking, _uuid(self.asked.get("line")))
        except Refusal as refusal:
            raise NotFound from refusal
        rows = Line.objects.select_related("session__activity__venue", "session__activity__organization")
        return rows.prefetch_related("links__participant").get(id=line_id)

    def done(self, act: str) -> HttpResponse:
        """Lead back to the booking, which says so."""
        return redirect(f"{self.here}?done={act}")

    def page(self, name: str, *, refusal: Refusal | None = None, **context: object) -> HttpResponse:
        """Render a page of the booking; what was refused stands on it."""
        self.booking.refresh_from_db()
        context |= {
            "booking": self.booking, "organization": self.booking.organization, "here": self.here,
            "proof": self.proof, "base": self.base, "refusal": refusal,
        }  # fmt: skip
        if consequence := context.get("consequence"):
            context["settled"] = settled_at(self.booking, consequence.total_minor)  # type: ignore[attr-defined]
        status = refusal.status if refusal and self.is_post else 200
        return render(self.request, f"bookings/manage/{name}.html", context, status=status)


Answer = Callable[[Visit], HttpResponse]


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None  # noqa: PLR2004


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _attempt(act: Callable[[], object]) -> Refusal | None:
    """Do it; return what was refused."""
    try:
        act()
    except Refusal as refusal:
        return refusal
    return None


def _look(preview: Callable[[], Consequence], refusal: Refusal | None) -> tuple[Consequence | None, Refusal | None]:
    """Return what it would come to, or why it cannot be; what was refused already says more."""
    try:
        consequence = preview()
        amendments.require_allowed(consequence)
    except Refusal as refused:
        return None, refusal or refused
    return consequence, refusal


# Cancel -----------------------------------------------------------------------------------------------------------


def answer_cancel(visit: Visit) -> HttpResponse:
    """GET and POST …/cancel/?line=…: which of several lines; then what comes back, and the button."""
    rows = visit.booking.lines.filter(status=Line.Status.LIVE).select_related("session__activity__venue")
    live = list(rows.order_by("session__starts_at", "id"))
    named = {line_id for text in visit.asked.getlist("line") if (line_id := _uuid(text))}  # type: ignore[attr-defined]
    chosen = [line for line in live if line.id in named] if len(live) > 1 else live
    if not chosen:
        return visit.page("cancel", lines=live, is_choice=bool(live))
    ids = [line.id for line in chosen]
    refusal: Refusal | None = None
    if visit.is_post:
        refusal = _attempt(
            lambda: cancellation.cancel_booking(
                booking_id=visit.booking.id,
                lines=ids,
                actor=visit.actor,
                **visit.seen,  # type: ignore[arg-type]
            )
        )
        if refusal is None:
            return visit.done("cancel")
    consequence, refusal = _look(lambda: cancellation.preview_cancellation(visit.booking, visit.actor, ids), refusal)
    return visit.page(
        "cancel", refusal=refusal, consequence=consequence, lines=chosen, is_whole=len(chosen) == len(live)
    )


# Another time -----------------------------------------------------------------------------------------------------


def answer_time(visit: Visit) -> HttpResponse:
    """GET and POST …/time/?line=&session=: the calendar; then what the new time comes to, and the button."""
    line, session_id = visit.line(), _uuid(visit.asked.get("session"))
    if session_id is None:
        return _calendar(visit, line)
    refusal: Refusal | None = None
    if visit.is_post:
        refusal = _attempt(
            lambda: changes.move_line(
                line_id=line.id, session_id=session_id, actor=visit.actor,
                confirm_duplicate="confirm_duplicate" in visit.asked, **visit.seen,  # type: ignore[arg-type]
            )
        )  # fmt: skip
        if refusal is None:
            return visit.done("time")
    consequence, refusal = _look(lambda: changes.preview_move(visit.booking, line.id, session_id, visit.actor), refusal)
    target = line.session.activity.sessions.filter(id=session_id).first()
    if target is None:
        raise NotFound
    return visit.page(
        "move", refusal=refusal, consequence=consequence, line=line, target=target,
        zone=line.session.activity.venue.zone,
    )  # fmt: skip


def _calendar(visit: Visit, line: Line) -> HttpResponse:
    """Show the activity's month and day, each time leading to what it would come to."""
    here = f"{visit.here}time/?line={line.id}&"
    activity = line.session.activity
    month, day = visit.asked.get("month"), visit.asked.get("day")
    if not (month or day):
        day = f"{line.session.starts_at.astimezone(activity.venue.zone):%Y-%m-%d}"
    page = activity_page(
        activity, month=month, day=day,
        book_url=lambda session_id: f"{here}session={session_id}",
    )  # fmt: skip
    others = tuple(row for row in page.sessions if row.id != line.session_id)
    page = replace(page, sessions=others)
    return visit.page("time", page=page, line=line, weekdays=WEEKDAYS, calendar=here, zone=activity.venue.zone)


# More people, or fewer --------------------------------------------------------------------------------------------


def answer_party(visit: Visit) -> HttpResponse:
    """GET and POST …/party/?line=&unit-…: how many come; then what that comes to, and the button."""
    line = visit.line()
    activity: Activity = line.session.activity
    is_asked = any(name.startswith("unit-") for name in visit.asked)
    form = PartyForm(visit.asked if is_asked else None, activity=activity, initial=_counted(line))
    consequence: Consequence | None = None
    refusal: Refusal | None = None
    if is_asked and form.is_valid():
        units = form.counts()
        if visit.is_post:
            refusal = _attempt(
                lambda: party_changes.change_party(
                    line_id=line.id,
                    units=units,
                    actor=visit.actor,
                    **visit.seen,  # type: ignore[arg-type]
                )
            )
            if refusal is None:
                return visit.done("party")
        consequence, refusal = _look(
            lambda: party_changes.preview_party(visit.booking, line.id, visit.actor, units=units), refusal
        )
    return visit.page("party", refusal=refusal, consequence=consequence, line=line, form=form, rows=form.rows(),
                      zone=activity.venue.zone, )  # fmt: skip


def _counted(line: Line) -> dict[str, int]:
    """Return how many come now, by the form's own names."""
    counts: dict[str, int] = {f"unit-{unit.id}": 0 for unit in line.session.activity.units.all()}
    for entry in line.quote:
        if "unit" in entry:
            name = f"unit-{entry['unit']}"
            counts[name] = counts.get(name, 0) + entry["count"]
    return counts


# Who comes --------------------------------------------------------------------------------------------------------


def answer_people(visit: Visit) -> HttpResponse:
    """GET and POST …/people/?line=: a name for each who comes, and what consent needs where it is asked for."""
    line = visit.line()
    zone, rule = line.session.activity.venue.zone, visit.booking.organization.consent_under_age
    form = ComersForm(
        visit.asked if visit.is_post else None, known=line.people, places=min(line.party_size, MOST_NAMES),
        on=line.session.starts_at.astimezone(zone).date(), under_age=rule,
    )  # fmt: skip
    refusal: Refusal | None = None
    if visit.is_post and form.is_valid():
        refusal = _attempt(
            lambda: people.change_participants(
                line_id=line.id, participants=form.persons(), actor=visit.actor,
                version=visit.seen["version"], confirm_duplicate="confirm_duplicate" in visit.asked,
            )
        )  # fmt: skip
        if refusal is None:
            return visit.done("people")
    _, refusal = _look(lambda: people.preview_participants(visit.booking, line.id, visit.actor), refusal)
    return visit.page("people", refusal=refusal, line=line, rows=form.rows(), under_age=rule, zone=zone)


# Hand over --------------------------------------------------------------------------------------------------------


def answer_transfer(visit: Visit) -> HttpResponse:
    """GET and POST …/transfer/: to whom; it stays the giver's until they agree."""
    form = TransferForm(visit.request.POST if visit.is_post else None)
    refusal: Refusal | None = None
    if visit.is_post and form.is_valid():
        data = form.cleaned_data
        refusal = _attempt(
            lambda: transfers.offer_transfer(
                booking_id=visit.booking.id, contact=Contact(email=data["email"], name=data["name"]),
                actor=visit.actor, version=visit.seen["version"],
            )
        )  # fmt: skip
        if refusal is None:
            return visit.done("transfer")
    _, refusal = _look(lambda: people.preview_transfer(visit.booking, visit.actor), refusal)
    return visit.page("transfer", refusal=refusal, form=form, due=due_of_booking(visit.booking))


# On the site, and in frames ---------------------------------------------------------------------------------------

ANSWERS: Mapping[str, Answer] = {
    "cancel": answer_cancel,
    "time": answer_time,
    "party": answer_party,
    "people": answer_people,
    "transfer": answer_transfer,
}


def on_site(answer: Answer) -> Callable[..., HttpResponse]:
    """Let whoever has the booking's cookie in."""

    @require_http_methods(["GET", "POST"])
    @wraps(answer)
    def view(request: HttpRequest, number: str) -> HttpResponse:
        booking = require_booking(number, request.COOKIES.get(COOKIE))
        here = reverse("booking", kwargs={"number": number})
        return answer(Visit(request, booking, here, csrf_field(request), "web"))

    return view


def in_frame(answer: Answer) -> Callable[..., HttpResponse]:
    """Let whoever has the booking's address in, inside a frame that its venue allows."""

    @require_http_methods(["GET", "POST"])
    @embedded
    @wraps(answer)
    def view(request: HttpRequest, number: str, token: str) -> HttpResponse:
        booking = require_booking(number, token)
        here = reverse("embed-booking", kwargs={"number": number, "token": token})
        line = booking.lines.select_related("session__activity__venue").order_by("id")[0]
        venue = line.session.activity.venue
        response = answer(Visit(request, booking, here, embed_field(venue.id), "widget", BASE))
        return allow_frames(response, venue.allowed_embed_origins)

    return view


ON_SITE = {act: on_site(answer) for act, answer in ANSWERS.items()}
IN_FRAMES = {act: in_frame(answer) for act, answer in ANSWERS.items()}
