"""What staff do to somebody's booking: cancel, another time, more or fewer, hand over. Each is seen before it is done.

The guards are the customers' own; the deadlines are not, and whoever may can waive the fee. A reason is always given.
"""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from bookings.models import Booking, Line
from bookings.orders import Contact
from bookings.policies import Consequence
from bookings.services import amendments, cancellation, changes, party_changes, people
from config.kit.admin import AskingMay, ShownAdmin
from config.kit.display import clock_text, day_text
from config.kit.facts import Actor
from config.kit.refusals import Refusal
from config.kit.visitors import staff_actor
from scheduling import pages
from scheduling.models import Activity

CANCEL, CHANGE, WAIVE = "cancel_bookings", "change_bookings", "waive_fees"  # the rights

if TYPE_CHECKING:

    class Page(ShownAdmin):
        """What it is mixed into."""

else:
    Page = AskingMay


class ActForm(forms.Form):
    """What every act asks: why, and whether the fee is waived."""

    title = ""
    button = ""
    right = CHANGE
    costs = True

    reason = forms.CharField(
        max_length=500, label="Why", help_text="Kept with the booking, with your name. The customer does not see it.",
        error_messages={"required": "Say why: it is kept with the booking."},
    )  # fmt: skip
    waive_fee = forms.BooleanField(required=False, label="Without the fee")

    def __init__(self, data: QueryDict | None, *, booking: Booking, asked: QueryDict, may_waive: bool) -> None:
        super().__init__(data)
        self.booking = booking
        self.asked = asked
        self.order_fields([*(name for name in self.fields if name not in ("reason", "waive_fee")), "reason"])
        if not (may_waive and self.costs):
            del self.fields["waive_fee"]

    @property
    def fee(self) -> dict[str, Any]:
        """Return whether the fee is waived."""
        return {"waive_fee": self.cleaned_data.get("waive_fee", False)}

    def live(self) -> list[Line]:
        """Return the lines that are not cancelled."""
        rows = self.booking.lines.filter(status=Line.Status.LIVE).select_related("session__activity__venue")
        return list(rows.order_by("session__starts_at", "id"))

    def preview(self, actor: Actor) -> Consequence:
        """Say what it comes to."""
        raise NotImplementedError

    def do(self, actor: Actor, version: int) -> Booking:
        """Do it."""
        raise NotImplementedError


class CancelForm(ActForm):
    """Cancel the booking, or lines of it."""

    title, button, right = "Cancel", "Cancel it", CANCEL
    lines = forms.TypedMultipleChoiceField(
        coerce=UUID, widget=forms.CheckboxSelectMultiple, error_messages={"required": "Choose what is cancelled."}
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(line.id), name_of_line(line)) for line in self.live()]
        self.fields["lines"].choices = choices  # type: ignore[attr-defined]
        self.fields["lines"].initial = [value for value, _ in choices]

    def preview(self, actor: Actor) -> Consequence:
        """Say what comes back."""
        return cancellation.preview_cancellation(self.booking, actor, self.cleaned_data["lines"], **self.fee)

    def do(self, actor: Actor, version: int) -> Booking:
        """Cancel the chosen lines."""
        return cancellation.cancel_booking(
            booking_id=self.booking.id, lines=self.cleaned_data["lines"], actor=actor, version=version, **self.fee
        )


class LineForm(ActForm):
    """About one line: the one in the address, or the first."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        live = self.live()
        self.line = next((line for line in live if str(line.id) == self.asked.get("line")), live[0] if live else None)

    @property
    def line_id(self) -> UUID:
        """Return the line that is meant, or refuse."""
        if self.line is None:
            raise amendments.unknown_line()
        return self.line.id


class MoveForm(LineForm):
    """Another time, on the day in the address."""

    title, button = "Another time", "Move it"
    session = forms.TypedChoiceField(
        coerce=UUID, widget=forms.RadioSelect, error_messages={"required": "Choose a session."}
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["session"].choices = []  # type: ignore[attr-defined]
        if self.line:
            zone = self.line.session.activity.venue.zone
            self.day = _date(self.asked.get("day")) or self.line.session.starts_at.astimezone(zone).date()
            rows = pages.sessions_of_day(self.line.session.activity, self.day, pages.nowhere)
            others = [row for row in rows if row.is_available and row.id != self.line.session_id]
            choices = [(str(row.id), f"{row.clock}, {row.spots} left") for row in others]
            self.fields["session"].choices = choices  # type: ignore[attr-defined]

    def preview(self, actor: Actor) -> Consequence:
        """Say what the new time comes to."""
        return changes.preview_move(self.booking, self.line_id, self.cleaned_data["session"], actor, **self.fee)

    def do(self, actor: Actor, version: int) -> Booking:
        """Move the line; a second booking of the same is meant, for the reason that is given."""
        return changes.move_line(
            line_id=self.line_id, session_id=self.cleaned_data["session"], actor=actor, version=version,
            confirm_duplicate=True, **self.fee,
        )  # fmt: skip


class PartySizeForm(LineForm):
    """More people, or fewer."""

    title, button = "More people, or fewer", "Change the number"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        counts = _counted(self.line) if self.line else {}
        activity: Activity | None = self.line.session.activity if self.line else None
        for unit in activity.units.all() if activity else ():
            self.fields[f"unit-{unit.id}"] = forms.IntegerField(
                min_value=0, required=False, label=unit.name, initial=counts.get(str(unit.id), 0)
            )
        self.order_fields([name for name in self.fields if name.startswith("unit-")])

    @property
    def units(self) -> tuple[tuple[UUID, int], ...]:
        """Return who is to come."""
        found = ((name.removeprefix("unit-"), self.cleaned_data[name] or 0) for name in self.fields if "unit-" in name)
        return tuple((UUID(unit), count) for unit, count in found if count)

    def preview(self, actor: Actor) -> Consequence:
        """Say what the other party comes to."""
        return party_changes.preview_party(self.booking, self.line_id, actor, units=self.units, **self.fee)

    def do(self, actor: Actor, version: int) -> Booking:
        """Change the party."""
        return party_changes.change_party(
            line_id=self.line_id, units=self.units, actor=actor, version=version, **self.fee
        )


class HandOverForm(ActForm):
    """To somebody else."""

    title, button, costs = "Hand over", "Hand it over", False
    name = forms.CharField(max_length=200, error_messages={"required": "Give the new customer's name."})
    email = forms.EmailField(label="E-mail", error_messages={"required": "Give the new customer's address."})

    def clean_email(self) -> str:
        """Without case: A@x and a@x are one customer."""
        return str(self.cleaned_data["email"]).lower()

    def preview(self, actor: Actor) -> Consequence:
        """Say that it costs nothing."""
        return people.preview_transfer(self.booking, actor)

    def do(self, actor: Actor, version: int) -> Booking:
        """Hand it over."""
        contact = Contact(email=self.cleaned_data["email"], name=self.cleaned_data["name"])
        return people.transfer_booking(booking_id=self.booking.id, contact=contact, actor=actor, version=version)


FORMS: Mapping[str, type[ActForm]] = {
    "cancel": CancelForm,
    "move": MoveForm,
    "party": PartySizeForm,
    "hand-over": HandOverForm,
}


def name_of_line(line: Line) -> str:
    """Return what a line is, when, and for how many."""
    zone = line.session.activity.venue.zone
    at = line.session.starts_at
    return f"{line.session.activity.name}, {day_text(at, zone)}, {clock_text(at, zone)}, for {line.party_size}"


def _counted(line: Line) -> dict[str, int]:
    counts: dict[str, int] = {}
    for entry in line.quote:
        if "unit" in entry:
            counts[entry["unit"]] = counts.get(entry["unit"], 0) + entry["count"]
    return counts


def _date(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


class BookingActs(Page):
    """Mixed in before the booking's page: a page for each act."""

    def get_urls(self) -> list[URLPattern]:
        """Have an address for each."""
        view = self.admin_site.admin_view(self.act_view)
        pages_of_acts = [
            path(f"<uuid:booking_id>/{act}/", view, {"act": act}, name=f"bookings_booking_{act}") for act in FORMS
        ]
        return [*pages_of_acts, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show which acts this person may do with the booking as it is now."""
        booking: Booking | None = context["original"]
        if booking is not None and booking.status in cancellation.OPEN:
            context["act_pages"] = [
                (f"../{act}/", form.title) for act, form in FORMS.items() if self.may(request, form.right, booking)
            ]
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return response

    def act_view(self, request: HttpRequest, booking_id: UUID, act: str) -> HttpResponse:
        """Ask, show what it comes to, and do it when that was pressed."""
        booking = self.get_queryset(request).filter(id=booking_id).first()
        if booking is None:
            raise Http404
        kind = FORMS[act]
        if not self.may(request, kind.right, booking):
            raise PermissionDenied
        data = request.POST if request.method == "POST" else None
        form = kind(data, booking=booking, asked=request.GET, may_waive=self.may(request, WAIVE, booking))
        refusal, consequence = None, None
        if form.is_valid():
            actor = staff_actor(request, form.cleaned_data["reason"])
            try:
                if "do" in request.POST:
                    return self._done(request, form, form.do(actor, asked_version(request)))
                consequence = form.preview(actor)
                amendments.require_allowed(consequence)
            except Refusal as refused:
                refusal, consequence = refused, None
        context = {
            **self.admin_site.each_context(request), "title": f"{form.title}: booking {booking.number}",
            "opts": self.opts, "booking": booking, "form": form, "consequence": consequence, "refusal": refusal,
            "name_of": name_of_line(form.line) if isinstance(form, LineForm) and form.line else "",
            "others": _others(form),
        }  # fmt: skip
        wrong = 422 if form.is_bound and form.errors else 200
        status = refusal.status if refusal else wrong
        return TemplateResponse(request, "admin/bookings/booking/act.html", context, status=status)

    def _done(self, request: HttpRequest, form: ActForm, booking: Booking) -> HttpResponse:
        self.log_change(request, booking, f"{form.title}: {form.cleaned_data['reason']}"[:200])
        self.message_user(request, f"Done: booking {booking.number}.", messages.SUCCESS)
        return redirect("admin:bookings_booking_change", booking.id)


def asked_version(request: HttpRequest) -> int:
    """Return the version that the page showed; what it cannot be matches none."""
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _others(form: ActForm) -> list[tuple[str, str]]:
    """Return the other lines that the page could be about."""
    if not isinstance(form, LineForm):
        return []
    return [(str(line.id), name_of_line(line)) for line in form.live() if form.line and line.id != form.line.id]
