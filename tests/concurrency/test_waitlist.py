"""Those who wait, racing: each joins once, each place is offered once, nobody who walks in comes before them."""

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from uuid import UUID

import pytest

from alerts.services.auditor import check_invariants
from bookings.models import Booking, WaitlistEntry
from bookings.services import cancellation, checkout, waitlist, waitlist_offers
from bookings.services.checkout import Terms
from bookings.services.waitlist import AlreadyWaiting
from config.kit.facts import Actor, ActorKind
from scheduling.models import Reservation, Session
from scheduling.services import capacity, handing_on, reservations
from tests.concurrency.races import Places, look_at_sessions, places_of, race, tally
from tests.factories import CUSTOMER, book, hold, join, lapse, make_activity, make_session, make_sessions, stranger

pytestmark = pytest.mark.usefixtures("committed_db")

STAFF = Actor(kind=ActorKind.STAFF, channel="admin")


def booked_out(capacity: int = 1, session: Session | None = None) -> Session:
    """Book every place, one by one."""
    session = session or make_session(capacity=capacity)
    for _ in range(capacity):
        book(session, contact=stranger())
    return session


def cancel(booking: Booking) -> Booking:
    return cancellation.cancel_booking(booking_id=booking.id, actor=STAFF, reason_code="asked", waive_fee=True)


def bookings_of(session: Session) -> list[Booking]:
    return list(Booking.objects.filter(lines__session=session, status="confirmed").order_by("id"))


def statuses(*entries: WaitlistEntry) -> list[str]:
    found = dict(WaitlistEntry.objects.filter(id__in=[e.id for e in entries]).values_list("id", "status"))
    return [found[entry.id] for entry in entries]


def waiting(session: Session) -> int:
    return Session.objects.get(id=session.id).waiting


# Joining ----------------------------------------------------------------------------------------------------------


def test_eight_who_join_at_once_are_all_counted_and_stand_in_one_line() -> None:
    session = booked_out()

    outcomes = race([partial(join, session)] * 8)

    assert tally(outcomes) == {"WaitlistEntry": 8}
    assert waiting(session) == 8
    assert check_invariants() == []


def test_fewer_are_counted_than_wait_when_joining_does_not_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    session = booked_out()
    everybody_has_counted = threading.Barrier(8)
    count = waitlist_offers.count_waiters

    def count_and_meet(session_ids: Iterable[UUID]) -> None:
        ids = list(session_ids)
        meet(everybody_has_counted)
        count(ids)

    monkeypatch.setattr(capacity, "lock_sessions", lambda ids, **_: look_at_sessions(ids))
    monkeypatch.setattr(capacity, "reclaim_lapsed", lambda _: 0)
    monkeypatch.setattr(waitlist_offers, "count_waiters", count_and_meet)

    race([partial(join, session)] * 8)

    assert waiting(session) < 8
    assert "I23" in {finding.code for finding in check_invariants()}


def meet(barrier: threading.Barrier) -> None:
    try:
        barrier.wait(timeout=1)
    except threading.BrokenBarrierError:
        return


def test_one_address_that_joins_eight_times_at_once_waits_once() -> None:
    session, contact = booked_out(), stranger()

    outcomes = race([partial(join, session, contact=contact)] * 8)

    assert tally(outcomes) == {"WaitlistEntry": 1, "AlreadyWaiting": 7}
    assert [type(outcome) for outcome in outcomes].count(AlreadyWaiting) == 7
    assert waiting(session) == 1


# Offers -----------------------------------------------------------------------------------------------------------


def test_one_freed_place_goes_to_the_first_who_waits_whoever_walks_in_or_sweeps() -> None:
    for _ in range(5):
        session = booked_out()
        entries = [join(session) for _ in range(3)]
        acts: list[Callable[[], object]] = [
            partial(cancel, bookings_of(session)[0]), *[partial(hold, session)] * 5,
            reservations.release_expired_reservations, waitlist_offers.sweep_waitlist,
        ]  # fmt: skip

        outcomes = race(acts)

        assert not [outcome for outcome in outcomes if isinstance(outcome, Reservation)]
        assert statuses(*entries) == ["offered", "waiting", "waiting"]
        assert places_of(session) == Places(held=1, booked=0, remaining=0)
    assert check_invariants() == []


def test_a_walk_in_overtakes_when_those_who_wait_are_asked_after_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: with the offer left out of the freeing transaction, and the count with it, a stranger is first."""
    session = booked_out()
    entry = join(session)
    monkeypatch.setattr(capacity, "tell_freed", lambda _: None)
    Session.objects.filter(id=session.id).update(waiting=0)

    cancel(bookings_of(session)[0])

    assert isinstance(hold(session), Reservation)
    assert statuses(entry) == ["waiting"]


def test_two_places_that_come_free_at_once_go_to_the_two_who_are_first() -> None:
    for _ in range(5):
        session = booked_out(2)
        entries = [join(session) for _ in range(3)]

        outcomes = race([partial(cancel, booking) for booking in bookings_of(session)])

        assert tally(outcomes) == {"Booking": 2}
        assert statuses(*entries) == ["offered", "offered", "waiting"]
    assert check_invariants() == []


def free_in_both(rounds: int) -> list[list[Reservation]]:
    """Free a place in each of two sessions at the same time, for one who waits for both; return what is held."""
    held = []
    for _ in range(rounds):
        first, second = make_sessions(2, make_activity(), capacity=1)
        for session in (first, second):
            booked_out(1, session)
        join(first, 1, second)
        race([partial(cancel, bookings_of(session)[0]) for session in (first, second)])
        held.append(list(Reservation.objects.held().filter(session__in=[first, second])))
    return held


def test_who_waits_for_two_sessions_is_offered_one_when_both_come_free_at_once() -> None:
    assert [len(held) for held in free_in_both(10)] == [1] * 10
    waitlist_offers.sweep_waitlist()
    assert check_invariants() == []


def test_who_waits_for_two_sessions_is_offered_both_when_the_entry_is_not_locked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    everybody_has_looked = threading.Barrier(2)

    def look(session_ids: Sequence[UUID]) -> list[WaitlistEntry]:
        found = list(WaitlistEntry.objects.filter(choices__session__in=session_ids, status="waiting"))
        meet(everybody_has_looked)
        return found

    monkeypatch.setattr(waitlist_offers, "_lock_entries", look)

    assert 2 in [len(held) for held in free_in_both(1)]


def test_accepting_and_lapsing_have_one_winner() -> None:
    ends = set()
    for _ in range(15):
        session = booked_out()
        first, second = join(session), join(session)
        cancel(bookings_of(session)[0])
        first.refresh_from_db()
        offer = first.reservation
        assert offer is not None
        acts: list[Callable[[], object]] = [
            partial(checkout.book_basket, basket=offer.basket, contact=stranger(), terms=Terms(), actor=CUSTOMER),
            partial(lapse_and_sweep, offer),
        ]

        booked, _ = race(acts)

        reservations.release_expired_reservations()  # the other sweep may have passed a locked session by
        ends.add((type(booked).__name__, *statuses(first, second)))
        assert places_of(session).remaining == 0
    assert ends <= {("Booking", "converted", "waiting"), ("ReservationLapsed", "lapsed", "offered")}
    assert check_invariants() == []


def lapse_and_sweep(offer: Reservation) -> int:
    lapse(Reservation.objects.filter(status="held").get(id=offer.id))
    return reservations.release_expired_reservations()


def test_leaving_and_being_offered_at_once_end_with_the_place_at_the_next() -> None:
    for _ in range(10):
        session = booked_out()
        first, second = join(session), join(session)

        acts: list[Callable[[], object]] = [
            partial(cancel, bookings_of(session)[0]),
            partial(waitlist.leave_waitlist, entry_id=first.id, actor=CUSTOMER),
        ]

        outcomes = race(acts)

        assert tally(outcomes) == {"Booking": 1, "WaitlistEntry": 1}
        assert statuses(first, second) == ["left", "offered"]
    assert check_invariants() == []


# With nobody sweeping ---------------------------------------------------------------------------------------------


def test_whoever_walks_in_hands_a_lapsed_place_to_the_one_who_is_next() -> None:
    session = make_session(capacity=1)
    held = hold(session)
    entry = join(session)
    lapse(held)

    outcomes = race([partial(hold, session)] * 4)

    assert set(tally(outcomes)) <= {"NotEnoughPlaces", "NotBookable"}
    assert statuses(entry) == ["offered"]
    assert check_invariants() == []


def test_a_lapsed_place_is_nobodys_when_the_refused_do_not_hand_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    session = make_session(capacity=1)
    held = hold(session)
    entry = join(session)
    lapse(held)
    monkeypatch.setattr(handing_on, "_somebody_waits", lambda _: False)

    race([partial(hold, session)] * 4)

    assert statuses(entry) == ["waiting"]


# All at once ------------------------------------------------------------------------------------------------------


def test_all_acts_of_a_waiting_list_at_once_leave_nothing_wrong() -> None:
    activity = make_activity()
    sessions = make_sessions(3, activity, capacity=6)
    for session in sessions:
        booked_out(6, session)
    a, b, c = sessions
    for wish in ((a, 2, b), (b, 1, c), (c, 3, a), (a, 1), (b, 2)):
        join(*wish)
    goes = [join(a, 1, b, c), join(c, 1, b)]
    acts: list[Callable[[], object]] = [
        *[partial(cancel, booking) for session in sessions for booking in bookings_of(session)[:3]],
        *[partial(waitlist.leave_waitlist, entry_id=entry.id, actor=CUSTOMER) for entry in goes],
        *[partial(join, c, 1, b, a) for _ in range(3)],
        *[partial(hold, session) for session in sessions],
        *[waitlist_offers.sweep_waitlist] * 2,
        *[partial(capacity.set_capacity, session_id=b.id, capacity=7)],
    ]

    outcomes = race(acts, at_once=8)

    assert set(tally(outcomes)) <= {
        "Booking", "WaitlistEntry", "NotFull", "NotBookable", "NotEnoughPlaces", "Reservation", "int", "Session"
    }  # fmt: skip
    waitlist_offers.sweep_waitlist()
    assert check_invariants() == []
    free = {session.id: places_of(session).remaining for session in sessions}
    waits = WaitlistEntry.objects.filter(status="waiting").values_list("choices__session", "places")
    assert [places for session_id, places in waits if places <= free[session_id]] == []
    assert statuses(*goes) == ["left", "left"]
