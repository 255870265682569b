"""Who may come together: one validation, everything wrong at once, each thing at its field."""

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.kit.refusals import InvalidRequest
from scheduling.models import Activity, Reservation
from scheduling.parties import ExtraTerms, PartyTerms, UnitTerms, WantedParty, limits_in_words, party_errors
from scheduling.services import reservations
from scheduling.services.assessing import Party
from tests.factories import make_activity, make_session, make_unit

ADULT = UnitTerms(uuid4(), "Adult", is_default=True, minimum_age=16)
CHILD = UnitTerms(uuid4(), "Child", needs_accompaniment=True, minimum_age=5, maximum_age=15, maximum_count=4)
GROUP = UnitTerms(uuid4(), "Pupil", minimum_count=6, maximum_count=8, minimum_age=7, maximum_age=12)
INFANT = UnitTerms(uuid4(), "Infant", places=0, maximum_age=4)
FAMILY = UnitTerms(uuid4(), "Family", places=4)
LOCKER = ExtraTerms(uuid4(), "Locker", maximum_per_party=2)
TERMS = PartyTerms((ADULT, CHILD, GROUP, INFANT, FAMILY), (LOCKER,), smallest_party=2, largest_party=10)


def wrong(terms: PartyTerms = TERMS, path: str = "", **party: Any) -> list[tuple[str, str]]:
    """Return (field, code) of all that is wrong; units by their terms."""
    units = tuple((unit.id, count) for unit, count in party.pop("units", ()))
    errors = party_errors(terms, WantedParty(units=units, **party), path=path)
    assert all(error.detail.endswith(".") for error in errors)
    return [(error.field, error.code) for error in errors]


@pytest.mark.parametrize(
    ("party", "errors"),
    [
        ({"party_size": 2}, []),
        ({"party_size": 1}, [("party_size", "party_too_small")]),
        ({"party_size": 11}, [("party_size", "party_too_large")]),
        ({"party_size": 10}, []),
        ({"units": [(ADULT, 1), (CHILD, 4)]}, []),
        ({"units": [(ADULT, 1), (CHILD, 5)]}, [("units.1.count", "too_many_of_unit")]),
        ({"units": [(CHILD, 2), (INFANT, 1)]}, [("units.0.count", "needs_accompaniment")]),
        ({"units": [(GROUP, 5)]}, [("units.0.count", "too_few_of_unit")]),
        ({"units": [(GROUP, 6)]}, []),
        ({"units": [(GROUP, 9)]}, [("units.0.count", "too_many_of_unit")]),
        ({"units": [(GROUP, 3), (GROUP, 3)]}, []),
        ({"units": [(CHILD, 2), (ADULT, 1), (CHILD, 3)]}, [("units.0.count", "too_many_of_unit")]),
        ({"units": [(FAMILY, 2)]}, []),
        ({"units": [(FAMILY, 3)]}, [("units", "party_too_large")]),
        ({"units": [(INFANT, 2)]}, [("units", "takes_no_place")]),
        ({"units": [(FAMILY, 1)], "party_size": 4}, []),
        ({"units": [(FAMILY, 1)], "party_size": 1}, [("party_size", "disagrees_with_units")]),
        ({"party_size": 2, "ages": (40, 17)}, []),
        ({"party_size": 2, "ages": (15,)}, [("ages.0", "age_fits_nobody")]),
        ({"party_size": 2, "ages": (20, 20, 20)}, [("ages", "too_many_ages")]),
        ({"units": [(ADULT, 1), (CHILD, 1)], "ages": (30, 4)}, [("ages.1", "age_fits_nobody")]),
        ({"party_size": 2, "extras": ((LOCKER.id, 2),)}, []),
        ({"party_size": 2, "extras": ((LOCKER.id, 3),)}, [("extras.0.count", "too_many_of_extra")]),
        ({"party_size": 2, "extras": ((LOCKER.id, 2), (LOCKER.id, 1))}, [("extras.0.count", "too_many_of_extra")]),
        ({"party_size": 2, "extras": ((ADULT.id, 1),)}, [("extras.0.extra", "unknown_extra")]),
    ],
)  # fmt: skip
def test_each_limit_holds_at_its_edge_and_is_named_beyond_it(
    party: dict[str, Any], errors: list[tuple[str, str]]
) -> None:
    assert wrong(**party) == errors


def test_everything_that_is_wrong_is_said_at_once_and_where_it_stands() -> None:
    stranger = UnitTerms(uuid4(), "Stranger")
    many: dict[str, Any] = {"units": [(CHILD, 5), (GROUP, 6)], "party_size": 3, "ages": (70,)}
    assert wrong(path="lines.2.", extras=((LOCKER.id, 3),), **many) == [
        ("lines.2.units.0.count", "too_many_of_unit"), ("lines.2.units.0.count", "needs_accompaniment"),
        ("lines.2.party_size", "disagrees_with_units"), ("lines.2.units", "party_too_large"),
        ("lines.2.ages.0", "age_fits_nobody"), ("lines.2.extras.0.count", "too_many_of_extra"),
    ]  # fmt: skip
    assert wrong(units=[(ADULT, 2), (stranger, 1)], extras=((uuid4(), 1),)) == [
        ("units.1.unit", "unknown_unit"), ("extras.0.extra", "unknown_extra")
    ]  # fmt: skip


def test_company_is_who_says_so_and_where_nobody_does_the_default_unit() -> None:
    guide = UnitTerms(uuid4(), "Guide", can_accompany=True)
    guided = PartyTerms((ADULT, CHILD, guide))
    assert wrong(guided, units=[(CHILD, 1), (ADULT, 1)]) == [("units.0.count", "needs_accompaniment")]
    assert wrong(guided, units=[(CHILD, 1), (guide, 1)]) == []
    assert wrong(units=[(CHILD, 1), (ADULT, 1)]) == []
    assert wrong(PartyTerms((GROUP,)), party_size=3) == [("units", "no_default_unit")]


def test_limits_are_said_before_they_are_broken() -> None:
    assert limits_in_words(TERMS) == [
        "For 2 to 10 people.", "Child: 4 at most.", "Child: only together with Adult.", "Pupil: 6 to 8."
    ]  # fmt: skip
    sizes = [(1, None), (2, None), (1, 8), (4, 4), (1, 1)]
    assert [limits_in_words(PartyTerms((), smallest_party=few, largest_party=most)) for few, most in sizes] == [
        [], ["For 2 people or more."], ["For 8 people at most."], ["For exactly 4 people."], ["For exactly 1 person."],
    ]  # fmt: skip


units = st.lists(st.tuples(st.sampled_from(TERMS.units), st.integers(1, 12)), min_size=1, max_size=5)


@given(counts=units, order=st.randoms())
def test_who_is_named_first_makes_no_difference_to_what_is_wrong(counts: list[Any], order: Any) -> None:
    shuffled = list(counts)
    order.shuffle(shuffled)
    assert sorted(code for _, code in wrong(units=counts)) == sorted(code for _, code in wrong(units=shuffled))


@pytest.mark.django_db
@pytest.mark.parametrize("size", [2, 9])
def test_a_bare_party_size_meets_the_limits_of_its_activity_too(size: int) -> None:
    activity = make_activity(smallest_party=3, largest_party=8, plain_hold=False)
    session = make_session(activity)
    with pytest.raises(InvalidRequest) as refusal:
        reservations.reserve_slot(session_id=session.id, party_size=size, email="ben@example.org")
    code = "party_too_small" if size == 2 else "party_too_large"
    assert [(error.field, error.code) for error in refusal.value.errors] == [("party_size", code)]
    assert not Reservation.objects.exists()


@pytest.mark.django_db
def test_every_party_of_a_request_is_looked_at_before_it_is_refused() -> None:
    activity = make_activity()
    make_unit(activity, name="Child", needs_accompaniment=True)
    Activity.objects.filter(id=activity.id).update(largest_party=3)
    session, child = make_session(activity), activity.units.get(name="Child")
    parties = [
        Party(session_id=session.id, party_size=4, path="lines.0."),
        Party(session_id=session.id, party_size=1, path="lines.1."),
        Party(session_id=session.id, party_size=None, units=((child.id, 1),), path="lines.2."),
    ]
    with pytest.raises(InvalidRequest) as refusal:
        reservations.reserve_parties(parties, email="ben@example.org")
    assert [(error.field, error.code) for error in refusal.value.errors] == [
        ("lines.0.party_size", "party_too_large"), ("lines.2.units.0.count", "needs_accompaniment")
    ]  # fmt: skip
    assert not Reservation.objects.exists()
