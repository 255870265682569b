"""What customers fill in to hold places."""

from uuid import UUID

from django import forms

from scheduling.models import Activity, Unit
from scheduling.serializers import LARGEST_PARTY


class PartyForm(forms.Form):
    """How many of each unit; at least one, and no more than a click may take."""

    def __init__(self, *args: object, activity: Activity, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.units = list(activity.units.all())
        for unit in self.units:
            self.fields[self.name_of(unit)] = forms.IntegerField(
                min_value=0,
                max_value=LARGEST_PARTY,
                required=False,
                label=unit.name,
                initial=1 if unit.is_default else 0,
                error_messages={"invalid": "Give a number.", "min_value": "Give 0 or more."},
            )

    @staticmethod
    def name_of(unit: Unit) -> str:
        """Return the field's name for a unit."""
        return f"unit-{unit.id}"

    def rows(self) -> list[tuple[Unit, forms.BoundField]]:
        """Return each unit with its field, for the page."""
        return [(unit, self[self.name_of(unit)]) for unit in self.units]

    def clean(self) -> dict[str, object]:
        """Somebody must come."""
        data = super().clean() or {}
        if not self.errors and not self.counts():
            raise forms.ValidationError("Say how many people come.", code="required")
        return data

    def counts(self) -> tuple[tuple[UUID, int], ...]:
        """Return (unit, count) of those who come."""
        found = ((unit.id, self.cleaned_data.get(self.name_of(unit)) or 0) for unit in self.units)
        return tuple((unit_id, count) for unit_id, count in found if count)
