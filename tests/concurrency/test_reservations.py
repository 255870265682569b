"""Buyers race for places: never one too many is sold, and none is refused that would have fitted."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

import pytest

from bookings.models import Booking
from scheduling import availability
from scheduling.models import Reservation, Session
from scheduling.services import capacity, reservations
from scheduling.services.assessing import NotEnoughPlaces, Party
from tests.concurrency.races import Places, look_at_sessions, naive_hold, places_of, race, reclaim_nothing, tally
from tests.factories import book, hold, make_activity, make_session, make_unit

pytestmark = pytest.mark.usefixtures("committed_db")

Reserve = Callable[[Session, int], Reservation]


def in_units(session: Session, party_size: int = 1) -> Reservation:
    """Hold through the slow path, as a party that names its units does."""
    unit = session.activity.units.get(is_default=True)
    party = Party(session_id=session.id, party_size=None, units=((unit.id, party_size),))
    return reservations.reserve_parties([party], email="ben@example.org")[0]


@pytest.fixture
def naive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the guard out of the hold: what is left reads, then writes."""
    monkeypatch.setattr(capacity, "hold_places", naive_hold)


def test_200_buyers_for_50_places_get_exactly_50() -> None:
    session = make_session(capacity=50)

    outcomes = race([partial(hold, session)] * 200, at_once=32)

    assert tally(outcomes) == {"Reservation": 50, "NotEnoughPlaces": 150}
    assert places_of(session) == Places(held=50, booked=0, remaining=0)
    assert Reservation.objects.filter(session=session).count() == 50
    assert availability.check_slot_availability(session_id=session.id).status == "full"


@pytest.mark.usefixtures("no_check", "naive")
def test_200_buyers_for_50_places_get_more_when_the_guard_is_left_out() -> None:
    session = make_session(capacity=50)

    outcomes = race([partial(hold, session)] * 200, at_once=32)

    assert set(tally(outcomes)) == {"Reservation", "NotEnoughPlaces"}
    assert tally(outcomes)["Reservation"] > 50
    assert Reservation.objects.filter(session=session).count() == tally(outcomes)["Reservation"]


@pytest.mark.usefixtures("naive")
def test_the_database_itself_refuses_the_51st_place_when_only_the_guard_is_left_out() -> None:
    session = make_session(capacity=50)

    outcomes = race([partial(hold, session)] * 200, at_once=32)

    assert tally(outcomes)["Reservation"] == 50
    assert tally(outcomes)["IntegrityError"] > 0
    assert places_of(session) == Places(held=50, booked=0, remaining=0)


@pytest.mark.parametrize("reserve", [hold, in_units])
def test_one_of_eight_racing_buyers_gets_the_last_place(reserve: Reserve) -> None:
    session = make_session(capacity=3)
    hold(session, 2)

    outcomes = race([partial(reserve, session, 1)] * 8)

    assert tally(outcomes) == {"Reservation": 1, "NotEnoughPlaces": 7}
    assert places_of(session) == Places(held=3, booked=0, remaining=0)


@pytest.mark.usefixtures("no_check", "naive")
def test_several_of_eight_racing_buyers_get_the_last_place_when_the_guard_is_left_out() -> None:
    session = make_session(capacity=3)
    hold(session, 2)

    outcomes = race([partial(hold, session)] * 8)

    assert tally(outcomes)["Reservation"] > 1
    assert places_of(session).held > 3


@pytest.mark.usefixtures("no_check")
def test_the_slow_path_sells_the_last_place_twice_when_nobody_locks_and_the_count_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = make_session(capacity=1)
    monkeypatch.setattr(capacity, "lock_sessions", look_at_sessions)
    monkeypatch.setattr(capacity, "reclaim_lapsed", reclaim_nothing)
    monkeypatch.setattr(capacity, "take_places", take_what_was_read)

    outcomes = race([partial(in_units, session)] * 8)

    assert tally(outcomes)["Reservation"] > 1


def take_what_was_read(*, session_id: UUID, places: int) -> bool:
    """Take places the way that the samples of old did: read the count, then write it."""
    session = Session.objects.get(id=session_id)
    if session.capacity_total - session.places_held - session.places_booked < places:
        return False
    Session.objects.filter(id=session_id).update(places_held=session.places_held + places)
    return True


@pytest.mark.parametrize("ways", [(hold,), (in_units,), (hold, in_units)], ids=["plain", "slow", "both"])
def test_parties_of_mixed_sizes_never_exceed_the_capacity_and_leave_nothing_that_a_refused_one_wanted(
    ways: tuple[Reserve, ...],
) -> None:
    session = make_session(capacity=60)
    sizes = [1 + number * 7 % 6 for number in range(72)]

    outcomes = race([partial(ways[n % len(ways)], session, size) for n, size in enumerate(sizes)], at_once=16)

    granted = [outcome.places for outcome in outcomes if isinstance(outcome, Reservation)]
    refused = [size for size, outcome in zip(sizes, outcomes, strict=True) if isinstance(outcome, NotEnoughPlaces)]
    left = 60 - sum(granted)
    assert len(granted) + len(refused) == len(sizes)
    assert places_of(session) == Places(held=sum(granted), booked=0, remaining=left)
    assert 0 <= left < min(refused)


def test_a_family_of_four_is_counted_as_four_places_by_every_racing_buyer() -> None:
    activity = make_activity()
    family = make_unit(activity, name="Family", price_minor=3000, places=4)
    session = make_session(activity, capacity=10)
    party = Party(session_id=session.id, party_size=None, units=((family.id, 1),))

    outcomes = race([partial(reservations.reserve_parties, [party], email="ben@example.org")] * 8)

    assert tally(outcomes) == {"list": 2, "NotEnoughPlaces": 6}
    assert places_of(session) == Places(held=8, booked=0, remaining=2)


def test_fifty_users_on_one_slot_of_one_place_make_exactly_one_booking() -> None:
    session = make_session(capacity=1)

    outcomes = race([partial(book, session)] * 50)

    assert tally(outcomes) == {"Booking": 1, "NotEnoughPlaces": 49}
    assert places_of(session) == Places(held=0, booked=1, remaining=0)
    assert Booking.objects.count() == 1


def test_a_party_of_two_is_refused_the_single_place_that_is_left() -> None:
    session = make_session(capacity=3)
    hold(session, 2)

    with pytest.raises(NotEnoughPlaces) as refusal:
        hold(session, 2)

    assert refusal.value.extra["available_spots"] == 1
    assert places_of(session) == Places(held=2, booked=0, remaining=1)
