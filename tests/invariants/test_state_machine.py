"""Any acts in any order, against a slow model that knows only what a customer may expect.

The model shares no line with the product: it adds up parties. A hold that has lapsed counts for nothing in it, whether
the product has reclaimed it yet or not. So every answer has one right value: what fits is sold, what does not is
refused with the number that would have fitted, and places are conserved after each step.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import cycle, product
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import Q
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from alerts.services.auditor import check_sessions
from bookings import policies
from bookings.models import Booking, BookingEvent, Line
from bookings.services import checkout
from bookings.services.cancellation import cancel_booking
from bookings.services.changes import move_line
from bookings.services.checkout import Terms, Wanted
from bookings.services.party_changes import change_party
from bookings.services.time_machine import find_differences, session_as_of
from bookings.services.transfers import accept_transfer, offer_transfer
from bookings.transfer_links import offer_token
from config.kit.clock import database_now
from config.kit.refusals import InvalidRequest, NotFound, Refusal
from scheduling.availability import check_slot_availability
from scheduling.models import Reservation, Session
from scheduling.services import capacity, reservations
from scheduling.services.assessing import NotEnoughPlaces, Party
from scheduling.services.reservations import AlreadyExtended, BasketClosed, ReservationEnded, ReservationLapsed
from tests.concurrency.races import Places, places_of, race
from tests.factories import (
    ANNA,
    CUSTOMER,
    confirm,
    hold,
    lapse,
    make_activity,
    make_session,
    make_sessions,
    make_unit,
    stranger,
)

SESSIONS = 3
PRICES = {"Adult": 1000, "Child": 500, "Infant": 0, "Family": 2500}
TAKES = {"Adult": 1, "Child": 1, "Infant": 0, "Family": 4}
MOVE_FEE = 150
numbers = st.integers(0, SESSIONS - 1)
sizes = st.integers(1, 6)


@dataclass
class ModelParty:
    """Somebody who has, or had, places of a session."""

    session: int
    places: int
    amount: int
    basket: UUID
    state: str = "held"  # held, lapsed, confirmed, released
    extended: bool = False
    counts: dict[str, int] = field(default_factory=dict)  # by unit; none named: adults
    booking: UUID | None = None

    @property
    def people(self) -> dict[str, int]:
        return self.counts or {"Adult": self.places}


@dataclass
class ModelBooking:
    """An agreement: who has it, and what was kept as fees."""

    email: str
    fees: int = 0


@dataclass
class Model:
    """What was agreed with whom."""

    capacities: list[int]
    parties: dict[UUID, ModelParty] = field(default_factory=dict)
    bookings: dict[UUID, ModelBooking] = field(default_factory=dict)

    def book(self, booking: Booking, keys: list[UUID], email: str) -> None:
        self.bookings[booking.id] = ModelBooking(email)
        for key in keys:
            self.parties[key].state, self.parties[key].booking = "confirmed", booking.id

    def live(self, booking: UUID) -> list[ModelParty]:
        return [party for party in self.parties.values() if party.booking == booking and party.state == "confirmed"]

    def total(self, booking: UUID) -> int:
        return sum(party.amount for party in self.live(booking)) + self.bookings[booking].fees

    def places(self, session: int, state: str) -> int:
        return sum(p.places for p in self.parties.values() if p.session == session and p.state == state)

    def free(self, session: int) -> int:
        return self.capacities[session] - self.places(session, "held") - self.places(session, "confirmed")

    def fits(self, wanted: list[tuple[int, int]]) -> bool:
        return all(
            sum(places for number, places in wanted if number == session) <= self.free(session) for session, _ in wanted
        )


class Bookings(RuleBasedStateMachine):
    """The product beside its model."""

    holds: "Bundle[UUID]" = Bundle("holds")

    def __init__(self) -> None:
        super().__init__()
        self.model = Model([])
        self.sessions: list[Session] = []
        self.turns = cycle(product(range(SESSIONS), (0, 1)))  # after each step one session is asked: at n, or at n + 1

    @initialize(capacities=st.lists(st.integers(0, 12), min_size=SESSIONS, max_size=SESSIONS))
    def open(self, capacities: list[int]) -> None:
        reservations.release_expired_reservations()  # what earlier examples left
        activity = make_activity(
            price_minor=None, change_fee_minor=MOVE_FEE, change_until_minutes=0, cancel_until_minutes=0,
            cancel_fee_percent=10,
        )  # fmt: skip
        self.units = {
            name: make_unit(activity, name=name, price_minor=price, places=TAKES[name], is_default=name == "Adult")
            for name, price in PRICES.items()
        }
        self.sessions = make_sessions(SESSIONS, activity)
        for session, places in zip(self.sessions, capacities, strict=True):
            capacity.set_capacity(session_id=session.id, capacity=places)
        self.model = Model(list(capacities))

    # Taking -------------------------------------------------------------------------------------------------------

    @rule(target=holds, session=numbers, size=sizes)
    def hold(self, session: int, size: int) -> Any:
        return self.take([(session, size)], lambda: [hold(self.sessions[session], size)])

    @rule(target=holds, session=numbers, over=st.integers(0, 1))
    def hold_to_the_last_place(self, session: int, over: int) -> Any:
        size = max(self.model.free(session), 1 - over) + over
        return self.take([(session, size)], lambda: [hold(self.sessions[session], size)])

    @rule(target=holds, first=holds, session=numbers, size=sizes)
    def hold_into_a_basket(self, first: UUID, session: int, size: int) -> Any:
        basket = self.model.parties[first].basket
        if any(party.basket == basket and party.state == "confirmed" for party in self.model.parties.values()):
            with pytest.raises(BasketClosed):
                hold(self.sessions[session], size, basket=basket)
            return multiple()
        return self.take([(session, size)], lambda: [hold(self.sessions[session], size, basket=basket)])

    @rule(target=holds, session=numbers, counts=st.dictionaries(st.sampled_from(sorted(TAKES)), sizes, min_size=1))
    def hold_units(self, session: int, counts: dict[str, int]) -> Any:
        units = tuple((self.units[name].id, count) for name, count in counts.items())
        party = Party(self.sessions[session].id, None, units)
        places = sum(TAKES[name] * count for name, count in counts.items())
        amount = sum(PRICES[name] * count for name, count in counts.items())
        if places == 0:
            with pytest.raises(InvalidRequest):
                reservations.reserve_parties([party], email=ANNA.email)
            return multiple()
        return self.take([(session, places)], lambda: reserve(party), amount=amount, counts=counts)

    @rule(target=holds, wanted=st.lists(st.tuples(numbers, sizes), min_size=1, max_size=4))
    def hold_several(self, wanted: list[tuple[int, int]]) -> Any:
        return self.take(wanted, lambda: reserve(*self.parties_of(wanted)))

    @rule(target=holds, wanted=st.lists(st.tuples(numbers, sizes), min_size=1, max_size=3))
    def book(self, wanted: list[tuple[int, int]]) -> Any:
        return self.take(wanted, lambda: book_parties(*self.parties_of(wanted)), state="confirmed")

    def parties_of(self, wanted: list[tuple[int, int]]) -> list[Party]:
        return [Party(self.sessions[session].id, size) for session, size in wanted]

    def take(
        self,
        wanted: list[tuple[int, int]],
        act: Callable[[], list[Reservation]],
        *,
        amount: int | None = None,
        counts: dict[str, int] | None = None,
        state: str = "held",
    ) -> Any:
        if not self.model.fits(wanted):
            with pytest.raises(NotEnoughPlaces) as refusal:
                act()
            self.check_refusal(refusal.value, wanted)
            return multiple()
        taken = act()
        for reservation, (session, places) in zip(taken, wanted, strict=True):
            price = places * PRICES["Adult"] if amount is None else amount
            assert (reservation.places, reservation.amount_minor) == (places, price)
            self.model.parties[reservation.id] = ModelParty(
                session, places, price, reservation.basket, counts=dict(counts or {})
            )
        if state == "confirmed":
            booking = Booking.objects.select_related("customer").get(lines__reservation=taken[0])
            self.model.book(booking, [reservation.id for reservation in taken], booking.customer.email)
        return multiple(*[reservation.id for reservation in taken])

    def check_refusal(self, refusal: NotEnoughPlaces, wanted: list[tuple[int, int]]) -> None:
        """The number it gives is what is free, less what this party's other lines of the session would take."""
        left = {session: max(self.model.free(session), 0) for session, _ in wanted}
        for session, places in wanted:
            if places > left[session]:
                assert refusal.extra["available_spots"] == left[session]
                return
            left[session] -= places
        raise AssertionError("the model would have sold it")

    # Keeping and giving back --------------------------------------------------------------------------------------

    @rule(chosen=holds)
    def extend(self, chosen: UUID) -> None:
        party = self.model.parties[chosen]
        expected = {"lapsed": ReservationLapsed, "confirmed": ReservationEnded, "released": ReservationEnded}
        refusal = AlreadyExtended if party.state == "held" and party.extended else expected.get(party.state)
        before = Reservation.objects.get(id=chosen).expires_at
        with refused(refusal):
            extended = reservations.extend_reservation(reservation_id=chosen)
            assert extended.expires_at - before == timedelta(minutes=3)
            party.extended = True

    @rule(chosen=holds)
    def confirm(self, chosen: UUID) -> None:
        basket = self.model.parties[chosen].basket
        members = [p for p in self.model.parties.values() if p.basket == basket and p.state != "released"]
        states = {party.state for party in members}
        if states == {"held"}:
            booking = confirm(Reservation(id=chosen))
            assert (booking.status, booking.total_minor) == ("confirmed", sum(party.amount for party in members))
            keys = [key for key, party in self.model.parties.items() if party in members]
            self.model.book(booking, keys, ANNA.email)
            return
        theirs = Booking.objects.filter(lines__reservation__basket=basket, lines__status="live", status="confirmed")
        if "confirmed" in states and {found.customer.email for found in theirs} == {ANNA.email}:
            assert confirm(Reservation(id=chosen)) in theirs  # whoever confirms what is theirs already is told so
            return
        why: set[type[Refusal]] = {NotFound} if not members else set()
        why |= {ReservationLapsed} if "lapsed" in states else set()
        why |= {ReservationEnded} if "confirmed" in states else set()
        with pytest.raises(tuple(why)):
            confirm(Reservation(id=chosen))

    @rule(chosen=holds)
    def release(self, chosen: UUID) -> None:
        party = self.model.parties[chosen]
        with refused(ReservationEnded if party.state == "confirmed" else None):
            released = reservations.release_reservation(reservation_id=chosen)
            assert released.status in ("released", "expired")
            if released.status == "released":
                party.state = "released"
            elif released.status == "expired":
                party.basket = chosen  # it has left its basket, which can be bought without it

    @rule(chosen=holds)
    def lapse_one(self, chosen: UUID) -> None:
        self.lapse(chosen)

    def lapse(self, chosen: UUID) -> None:
        party = self.model.parties[chosen]
        if party.state == "held":
            lapse(Reservation(id=chosen))
            party.state = "lapsed"

    @rule(session=numbers)
    def lapse_all(self, session: int) -> None:
        for key, party in self.model.parties.items():
            if party.session == session:
                self.lapse(key)

    @rule()
    def sweep(self) -> None:
        waiting = sum(
            Reservation.objects.filter(
                id__in=[key for key, party in self.model.parties.items() if party.state == "lapsed"], status="held"
            ).values_list("places", flat=True)
        )
        assert reservations.release_expired_reservations() == waiting

    @rule(session=numbers, places=st.integers(0, 14))
    def set_capacity(self, session: int, places: int) -> None:
        capacity.set_capacity(session_id=self.sessions[session].id, capacity=places)
        self.model.capacities[session] = places

    @rule(session=numbers)
    def recount(self, session: int) -> None:
        assert reservations.recalculate_capacity(session_id=self.sessions[session].id).is_clean

    # Changing what is booked --------------------------------------------------------------------------------------

    @rule(chosen=holds, whole=st.booleans())
    def cancel(self, chosen: UUID, whole: bool) -> None:
        party = self.model.parties[chosen]
        if party.booking is None or not (whole or party.state == "confirmed"):
            return
        live = self.model.live(party.booking)
        going = live if whole else [each for each in live if each is party]
        lines = None if whole else [line_of(chosen).id]
        booking = cancel_booking(booking_id=party.booking, lines=lines, actor=CUSTOMER)
        for each in going:
            self.model.bookings[party.booking].fees += tenth(each.amount)
            each.state = "released"
        self.check_booking(booking)

    @rule(target=holds, chosen=holds, session=numbers)
    def move(self, chosen: UUID, session: int) -> Any:
        party = self.model.parties[chosen]
        if party.booking is None or party.state != "confirmed":
            return multiple()
        line, to = line_of(chosen), self.sessions[session].id
        act = partial(move_line, line_id=line.id, session_id=to, actor=CUSTOMER, confirm_duplicate=True)
        if session == party.session:
            with pytest.raises(InvalidRequest):
                act()
            return multiple()
        if party.places > self.model.free(session):
            with pytest.raises(NotEnoughPlaces) as refusal:
                act()
            assert refusal.value.extra["available_spots"] == max(self.model.free(session), 0)
            return multiple()
        booking = act()
        new = Reservation.objects.get(lines=line.id)
        key = new.id
        party.state = "released"
        self.model.parties[key] = replace(party, session=session, basket=new.basket, state="confirmed")
        self.model.bookings[party.booking].fees += MOVE_FEE
        self.check_booking(booking)
        return key

    @rule(chosen=holds, counts=st.dictionaries(st.sampled_from(sorted(TAKES)), sizes, min_size=1))
    def resize(self, chosen: UUID, counts: dict[str, int]) -> None:
        party = self.model.parties[chosen]
        if party.booking is None or party.state != "confirmed":
            return
        units = tuple((self.units[name].id, count) for name, count in counts.items())
        act = partial(change_party, line_id=line_of(chosen).id, units=units, actor=CUSTOMER)
        places = sum(TAKES[name] * count for name, count in counts.items())
        more = places - party.places
        if not places or 0 < more > self.model.free(party.session):
            with pytest.raises((InvalidRequest, NotEnoughPlaces)):
                act()
            return
        left = {name: max(count - counts.get(name, 0), 0) for name, count in party.people.items()}
        self.model.bookings[party.booking].fees += tenth(sum(PRICES[name] * count for name, count in left.items()))
        booking = act()
        party.places, party.counts = places, dict(counts)
        party.amount = sum(PRICES[name] * count for name, count in counts.items())
        self.check_booking(booking)

    @rule(chosen=holds)
    def transfer(self, chosen: UUID) -> None:
        party = self.model.parties[chosen]
        if party.booking is None or not self.model.live(party.booking):
            return
        contact = stranger()
        fact = offer_transfer(booking_id=party.booking, contact=contact, actor=CUSTOMER)
        booking = accept_transfer(offer_id=fact.id, token=offer_token(fact), actor=CUSTOMER)
        self.model.bookings[party.booking].email = contact.email
        self.check_booking(booking)

    def check_booking(self, booking: Booking) -> None:
        """The booking is what was agreed: whose it is, what lives of it, and its total."""
        agreed = self.model.bookings[booking.id]
        status = "confirmed" if self.model.live(booking.id) else "cancelled"
        lines = sorted(booking.lines.filter(status="live").values_list("amount_minor", flat=True))
        assert (booking.status, booking.customer.email) == (status, agreed.email)
        assert booking.total_minor == self.model.total(booking.id)
        assert lines == sorted(party.amount for party in self.model.live(booking.id))

    # After every step ---------------------------------------------------------------------------------------------

    @invariant()
    def places_are_conserved(self) -> None:
        for number, row in enumerate(counters(self.sessions)):
            total, held, booked, remaining, honoured, lapsed, held_by_rows, booked_by_rows = row
            taken = held + booked
            assert (held, booked) == (held_by_rows, booked_by_rows)
            assert (held - lapsed, booked) == (
                self.model.places(number, "held"),
                self.model.places(number, "confirmed"),
            )
            assert total == self.model.capacities[number]
            assert remaining == max(total - taken, 0)
            assert honoured == (taken if taken > total else 0)
            assert self.model.free(number) + (held - lapsed) + booked == total

    @invariant()
    def availability_says_what_a_hold_would_get(self) -> None:
        number, over = next(self.turns)
        free = max(self.model.free(number), 0)
        found = check_slot_availability(session_id=self.sessions[number].id, party_size=max(free + over, 1))
        assert (found.spots, found.is_full) == (free, free == 0)
        assert found.is_available == (free > 0 and not over)

    def teardown(self) -> None:
        if self.sessions:
            activity = self.sessions[0].activity_id
            assert list(check_sessions(Session.objects.filter(activity=activity))) == []
            booked = Booking.objects.filter(lines__session__activity=activity).distinct()
            assert find_differences(booked) == []  # the facts alone tell what the rows say
            now = database_now()
            for session in Session.objects.filter(activity=activity):
                assert session_as_of(session, now).places_booked == session.places_booked


def counters(sessions: list[Session]) -> list[tuple[int, ...]]:
    """Read the rows as they stand, and what the reservations add up to."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT s.capacity_total, s.places_held, s.places_booked, s.capacity_remaining, s.honoured_capacity,
                coalesce(sum(r.places) FILTER (WHERE r.status = 'held' AND r.expires_at <= clock_timestamp()), 0),
                coalesce(sum(r.places) FILTER (WHERE r.status = 'held'), 0),
                coalesce(sum(r.places) FILTER (WHERE r.status = 'confirmed'), 0)
            FROM scheduling_session s LEFT JOIN scheduling_reservation r ON r.session_id = s.id
            WHERE s.id = ANY(%s) GROUP BY s.id ORDER BY s.starts_at""",
            [[session.id for session in sessions]],
        )
        rows: list[tuple[int, ...]] = cursor.fetchall()
        return rows


def line_of(key: UUID) -> Line:
    """Return a line by its id, or by a reservation that it has or had."""
    found = Line.objects.filter(Q(id=key) | Q(reservation=key)).first()
    if found:
        return found
    moved = BookingEvent.objects.get(kind="line_moved", before__reservation=str(key))
    return Line.objects.get(id=moved.after["line"])


def tenth(amount: int) -> int:
    """Return a tenth, rounded half up."""
    return amount // 10 + (amount % 10 >= 5)


def reserve(*parties: Party) -> list[Reservation]:
    return reservations.reserve_parties(parties, email=ANNA.email)


def book_parties(*parties: Party) -> list[Reservation]:
    lines = [Wanted(party) for party in parties]
    booking = checkout.book_lines(lines=lines, contact=stranger(), terms=Terms(), actor=CUSTOMER)
    held = [line.reservation for line in booking.lines.select_related("reservation")]
    return sorted(held, key=lambda reservation: reservation.id)


def refused(refusal: type[Refusal] | None) -> AbstractContextManager[object]:
    """Expect this refusal, or none."""
    return pytest.raises(refusal) if refusal else nullcontext()


def run(examples: int, **others: Any) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        **others,
    )
    run_state_machine_as_test(Bookings, settings=chosen)


@pytest.mark.usefixtures("committed_db")
def test_any_acts_in_any_order_agree_with_the_model() -> None:
    run(100)


def look_at_no_clock(reservation: Reservation, *, at: datetime) -> None:
    """Leave the look at the clock out."""


def refuse_by_the_counter(seen: capacity.Seen, *, claim: object, party_size: int) -> None:
    """Forget that the next buyer may reclaim what has lapsed."""
    if seen.room < party_size:
        raise NotEnoughPlaces(extra={"available_spots": max(seen.room, 0)})


TRIES = 8
MUTANTS: Mapping[str, tuple[object, str, object]] = {
    "lapsed holds are not reclaimed": (capacity, "reclaim_lapsed", lambda _: 0),
    "what lapsed is confirmed": (reservations, "check_held", look_at_no_clock),
    "confirming leaves the counters": (capacity, "confirm_places", lambda *_, **__: None),
    "a cut is not honoured": (capacity, "SETTLED", "0 * ({taken} + {capacity})"),
    "lapsed places count as taken": (reservations, "_answer_from", refuse_by_the_counter),
    "what is cancelled keeps its places": (capacity, "release_places", lambda *_, **__: None),
    "a smaller party keeps its places": (capacity, "resize_reservation", lambda *_, **__: True),
    "a fee is forgotten": (policies, "cancel_fee", lambda *_: 0),
}


@pytest.mark.usefixtures("committed_db")
@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_the_model_notices(mutant: tuple[object, str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, instead = mutant
    monkeypatch.setattr(owner, name, instead)

    assert any(notices() for _ in range(TRIES))


def notices() -> bool:
    """Answer whether a short run fails; by chance a single one may look elsewhere."""
    try:
        run(60, phases=[Phase.generate], database=None, derandomize=False)
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 whatever it is that breaks
        return True
    return False


@pytest.mark.usefixtures("committed_db")
@settings(max_examples=40, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
@given(places=st.integers(0, 12), parties=st.lists(sizes, min_size=2, max_size=10), lapsed=st.integers(0, 3))
def test_no_list_of_concurrent_requests_exceeds_the_capacity_or_is_refused_what_fits(
    places: int, parties: list[int], lapsed: int
) -> None:
    session = make_session(capacity=places)
    lapse(*[hold(session) for _ in range(min(lapsed, places))])

    outcomes = race([partial(hold, session, size) for size in parties])

    granted = [size for size, outcome in zip(parties, outcomes, strict=True) if isinstance(outcome, Reservation)]
    refused = [size for size, outcome in zip(parties, outcomes, strict=True) if isinstance(outcome, NotEnoughPlaces)]
    assert sorted(granted + refused) == sorted(parties)
    left = places - sum(granted)
    assert left >= 0
    assert all(size > left for size in refused)
    reservations.release_expired_reservations()
    assert places_of(session) == Places(held=sum(granted), booked=0, remaining=left)
