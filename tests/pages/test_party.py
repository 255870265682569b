"""The page that asks how many come: prices, limits and extras, complete without a script."""

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from bookings.models import Booking
from scheduling.models import Reservation, ReservationExtra, Session
from scheduling.services import price_rules, reservations
from scheduling.services.assessing import Party
from tests.factories import make_activity, make_extra, make_session, make_unit
from tests.pages.test_booking_pages import address, contact, text

pytestmark = pytest.mark.django_db

MOST_QUERIES = 11


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


def fill_in(client: Client, session: Session, *, show_price: bool = False, **counts: int) -> Any:
    """Send the form; units and extras by their names."""
    activity = session.activity
    form = {f"unit-{unit.id}": counts.get(unit.name, 0) for unit in activity.units.all()}
    form |= {f"extra-{extra.id}": counts.get(extra.name, 0) for extra in activity.extras.all()}
    return client.post(address(session), form | ({"show_price": "yes"} if show_price else {}))


def test_units_and_extras_stand_with_their_prices_in_this_session_and_what_is_left(client: Client) -> None:
    activity = make_activity(price_minor=1000)
    make_unit(activity, name="Child", price_minor=500, minimum_age=5, maximum_age=11)
    locker = make_extra(activity, name="Locker", stock_per_session=3, maximum_per_party=2)
    make_extra(activity, name="Trophy", is_offered=False)
    price_rules.add_price_rule(activity_id=activity.id, name="Peak", amount_minor=200)
    session = make_session(activity)
    party = Party(session_id=session.id, party_size=1, extras=((locker.id, 2),))
    reservations.reserve_parties([party], email="ben@example.org")
    shown = text(client.get(address(session)))
    assert "Adult £12.00 Peak +£2.00 each" in shown
    assert "Child £7.00, 5 to 11 years Peak +£2.00 each" in shown
    assert "Locker £3.00, 1 left, 2 at most" in shown
    assert "Trophy" not in shown


def test_limits_are_said_before_they_are_broken_and_at_the_field_when_they_are(client: Client) -> None:
    activity = make_activity(smallest_party=2, largest_party=8, plain_hold=False)
    make_unit(activity, name="Child", needs_accompaniment=True)
    session = make_session(activity)
    shown = text(client.get(address(session)))
    assert "For 2 to 8 people." in shown
    assert "Child: only together with Adult." in shown
    answer = fill_in(client, session, Child=1)
    assert 'aria-invalid="true"' in answer.content.decode()
    assert text(answer).count("Child: only together with Adult.") == 2
    assert "A party is 2 people or more here." in text(answer)
    assert not Reservation.objects.exists()


def test_the_price_is_explained_line_by_line_when_it_is_asked_for_and_nothing_is_held(client: Client) -> None:
    activity = make_activity(price_minor=1000)
    make_extra(activity, name="Locker")
    price_rules.add_price_rule(activity_id=activity.id, name="Peak", amount_minor=200)
    session = make_session(activity)
    answer = fill_in(client, session, show_price=True, Adult=2, Locker=1)
    assert "2 × Adult Peak +£2.00 each £24.00 1 × Locker £3.00 Together £27.00" in text(answer)
    assert answer.status_code == 200
    assert not Reservation.objects.exists()


def test_extras_and_rules_are_shown_from_the_checkout_to_the_confirmation(client: Client) -> None:
    activity = make_activity(price_minor=1000)
    make_extra(activity, name="Locker")
    price_rules.add_price_rule(activity_id=activity.id, name="Peak", percent=-20)
    held = fill_in(client, make_session(activity), Adult=2, Locker=1)
    lines = "2 × Adult Peak −£2.00 each £16.00 1 × Locker £3.00"
    checkout = text(client.get(held["Location"]))
    assert lines in checkout
    assert "Total £19.00" in checkout
    booked = client.post(held["Location"], contact(), follow=True)
    assert lines in text(booked)
    assert "To pay on arrival £19.00" in text(booked)
    assert Booking.objects.get().total_minor == 1900


def test_extras_that_are_gone_cannot_be_asked_for_and_are_refused_in_words(client: Client) -> None:
    activity = make_activity()
    locker = make_extra(activity, name="Locker", stock_per_session=0)
    session = make_session(activity)
    page = client.get(address(session)).content.decode()
    assert f'max="0" name="extra-{locker.id}"' in page
    answer = fill_in(client, session, Adult=1, Locker=1)
    assert (answer.status_code, "Locker: none left in this session." in text(answer)) == (409, True)
    assert (Reservation.objects.count(), ReservationExtra.objects.count()) == (0, 0)


def test_a_basket_that_lapsed_is_held_anew_with_its_extras(client: Client) -> None:
    activity = make_activity()
    make_extra(activity, name="Locker")
    held = fill_in(client, make_session(activity), Adult=1, Locker=2)
    Reservation.objects.update(held_at="2026-01-01T00:00Z", expires_at="2026-01-01T00:10Z")
    again = client.post(f"{held['Location']}again/", follow=True)
    assert "2 × Locker £6.00" in text(again)


@pytest.mark.parametrize("rows", [1, 3])
def test_the_page_takes_few_queries_however_much_is_on_offer(
    client: Client, rows: int, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    activity = make_activity()
    for number in range(rows):
        make_unit(activity, name=f"Unit {number}")
        make_extra(activity, stock_per_session=5)
        price_rules.add_price_rule(activity_id=activity.id, name=f"Rule {number}", percent=5)
    session = make_session(activity)
    with django_assert_max_num_queries(MOST_QUERIES):
        assert client.get(address(session)).status_code == 200
