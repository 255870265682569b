"""What customers, and staff for them, fill in to wait for a full session."""

from collections.abc import Sequence
from copy import deepcopy
from uuid import UUID

from django import forms

from bookings.forms import ContactForm
from bookings.services.checkout import Contact
from bookings.services.waitlist import MOST_SESSIONS, Wish
from config.kit.ids import uuid7
from scheduling.forms import PartyForm
from scheduling.models import Activity
from scheduling.pages import SessionRow


class WaitForm(PartyForm):
    """How many come, who they are, and to which other full sessions of the day they would come, too."""

    once = forms.UUIDField(widget=forms.HiddenInput, required=False)  # makes a second click find the first one's wait
    others = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple, required=False)

    def __init__(self, data: object, *, activity: Activity, others: Sequence[SessionRow]) -> None:
        super().__init__(data, activity=activity, initial={"once": uuid7()})
        for extra in self.extras:
            del self.fields[self.name_of(extra)]
        self.extras = []
        self.fields["others"].choices = [(str(row.id), row.clock) for row in others]  # type: ignore[attr-defined]
        self.fields |= deepcopy(ContactForm.base_fields)

    def clean(self) -> dict[str, object]:
        """Name the missing party beside whatever else is wrong."""
        data = super().clean()
        is_told = any(self.name_of(unit) in self.errors for unit in self.units)
        if not self.counts() and not is_told:
            self.add_error(None, forms.ValidationError("Say how many people come.", code="required"))
        return data

    def clean_others(self) -> list[str]:
        """Not more than one may wait for, with the session whose page it is."""
        chosen: list[str] = self.cleaned_data["others"]
        if len(chosen) >= MOST_SESSIONS:
            raise forms.ValidationError(f"Choose {MOST_SESSIONS - 1} other times at most.", code="too_many")
        return chosen

    def wish(self, session_id: UUID) -> Wish:
        """Return the party, and the sessions: this one is liked best."""
        others = tuple(UUID(each) for each in self.cleaned_data["others"])
        return Wish((session_id, *others), None, self.counts())

    def contact(self) -> Contact:
        """Return who waits."""
        data = self.cleaned_data
        return Contact(email=data["email"], name=data["name"], phone=data["phone"])

    @property
    def contact_fields(self) -> list[forms.BoundField]:
        """Return the fields about who waits, for the page."""
        return [self[name] for name in ContactForm.base_fields]


class StaffWaitForm(WaitForm):
    """The same, for somebody who calls; with the priority that staff may give."""

    priority = forms.IntegerField(
        min_value=-100, max_value=100, required=False, initial=0, label="Priority",
        help_text="0 for everybody. A higher one is asked first.",
    )  # fmt: skip

    def __init__(self, data: object, *, activity: Activity, others: Sequence[SessionRow] = ()) -> None:
        super().__init__(data, activity=activity, others=others)
        self.fields["name"].label = "Name"
        self.fields["name"].error_messages["required"] = "Ask for the name."
        self.fields["phone"].help_text = ""
