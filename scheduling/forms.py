"""What customers fill in to hold places."""

from uuid import UUID

from django import forms

from scheduling.models import Activity, Extra, Unit
from scheduling.offers import terms_of
from scheduling.parties import WantedParty, party_errors
from scheduling.serializers import LARGEST_PARTY

Counted = tuple[tuple[UUID, int], ...]


class PartyForm(forms.Form):
    """How many of each unit and extra: at least one person, and what the activity asks of a party."""

    def __init__(self, *args: object, activity: Activity, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.units = list(activity.units.all())
        self.extras = [extra for extra in activity.extras.all() if extra.is_offered]
        self.terms = terms_of(activity, self.units, self.extras)
        rows: list[Unit | Extra] = [*self.units, *self.extras]
        for row in rows:
            self.fields[self.name_of(row)] = forms.IntegerField(
                min_value=0,
                max_value=LARGEST_PARTY,
                required=False,
                label=row.name,
                initial=1 if isinstance(row, Unit) and row.is_default else 0,
                error_messages={"invalid": "Give a number.", "min_value": "Give 0 or more."},
            )

    @staticmethod
    def name_of(row: Unit | Extra) -> str:
        """Return the field's name for a unit or an extra."""
        return f"{'unit' if isinstance(row, Unit) else 'extra'}-{row.id}"

    def rows(self) -> list[tuple[Unit, forms.BoundField]]:
        """Return each unit with its field, for the page."""
        return [(unit, self[self.name_of(unit)]) for unit in self.units]

    def extra_rows(self) -> list[tuple[Extra, forms.BoundField]]:
        """Return each extra with its field, for the page."""
        return [(extra, self[self.name_of(extra)]) for extra in self.extras]

    def clean(self) -> dict[str, object]:
        """Somebody must come, and the party be one that may; each error stands at its field."""
        data = super().clean() or {}
        if self.errors:
            return data
        if not self.counts():
            raise forms.ValidationError("Say how many people come.", code="required")
        wanted = self.wanted()
        for error in party_errors(self.terms, wanted):
            self.add_error(_field_of(error.field, wanted), forms.ValidationError(error.detail, code=error.code))
        return data

    def wanted(self) -> WantedParty:
        """Return the party that was filled in."""
        return WantedParty(units=self.counts(), extras=self.extra_counts())

    def counts(self) -> Counted:
        """Return (unit, count) of those who come."""
        return self._counted(self.units)

    def extra_counts(self) -> Counted:
        """Return (extra, count) of what is wanted beside the places."""
        return self._counted(self.extras)

    def _counted(self, rows: list[Unit] | list[Extra]) -> Counted:
        found = ((row.id, self.cleaned_data.get(self.name_of(row)) or 0) for row in rows)
        return tuple((row_id, count) for row_id, count in found if count)


def _field_of(path: str, wanted: WantedParty) -> str | None:
    """Return the form's field for a path like units.0.count; None for what is wrong with the party as a whole."""
    kind, _, rest = path.partition(".")
    if not rest:
        return None
    place = int(rest.partition(".")[0])
    return f"unit-{wanted.units[place][0]}" if kind == "units" else f"extra-{wanted.extras[place][0]}"
