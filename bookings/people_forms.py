"""Who comes, asked for at the checkout where the organization wants consent for those under an age."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django import forms
from django.forms import BoundField
from django.http import HttpRequest, QueryDict

from bookings.consent import consent_errors
from bookings.models import Participant
from bookings.orders import Person
from bookings.pages import BasketLine, BasketPage, basket_page
from scheduling.models import Reservation

ASKED = ("name", "birth_date", "consent_by")


@dataclass(frozen=True, slots=True)
class PersonRow:
    """The fields of one person."""

    number: int
    fields: tuple[BoundField, ...]


@dataclass(frozen=True, slots=True)
class LineRows:
    """A line of the basket with its people."""

    line: BasketLine
    people: tuple[PersonRow, ...]


class PeopleForm(forms.Form):
    """Name, birth date and, for the young, who consents: of everybody on every line."""

    def __init__(self, data: QueryDict | None, *, page: BasketPage, under_age: int) -> None:
        super().__init__(data)
        self.page, self.under_age = page, under_age
        for line in page.lines:
            for place in range(line.reservation.party_size):
                self.fields |= _fields_of(_prefix(line, place), under_age)

    def clean(self) -> None:
        """Say at each field what is missing; the service asks again under its locks."""
        super().clean()
        for line in self.page.lines:
            on = line.session.starts_at.astimezone(line.zone).date()
            for error in consent_errors(self._persons(line), on, self.under_age):
                _, place, field = error.field.split(".")
                name = f"{_prefix(line, int(place))}-{field}"
                if name not in self.errors:
                    self.add_error(name, error.detail)

    def fill_in(self, known: Mapping[UUID, Sequence[Participant]]) -> None:
        """Show those who were named before on each reservation, so that nobody is written twice."""
        for line in self.page.lines:
            for place, person in enumerate(known.get(line.reservation.id, ())):
                prefix = _prefix(line, place)
                self.initial.update({f"{prefix}-{name}": getattr(person, name) for name in ASKED})

    def people(self) -> dict[UUID, tuple[Person, ...]]:
        """Return who comes on each reservation."""
        return {line.reservation.id: tuple(self._persons(line)) for line in self.page.lines}

    def rows(self) -> Iterator[LineRows]:
        """Yield what the page shows."""
        for line in self.page.lines:
            yield LineRows(line, tuple(self._row(line, place) for place in range(line.reservation.party_size)))

    def _row(self, line: BasketLine, place: int) -> PersonRow:
        prefix = _prefix(line, place)
        return PersonRow(place + 1, tuple(self[f"{prefix}-{name}"] for name in ASKED))

    def _persons(self, line: BasketLine) -> list[Person]:
        values: Mapping[str, Any] = self.cleaned_data
        return [
            Person(
                name=values.get(f"{prefix}-name", ""), birth_date=values.get(f"{prefix}-birth_date"),
                consent_by=values.get(f"{prefix}-consent_by", ""),
            )
            for prefix in (_prefix(line, place) for place in range(line.reservation.party_size))
        ]  # fmt: skip


class ComersForm(forms.Form):
    """Who comes on a line that is booked: the names, and what consent needs where the organization asks for it."""

    def __init__(
        self, data: Mapping[str, Any] | None, *, known: Sequence[Participant], places: int, on: date,
        under_age: int | None,
    ) -> None:  # fmt: skip
        super().__init__(data)
        self.known, self.places, self.on, self.under_age = known, places, on, under_age
        for place in range(places):
            self.fields |= _comer_fields(place, under_age)
            if place < len(known):
                self.initial.update({f"{name}-{place}": getattr(known[place], name) for name in ASKED})

    def clean(self) -> None:
        """Say at each field what is missing of those who are named; the service asks again under its locks."""
        super().clean()
        named = self._named()
        for place in self._nameless():
            self.add_error(f"name-{place}", "Give the name of everybody who comes.")
        for error in consent_errors([person for _, person in named], self.on, self.under_age):
            _, number, field = error.field.split(".")
            name = f"{field}-{named[int(number)][0]}"
            if name not in self.errors:
                self.add_error(name, error.detail)

    def persons(self) -> list[Person]:
        """Return who is meant: whoever is told of as before is the same person."""
        left = list(self.known)
        persons = []
        for _, one in self._named():
            row = next((row for row in left if self._is_told_as_before(row, one)), None)
            if row:
                left.remove(row)
            persons.append(Person(id=row.id) if row else one)
        return persons

    def _is_told_as_before(self, row: Participant, one: Person) -> bool:
        is_same = (row.birth_date, row.consent_by) == (one.birth_date, one.consent_by)
        return row.name == one.name and (is_same or self.under_age is None)

    def rows(self) -> Iterator[PersonRow]:
        """Yield what the page shows."""
        names = ASKED if self.under_age is not None else ASKED[:1]
        for place in range(self.places):
            yield PersonRow(place + 1, tuple(self[f"{name}-{place}"] for name in names))

    def _named(self) -> list[tuple[int, Person]]:
        people = ((place, self._person(place)) for place in range(self.places))
        return [(place, person) for place, person in people if person.name]

    def _nameless(self) -> list[int]:
        people = ((place, self._person(place)) for place in range(self.places))
        return [place for place, one in people if not one.name and (one.birth_date or one.consent_by)]

    def _person(self, place: int) -> Person:
        values: Mapping[str, Any] = self.cleaned_data
        return Person(
            name=values.get(f"name-{place}", ""), birth_date=values.get(f"birth_date-{place}"),
            consent_by=values.get(f"consent_by-{place}", ""),
        )  # fmt: skip


def people_form(request: HttpRequest, basket: UUID) -> PeopleForm | None:
    """Return the form of a basket whose organization asks for consent, else None."""
    rule = Reservation.objects.of_basket(basket).values_list("organization__consent_under_age", flat=True).first()
    if rule is None:
        return None
    return PeopleForm(request.POST if request.method == "POST" else None, page=basket_page(basket), under_age=rule)


def _prefix(line: BasketLine, place: int) -> str:
    return f"who-{line.reservation.id}-{place}"


def _comer_fields(place: int, under_age: int | None) -> dict[str, forms.Field]:
    """Return the fields of one who comes; which of them is needed is seen in `clean`."""
    fields: dict[str, forms.Field] = {"name": forms.CharField(max_length=200, label=f"Name {place + 1}")}
    if under_age is not None:
        prefix = f"who-{place}"
        asked = _fields_of(prefix, under_age)
        fields |= {name: asked[f"{prefix}-{name}"] for name in ASKED[1:]} | {
            "name": forms.CharField(max_length=200, label="Name")
        }
    for field in fields.values():
        field.required = False
    return {f"{name}-{place}": field for name, field in fields.items()}


def _fields_of(prefix: str, under_age: int) -> dict[str, forms.Field]:
    return {
        f"{prefix}-name": forms.CharField(
            max_length=200, label="Name", error_messages={"required": "Give the name of everybody who comes."}
        ),
        f"{prefix}-birth_date": forms.DateField(
            label="Birth date", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            error_messages={
                "required": f"Give the birth date: those under {under_age} need somebody's consent.",
                "invalid": "Give the date as 2015-04-30.",
            },
        ),
        f"{prefix}-consent_by": forms.CharField(
            max_length=200, required=False, label=f"If under {under_age}: who consents",
            help_text="The name of a parent or guardian who agrees that they come.",
        ),
    }  # fmt: skip
