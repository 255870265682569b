"""Forms of staff that change what is sold: closures and openings, places and prices of many sessions.

They only read what was filled in; each leads to a rehearsal, and the services refuse what cannot be. What a service
refuses comes back to the field that it is about.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import time
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import QuerySet

from config.kit.money import exponent
from config.kit.refusals import FieldError, Refusal
from scheduling.models import Activity, ScheduleException, Venue
from scheduling.schedule_rules import DAY_NAMES

MOST_PRICE = 20_000_000  # in whole pounds or euros: what fits, in pence, into the database's integer
MOST_SESSIONS = 200  # chosen one by one; more are chosen by their dates


class DateField(forms.DateField):
    """A date of the venue, by the browser's own calendar."""

    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    default_error_messages = {"required": "Choose a date.", "invalid": "Write the date as year-month-day."}


class ClockField(forms.TimeField):
    """A time on the venue's wall."""

    widget = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    default_error_messages = {"required": "Give a time.", "invalid": "Write the time as HH:MM."}


class ChangeForm(forms.Form):
    """A form whose service may still refuse it."""

    field_names: Mapping[str, str] = {}  # what services call a field: its name here, where that differs

    def put_refusal(self, refusal: Refusal) -> None:
        """Say what was refused at the fields that it is about; what is about none of them, above the form."""
        self.put_errors(refusal.errors or [FieldError("", refusal.code, refusal.detail)])

    def put_errors(self, errors: Iterable[FieldError]) -> None:
        """Put each error at its field, unless that one has been told already what is wrong with it."""
        told = set(self.errors)
        for error in errors:
            name = self.field_name(error.field.removeprefix("parameters."))
            if name not in told:
                self.add_error(name, self.words_of(error))

    def field_name(self, path: str) -> str | None:
        """Return the field that a path of a service means, or None."""
        name = self.field_names.get(path, path)
        return name if name in self.fields else None

    def words_of(self, error: FieldError) -> str:
        """Return what a person is told."""
        return error.detail


def sentences(errors: Iterable[FieldError]) -> list[str]:
    """Return each error with the name of the field that it is about."""
    return [f"{error.field}: {error.detail}" if error.field else error.detail for error in errors]


class ActivityForm(ChangeForm):
    """Whose sessions it is about."""

    activity = forms.ModelChoiceField(
        Activity.objects.none(), empty_label="Choose an activity", error_messages={"required": "Choose an activity."}
    )

    def __init__(self, *args: Any, activities: QuerySet[Activity], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice = self.fields["activity"]
        choice.queryset = activities  # type: ignore[attr-defined]
        choice.label_from_instance = lambda activity: f"{activity.name} ({activity.organization})"  # type: ignore[attr-defined]


# Closures and extra openings ----------------------------------------------------------------------------------------


class ExceptionForm(ChangeForm):
    """Dates on which a timetable does not hold as it is."""

    kind = forms.ChoiceField(
        label="What is it?", widget=forms.RadioSelect, initial=ScheduleException.Kind.CLOSURE,
        choices=[("closure", "Closed: nothing takes place"), ("opening", "Open besides the timetable")],
    )  # fmt: skip
    place = forms.ChoiceField(label="Where", error_messages={"required": "Choose a venue or an activity."})
    first_date = DateField(label="First day")
    last_date = DateField(label="Last day", required=False, help_text="Empty: the first day alone.")
    from_time = ClockField(label="From", required=False, help_text="Empty: the whole day. An opening needs hours.")
    to_time = ClockField(label="To", required=False, help_text="At or before the beginning: the next day.")
    capacity = forms.IntegerField(
        label="Places in each session", required=False, help_text="Of an opening. Empty: as in the timetable."
    )
    reason = forms.CharField(
        label="Why, in words for customers", max_length=200, help_text="“Closed for the regatta.”",
        error_messages={"required": "Say why, as customers may read it."},
    )  # fmt: skip

    field_names = {"venue": "place", "activity": "place", "venue_id": "place", "activity_id": "place"}

    def __init__(self, *args: Any, venues: QuerySet[Venue], activities: QuerySet[Activity], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._places: dict[str, tuple[UUID, UUID | None]] = {f"venue:{venue.id}": (venue.id, None) for venue in venues}
        self._places |= {f"activity:{each.id}": (each.venue_id, each.id) for each in activities}
        self.fields["place"].choices = [  # type: ignore[attr-defined]
            ("", "Choose a venue or an activity"),
            ("The whole venue", [(f"venue:{venue.id}", f"{venue.name} ({venue.organization})") for venue in venues]),
            ("One activity", [(f"activity:{each.id}", f"{each.name} ({each.venue})") for each in activities]),
        ]

    @property
    def owner(self) -> tuple[UUID, UUID | None]:
        """Return the venue, and the activity when it is about one alone."""
        return self._places[self.cleaned_data["place"]]

    def parameters(self) -> dict[str, Any]:
        """Return what a rehearsal of it is asked for."""
        values = self.cleaned_data
        return {
            "first_date": values["first_date"].isoformat(),
            "last_date": (values["last_date"] or values["first_date"]).isoformat(),
            "from_time": _clock(values["from_time"]),
            "to_time": _clock(values["to_time"]),
            "capacity": values["capacity"],
            "reason": values["reason"],
        }


# Many sessions at once ----------------------------------------------------------------------------------------------

WEEKDAY_CHOICES = [(str(weekday), name) for weekday, name in enumerate(DAY_NAMES)]


class SessionsForm(ChangeForm):
    """Other places, or another price, for some sessions of an activity: chosen one by one, or by days and hours."""

    what = forms.ChoiceField(
        label="What changes", widget=forms.RadioSelect, initial="capacity",
        choices=[("capacity", "The number of places"), ("price", "The price of one place"),
                 ("usual", "Back to the usual price"),
                 ("close", "They will not take place: those who booked may move or cancel, without a fee")],
    )  # fmt: skip
    capacity = forms.IntegerField(label="Places", required=False)
    price = forms.DecimalField(label="Price", required=False, min_value=0, max_value=MOST_PRICE)
    reason = forms.CharField(
        label="Why they will not take place", required=False, max_length=200, help_text="Those who booked are told."
    )
    first_date = DateField(label="First day", required=False)
    last_date = DateField(label="Last day", required=False)
    weekdays = forms.TypedMultipleChoiceField(
        label="On", required=False, coerce=int, choices=WEEKDAY_CHOICES, widget=forms.CheckboxSelectMultiple,
        help_text="None: on every day.",
    )  # fmt: skip
    from_time = ClockField(label="That start from", required=False)
    to_time = ClockField(label="To", required=False)

    field_names = {"price_minor": "price", "sessions": "first_date"}
    SELECTION = ("first_date", "last_date", "weekdays", "from_time", "to_time")

    def __init__(self, *args: Any, activity: Activity, sessions: Sequence[UUID] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.activity, self.sessions = activity, sessions
        self._digits = exponent(activity.currency)
        self.fields["price"].label = f"Price, in {activity.currency}"
        self.fields["price"].widget.attrs["step"] = str(Decimal(1).scaleb(-self._digits))
        if sessions:
            for name in self.SELECTION:
                del self.fields[name]

    @property
    def selection(self) -> list[forms.BoundField]:
        """Return the fields that choose by days and hours."""
        return [self[name] for name in self.SELECTION if name in self.fields]

    def clean(self) -> dict[str, Any]:
        """Ask for what the choice needs."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        what = values.get("what")
        if what == "capacity" and values.get("capacity") is None and "capacity" not in self.errors:
            self.add_error("capacity", "Say how many places.")
        if what == "price" and "price" not in self.errors:
            self._check_price(values.get("price"))
        if what == "close" and not values.get("reason"):
            self.add_error("reason", "Say why, in words for those who booked.")
        if not self.sessions:
            for name in ("first_date", "last_date"):
                if values.get(name) is None and name not in self.errors:
                    self.add_error(name, "Choose a date.")
        return values

    def _check_price(self, price: Decimal | None) -> None:
        if price is None:
            self.add_error("price", "Say what one place costs.")
        elif price != round(price, self._digits):
            self.add_error("price", f"A price in {self.activity.currency} has {self._digits} digits after the point.")

    @property
    def kind(self) -> str:
        """Return the kind of change that it is."""
        what: str = self.cleaned_data["what"]
        return what if what in ("capacity", "close") else "price"

    def parameters(self) -> dict[str, Any]:
        """Return what a rehearsal of it is asked for."""
        return {**self._change(), **self._selection()}

    def _change(self) -> dict[str, Any]:
        values = self.cleaned_data
        if values["what"] == "capacity":
            return {"capacity": values["capacity"]}
        if values["what"] == "close":
            return {"reason": values["reason"]}
        return {"price_minor": int(values["price"].scaleb(self._digits)) if values["what"] == "price" else None}

    def _selection(self) -> dict[str, Any]:
        if self.sessions:
            return {"sessions": [str(session) for session in self.sessions]}
        values = self.cleaned_data
        return {
            "first_date": values["first_date"].isoformat(),
            "last_date": values["last_date"].isoformat(),
            "weekdays": sorted(values["weekdays"]),
            "from_time": _clock(values["from_time"]),
            "to_time": _clock(values["to_time"]),
        }


def _clock(at: time | None) -> str | None:
    return None if at is None else at.isoformat("minutes")
