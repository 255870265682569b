"""Waiting for a full session: who may join, who is asked, and what becomes of an offer."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.services.auditor import check_invariants
from bookings.models import Booking, WaitlistEntry, WaitlistEvent
from bookings.queues import Waiter, in_order, next_turn
from bookings.services import cancellation, checkout, waitlist, waitlist_offers
from bookings.services.checkout import Contact, Terms
from bookings.services.waitlist import AlreadyWaiting, NoOffer, NotFull, WaitlistClosed, Wish
from bookings.services.waitlist_events import WaitIsOver
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from config.kit.idempotency import Claim
from config.kit.ids import uuid7
from config.kit.refusals import InvalidRequest, NotFound
from scheduling.models import Activity, Reservation, Session
from scheduling.services import capacity, reservations
from scheduling.services.assessing import NotBookable, NotEnoughPlaces
from scheduling.services.reservations import ReservationLapsed
from tests.factories import (
    CUSTOMER,
    book,
    confirm,
    hold,
    join,
    lapse,
    make_session,
    make_sessions,
    make_unit,
    stranger,
)

pytestmark = pytest.mark.django_db
STAFF = Actor(kind=ActorKind.STAFF, channel="admin")


def state(entry: WaitlistEntry) -> str:
    entry.refresh_from_db()
    return entry.status


def offer_of(entry: WaitlistEntry) -> Reservation:
    entry.refresh_from_db()
    assert entry.reservation is not None
    return entry.reservation


def waiting(session: Session) -> int:
    session.refresh_from_db()
    return session.waiting


def story(entry: WaitlistEntry) -> list[tuple[str, str, str]]:
    return list(entry.events.order_by("seq").values_list("kind", "to_status", "reason_code"))


def cancel(booking: Booking) -> None:
    """Cancel a booking at the desk, without a fee."""
    cancellation.cancel_booking(booking_id=booking.id, actor=STAFF, reason_code="asked", waive_fee=True)


@pytest.fixture
def full() -> Session:
    """Ten places, all booked by five parties of two."""
    session = make_session(capacity=10)
    for _ in range(5):
        book(session, party_size=2, contact=stranger())
    return session


def bookings_of(session: Session) -> list[Booking]:
    return list(Booking.objects.filter(lines__session=session).order_by("id"))


# Joining ----------------------------------------------------------------------------------------------------------


def test_a_party_joins_a_full_session_and_leaves_any_time(full: Session) -> None:
    entry = join(full, 2)
    assert (state(entry), entry.kind, entry.places, waiting(full)) == ("waiting", "waitlist", 2, 1)
    waitlist.leave_waitlist(entry_id=entry.id, actor=CUSTOMER)
    waitlist.leave_waitlist(entry_id=entry.id, actor=CUSTOMER)
    assert (state(entry), waiting(full)) == ("left", 0)
    assert story(entry) == [("waitlist_joined", "waiting", ""), ("waitlist_left", "left", "")]


def test_nobody_waits_where_there_is_room(full: Session) -> None:
    roomy = make_session(full.activity, capacity=3, starts_in=timedelta(days=2))
    with pytest.raises(NotFull):
        join(roomy, 3)
    with pytest.raises(NotFull):
        join(full, 2, roomy)
    assert (WaitlistEntry.objects.count(), waiting(full)) == (0, 0)


def test_a_party_that_does_not_fit_waits_though_some_places_are_free() -> None:
    session = make_session(capacity=3)
    book(session, party_size=2)
    assert state(join(session, 2)) == "waiting"


def test_an_address_waits_once_for_a_session_and_its_request_once(full: Session) -> None:
    contact = Contact(email="Ben@example.org", name="Ben")
    claim = Claim(id=uuid7(), fingerprint=uuid7())
    entry = join(full, 1, contact=contact, claim=claim)
    assert join(full, 1, contact=contact, claim=claim) == entry
    with pytest.raises(AlreadyWaiting) as refusal:
        join(full, 1, contact=Contact(email="BEN@example.org", name="Ben"))
    assert (refusal.value.extra, waiting(full)) == ({"sessions": [full.id]}, 1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "closed"}, "session_closed"),
        ({"status": "cancelled"}, "cancelled"),
        ({"is_legacy": True}, "legacy"),
        ({"closes_at": "past"}, "booking_closed"),
    ],
)
def test_no_one_waits_for_what_waiting_does_not_help(full: Session, changes: dict[str, Any], reason: str) -> None:
    if "closes_at" in changes:
        changes = {"closes_at": database_now() - timedelta(minutes=1)}
    Session.objects.filter(id=full.id).update(**changes)
    with pytest.raises(NotBookable) as refusal:
        join(full, 1)
    assert refusal.value.extra["reasons"] == [reason]


def test_a_list_that_is_closed_or_a_wish_that_is_none_is_refused(full: Session) -> None:
    elsewhere = make_session(capacity=1)
    others = make_sessions(6, full.activity, capacity=0)
    for wish, code in (
        (Wish((full.id, elsewhere.id), 1), "several_activities"),
        (Wish((full.id, full.id), 1), "wrong_number"),
        (Wish(tuple(other.id for other in others), 1), "wrong_number"),
        (Wish((full.id,), 11), "larger_than_session"),
        (Wish((full.id,), 0), "takes_no_place"),
    ):
        with pytest.raises(InvalidRequest) as refusal:
            waitlist.join_waitlist(wish=wish, contact=stranger(), actor=CUSTOMER)
        assert code in [error.code for error in refusal.value.errors]
    with pytest.raises(NotFound):
        waitlist.join_waitlist(wish=Wish((uuid7(),), 1), contact=stranger(), actor=CUSTOMER)
    Activity.objects.filter(id=full.activity_id).update(waitlist_open=False)
    with pytest.raises(WaitlistClosed):
        join(full, 1)


def test_units_wait_by_their_places_and_are_offered_as_they_are(full: Session) -> None:
    family = make_unit(full.activity, name="Family", price_minor=3000, places=4)
    entry = join(full, None, units=((family.id, 1),))
    assert (entry.places, entry.party_size, entry.units) == (4, 4, [{"unit": str(family.id), "count": 1}])
    for booking in bookings_of(full)[:2]:
        cancel(booking)
    offer = offer_of(entry)
    assert (offer.places, offer.amount_minor, offer.quote[0]["name"]) == (4, 3000, "Family")


# Whose turn -------------------------------------------------------------------------------------------------------


def test_freed_places_are_offered_in_the_transaction_that_frees_them(full: Session) -> None:
    entry = join(full, 2)
    cancel(bookings_of(full)[0])
    offer = offer_of(entry)
    full.refresh_from_db()
    assert (entry.status, offer.status, offer.places, offer.email) == ("offered", "held", 2, entry.email)
    assert (full.places_held, full.places_booked, full.waiting) == (2, 8, 0)
    assert story(entry)[-1] == ("waitlist_offered", "offered", "")
    assert offer.expires_at - offer.held_at == timedelta(minutes=30)
    assert check_invariants() == []


def test_who_came_first_is_asked_first_unless_somebody_has_priority(full: Session) -> None:
    first, second, urgent = join(full, 2), join(full, 2), join(full, 2)
    waitlist.set_priority(entry_id=urgent.id, priority=5, actor=CUSTOMER)
    order = []
    for booking in bookings_of(full)[:3]:
        cancel(booking)
        order += [each for each in (first, second, urgent) if state(each) == "offered" and each not in order]
    assert order == [urgent, first, second]


def test_the_first_whole_party_that_fits_is_asked_and_who_is_passed_over_sees_it(full: Session) -> None:
    four, two, one = join(full, 4), join(full, 2), join(full, 1)
    cancel(bookings_of(full)[0])
    assert [state(each) for each in (four, two, one)] == ["waiting", "offered", "waiting"]
    assert [each.skips for each in (four, two, one)] == [1, 0, 0]
    for booking in bookings_of(full)[1:3]:
        cancel(booking)
    assert [state(each) for each in (four, one)] == ["waiting", "offered"]


def test_a_party_is_offered_the_session_it_likes_best_and_waits_for_no_other(full: Session) -> None:
    other = make_session(full.activity, capacity=2, starts_in=timedelta(hours=30))
    book(other, party_size=2, contact=stranger())
    entry = join(other, 2, full)
    assert (waiting(full), waiting(other)) == (1, 1)
    freed = [bookings_of(full)[0], bookings_of(other)[0]]
    rows = list(Reservation.objects.filter(lines__booking__in=freed))
    capacity.lock_sessions(row.session_id for row in rows)
    capacity.release_places(rows, at=database_now())
    assert (offer_of(entry).session_id, waiting(full), waiting(other)) == (other.id, 0, 0)
    full.refresh_from_db()
    assert full.capacity_remaining == 2


def test_a_walk_in_never_overtakes_who_waits(full: Session) -> None:
    entry = join(full, 4)
    cancel(bookings_of(full)[0])
    with pytest.raises(NotBookable) as refusal:
        hold(full, 1)
    assert refusal.value.extra["reasons"] == ["waiting_list"]
    late = join(full, 2)  # but behind a party that does not fit, one that does is asked at once
    assert (state(late), state(entry), entry.skips) == ("offered", "waiting", 1)


def test_more_places_are_offered_as_those_that_come_back_are(full: Session) -> None:
    entry = join(full, 2)
    capacity.set_capacity(session_id=full.id, capacity=12)
    assert offer_of(entry).places == 2


def test_nothing_is_offered_in_a_closed_session_until_it_is_open_again(full: Session) -> None:
    entry = join(full, 2)
    Session.objects.filter(id=full.id).update(status="closed")
    cancel(bookings_of(full)[0])
    assert state(entry) == "waiting"
    Session.objects.filter(id=full.id).update(status="published")
    assert waitlist_offers.sweep_waitlist() == 1
    assert state(entry) == "offered"


@given(
    st.lists(st.tuples(st.integers(-1, 1), st.integers(1, 5)), max_size=8),
    st.dictionaries(st.integers(0, 2), st.integers(0, 8)),
    st.data(),
)
@settings(max_examples=200)
def test_the_queue_agrees_with_a_slow_reading_of_its_rule(
    parties: list[tuple[int, int]], room: dict[int, int], data: st.DataObject
) -> None:
    """Priority, then time; whole parties; the best liked of the sessions that have room."""
    start = database_now()
    waiters = [
        Waiter(
            UUID(int=100 + number), priority, start + timedelta(seconds=number), places,
            tuple(UUID(int=each) for each in data.draw(st.permutations(range(3)))[: data.draw(st.integers(1, 3))]),
        )
        for number, (priority, places) in enumerate(parties)
    ]  # fmt: skip
    free = {UUID(int=number): places for number, places in room.items()}

    found = next_turn(in_order(reversed(waiters)), free)

    fitting = [
        (-w.priority, w.joined_at, w.sessions.index(s), w.id, s)
        for w in waiters for s in w.sessions if free.get(s, 0) >= w.places
    ]  # fmt: skip
    if not fitting:
        assert found is None
        return
    _, _, _, waiter, session = min(fitting)
    assert found is not None
    chosen = next(w for w in waiters if w.id == waiter)
    ahead = {
        w.id for w in waiters
        if session in w.sessions and (-w.priority, w.joined_at) < (-chosen.priority, chosen.joined_at)
    }  # fmt: skip
    assert (found.waiter, found.session, set(found.passed_over)) == (waiter, session, ahead)


# Offers -----------------------------------------------------------------------------------------------------------


def test_an_offer_that_lapses_passes_to_the_next_and_keeps_its_places_meanwhile(full: Session) -> None:
    first, second = join(full, 2), join(full, 2)
    cancel(bookings_of(full)[0])
    with pytest.raises(NotBookable):
        hold(full, 1)  # another still waits
    lapse(offer_of(first))
    reservations.release_expired_reservations()
    assert (state(first), state(second)) == ("lapsed", "offered")
    assert story(first)[-1] == ("waitlist_lapsed", "lapsed", "offer_lapsed")
    full.refresh_from_db()
    assert (full.places_held, full.places_booked, full.waiting) == (2, 8, 0)
    assert check_invariants() == []


def test_an_offer_never_outlives_the_end_of_booking_and_none_is_made_after_it(full: Session) -> None:
    entry, late = join(full, 2), join(full, 2)
    closes_at = database_now() + timedelta(minutes=7)
    Session.objects.filter(id=full.id).update(closes_at=closes_at)
    cancel(bookings_of(full)[0])
    assert offer_of(entry).expires_at == closes_at
    Session.objects.filter(id=full.id).update(closes_at=database_now() - timedelta(minutes=1))
    lapse(offer_of(entry))
    reservations.release_expired_reservations()
    assert (state(entry), state(late)) == ("lapsed", "waiting")
    assert waitlist_offers.sweep_waitlist() == 1
    assert (state(late), story(late)[-1], waiting(full)) == (
        "lapsed", ("waitlist_lapsed", "lapsed", "booking_closed"), 0
    )  # fmt: skip


def test_an_offer_is_accepted_by_booking_its_basket(full: Session) -> None:
    entry = join(full, 2)
    with pytest.raises(NoOffer):
        waitlist.accept_offer(entry_id=entry.id)
    cancel(bookings_of(full)[0])
    offer = waitlist.accept_offer(entry_id=entry.id)
    booking = checkout.book_basket(basket=offer.basket, contact=stranger(), terms=Terms(), actor=CUSTOMER)
    assert (state(entry), entry.booking, entry.ended_at is not None) == ("converted", booking, True)
    assert story(entry)[-1] == ("waitlist_converted", "converted", "")
    with pytest.raises(WaitIsOver):
        waitlist.leave_waitlist(entry_id=entry.id, actor=CUSTOMER)
    with pytest.raises(WaitIsOver):
        waitlist.accept_offer(entry_id=entry.id)
    assert check_invariants() == []


def test_an_offer_that_is_over_cannot_be_accepted(full: Session) -> None:
    entry = join(full, 2)
    cancel(bookings_of(full)[0])
    lapse(offer_of(entry))
    with pytest.raises(ReservationLapsed):
        waitlist.accept_offer(entry_id=entry.id)
    with pytest.raises(ReservationLapsed):
        confirm(offer_of(entry))


@pytest.mark.parametrize("by", ["leaving", "releasing"])
def test_an_offer_that_is_declined_goes_to_the_next_at_once(full: Session, by: str) -> None:
    first, second = join(full, 2), join(full, 2)
    cancel(bookings_of(full)[0])
    if by == "leaving":
        waitlist.leave_waitlist(entry_id=first.id, actor=CUSTOMER)
    else:
        reservations.release_reservation(reservation_id=offer_of(first).id)
    assert (state(first), state(second)) == ("left", "offered")
    assert offer_of(first).status == "released"
    assert check_invariants() == []


def test_an_offer_is_priced_as_of_today(full: Session) -> None:
    entry = join(full, 2)
    Session.objects.filter(id=full.id).update(price_minor=1700)
    cancel(bookings_of(full)[0])
    assert offer_of(entry).amount_minor == 3400


def test_a_party_that_may_not_come_any_more_holds_nobody_up(full: Session) -> None:
    large, small = join(full, 2), join(full, 1)
    Activity.objects.filter(id=full.activity_id).update(largest_party=1)
    cancel(bookings_of(full)[0])
    assert (state(large), large.skips, state(small)) == ("waiting", 0, "offered")


# Next in line -----------------------------------------------------------------------------------------------------


def test_behind_a_hold_one_is_next_in_line_and_has_its_places_when_it_lapses() -> None:
    session = make_session(capacity=2)
    held = hold(session, 2)
    entry = join(session, 2)
    assert (entry.kind, entry.status) == ("next", "waiting")
    lapse(held)
    capacity.hand_on([session.id])
    assert (state(entry), offer_of(entry).places) == ("offered", 2)


def test_a_hold_that_is_given_back_goes_to_who_is_next_in_line() -> None:
    session = make_session(capacity=2)
    held = hold(session, 2)
    entry = join(session, 2)
    reservations.release_reservation(reservation_id=held.id)
    assert state(entry) == "offered"


def test_a_hold_that_is_booked_leaves_who_was_next_in_line_waiting() -> None:
    session = make_session(capacity=2)
    held = hold(session, 2)
    entry = join(session, 2)
    booking = confirm(held, contact=stranger())
    assert (state(entry), waiting(session)) == ("waiting", 1)
    cancel(booking)
    assert state(entry) == "offered"


def test_behind_what_is_booked_one_is_on_the_waiting_list() -> None:
    session = make_session(capacity=4)
    book(session, party_size=2)
    hold(session, 2)
    assert [join(session, 2).kind, join(session, 1).kind, join(session, 3).kind] == ["next", "waitlist", "waitlist"]


def test_a_walk_in_takes_what_has_lapsed_only_when_nobody_is_next() -> None:
    session = make_session(capacity=1)
    held = hold(session)
    entry = join(session, 1)
    lapse(held)
    with pytest.raises(NotEnoughPlaces):
        hold(session)
    assert reservations.release_expired_reservations() == 1
    assert state(entry) == "offered"


# Counting ---------------------------------------------------------------------------------------------------------


def test_a_count_that_is_too_high_is_put_right_by_the_sweep(full: Session) -> None:
    waitlist.leave_waitlist(entry_id=join(full, 1).id, actor=CUSTOMER)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE scheduling_session SET waiting = 3 WHERE id = %s", [full.id])
    assert [(finding.code, finding.id) for finding in check_invariants()] == [("I23", full.id)]
    assert waitlist_offers.sweep_waitlist() == 1
    assert waiting(full) == 0


def test_a_wait_for_several_sessions_goes_on_while_one_is_open(full: Session) -> None:
    other = make_session(full.activity, capacity=2, starts_in=timedelta(days=2))
    hold(other, 2)
    entry = join(full, 2, other)
    Session.objects.filter(id=full.id).update(status="cancelled")
    assert waitlist_offers.sweep_waitlist() == 0
    assert state(entry) == "waiting"
    Session.objects.filter(id=other.id).update(status="cancelled")
    assert waitlist_offers.sweep_waitlist() == 1
    assert (state(entry), waiting(full), waiting(other)) == ("lapsed", 0, 0)


def test_facts_about_a_wait_are_a_chain(full: Session) -> None:
    entry = join(full, 2)
    cancel(bookings_of(full)[0])
    entry.refresh_from_db()
    last = WaitlistEvent.objects.filter(entry=entry).latest("seq")
    assert (entry.event_seq, entry.event_hash) == (2, last.hash)
    assert last.after == {"session": str(full.id), "reservation": str(offer_of(entry).id), "places": 2}
