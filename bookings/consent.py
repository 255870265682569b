"""Who needs somebody's consent to come: those under an age that the organization sets. Pure."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Protocol

from config.kit.refusals import FieldError


class Comer(Protocol):
    """Who comes, as far as consent goes: named now, or known already."""

    @property
    def birth_date(self) -> date | None:
        """When they were born, if anybody has said so."""

    @property
    def consent_by(self) -> str:
        """Who consented, by name; empty: nobody."""


def age_on(birth_date: date, on: date) -> int:
    """Return the age in years on a day; who was born on 29 February is a year older on 1 March of other years."""
    return on.year - birth_date.year - ((on.month, on.day) < (birth_date.month, birth_date.day))


def consent_errors(
    participants: Sequence[Comer], on: date, under_age: int | None, *, party_size: int = 0, path: str = "participants"
) -> list[FieldError]:
    """Return what is missing of those who come on a day by the venue's clock; nothing where no rule is set.

    Everybody of the party is to be named, each with a birth date; for whoever is younger than the rule says, somebody
    must have consented. `path` is where the participants stand in the request.
    """
    return list(_missing(participants, on, under_age, party_size, path)) if under_age is not None else []


def _missing(
    participants: Sequence[Comer], on: date, under_age: int, party_size: int, path: str
) -> Iterator[FieldError]:
    if len(participants) < party_size:
        words = f"Name everybody who comes ({party_size}), with birth dates: those under {under_age} need consent."
        yield FieldError(path, "name_everybody", words)
    for place, person in enumerate(participants):
        if person.birth_date is None:
            words = f"Give the birth date: those under {under_age} need somebody's consent."
            yield FieldError(f"{path}.{place}.birth_date", "birth_date_required", words)
        elif person.birth_date > on:
            yield FieldError(f"{path}.{place}.birth_date", "not_born_yet", "This birth date is after the visit.")
        elif age_on(person.birth_date, on) < under_age and not person.consent_by.strip():
            words = f"Those under {under_age} come only with consent: give the name of who may consent."
            yield FieldError(f"{path}.{place}.consent_by", "consent_required", words)
