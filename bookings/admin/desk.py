"""Book for a caller: the desk's own way in, through the same service and the same refusals as everybody's."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict

from bookings.models import Booking
from bookings.services import checkout
from bookings.services.checkout import Contact, Terms, Wanted
from bookings.services.duplicates import DuplicateBooking
from config.kit.refusals import Refusal
from config.kit.visitors import staff_actor
from config.tenants.scoping import may, within
from payments.methods import PaymentMethod
from payments.services.charges import can_pay_online
from scheduling import pages
from scheduling.forms import PartyForm
from scheduling.models import Activity
from scheduling.services.assessing import NotEnoughPlaces, Party
from scheduling.today import latest_today

KIND = "bookings.booking"
OVERBOOK = "overbook_sessions"  # the right
CODES = ("promo_code", "voucher")


class DayForm(forms.Form):
    """Which activity, and on which day at its venue."""

    activity = forms.ModelChoiceField(Activity.objects.none(), empty_label="Choose an activity")
    day = forms.DateField(
        label="Day", widget=forms.DateInput(attrs={"type": "date"}), error_messages={"required": "Choose a day."}
    )

    def __init__(self, data: QueryDict | None, *, activities: QuerySet[Activity]) -> None:
        super().__init__(data, initial={"day": latest_today(activities.values("organization"))})
        choice = self.fields["activity"]
        choice.queryset = activities  # type: ignore[attr-defined]
        choice.label_from_instance = lambda activity: f"{activity.name} ({activity.organization})"  # type: ignore[attr-defined]


class CallerForm(PartyForm):
    """Who calls, how many come, and to which session."""

    session = forms.TypedChoiceField(
        coerce=UUID, widget=forms.RadioSelect, error_messages={"required": "Choose a session."}
    )
    name = forms.CharField(max_length=200, error_messages={"required": "Ask for the name."})
    email = forms.EmailField(label="E-mail", error_messages={"required": "Ask for the e-mail address."})
    phone = forms.CharField(max_length=40, required=False, widget=forms.TextInput(attrs={"type": "tel"}))
    payment_method = forms.ChoiceField(
        widget=forms.RadioSelect, required=False, label="How it is paid",
        help_text="With a link, the places are kept for some minutes. What costs nothing is booked at once.",
    )  # fmt: skip
    promo_code = forms.CharField(max_length=60, required=False, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    voucher = forms.CharField(max_length=40, required=False, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    confirm_duplicate = forms.BooleanField(required=False, label="A second booking is meant")
    duplicate_reason = forms.CharField(
        max_length=500, required=False, label="It is meant because", help_text="It is kept with the booking."
    )
    overbook_reason = forms.CharField(
        max_length=500, required=False, label="Beyond the capacity, because",
        help_text="Only where places are short. It is noted for good, with your name.",
    )  # fmt: skip

    def __init__(
        self, data: QueryDict | None, *, activity: Activity, sessions: Sequence[pages.SessionRow], may_overbook: bool
    ) -> None:
        super().__init__(data, activity=activity)
        self.asks_about_duplicate = False
        self.is_short = False
        self.fields["session"].choices = [  # type: ignore[attr-defined]
            (str(row.id), row.clock) for row in sessions if row.is_available or (may_overbook and row.is_full)
        ]
        ways = _ways_to_pay(activity)
        self.fields["payment_method"].choices = ways  # type: ignore[attr-defined]
        self.fields["payment_method"].initial = ways[0][0] if ways else None
        if not ways:
            del self.fields["payment_method"]
        if not may_overbook:  # then nobody reads what is sent under this name
            del self.fields["overbook_reason"]

    @property
    def choosable(self) -> set[str]:
        """Return the sessions that can be chosen."""
        return {value for value, _ in self.fields["session"].choices}  # type: ignore[attr-defined]

    def clean_email(self) -> str:
        """Without case: A@x and a@x are one customer."""
        return str(self.cleaned_data["email"]).lower()


def _ways_to_pay(activity: Activity) -> list[tuple[str, str]]:
    """Return how it can be paid for, the plainest first."""
    on_arrival = [(PaymentMethod.PAY_ON_ARRIVAL.value, "On arrival")] if activity.pay_on_arrival else []
    online = [(PaymentMethod.ONLINE.value, "Now, with a link to the payment page")]
    return [*on_arrival, *(online if can_pay_online(activity.organization_id) else [])]


class Desk:
    """One visit to the page: what was asked for so far, and what can be booked."""

    def __init__(self, request: HttpRequest) -> None:
        rows = Activity.objects.on_sale().select_related("organization", "venue").prefetch_related("units")
        activities = within(request, rows, KIND, "add").order_by("organization__name", "name")
        self.request = request
        self.day_form = DayForm(request.GET or None, activities=activities)
        self.refused = 200  # the answer's HTTP status
        self.activity: Activity | None = None
        self.sessions: list[pages.SessionRow] = []
        self.form: CallerForm | None = None
        if self.day_form.is_valid():
            self._find(self.day_form.cleaned_data["activity"], self.day_form.cleaned_data["day"])

    def _find(self, activity: Activity, day: date) -> None:
        self.activity = activity
        self.sessions = list(pages.sessions_of_day(activity, day, lambda _: ""))
        may_overbook = may(self.request, KIND, OVERBOOK, activity)
        self.form = CallerForm(
            self.request.POST or None, activity=activity, sessions=self.sessions, may_overbook=may_overbook
        )

    def book(self) -> Booking | None:
        """Book what was filled in; or put everything that is in the way on the form, and write nothing."""
        if self.form is None or self.activity is None or not self.form.is_valid():
            self.refused = 422
            return None
        try:
            return _book(self.request, self.activity, self.form)
        except DuplicateBooking as refusal:
            self._ask_about(refusal, self.form)
        except Refusal as refusal:
            self.refused = refusal.status
            self.form.is_short = isinstance(refusal, NotEnoughPlaces)
            self._say(refusal, self.form)
        return None

    def _say(self, refusal: Refusal, form: CallerForm) -> None:
        """Put what is about a code at its field, the rest above."""
        own = [error for error in refusal.errors if error.field in CODES]
        for error in own:
            form.add_error(error.field, error.detail)
        if len(own) < max(len(refusal.errors), 1):
            form.add_error(None, _sentences(refusal))

    def _ask_about(self, refusal: DuplicateBooking, form: CallerForm) -> None:
        self.refused = refusal.status
        form.asks_about_duplicate = True
        numbers = ", ".join(booking.number for booking in refusal.existing)
        form.add_error(None, f"This address has booked this already: {numbers}. If a second booking is meant, say so.")

    def context(self) -> dict[str, Any]:
        """Return what the page shows."""
        return {"desk": self, "day_form": self.day_form, "form": self.form}


def _book(request: HttpRequest, activity: Activity, form: CallerForm) -> Booking:
    data = form.cleaned_data
    party = Party(session_id=data["session"], party_size=None, units=form.counts(), extras=form.extra_counts())
    return checkout.book_lines(
        lines=[Wanted(party)],
        contact=Contact(email=data["email"], name=data["name"], phone=data["phone"]),
        terms=Terms(
            payment_method=data.get("payment_method") or None, confirm_duplicate=data["confirm_duplicate"],
            duplicate_reason=data["duplicate_reason"], promo_code=data["promo_code"], voucher=data["voucher"],
        ),
        actor=staff_actor(request),
        organization_id=activity.organization_id,
        overbook_reason=data.get("overbook_reason", "").strip(),
    )  # fmt: skip


def _sentences(refusal: Refusal) -> list[str]:
    """Return everything that the refusal says, each thing once."""
    details = [error.detail for error in refusal.errors if error.detail not in refusal.detail]
    return [refusal.detail, *details]
