"""A waiting list by any acts in any order, against a slow model that knows only the rule.

The model shares no line with the product: it goes through everybody who waits, in order of priority and then of time,
as long as somebody fits whole into what is free. After each step product and model agree on who waits, who has an
offer and where, how often each was passed over, and what is free.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from alerts.services.auditor import check_invariants
from bookings import queues
from bookings.models import WaitlistEntry
from bookings.services import checkout, waitlist, waitlist_offers
from bookings.services.checkout import Terms
from bookings.services.waitlist import NotFull
from scheduling.models import Reservation, Session
from scheduling.services import capacity, reservations
from scheduling.services.assessing import NotBookable, NotEnoughPlaces
from tests.factories import CUSTOMER, hold, join, lapse, make_activity, make_sessions, stranger

SESSIONS = 2
numbers = st.integers(0, SESSIONS - 1)
sizes = st.integers(1, 3)


@dataclass
class Party:
    """Somebody who waits, or waited."""

    places: int
    wishes: list[int]
    joined: int
    priority: int = 0
    state: str = "waiting"
    offered: int | None = None
    skips: int = 0


@dataclass
class Model:
    """Places, what is taken of them by whom, and who waits."""

    capacities: list[int]
    taken: dict[UUID, tuple[int, int]] = field(default_factory=dict)  # by reservation: session, places
    parties: dict[UUID, Party] = field(default_factory=dict)

    def free(self, session: int) -> int:
        offers = sum(p.places for p in self.parties.values() if p.state in ("offered", "converted")
                     and p.offered == session)  # fmt: skip
        return self.capacities[session] - offers - sum(n for where, n in self.taken.values() if where == session)

    def waiting(self, session: int) -> list[Party]:
        waiting = [p for p in self.parties.values() if p.state == "waiting" and session in p.wishes]
        return sorted(waiting, key=lambda p: (-p.priority, p.joined))

    def settle(self) -> None:
        """Offer as long as somebody fits; whoever is before them in that session's line was passed over."""
        everybody = sorted(self.parties.values(), key=lambda p: (-p.priority, p.joined))
        for party in everybody:
            for session in party.wishes:
                if party.state == "waiting" and party.places <= self.free(session):
                    line = self.waiting(session)
                    for passed in line[: line.index(party)]:
                        passed.skips += 1
                    party.state, party.offered = "offered", session


class Waiting(RuleBasedStateMachine):
    """The product beside its model."""

    holds: "Bundle[UUID]" = Bundle("holds")
    entries: "Bundle[UUID]" = Bundle("entries")

    @initialize(target=holds, capacities=st.lists(st.integers(2, 5), min_size=SESSIONS, max_size=SESSIONS))
    def open(self, capacities: list[int]) -> Any:
        """Begin with every place held, one by one: there is nobody to wait for room that is there."""
        self.sessions: list[Session] = make_sessions(SESSIONS, make_activity())
        for session, places in zip(self.sessions, capacities, strict=True):
            capacity.set_capacity(session_id=session.id, capacity=places)
        self.model = Model(list(capacities))
        for number, session in enumerate(self.sessions):
            for _ in range(capacities[number]):
                self.model.taken[hold(session).id] = (number, 1)
        return multiple(*self.model.taken)

    @rule(target=holds, session=numbers, size=sizes)
    def walk_in(self, session: int, size: int) -> Any:
        if self.model.waiting(session) or self.model.free(session) < size:
            with pytest.raises((NotBookable, NotEnoughPlaces)):
                hold(self.sessions[session], size)
            return multiple()
        held = hold(self.sessions[session], size)
        self.model.taken[held.id] = (session, size)
        return held.id

    @rule(chosen=holds, lapses=st.booleans())
    def give_back(self, chosen: UUID, lapses: bool) -> None:
        if chosen not in self.model.taken:
            return
        self.end(chosen, lapses=lapses)
        del self.model.taken[chosen]
        self.model.settle()

    @rule(target=entries, wishes=st.permutations(range(SESSIONS)), number=st.integers(1, SESSIONS), size=sizes)
    def join(self, wishes: list[int], number: int, size: int) -> Any:
        wishes = wishes[:number]
        if any(size > self.model.capacities[each] for each in wishes):
            return multiple()
        first, *others = [self.sessions[each] for each in wishes]
        if any(not self.model.waiting(each) and self.model.free(each) >= size for each in wishes):
            with pytest.raises(NotFull):
                join(first, size, *others)
            return multiple()
        entry = join(first, size, *others)
        self.model.parties[entry.id] = Party(size, wishes, joined=len(self.model.parties))
        self.model.settle()
        return entry.id

    @rule(chosen=entries)
    def leave(self, chosen: UUID) -> None:
        party = self.model.parties[chosen]
        if party.state in ("waiting", "offered"):
            waitlist.leave_waitlist(entry_id=chosen, actor=CUSTOMER)
            party.state = "left"
            self.model.settle()

    @rule(chosen=entries, priority=st.integers(-1, 2))
    def prefer(self, chosen: UUID, priority: int) -> None:
        if self.model.parties[chosen].state == "waiting":
            waitlist.set_priority(entry_id=chosen, priority=priority, actor=CUSTOMER)
            self.model.parties[chosen].priority = priority

    @rule(chosen=entries, accepts=st.booleans(), lapses=st.booleans())
    def answer(self, chosen: UUID, accepts: bool, lapses: bool) -> None:
        party = self.model.parties[chosen]
        if party.state != "offered":
            return
        offer = waitlist.accept_offer(entry_id=chosen)
        if accepts:
            checkout.book_basket(basket=offer.basket, contact=stranger(), terms=Terms(), actor=CUSTOMER)
            party.state = "converted"
            return
        self.end(offer.id, lapses=lapses)
        party.state = "lapsed" if lapses else "left"
        self.model.settle()

    @rule(session=numbers, more=st.integers(1, 3))
    def enlarge(self, session: int, more: int) -> None:
        self.model.capacities[session] += more
        capacity.set_capacity(session_id=self.sessions[session].id, capacity=self.model.capacities[session])
        self.model.settle()

    @rule()
    def sweep(self) -> None:
        waitlist_offers.sweep_waitlist()  # nothing was missed

    def end(self, reservation: UUID, *, lapses: bool) -> None:
        if lapses:
            lapse(Reservation(id=reservation))
            reservations.release_expired_reservations()
        else:
            reservations.release_reservation(reservation_id=reservation)

    @invariant()
    def both_agree(self) -> None:
        if not hasattr(self, "model"):
            return
        rows = WaitlistEntry.objects.filter(id__in=self.model.parties).select_related("reservation")
        numbers = {session.id: number for number, session in enumerate(self.sessions)}
        found = {e.id: (e.status, e.reservation and numbers[e.reservation.session_id], e.skips) for e in rows}
        assert found == {key: (p.state, p.offered, p.skips) for key, p in self.model.parties.items()}
        for number, session in enumerate(self.sessions):
            session.refresh_from_db()
            assert session.capacity_remaining == self.model.free(number) >= 0
            assert session.waiting == len(self.model.waiting(number))

    def teardown(self) -> None:
        assert check_invariants() == []


def run(examples: int, **others: Any) -> None:
    chosen = settings(
        max_examples=examples, stateful_step_count=20, deadline=None, print_blob=True,
        suppress_health_check=list(HealthCheck), **others,
    )  # fmt: skip
    run_machine(Waiting, settings=chosen)


@pytest.mark.usefixtures("committed_db")
def test_a_waiting_list_by_any_acts_in_any_order_agrees_with_the_model() -> None:
    run(60)


def who_came_last(waiters: Any) -> Any:
    return sorted(waiters, key=lambda waiter: waiter.turn, reverse=True)


def a_part_of_the_party(queue: Any, free: Mapping[UUID, int]) -> queues.Turn | None:
    """Offer to the first in line whether it fits or not."""
    return next((queues.Turn(w.id, s) for w in queue for s in w.sessions if free.get(s, 0) > 0), None)


MUTANTS: Mapping[str, tuple[object, str, Callable[..., Any]]] = {
    "the last comes first": (waitlist_offers, "in_order", who_came_last),
    "who does not fit is asked": (waitlist_offers, "next_turn", a_part_of_the_party),
    "what comes free is not offered": (capacity, "tell_freed", lambda _: None),
    "an offer that is over goes on": (waitlist_offers, "_end_dead_offers", lambda _: None),
}


@pytest.mark.usefixtures("committed_db")
@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_the_model_of_a_waiting_list_notices(
    mutant: tuple[object, str, Callable[..., Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name, instead = mutant
    monkeypatch.setattr(owner, name, instead)

    with pytest.raises((Exception, pytest.fail.Exception)):
        run(60, phases=[Phase.generate], database=None, derandomize=True)
