"""The rules decide inside the transaction, under the locks; below them the database refuses whatever got past them."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import IntegrityError, connection
from django.test import Client

from bookings.booking_quotes import BookingQuote, LineQuote
from bookings.models import Booking, Line
from bookings.services import checkout, duplicates, validation
from bookings.services.checkout import Terms, Wanted
from config.kit.refusals import Refusal
from payments.methods import PaymentMethod
from scheduling.display_cache import alternatives_to
from scheduling.models import PriceRule, Reservation, Session, Unit
from scheduling.services import alternatives, assessing, capacity, extras, reservations
from scheduling.services.assessing import NotEnoughPlaces, Party
from tests.concurrency.races import race
from tests.conftest import RunSql
from tests.factories import (
    ANNA,
    CUSTOMER,
    book,
    hold,
    lapse,
    make_activity,
    make_extra,
    make_session,
    make_sessions,
    stranger,
)


def book_parties(*parties: Party, **terms: Any) -> Booking:
    lines = [Wanted(party) for party in parties]
    return checkout.book_lines(lines=lines, contact=stranger(), terms=Terms(**terms), actor=CUSTOMER)


@pytest.mark.usefixtures("committed_db")
def test_what_decides_is_asked_inside_the_transaction_with_the_sessions_locked(
    monkeypatch: pytest.MonkeyPatch, admin_sql: RunSql
) -> None:
    session, seen = make_session(), []

    def spy(order: validation.Order) -> validation.Verdict:
        with pytest.raises(psycopg.errors.LockNotAvailable):
            admin_sql("SELECT id FROM scheduling_session WHERE id = %s FOR NO KEY UPDATE NOWAIT", [session.id])
        seen.append(connection.in_atomic_block)
        return validation.validate_booking(order)

    monkeypatch.setattr(checkout, "validate_booking", spy)
    book_parties(Party(session.id, 1))
    held = hold(session)
    checkout.confirm_reservation(reservation_id=held.id, contact=stranger(), actor=CUSTOMER)
    assert seen == [True, True]


@pytest.mark.usefixtures("committed_db")
def test_where_else_there_is_room_is_asked_once_the_locks_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    full, other = make_sessions(2, make_activity(), capacity=1)
    hold(full)
    seen = []

    def spy(*, session_id: UUID, party_size: int) -> list[dict[str, Any]]:
        seen.append((session_id, party_size, connection.in_atomic_block))
        return alternatives_to(session_id=session_id, party_size=party_size)

    monkeypatch.setattr(alternatives, "alternatives_to", spy)
    with pytest.raises(NotEnoughPlaces) as refused:
        book_parties(Party(full.id, 1))
    assert seen == [(full.id, 1, False)]
    assert [found["id"] for found in refused.value.extra["alternatives"]] == [other.id]


@pytest.mark.usefixtures("committed_db")
def test_fifty_clients_of_the_public_call_share_one_place() -> None:
    session = make_session(capacity=1)

    def buy() -> int:
        contact = stranger()
        body = {"lines": [{"session": str(session.id), "party_size": 1}],
                "customer": {"email": contact.email, "name": contact.name}}  # fmt: skip
        return Client().post("/api/v1/bookings", body, content_type="application/json").status_code

    assert Counter(race([buy] * 50, at_once=10)) == {201: 1, 409: 49}
    session.refresh_from_db()
    assert (session.places_held, session.places_booked) == (0, 1)


@pytest.mark.usefixtures("committed_db")
def test_a_fault_at_the_second_of_three_lines_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions, calls = make_sessions(3), []

    def break_at_the_second(reservation: Reservation, **others: Any) -> None:
        calls.append(reservation)
        if len(calls) == 2:
            raise RuntimeError("a fault of ours")

    monkeypatch.setattr(extras, "take_extras", break_at_the_second)
    with pytest.raises(RuntimeError):
        book_parties(*[Party(session.id, 1) for session in sessions])
    assert [model._base_manager.count() for model in (Booking, Line, Reservation)] == [0, 0, 0]
    assert set(Session.objects.values_list("places_held", "places_booked")) == {(0, 0)}


# Four layers ------------------------------------------------------------------------------------------------------


def to_page(client: Client, session: Session, people: int) -> int:
    activity = session.activity
    unit = Unit.objects.get(activity=activity, is_default=True)
    return client.post(
        f"/{activity.organization.slug}/{activity.slug}/{session.id}/", {f"unit-{unit.id}": people}
    ).status_code  # fmt: skip


def to_api(client: Client, session: Session, people: int) -> int:
    body = {"lines": [{"session": str(session.id), "party_size": people}],
            "customer": {"email": ANNA.email, "name": ANNA.name}}  # fmt: skip
    return client.post("/api/v1/bookings", body, content_type="application/json").status_code


def no_rules(order: validation.Order) -> validation.Verdict:
    """Find nothing wrong: the layer of business rules is left out."""
    found = validation.validate_booking(order)
    lines = tuple(replace(line, refusals=()) for line in found.lines)
    quote = found.quote or BookingQuote("GBP", tuple(LineQuote(0) for _ in lines), method=PaymentMethod.FREE)
    return replace(found, lines=lines, refusals=(), quote=quote, twins={})


def oversell(session: Session) -> None:
    Session.objects.filter(id=session.id).update(places_booked=session.capacity_total + 1)


def book_nobody(session: Session) -> None:
    Reservation.objects.filter(session=session).update(party_size=0)


def book_twice(session: Session) -> None:
    Line.objects.filter(session=session).update(duplicate_key="the same")


def move_back(session: Session) -> None:
    Reservation.objects.filter(session=session).update(status="held")


def full() -> Session:
    session = make_session(capacity=1)
    hold(session)
    return session


def closed() -> Session:
    return make_session(status="closed")


def taken_by_anna() -> Session:
    session = make_session()
    book(session)
    return session


# rule: (the session, how many come, by the page's answer, the API's, what the service says without the rules)
MATRIX: Mapping[str, tuple[Callable[[], Session], int, int, int, str]] = {
    "no more than there is room for": (full, 1, 409, 409, "not_enough_places"),
    "only what takes bookings": (closed, 1, 409, 409, "not_bookable"),
    "somebody must come": (make_session, 0, 200, 422, "invalid_request"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("rule", MATRIX)
def test_each_rule_holds_in_the_layer_below_when_the_one_above_is_left_out(
    client: Client, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    make, people, by_page, by_api, by_service = MATRIX[rule]
    session = make()
    assert to_page(client, session, people) == by_page  # what a browser would not have sent
    assert to_api(client, session, people) == by_api  # past the page
    monkeypatch.setattr(checkout, "validate_booking", no_rules)
    with pytest.raises(Refusal) as refused:  # past the rules: the statements that take places
        book_parties(Party(session.id, people))
    assert refused.value.code == by_service
    assert Booking.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize("write", [oversell, book_nobody, book_twice, move_back])
def test_the_database_refuses_what_got_past_every_rule(write: Callable[[Session], None]) -> None:
    session = taken_by_anna()
    book(session, contact=stranger())
    with pytest.raises(IntegrityError, match=r"violates|illegal transition"):
        write(session)


@pytest.mark.django_db
def test_a_duplicate_is_refused_by_the_index_when_the_rules_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    session = taken_by_anna()
    monkeypatch.setattr(checkout, "validate_booking", no_rules)
    with pytest.raises(duplicates.DuplicateBooking):
        checkout.book_lines(lines=[Wanted(Party(session.id, 1))], contact=ANNA, terms=Terms(), actor=CUSTOMER)


# Carts ------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_three_lines_with_two_people_each_keep_their_session_price_and_options(client: Client) -> None:
    activity = make_activity()
    locker = make_extra(activity, price_minor=300)
    first, second, third = make_sessions(3, activity)
    people = [{"name": "Bo"}, {"name": "Cy"}]
    lines = [
        {"session": str(first.id), "party_size": 2, "participants": people,
         "extras": [{"extra": str(locker.id), "count": 1}]},
        {"session": str(second.id), "party_size": 2, "participants": people},
        {"session": str(third.id), "party_size": 1},
    ]  # fmt: skip
    body = {"lines": lines, "customer": {"email": ANNA.email, "name": ANNA.name}, "expected_total": 5300}
    made = client.post("/api/v1/bookings", body, content_type="application/json").json()
    assert [
        (line["session"], line["price"]["amount_minor"], sorted(p["name"] for p in line["participants"]))
        for line in made["lines"]
    ] == [(str(first.id), 2300, ["Bo", "Cy"]), (str(second.id), 2000, ["Bo", "Cy"]), (str(third.id), 1000, [])]
    assert made["lines"][0]["price"]["lines"][1]["extra"] == str(locker.id)


@pytest.mark.django_db
def test_what_was_booked_keeps_its_price_whatever_becomes_of_the_price() -> None:
    session = make_session()
    booking = book(session, party_size=2)
    before = list(booking.lines.values("amount_minor", "quote"))
    Unit.objects.filter(activity=session.activity).update(price_minor=9900)
    Session.objects.filter(id=session.id).update(price_minor=9900)
    booking.refresh_from_db()
    assert (booking.total_minor, list(booking.lines.values("amount_minor", "quote"))) == (2000, before)
    assert PriceRule.objects.count() == 0


@pytest.mark.usefixtures("committed_db")
def test_of_eight_at_once_one_gets_the_last_extra() -> None:
    activity = make_activity()
    bike = make_extra(activity, price_minor=700, stock_per_session=1)
    session = make_session(activity)
    party = Party(session.id, 1, extras=((bike.id, 1),))
    outcomes = race([lambda: book_parties(party)] * 8)
    made = [outcome for outcome in outcomes if isinstance(outcome, Booking)]
    assert ([booking.total_minor for booking in made], len(outcomes)) == ([1700], 8)
    assert all(isinstance(each, (Booking, extras.NotEnoughExtras)) for each in outcomes)


# What the front end claims to hold --------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_forged_an_expired_and_a_foreign_hold_are_refused(client: Client) -> None:
    session = make_session()
    mine, theirs = hold(session), hold(session)

    def buy(basket: Any, token: str) -> tuple[int, str]:
        body = {"basket": str(basket), "basket_token": token, "customer": {"email": ANNA.email, "name": ANNA.name}}
        answer = client.post("/api/v1/bookings", body, content_type="application/json")
        return answer.status_code, answer.json()["code"]

    assert buy("01900000-0000-7000-8000-000000000000", mine.basket_token) == (404, "not_found")  # forged
    assert buy(theirs.basket, mine.basket_token) == (404, "not_found")
    lapse(mine)
    assert buy(mine.basket, mine.basket_token) == (409, "reservation_lapsed")
    reservations.release_expired_reservations()
    assert buy(mine.basket, mine.basket_token) == (409, "reservation_lapsed")
    reservations.release_reservation(reservation_id=theirs.id)
    assert buy(theirs.basket, theirs.basket_token) == (404, "not_found")
    assert Booking.objects.count() == 0


@pytest.mark.usefixtures("committed_db")
def test_of_fifty_clients_at_one_place_one_completes_it() -> None:
    session = make_session(capacity=1)

    def complete() -> Booking:
        contact = stranger()
        held = hold(session, email=contact.email)
        return checkout.confirm_reservation(reservation_id=held.id, contact=contact, actor=CUSTOMER)

    outcomes = race([complete] * 50, at_once=10)
    assert sum(isinstance(outcome, Booking) for outcome in outcomes) == 1
    assert all(isinstance(outcome, (Booking, assessing.NotEnoughPlaces)) for outcome in outcomes)
    assert capacity.recount(session_id=session.id).is_clean
