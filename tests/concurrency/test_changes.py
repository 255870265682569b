"""Changes of bookings at the same moment: a place has one taker, a line one end, and nobody waits for each other."""

import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db.models import F

from alerts.services.auditor import check_invariants
from bookings.models import Booking, BookingEvent, Line
from bookings.services import amendments, lifecycle, transfers
from bookings.services.cancellation import cancel_booking
from bookings.services.changes import move_line
from bookings.services.lifecycle import VersionMoved
from bookings.services.party_changes import change_party
from bookings.services.people import transfer_booking
from bookings.services.session_closure import close_with_offers
from bookings.transfer_links import offer_token
from config.kit.facts import Actor, ActorKind
from scheduling.models import Reservation, Session
from scheduling.services import capacity
from scheduling.services.assessing import NotEnoughPlaces
from tests.concurrency.races import Places, look_at_sessions, places_of, race, reclaim_nothing, tally
from tests.factories import CUSTOMER, book, hold, make_activity, make_session, stranger

pytestmark = pytest.mark.usefixtures("committed_db")

SOON = timedelta(days=3)
DESK = Actor(kind=ActorKind.STAFF, channel="admin", detail={"note": "storm"})
ROUNDS = 12


def sessions_of(number: int, *, capacity: int = 2) -> list[Session]:
    activity = make_activity()
    return [make_session(activity, capacity=capacity, starts_in=SOON + timedelta(hours=n)) for n in range(number)]


def move(booking: Booking, session: Session) -> Booking:
    return move_line(line_id=booking.lines.get().id, session_id=session.id, actor=CUSTOMER)


def cancel(booking: Booking) -> Booking:
    return cancel_booking(booking_id=booking.id, actor=CUSTOMER)


def grow(booking: Booking, size: int) -> Booking:
    return change_party(line_id=booking.lines.get().id, party_size=size, actor=CUSTOMER)


def book_in(session: Session, size: int = 1) -> Booking:
    return book(session, party_size=size, contact=stranger())


def take_what_was_free_a_moment_ago(*, session_id: UUID, places: int) -> bool:
    """Read, decide, write: the guard left out."""
    session = Session.objects.get(id=session_id)
    time.sleep(0.01)
    if session.capacity_total - session.places_held - session.places_booked < places:
        return False
    Session.objects.filter(id=session_id).update(places_held=F("places_held") + places)
    return True


def look_at_reservations(reservation_ids: object) -> list[Reservation]:
    """Lock nothing."""
    return list(Reservation.objects.filter(id__in=reservation_ids))  # type: ignore[misc]


def look_at_booking(booking_id: UUID) -> Booking:
    """Read the booking and lock nothing."""
    return Booking.objects.get(id=booking_id)


def race_into_the_last_place() -> tuple[list[object], Session]:
    """Let eight customers of eight sessions move to the one place of a ninth."""
    *froms, target = sessions_of(9, capacity=1)
    bookings = [book_in(session) for session in froms]
    return [*race([partial(move, booking, target) for booking in bookings])], target


def test_one_of_eight_movers_gets_the_last_place_and_the_others_have_lost_nothing() -> None:
    outcomes, target = race_into_the_last_place()

    assert tally(outcomes) == {"Booking": 1, "NotEnoughPlaces": 7}
    assert places_of(target) == Places(0, 1, 0)
    assert Line.objects.filter(status="live").exclude(session=target).count() == 7
    assert BookingEvent.objects.filter(kind="line_moved").count() == 1
    assert check_invariants() == []


@pytest.mark.usefixtures("no_check")
def test_movers_share_the_last_place_when_its_lock_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "lock_sessions", look_at_sessions)
    monkeypatch.setattr(capacity, "take_places", take_what_was_free_a_moment_ago)

    outcomes, target = race_into_the_last_place()

    assert tally(outcomes)["Booking"] > 1
    assert places_of(target).booked > 1


def test_a_party_that_grows_and_a_buyer_share_no_place() -> None:
    for session in sessions_of(ROUNDS, capacity=3):
        booking = book_in(session, 2)
        acts: list[Callable[[], object]] = [partial(grow, booking, 3), partial(hold, session)]
        grown, bought = race(acts)
        assert (isinstance(grown, Booking), isinstance(bought, Reservation)) in ((True, False), (False, True))
        refused = bought if isinstance(grown, Booking) else grown
        assert isinstance(refused, NotEnoughPlaces)
        assert places_of(session).remaining == 0
    assert check_invariants() == []


def grow_together(session: Session) -> list[object]:
    """Let two parties of one each grow by the one place that is left."""
    return [*race([partial(grow, book_in(session), 2) for _ in range(2)])]


def test_one_of_two_growing_parties_gets_the_last_place() -> None:
    for session in sessions_of(ROUNDS, capacity=3):
        assert tally(grow_together(session)) == {"Booking": 1, "NotEnoughPlaces": 1}
        assert places_of(session) == Places(0, 3, 0)
    assert check_invariants() == []


@pytest.mark.usefixtures("no_check")
def test_growing_parties_share_the_last_place_when_they_decide_by_what_they_saw(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(capacity, "lock_sessions", look_at_sessions)
    monkeypatch.setattr(capacity, "reclaim_lapsed", reclaim_nothing)
    monkeypatch.setattr(capacity, "take_places", take_what_was_free_a_moment_ago)
    rooms = sessions_of(ROUNDS, capacity=3)
    for session in rooms:
        grow_together(session)
    assert any(places_of(session).booked > 3 for session in rooms)


def race_cancel_and_move(rounds: int) -> list[tuple[object, object, Session, Session]]:
    """Cancel a booking and move it at the same moment, so many times."""
    found: list[tuple[object, object, Session, Session]] = []
    for _ in range(rounds):
        first, second = sessions_of(2)
        booking = book_in(first)
        cancelled, moved = race([partial(cancel, booking), partial(move, booking, second)])
        found.append((cancelled, moved, first, second))
    return found


def is_sound(cancelled: object, moved: object, first: Session, second: Session) -> bool:
    """Did both end as they may, one after the other, with every place given back?"""
    return (
        isinstance(cancelled, Booking)
        and type(moved).__name__ in ("Booking", "IllegalTransition", "InvalidRequest")
        and places_of(first) == places_of(second) == Places(0, 0, 2)
    )


def test_a_booking_that_is_cancelled_and_moved_at_once_leaves_no_place_behind() -> None:
    assert all(is_sound(*found) for found in race_cancel_and_move(ROUNDS))
    assert check_invariants() == []


def test_cancel_and_move_break_each_other_when_nobody_locks_the_booking(monkeypatch: pytest.MonkeyPatch) -> None:
    read = amendments.read_case

    def read_and_wait(*args: Any, **kwargs: Any) -> amendments.Case:
        case = read(*args, **kwargs)
        time.sleep(0.02)  # so that the other one reads the same
        return case

    monkeypatch.setattr(lifecycle, "lock_booking", look_at_booking)
    monkeypatch.setattr(capacity, "lock_sessions", look_at_sessions)
    monkeypatch.setattr(capacity, "lock_reservations", look_at_reservations)
    monkeypatch.setattr(amendments, "read_case", read_and_wait)

    assert not all(is_sound(*found) for found in race_cancel_and_move(ROUNDS))


def test_cancelling_twice_at_once_gives_the_places_back_once() -> None:
    for session in sessions_of(ROUNDS):
        booking = book_in(session, 2)
        assert tally(race([partial(cancel, booking)] * 3)) == {"Booking": 3}
        assert places_of(session) == Places(0, 0, 2)
    assert BookingEvent.objects.filter(kind="booking_cancelled").count() == ROUNDS
    assert check_invariants() == []


def test_of_two_who_saw_the_same_version_one_changes_the_booking() -> None:
    for session in sessions_of(ROUNDS, capacity=9):
        booking = book_in(session)
        line, seen = booking.lines.get().id, booking.version
        acts: list[Callable[[], Booking]] = [
            partial(change_party, line_id=line, party_size=size, actor=CUSTOMER, version=seen) for size in (2, 3)
        ]
        outcomes = race(acts)
        assert sorted(tally(outcomes).items()) == [("Booking", 1), ("VersionMoved", 1)]
        [stale] = [outcome for outcome in outcomes if isinstance(outcome, VersionMoved)]
        assert stale.extra["version"] == seen + 1


def test_crossed_moves_wait_for_one_another_and_all_arrive() -> None:
    first, second = sessions_of(2, capacity=8)
    there, back = [book_in(first) for _ in range(4)], [book_in(second) for _ in range(4)]
    acts = [partial(move, booking, second) for booking in there] + [partial(move, booking, first) for booking in back]

    assert tally(race(acts)) == {"Booking": 8}

    assert (places_of(first), places_of(second)) == (Places(0, 4, 4), Places(0, 4, 4))
    assert check_invariants() == []


def test_who_books_while_a_session_is_closed_is_offered_a_way_out_or_too_late() -> None:
    for session in sessions_of(ROUNDS // 2, capacity=6):
        book_in(session)
        closing = partial(close_with_offers, session_id=session.id, actor=DESK, reason="Storm")
        acts: list[Callable[[], object]] = [closing, *[partial(book_in, session) for _ in range(3)]]
        outcomes = race(acts)
        late = {type(outcome).__name__ for outcome in outcomes[1:]}
        assert type(outcomes[0]).__name__ == "ScheduleChange"
        assert late <= {"Booking", "NotBookable"}
        offered = set(BookingEvent.objects.filter(kind="session_closed_offers").values_list("booking", flat=True))
        booked = set(Line.objects.filter(session=session, status="live").values_list("booking", flat=True))
        assert booked <= offered
    assert check_invariants() == []


def test_a_booking_is_handed_over_to_one_of_two() -> None:
    for session in sessions_of(ROUNDS):
        booking = book_in(session)
        acts = [
            partial(transfer_booking, booking_id=booking.id, contact=stranger(), actor=DESK, version=booking.version)
            for _ in range(2)
        ]
        assert tally(race(acts)) == {"Booking": 1, "VersionMoved": 1}
        booking.refresh_from_db()
        assert booking.token_version == 2


def accepting(session: Session) -> list[Callable[[], object]]:
    fact = transfers.offer_transfer(booking_id=book_in(session).id, contact=stranger(), actor=CUSTOMER)
    act = partial(transfers.accept_transfer, offer_id=fact.id, token=offer_token(fact), actor=CUSTOMER)
    return [act, act]


def test_an_offer_is_taken_over_once_however_often_the_button_is_pressed() -> None:
    for session in sessions_of(ROUNDS):
        assert tally(race(accepting(session))) == {"Booking": 1, "TransferOfferOver": 1}
    assert BookingEvent.objects.filter(kind="booking_transferred").count() == ROUNDS
    assert check_invariants() == []


def test_without_the_bookings_lock_an_offer_is_taken_over_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "lock_booking", lambda booking_id: Booking.objects.get(id=booking_id))
    for session in sessions_of(ROUNDS):
        race(accepting(session))
    assert BookingEvent.objects.filter(kind="booking_transferred").count() > ROUNDS
