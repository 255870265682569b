"""Who may come together, pure: the one validation of a party for page, API, admin and checkout, all errors at once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from config.kit.refusals import FieldError
from scheduling.prices import people_of

Counts = Sequence[tuple[UUID, int]]


@dataclass(frozen=True, slots=True)
class UnitTerms:
    """A kind of participant: the places one takes, how many there may be, how old they are, and with whom they come."""

    id: UUID
    name: str
    places: int = 1
    minimum_count: int = 0  # of a party that has any of them
    maximum_count: int | None = None
    minimum_age: int | None = None  # years
    maximum_age: int | None = None
    needs_accompaniment: bool = False
    can_accompany: bool = False
    is_default: bool = False

    def takes_age(self, age: int) -> bool:
        """Is somebody of this age, in years, one of them?"""
        return (self.minimum_age or 0) <= age and (self.maximum_age is None or age <= self.maximum_age)


@dataclass(frozen=True, slots=True)
class ExtraTerms:
    """Something to have beside the places, and how many one party may have."""

    id: UUID
    name: str
    maximum_per_party: int | None = None


@dataclass(frozen=True, slots=True)
class PartyTerms:
    """What an activity asks of a party: sizes in people, its units, and the extras on its list."""

    units: tuple[UnitTerms, ...]
    extras: tuple[ExtraTerms, ...] = ()
    smallest_party: int = 1
    largest_party: int | None = None

    @property
    def companions(self) -> tuple[UnitTerms, ...]:
        """Return the units that can accompany others: those that say so; where none does, the default unit."""
        named = tuple(unit for unit in self.units if unit.can_accompany)
        return named or tuple(unit for unit in self.units if unit.is_default and not unit.needs_accompaniment)


@dataclass(frozen=True, slots=True)
class WantedParty:
    """A party as asked for. Without units, a bare size is counted in the default unit."""

    party_size: int | None = None  # people
    units: Counts = ()
    extras: Counts = ()
    ages: Sequence[int] = ()  # years; of those who were asked

    def counts(self, terms: PartyTerms) -> dict[UUID, int]:
        """Return how many come of each unit; what is named twice is added up."""
        if self.units:
            return added_up(self.units)
        return {unit.id: self.party_size or 0 for unit in terms.units if unit.is_default}


def added_up(counts: Counts) -> dict[UUID, int]:
    """Add up what is named twice; the first mention gives the order."""
    sums: dict[UUID, int] = {}
    for key, count in counts:
        sums[key] = sums.get(key, 0) + count
    return sums


def party_errors(terms: PartyTerms, wanted: WantedParty, *, path: str = "") -> list[FieldError]:
    """Return everything that is wrong with a party, or nothing; `path` is where it stands in the request.

    Codes: unknown_unit, no_default_unit, too_few_of_unit, too_many_of_unit, needs_accompaniment, party_too_small,
    party_too_large, takes_no_place, disagrees_with_units, too_many_ages, age_fits_nobody, unknown_extra,
    too_many_of_extra. Whether an extra is still there is the session's to say, under its lock.
    """
    found = [*_unknown_units(terms, wanted)]
    if not found:
        found += [*_unit_errors(terms, wanted), *_size_errors(terms, wanted), *_age_errors(terms, wanted)]
    found += _extra_errors(terms, wanted)
    return [FieldError(f"{path}{error.field}", error.code, error.detail) for error in found]


def _unknown_units(terms: PartyTerms, wanted: WantedParty) -> Iterator[FieldError]:
    known = {unit.id for unit in terms.units}
    for place, (unit_id, _) in enumerate(wanted.units):
        if unit_id not in known:
            yield FieldError(f"units.{place}.unit", "unknown_unit", "This activity has no such kind of participant.")
    if not wanted.units and not any(unit.is_default for unit in terms.units):
        yield FieldError("units", "no_default_unit", "This cannot be booked by a bare number: say who comes.")


def _unit_errors(terms: PartyTerms, wanted: WantedParty) -> Iterator[FieldError]:
    """Say which units are too few, too many, or come alone though they may not."""
    counts = wanted.counts(terms)
    accompanied = any(counts.get(unit.id) for unit in terms.companions)
    for unit in terms.units:
        count, where = counts.get(unit.id, 0), _where(wanted, unit.id)
        if 0 < count < unit.minimum_count:
            yield FieldError(where, "too_few_of_unit", f"{unit.name}: {unit.minimum_count} or more come together.")
        if unit.maximum_count is not None and count > unit.maximum_count:
            yield FieldError(where, "too_many_of_unit", f"{unit.name}: {unit.maximum_count} at most in a party.")
        if count and unit.needs_accompaniment and not accompanied:
            yield FieldError(where, "needs_accompaniment", _company(unit, terms.companions))


def _company(unit: UnitTerms, companions: Iterable[UnitTerms]) -> str:
    names = " or ".join(each.name for each in companions)
    return f"{unit.name}: only together with {names}." if names else f"{unit.name}: not without company."


def _where(wanted: WantedParty, unit_id: UUID) -> str:
    """Return the field in which a unit was counted."""
    places = [f"units.{place}.count" for place, (each, _) in enumerate(wanted.units) if each == unit_id]
    return places[0] if places else "party_size"


def _size_errors(terms: PartyTerms, wanted: WantedParty) -> Iterator[FieldError]:
    counts, places = wanted.counts(terms), {unit.id: unit.places for unit in terms.units}
    people = sum(people_of(count, places[unit_id]) for unit_id, count in counts.items())
    if wanted.units and wanted.party_size not in (None, people):
        detail = f"The units add up to {people}, not {wanted.party_size}."
        yield FieldError("party_size", "disagrees_with_units", detail)
    if not any(count * places[unit_id] for unit_id, count in counts.items()):
        yield FieldError("units", "takes_no_place", "Somebody who takes a place must come along.")
    where = "units" if wanted.units else "party_size"
    if people < terms.smallest_party:
        yield FieldError(where, "party_too_small", f"A party is {_people(terms.smallest_party)} or more here.")
    if terms.largest_party is not None and people > terms.largest_party:
        yield FieldError(where, "party_too_large", f"A party is {_people(terms.largest_party)} at most here.")


def _age_errors(terms: PartyTerms, wanted: WantedParty) -> Iterator[FieldError]:
    counts = wanted.counts(terms)
    coming = [unit for unit in terms.units if counts.get(unit.id)]
    people = sum(people_of(counts[unit.id], unit.places) for unit in coming)
    if len(wanted.ages) > people:
        yield FieldError("ages", "too_many_ages", f"{len(wanted.ages)} ages are more than the {_people(people)}.")
    for place, age in enumerate(wanted.ages):
        if not any(unit.takes_age(age) for unit in coming):
            detail = f"Nobody in this party can be {age} years old: {'; '.join(map(_ages, coming))}."
            yield FieldError(f"ages.{place}", "age_fits_nobody", detail)


def _extra_errors(terms: PartyTerms, wanted: WantedParty) -> Iterator[FieldError]:
    known, counts = {extra.id: extra for extra in terms.extras}, added_up(wanted.extras)
    for place, (extra_id, _) in enumerate(wanted.extras):
        extra = known.get(extra_id)
        if extra is None:
            yield FieldError(f"extras.{place}.extra", "unknown_extra", "This is not offered here.")
        elif extra.maximum_per_party is not None and counts.pop(extra_id, 0) > extra.maximum_per_party:
            detail = f"{extra.name}: {extra.maximum_per_party} at most for a party."
            yield FieldError(f"extras.{place}.count", "too_many_of_extra", detail)


# In words, before a limit is broken -------------------------------------------------------------------------------


def limits_in_words(terms: PartyTerms) -> list[str]:
    """Return what to say of the limits beside the form: the party's size first, then each unit's."""
    return [*_sizes(terms), *(line for unit in terms.units for line in _limits(unit, terms))]


def _sizes(terms: PartyTerms) -> Iterator[str]:
    smallest, largest = terms.smallest_party, terms.largest_party
    if smallest == largest:
        yield f"For exactly {_people(smallest)}."
    elif smallest > 1 and largest is not None:
        yield f"For {smallest} to {_people(largest)}."
    elif smallest > 1:
        yield f"For {_people(smallest)} or more."
    elif largest is not None:
        yield f"For {_people(largest)} at most."


def _limits(unit: UnitTerms, terms: PartyTerms) -> Iterator[str]:
    fewest, most = unit.minimum_count, unit.maximum_count
    if fewest > 1 and most is not None:
        yield f"{unit.name}: {fewest} to {most}." if fewest != most else f"{unit.name}: exactly {most}."
    elif fewest > 1:
        yield f"{unit.name}: {fewest} or more."
    elif most is not None:
        yield f"{unit.name}: {most} at most."
    if unit.needs_accompaniment:
        yield _company(unit, terms.companions)


def _ages(unit: UnitTerms) -> str:
    return f"{unit.name} {ages_in_words(unit.minimum_age, unit.maximum_age) or 'of any age'}"


def ages_in_words(minimum_age: int | None, maximum_age: int | None) -> str:
    """Return an age range for people: "5 to 11 years", or nothing when every age will do."""
    if minimum_age is not None and maximum_age is not None:
        return f"{minimum_age} to {maximum_age} years"
    if minimum_age is not None:
        return f"from {minimum_age} years"
    return "" if maximum_age is None else f"up to {maximum_age} years"


def _people(number: int) -> str:
    return "1 person" if number == 1 else f"{number} people"


# Stock ------------------------------------------------------------------------------------------------------------


def stock_errors(
    names: Mapping[UUID, str], wanted: Counts, left: Mapping[UUID, int], *, path: str = ""
) -> list[FieldError]:
    """Return which extras there are not enough of; `left` is for those alone that are counted."""
    counts = added_up(wanted)
    return [
        FieldError(f"{path}extras.{place}.count", "not_enough_extras", _left(names[extra_id], left[extra_id]))
        for place, (extra_id, _) in enumerate(wanted)
        if extra_id in left and counts.pop(extra_id, 0) > left[extra_id]
    ]


def _left(name: str, number: int) -> str:
    return f"{name}: {'only ' + str(number) if number > 0 else 'none'} left in this session."
