"""Changes of a booking that stands: another time, more people or fewer, who comes, whose it is."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from alerts.services.auditor import check_invariants
from bookings.models import AffectedLine, Booking, BookingEvent, Customer, Line, LineParticipant, Participant
from bookings.services import checkout, transfers
from bookings.services.amendments import ChangeNotAllowed
from bookings.services.cancellation import cancel_booking
from bookings.services.changes import move_line, preview_move
from bookings.services.checkout import Contact, Person, Terms, Wanted
from bookings.services.duplicates import DuplicateBooking
from bookings.services.lifecycle import IllegalTransition, VersionMoved
from bookings.services.party_changes import change_party, preview_party
from bookings.services.people import change_participants, transfer_booking
from bookings.services.transfers import TooManyOffers, TransferOfferOver, accept_transfer, ends_at, offer_transfer
from bookings.timeline import timeline_of
from bookings.transfer_links import KIND, offer_token
from config.kit.facts import Actor, ActorKind
from config.kit.idempotency import Claim
from config.kit.refusals import InvalidRequest, NotFound
from config.kit.tokens import is_valid_token
from payments.methods import PaymentRequired
from scheduling.models import ReservationExtra, Session, Unit
from scheduling.services.assessing import NotBookable, NotEnoughPlaces, Party
from scheduling.services.extras import NotEnoughExtras
from tests.concurrency.races import Places, places_of
from tests.factories import (
    ANNA,
    CUSTOMER,
    book,
    hold,
    make_activity,
    make_extra,
    make_session,
    make_unit,
    shift_session,
    stranger,
)

pytestmark = pytest.mark.django_db

DESK = Actor(kind=ActorKind.STAFF, channel="admin", detail={"note": "called us"})
WORDLESS = Actor(kind=ActorKind.STAFF, channel="admin")
SOON = timedelta(days=3)
BEN = Contact(email="ben@example.org", name="Ben Baker")


def line_of(booking: Booking) -> Line:
    return booking.lines.select_related("reservation", "session").get()


def two_sessions(*, capacity: int = 5, **activity: Any) -> tuple[Session, Session]:
    sold = make_activity(**{"price_minor": 1000, **activity})
    first, second = (make_session(sold, capacity=capacity, starts_in=SOON + timedelta(days=n)) for n in (0, 7))
    return first, second


def move(booking: Booking, session: Session, actor: Actor = CUSTOMER, **others: Any) -> Booking:
    return move_line(line_id=line_of(booking).id, session_id=session.id, actor=actor, **others)


def resize(booking: Booking, size: int, actor: Actor = CUSTOMER, **others: Any) -> Booking:
    return change_party(line_id=line_of(booking).id, party_size=size, actor=actor, **others)


def rows(*sessions: Session) -> tuple[object, ...]:
    """Return all that a refused change must leave as it was."""
    return (
        [places_of(session) for session in sessions],
        list(Booking.objects.order_by("id").values()),
        list(Line.objects.order_by("id").values()),
        BookingEvent.objects.exclude(kind="duplicate_refused").count(),
    )


# Another time -----------------------------------------------------------------------------------------------------


def test_a_line_moves_to_another_day_with_its_places_its_price_and_its_fact() -> None:
    first, second = two_sessions()
    booking = book(first, party_size=2)
    old = line_of(booking).reservation

    moved = move(booking, second)

    line = line_of(booking)
    assert (line.session_id, line.party_size, line.amount_minor, line.status) == (second.id, 2, 2000, "live")
    assert (places_of(first), places_of(second)) == (Places(0, 0, 5), Places(0, 2, 3))
    old.refresh_from_db()
    assert (old.status, line.reservation.status) == ("released", "confirmed")
    assert (moved.version, moved.total_minor, moved.status) == (booking.version + 1, 2000, "confirmed")
    fact = booking.events.get(kind="line_moved")
    assert (fact.before["session"], fact.after["session"]) == (str(first.id), str(second.id))
    assert fact.after["consequence"] == {"fee_minor": 0, "due_minor": 0, "refundable_minor": 0, "currency": "GBP"}
    assert check_invariants() == []


@pytest.mark.parametrize(
    ("price", "fee", "due", "refundable"),
    [(1300, 0, 600, 0), (700, 0, 0, 600), (700, 250, 0, 350), (1000, 250, 250, 0)],
)
def test_a_move_is_priced_as_the_new_session_is_today_and_the_preview_said_it(
    price: int, fee: int, due: int, refundable: int
) -> None:
    first, second = two_sessions(change_fee_minor=fee)
    booking = book(first, party_size=2)
    Session.objects.filter(id=second.id).update(price_minor=price)
    shown = preview_move(booking, line_of(booking).id, second.id, CUSTOMER)
    assert (shown.fee_minor, shown.due_minor, shown.refundable_minor) == (fee, due, refundable)
    assert places_of(second) == Places(0, 0, 5)

    moved = move(booking, second, expected_total=shown.total_minor)

    assert (moved.total_minor, moved.fee_minor) == (2 * price + fee, fee)
    assert moved.total_minor == shown.total_minor
    assert check_invariants() == []


def test_a_move_into_a_full_session_is_refused_and_nothing_has_changed() -> None:
    first, second = two_sessions(capacity=3)
    booking = book(first, party_size=2)
    hold(second, 2)
    before = rows(first, second)
    with pytest.raises(NotEnoughPlaces) as refused:
        move(booking, second)
    assert refused.value.extra["available_spots"] == 1
    assert rows(first, second) == before


@pytest.mark.parametrize(
    "changes",
    [{"status": "closed"}, {"is_legacy": True}, {"on_sale": False}, {"waiting": 1}],
    ids=lambda c: next(iter(c)),
)
@pytest.mark.parametrize("actor", [CUSTOMER, DESK], ids=["customer", "staff"])
def test_nobody_is_moved_into_what_a_customer_could_not_book(changes: dict[str, Any], actor: Actor) -> None:
    first, second = two_sessions()
    booking = book(first, party_size=2)
    Session.objects.filter(id=second.id).update(**changes)
    before = rows(first, second)
    with pytest.raises(NotBookable):
        move(booking, second, actor)
    with pytest.raises(NotBookable):
        preview_move(booking, line_of(booking).id, second.id, actor)
    assert rows(first, second) == before


def test_a_line_leaves_a_legacy_session_without_a_fee_and_without_a_deadline() -> None:
    first, second = two_sessions(change_fee_minor=500, customers_may_change=False)
    booking = book(first, party_size=2)
    shift_session(first, starts_in=timedelta(hours=1))
    with pytest.raises(ChangeNotAllowed):
        move(booking, second)
    Session.objects.filter(id=first.id).update(is_legacy=True)

    moved = move(booking, second)

    assert (moved.fee_minor, line_of(booking).session_id) == (0, second.id)
    with pytest.raises(ChangeNotAllowed):  # where it is now the terms hold again
        move(booking, first)


def test_a_move_stays_within_the_activity_and_the_organization() -> None:
    first, _ = two_sessions()
    booking = book(first, party_size=2)
    foreign = make_session()
    sibling = make_session(make_activity(first.activity.venue))
    with pytest.raises(NotFound):
        move(booking, foreign)
    for session in (sibling, first):
        with pytest.raises(InvalidRequest):
            move(booking, session)


def test_extras_move_along_while_there_are_any() -> None:
    first, second = two_sessions()
    extra = make_extra(first.activity, stock_per_session=1)
    party = Party(session_id=first.id, party_size=2, extras=((extra.id, 1),))
    booking = checkout.book_lines(lines=[Wanted(party)], contact=ANNA, terms=Terms(), actor=CUSTOMER)
    other = checkout.book_lines(
        lines=[Wanted(Party(session_id=second.id, party_size=1, extras=((extra.id, 1),)))], contact=stranger(),
        terms=Terms(), actor=CUSTOMER,
    )  # fmt: skip
    with pytest.raises(NotEnoughExtras):
        move(booking, second)
    third = make_session(first.activity, starts_in=SOON + timedelta(days=9))
    move(other, third)

    moved = move(booking, second)

    taken = ReservationExtra.objects.filter(reservation__status="confirmed", reservation__session=second)
    assert (taken.count(), moved.total_minor) == (1, 2300)
    assert check_invariants() == []


def test_moving_onto_ones_own_other_booking_asks_whether_that_is_meant() -> None:
    first, second = two_sessions()
    there, booking = book(second), book(first)
    with pytest.raises(DuplicateBooking):
        move(booking, second)
    assert there.events.filter(kind="duplicate_refused").count() == 1

    move(booking, second, confirm_duplicate=True)

    assert line_of(booking).duplicate_override_of == line_of(there)
    assert booking.events.filter(kind="duplicate_overridden").count() == 1
    move(booking, first)
    assert line_of(booking).duplicate_override_of is None
    assert check_invariants() == []


def test_a_free_booking_cannot_move_to_what_must_be_paid_online_first() -> None:
    first, second = two_sessions(price_minor=0, pay_on_arrival=False)
    booking = book(first)
    Session.objects.filter(id=second.id).update(price_minor=500)
    with pytest.raises(PaymentRequired):
        move(booking, second)
    first.activity.pay_on_arrival = True
    first.activity.save()
    moved = move(booking, second)
    assert (moved.payment_method, moved.total_minor) == ("pay_on_arrival", 500)


def test_a_stale_version_is_refused_and_the_same_request_again_moves_once() -> None:
    first, second = two_sessions()
    booking = book(first, party_size=2)
    with pytest.raises(VersionMoved):
        move(booking, second, version=booking.version - 1)
    claim = Claim(id=uuid4(), fingerprint=uuid4())
    for _ in range(2):
        move(booking, second, claim=claim)
    assert booking.events.filter(kind="line_moved").count() == 1
    assert (places_of(first), places_of(second)) == (Places(0, 0, 5), Places(0, 2, 3))
    assert check_invariants() == []


def test_what_is_over_moves_nowhere_for_nobody() -> None:
    first, second = two_sessions()
    booking = book(first)
    shift_session(first, starts_in=timedelta(hours=-2))
    for actor in (CUSTOMER, DESK):
        acts: list[Callable[[], object]] = [
            partial(move, booking, second, actor), partial(resize, booking, 2, actor),
            partial(name_people, booking, "Zoe", actor=actor),
            partial(give, booking) if actor is DESK else partial(offer, booking),
        ]  # fmt: skip
        for act in acts:
            with pytest.raises(ChangeNotAllowed) as refused:
                act()
            assert refused.value.extra["reasons"] == ["session_over"]


def test_the_work_list_is_done_by_the_act_itself() -> None:
    first, second = two_sessions()
    booking = book(first)
    change = first.activity.venue.changes.create(
        organization=first.organization, kind="close", parameters={}, effects={"sessions": []}
    )
    row = AffectedLine.objects.create(
        organization=first.organization, change=change, line=line_of(booking), effect="legacy"
    )
    move(booking, second)
    row.refresh_from_db()
    assert (row.status, row.decided_at is None) == ("move", False)


# More people, or fewer --------------------------------------------------------------------------------------------


def test_more_people_pay_todays_price_and_who_is_booked_keeps_theirs() -> None:
    first, _ = two_sessions()
    booking = book(first, party_size=2)
    Unit.objects.filter(activity=first.activity).update(price_minor=1300)

    larger = resize(booking, 3)

    line = line_of(booking)
    assert [(entry["count"], entry["amount_minor"]) for entry in line.quote] == [(2, 2000), (1, 1300)]
    assert (line.party_size, line.amount_minor, larger.total_minor) == (3, 3300, 3300)
    assert (line.reservation.places, line.reservation.quote) == (3, line.quote)
    assert places_of(first) == Places(0, 3, 2)
    assert booking.events.get(kind="party_changed").after["consequence"]["due_minor"] == 1300
    assert check_invariants() == []


def test_fewer_people_give_places_back_and_the_terms_keep_their_share() -> None:
    first, _ = two_sessions(cancel_fee_percent=10)
    booking = book(first, party_size=3)
    shown = preview_party(booking, line_of(booking).id, CUSTOMER, party_size=1)
    assert (shown.fee_minor, shown.refundable_minor, shown.places) == (200, 1800, -2)

    smaller = resize(booking, 1)

    assert (smaller.total_minor, smaller.fee_minor, line_of(booking).amount_minor) == (1200, 200, 1000)
    assert places_of(first) == Places(0, 1, 4)
    assert check_invariants() == []


def test_more_people_than_fit_are_refused_and_nothing_has_changed() -> None:
    first, _ = two_sessions(capacity=4)
    booking = book(first, party_size=2)
    hold(first, 1)
    before = rows(first)
    for act in (
        lambda: resize(booking, 4),
        lambda: preview_party(booking, line_of(booking).id, CUSTOMER, party_size=4),
    ):
        with pytest.raises(NotEnoughPlaces) as refused:
            act()
        assert refused.value.extra["available_spots"] == 1
    assert rows(first) == before


@pytest.mark.parametrize("actor", [CUSTOMER, DESK], ids=["customer", "staff"])
def test_a_changed_party_meets_the_same_limits_as_a_new_one(actor: Actor) -> None:
    first, _ = two_sessions(smallest_party=2, largest_party=3)
    booking = book(first, party_size=2)
    before = rows(first)
    for size in (1, 4):
        with pytest.raises(InvalidRequest):
            resize(booking, size, actor)
    Session.objects.filter(id=first.id).update(status="closed")
    with pytest.raises(NotBookable):
        resize(booking, 3, actor)
    assert rows(first)[0] == before[0]


def test_units_change_each_for_itself_and_a_bare_size_is_not_guessed() -> None:
    first, _ = two_sessions()
    adult, child = first.activity.units.get(), make_unit(first.activity, price_minor=400)
    party = Party(session_id=first.id, party_size=None, units=((adult.id, 1), (child.id, 2)))
    booking = checkout.book_lines(lines=[Wanted(party)], contact=ANNA, terms=Terms(), actor=CUSTOMER)
    with pytest.raises(InvalidRequest):
        resize(booking, 2)
    change_party(line_id=line_of(booking).id, units=((adult.id, 2), (child.id, 1)), actor=CUSTOMER)
    line = line_of(booking)
    assert [(entry["name"], entry["count"], entry["amount_minor"]) for entry in line.quote] == [
        (adult.name, 2, 2000), (child.name, 1, 400),
    ]  # fmt: skip
    assert (line.party_size, places_of(first).booked) == (3, 3)


def test_the_same_party_again_writes_nothing() -> None:
    first, _ = two_sessions()
    booking = book(first, party_size=2)
    before = rows(first)
    resize(booking, 2)
    assert rows(first) == before


# Who comes --------------------------------------------------------------------------------------------------------


def name_people(booking: Booking, *names: str, actor: Actor = CUSTOMER, **others: Any) -> Booking:
    people = [Person(name=name) for name in names]
    return change_participants(line_id=line_of(booking).id, participants=people, actor=actor, **others)


def names_of(booking: Booking) -> list[str]:
    links = LineParticipant.objects.filter(line__booking=booking, left_at=None)
    return sorted(links.values_list("participant__name", flat=True))


def test_who_comes_is_named_and_named_anew() -> None:
    first, _ = two_sessions()
    booking = book(first, party_size=2)
    name_people(booking, "Zoe")
    zoe = Participant.objects.get()
    line = line_of(booking).id
    change_participants(line_id=line, participants=[Person(id=zoe.id), Person(name="Max")], actor=CUSTOMER)
    assert names_of(booking) == ["Max", "Zoe"]
    name_people(booking, "Ada", "Bob")
    assert names_of(booking) == ["Ada", "Bob"]
    fact = booking.events.filter(kind="participants_changed").last()
    assert fact is not None
    assert len(fact.after["participants"]) == 2
    assert "Ada" not in str(fact.after)
    assert check_invariants() == []


def test_who_comes_no_more_is_said_before_a_party_shrinks_below_its_names() -> None:
    booking = book(two_sessions()[0], party_size=2)
    name_people(booking, "Zoe", "Max")
    zoe = Participant.objects.get(name="Zoe")
    with pytest.raises(InvalidRequest) as refused:
        change_party(line_id=line_of(booking).id, party_size=1, actor=CUSTOMER)
    assert [(error.field, error.code) for error in refused.value.errors] == [("party_size", "more_are_named")]
    change_participants(line_id=line_of(booking).id, participants=[Person(id=zoe.id)], actor=CUSTOMER)
    change_party(line_id=line_of(booking).id, party_size=1, actor=CUSTOMER)
    assert (names_of(booking), line_of(booking).party_size) == (["Zoe"], 1)
    assert LineParticipant.objects.filter(left_at__isnull=False).count() == 1
    assert check_invariants() == []


def test_nobody_elses_people_come_and_no_more_than_are_booked() -> None:
    first, second = two_sessions()
    foreign = book(second, contact=stranger())
    name_people(foreign, "Zoe")
    booking = book(first, party_size=1)
    line = line_of(booking).id
    with pytest.raises(InvalidRequest) as refused:
        change_participants(
            line_id=line, participants=[Person(id=Participant.objects.get().id), Person(name="Max")], actor=CUSTOMER
        )
    assert [error.code for error in refused.value.errors] == ["unknown_participant", "too_many"]
    assert names_of(booking) == []


# Whose it is ------------------------------------------------------------------------------------------------------


def give(booking: Booking, contact: Contact = BEN, actor: Actor = DESK, **others: Any) -> Booking:
    return transfer_booking(booking_id=booking.id, contact=contact, actor=actor, **others)


def offer(booking: Booking, contact: Contact = BEN, **others: Any) -> BookingEvent:
    return offer_transfer(booking_id=booking.id, contact=contact, actor=CUSTOMER, **others)


def accept(fact: BookingEvent, **others: Any) -> Booking:
    return accept_transfer(offer_id=fact.id, token=offer_token(fact), actor=CUSTOMER, **others)


def test_a_booking_is_handed_over_when_everything_is_sold_out_and_old_links_are_dead() -> None:
    """With the consent of both, or by staff; by the giver alone never."""
    first, _ = two_sessions(capacity=4)
    booking, by_staff = (book(first, party_size=2, contact=who) for who in (ANNA, stranger()))
    token = booking.token

    with pytest.raises(ChangeNotAllowed) as alone:
        give(booking, actor=CUSTOMER)
    assert alone.value.extra["reasons"] == ["consent_missing"]
    fact = offer(booking)
    booking.refresh_from_db()
    assert (booking.customer.email, booking.token) == (ANNA.email, token)
    given = accept(fact)

    assert (given.customer.email, given.contact_name, given.total_minor) == (BEN.email, BEN.name, 2000)
    assert is_valid_token(given.token, purpose="booking", subject=given.id, version=given.token_version)
    assert not is_valid_token(token, purpose="booking", subject=given.id, version=given.token_version)
    assert list(booking.events.order_by("seq").values_list("kind", flat=True))[2:] == [KIND, "booking_transferred"]
    assert booking.events.get(kind="booking_transferred").after["offer"] == str(fact.id)
    assert give(by_staff).customer.email == BEN.email
    assert places_of(first) == Places(0, 4, 0)
    assert check_invariants() == []


def test_an_offer_is_taken_over_once() -> None:
    booking = book(two_sessions()[0])
    fact = offer(booking)
    accept(fact)
    with pytest.raises(TransferOfferOver, match="taken over already"):
        accept(fact)
    assert booking.events.filter(kind="booking_transferred").count() == 1


def test_the_newest_offer_counts_and_none_does_once_staff_have_given_the_booking_to_somebody() -> None:
    booking = book(two_sessions()[0])
    first, second = offer(booking), offer(booking, stranger())
    with pytest.raises(TransferOfferOver):
        accept(first)
    give(booking)
    with pytest.raises(TransferOfferOver):
        accept(second)
    booking.refresh_from_db()
    assert booking.customer.email == BEN.email


def test_an_offer_ends_after_a_week_or_with_the_first_start_and_with_the_booking() -> None:
    activity = make_activity()
    sooner, later = (make_session(activity, starts_in=timedelta(days=days)) for days in (3, 30))
    soon, late = book(sooner), book(later)
    assert ends_at(offer(soon)) == sooner.starts_at
    fact = offer(late)
    fact.refresh_from_db()
    assert round((ends_at(fact) - fact.at) / timedelta(days=1), 2) == 7
    cancel_booking(booking_id=late.id, actor=CUSTOMER)
    with pytest.raises(TransferOfferOver):
        accept(fact)


def test_an_offer_whose_time_is_over_is_of_no_use(monkeypatch: pytest.MonkeyPatch) -> None:
    fact = offer(book(two_sessions()[0]))
    monkeypatch.setattr(transfers, "database_now", lambda: ends_at(fact))
    with pytest.raises(TransferOfferOver):
        accept(fact)


def test_only_what_was_shown_is_taken_over_and_only_with_the_links_own_token() -> None:
    booking = book(two_sessions()[0], party_size=2)
    fact = offer(booking)
    booking.refresh_from_db()
    resize(booking, 1)
    with pytest.raises(VersionMoved):
        accept(fact, version=booking.version)
    with pytest.raises(NotFound):
        accept_transfer(offer_id=fact.id, token=booking.token, actor=CUSTOMER)
    assert accept(fact, version=booking.version + 1).customer.email == BEN.email


def test_a_booking_is_offered_five_times_a_day_and_not_more() -> None:
    booking = book(two_sessions()[0])
    for _ in range(5):
        offer(booking, stranger())
    with pytest.raises(TooManyOffers):
        offer(booking)
    assert booking.events.filter(kind=KIND).count() == 5


def test_whom_a_booking_is_offered_to_stands_beside_the_fact_alone_where_staff_read_it() -> None:
    booking = book(two_sessions()[0])
    fact = offer(booking)
    assert BEN.email not in str((fact.before, fact.after))
    assert timeline_of(booking)[-1].note.endswith("Ben Baker, ben@example.org")


def test_a_transfer_by_staff_moves_no_place_and_names_both_in_one_fact() -> None:
    first, _ = two_sessions(capacity=2)
    booking = book(first, party_size=2)
    facts = booking.events.count()

    given = give(booking)

    assert places_of(first) == Places(0, 2, 0)
    fact = booking.events.get(kind="booking_transferred")
    anna = Customer.objects.get(email=ANNA.email)
    assert (fact.before["customer"], fact.after["customer"]) == (str(anna.id), str(given.customer_id))
    assert booking.events.count() == facts + 1
    assert check_invariants() == []


def test_who_is_named_stays_named_as_the_new_customers_own_and_by_name_alone() -> None:
    first, _ = two_sessions()
    booking = book(first)
    name_people(booking, "Zoe")
    Participant.objects.update(birth_date="2020-01-01", notes="allergic to nuts")
    given = give(booking)
    [copy] = Participant.objects.filter(customer=given.customer)
    assert (copy.name, copy.birth_date, copy.notes) == ("Zoe", None, "")
    assert names_of(booking) == ["Zoe"]


def test_a_gift_tells_nobody_what_the_other_has_booked() -> None:
    first, _ = two_sessions()
    theirs, booking = book(first, contact=BEN), book(first)
    give(booking)
    assert line_of(booking).duplicate_override_of == line_of(theirs)
    assert theirs.events.filter(kind="duplicate_refused").count() == 0
    assert check_invariants() == []


def test_who_may_not_hand_over_is_refused() -> None:
    first, _ = two_sessions(customers_may_transfer=False)
    booking = book(first)
    with pytest.raises(ChangeNotAllowed):
        offer(booking)
    with pytest.raises(InvalidRequest):
        give(booking, actor=WORDLESS)
    with pytest.raises(InvalidRequest):
        give(booking, contact=ANNA, actor=DESK)
    assert give(booking, actor=DESK).customer.email == BEN.email


def test_nothing_of_a_cancelled_booking_changes_any_more() -> None:
    first, second = two_sessions()
    booking = book(first, second)
    lines = list(booking.lines.order_by("id"))
    cancel_booking(booking_id=booking.id, lines=[lines[0].id], actor=DESK)
    with pytest.raises(InvalidRequest):
        move_line(line_id=lines[0].id, session_id=second.id, actor=CUSTOMER)
    cancel_booking(booking_id=booking.id, actor=DESK)
    acts: list[Callable[[], object]] = [
        partial(move_line, line_id=lines[1].id, session_id=first.id, actor=CUSTOMER),
        partial(change_party, line_id=lines[1].id, party_size=2, actor=CUSTOMER),
        partial(give, booking),
        partial(offer, booking),
    ]
    for act in acts:
        with pytest.raises(IllegalTransition):
            act()
