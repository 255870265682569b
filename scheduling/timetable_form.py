"""The editor of a timetable: a row a weekday, or the text that programs write; both lead to the same rules."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms

from config.kit.refusals import FieldError
from scheduling.models import Activity, ScheduleVersion
from scheduling.schedule_forms import ChangeForm, DateField, sentences
from scheduling.schedule_rules import DAY_NAMES, SLOT_KEYS, Rules, ScheduleProblem, parse_rules, rules_document

EXAMPLE: Mapping[str, Any] = {
    "operatingDays": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"], "startTime": "09:00",
    "endTime": "17:00", "slotInterval": 60, "duration": 60, "capacity": 12,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DayRow:
    """A weekday of the editor: is it open, and has it hours of its own?"""

    name: str
    open: forms.BoundField
    opens: forms.BoundField
    closes: forms.BoundField

    @property
    def fields(self) -> tuple[forms.BoundField, ...]:
        """Return all three, for their errors."""
        return (self.open, self.opens, self.closes)

    @property
    def is_wrong(self) -> bool:
        """Is anything the matter with it?"""
        return any(field.errors for field in self.fields)


class TimetableForm(ChangeForm):
    """A timetable for an activity, from a date on: in fields, or as the text that programs write."""

    effective_from = DateField(label="In force from", help_text="A date at the venue.")
    effective_to = DateField(
        label="Until", required=False, help_text="The first day on which it does not hold. Empty: for good."
    )
    start_time = forms.CharField(label="Opens", required=False, widget=forms.TextInput(attrs={"type": "time"}))
    end_time = forms.CharField(
        label="Closes", required=False, widget=forms.TextInput(attrs={"type": "time"}),
        help_text="At or before the opening: the next day.",
    )  # fmt: skip
    slot_interval = forms.IntegerField(label="A session every … minutes", required=False)
    duration = forms.IntegerField(
        label="Each lasts … minutes", required=False, help_text="Empty: until the next one begins."
    )
    capacity = forms.IntegerField(label="Places in each", required=False, help_text="Empty: the activity's own number.")
    from_text = forms.BooleanField(label="Use this text in place of the fields above", required=False)
    text = forms.CharField(
        label="Timetable as text", required=False, widget=forms.Textarea(attrs={"rows": 18, "spellcheck": "false"}),
        help_text="Times as HH:MM, lengths in minutes. Days that are not named are closed.",
    )  # fmt: skip

    field_names = {
        "startTime": "start_time",
        "endTime": "end_time",
        "slotInterval": "slot_interval",
        "operatingDays": "Monday_open",
    }
    KEYS = {
        "start_time": "startTime",
        "end_time": "endTime",
        "slot_interval": "slotInterval",
        "duration": "duration",
        "capacity": "capacity",
    }

    def __init__(self, *args: Any, activity: Activity, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.activity = activity
        self.rules: Rules | None = None
        self.document: Any = None
        for name in DAY_NAMES:
            self.fields[f"{name}_open"] = forms.BooleanField(label=name, required=False)
            for end, label in (("from", "opens"), ("to", "closes")):
                widget = forms.TextInput(attrs={"type": "time", "aria-label": f"{name} {label}"})
                self.fields[f"{name}_{end}"] = forms.CharField(label=label, required=False, widget=widget)
        if activity.is_pass:  # open from opening to closing: there is nothing to repeat
            del self.fields["slot_interval"], self.fields["duration"]

    # What the template draws

    @property
    def days(self) -> list["DayRow"]:
        """Return a row a weekday."""
        return [DayRow(name, self[f"{name}_open"], self[f"{name}_from"], self[f"{name}_to"]) for name in DAY_NAMES]

    @property
    def rhythm(self) -> list[forms.BoundField]:
        """Return the fields that say how sessions follow each other."""
        return [self[name] for name in ("slot_interval", "duration", "capacity") if name in self.fields]

    # What was filled in

    def clean(self) -> dict[str, Any]:
        """Read it as the timetable does; each error stands at its field."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if values.get("from_text"):  # then the fields say nothing, so nothing can be wrong with them
            for name in self.errors.keys() - {"effective_from", "effective_to", "text"}:
                del self.errors[name]
        try:
            self.document = self._text(values) if values.get("from_text") else self._fields(values)
            self.rules = read_rules(self.document, self.activity)
        except ScheduleProblem as problem:
            if values.get("from_text"):
                self.add_error("text", sentences(problem.errors))
            else:
                self.put_errors(problem.errors)
        except (ValueError, RecursionError) as error:  # no JSON, a number of thousands of digits, lists without end
            where = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
            self.add_error("text", f"This cannot be read{where}: look for a comma or a quotation mark.")
        return values

    def parameters(self) -> dict[str, Any]:
        """Return what a rehearsal of it is asked for."""
        until: date | None = self.cleaned_data["effective_to"]
        return {
            "rules": self.document,
            "effective_from": self.cleaned_data["effective_from"].isoformat(),
            "effective_to": until and until.isoformat(),
        }

    def field_name(self, path: str) -> str | None:
        """Lead errors of a weekday's own hours to its row; `customHours.Saturday.endTime` is `Saturday_to`."""
        first, _, rest = path.partition(".")
        if first == "operatingDays":
            return "Monday_open"
        if first == "customHours":
            day, _, key = rest.partition(".")
            ends = {"startTime": "from", "endTime": "to"}
            return f"{day}_{ends.get(key, 'open')}" if day in DAY_NAMES else None
        return super().field_name(path)

    def words_of(self, error: FieldError) -> str:
        """Say what is missing as a form does."""
        if error.code != "required":
            return error.detail
        return "Give a time." if error.field.endswith("Time") else "Give a number of minutes."

    @staticmethod
    def _text(values: Mapping[str, Any]) -> Any:
        return json.loads(values["text"])

    def _fields(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the document that the fields say; what was left empty is left out."""
        own = {name: self._own_hours(values, name) for name in DAY_NAMES if values.get(f"{name}_open")}
        stated = {key: values.get(name) for name, key in self.KEYS.items() if values.get(name) not in (None, "")}
        custom = {name: {"enabled": True, **hours} for name, hours in own.items() if hours}
        listed = [name for name, hours in own.items() if not hours]
        return {"operatingDays": listed, **stated, **({"customHours": custom} if custom else {})}

    @staticmethod
    def _own_hours(values: Mapping[str, Any], name: str) -> dict[str, str]:
        ends = {"startTime": values.get(f"{name}_from"), "endTime": values.get(f"{name}_to")}
        return {key: clock for key, clock in ends.items() if clock}


def read_rules(document: Any, activity: Activity) -> Rules:
    """Read a document as a timetable of this activity, or raise ScheduleProblem."""
    return parse_rules(document, whole_days=activity.is_pass)


def timetable_initial(rules: Rules) -> dict[str, Any]:
    """Return what the fields begin with when a timetable is to be followed by the next."""
    plain = rules_document(rules)
    custom: Any = plain.get("customHours", {})
    values = {name: plain.get(key) for name, key in TimetableForm.KEYS.items()}
    for weekday, name in enumerate(DAY_NAMES):
        values[f"{name}_open"] = weekday in rules.weekly
        values[f"{name}_from"] = custom.get(name, {}).get("startTime")
        values[f"{name}_to"] = custom.get(name, {}).get("endTime")
    return {**values, "text": json.dumps(plain, indent=2)}


def newest_rules(activity: Activity) -> Rules:
    """Return what an activity's newest timetable says; an example, when there is none for its kind."""
    newest: ScheduleVersion | None = activity.schedules.order_by("-version").first()
    if newest and newest.parsed().whole_days == activity.is_pass:
        return newest.parsed()
    left_out = SLOT_KEYS if activity.is_pass else ()
    return read_rules({key: value for key, value in EXAMPLE.items() if key not in left_out}, activity)
