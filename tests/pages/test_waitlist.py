"""The pages of a waiting list: joining, waiting, being offered places, and every end; complete without a script."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from bookings.models import Booking, WaitlistEntry
from bookings.services import waitlist
from config.kit.clock import database_now
from scheduling.models import Activity, Reservation, Session
from scheduling.services import reservations
from tests.factories import CUSTOMER, book, confirm, hold, join, lapse, make_activity, make_session, stranger
from tests.pages.test_booking_pages import address, contact, text

pytestmark = pytest.mark.django_db

MOST_QUERIES = 7


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


@pytest.fixture
def held() -> Reservation:
    """Both places of a session, kept for somebody who may not book them."""
    return hold(make_session(capacity=2), 2)


def join_on_page(client: Client, session: Session, size: int = 2, **changes: Any) -> Any:
    unit = session.activity.units.get()
    return client.post(f"{address(session)}wait/", {f"unit-{unit.id}": size, **contact(), **changes}, follow=True)


def open_page(client: Client, entry: WaitlistEntry) -> str:
    return text(client.get(f"/waitlist/{entry.id}.{entry.token}/", follow=True))


def test_a_full_row_and_the_party_page_lead_to_the_waiting_list(client: Client) -> None:
    session = make_session(capacity=1)
    book(session)
    link = f'href="{address(session)}wait/"'
    for page in (client.get(address(session.activity)), client.get(address(session))):
        assert link in page.content.decode()
        assert "Join the waiting list" in text(page)
    Activity.objects.update(waitlist_open=False)
    cache.clear()
    assert link not in client.get(address(session.activity)).content.decode()


def test_what_is_only_held_offers_to_be_next_in_line(client: Client, held: Reservation) -> None:
    assert "Be next in line" in text(client.get(address(held.session.activity)))
    page = text(client.get(f"{address(held.session)}wait/"))
    assert "The last places are kept for somebody who is about to book." in page
    waiting = join_on_page(client, held.session)
    entry = WaitlistEntry.objects.get()
    assert (entry.kind, waiting.redirect_chain[-1][0]) == ("next", f"/waitlist/{entry.id}/")
    assert "You are next" in text(waiting)
    assert "Others keep places until" in text(waiting)


def test_an_offer_is_taken_to_the_checkout_by_forms_alone(client: Client, held: Reservation) -> None:
    join_on_page(client, held.session)
    entry = WaitlistEntry.objects.get()
    reservations.release_reservation(reservation_id=held.id)
    page = text(client.get(f"/waitlist/{entry.id}/"))
    assert "These places are yours to book" in page
    assert "2 × Adult £20.00" in page
    taken = client.post(f"/waitlist/{entry.id}/accept/")
    entry.refresh_from_db()
    assert entry.reservation is not None
    assert taken["Location"] == f"/checkout/{entry.reservation.basket}/"
    booked = client.post(taken["Location"], contact(), follow=True)
    assert "You are booked" in text(booked)
    entry.refresh_from_db()
    assert (entry.status, entry.booking) == ("converted", Booking.objects.get())
    assert f"Your booking is {Booking.objects.get().number}" in text(client.get(f"/waitlist/{entry.id}/"))


def test_the_page_says_where_one_stands_and_why(client: Client) -> None:
    session = make_session(capacity=4)
    bookings = [book(session, party_size=2, contact=stranger()) for _ in range(2)]
    first, second = join(session, 4), join(session, 2)
    assert "You are number 2 in line" in open_page(client, second)
    assert "All places are booked." in open_page(client, second)
    reservation = Reservation.objects.get(lines__booking=bookings[0])
    Reservation.objects.filter(id=reservation.id)
    waitlist.leave_waitlist(entry_id=second.id, actor=CUSTOMER)
    WaitlistEntry.objects.filter(id=first.id).update(skips=1)
    assert "A smaller party behind you fitted once; yours needs 4 places." in open_page(client, first)


@pytest.mark.parametrize("state", ["left", "offer lapsed", "lapsed", "closed", "declined"])
def test_every_end_is_said_with_the_next_step(client: Client, held: Reservation, state: str) -> None:
    entry = join(held.session, 2)
    words = "This wait is over"
    if state == "left":
        open_page(client, entry)
        client.post(f"/waitlist/{entry.id}/leave/")
        words = "You are off the list."
    elif state == "closed":
        Session.objects.update(closes_at=database_now() - timedelta(minutes=1))
        words = "Booking has ended, and no places came free for you."
    else:
        reservations.release_reservation(reservation_id=held.id)
        entry.refresh_from_db()
        assert entry.reservation is not None
        if state == "declined":
            open_page(client, entry)
            client.post(f"/waitlist/{entry.id}/leave/")
            words = "You are off the list, and the places went to the next."
        else:
            lapse(entry.reservation)
            words = "The places that we kept for you went to the next at"
        if state == "lapsed":
            reservations.release_expired_reservations()
    page = open_page(client, entry)
    assert words in page
    assert "Look for another time" in page


def test_an_offer_that_has_just_lapsed_is_refused_in_place(client: Client, held: Reservation) -> None:
    entry = join(held.session, 2)
    reservations.release_reservation(reservation_id=held.id)
    open_page(client, entry)
    entry.refresh_from_db()
    assert entry.reservation is not None
    lapse(entry.reservation)
    answer = client.post(f"/waitlist/{entry.id}/accept/")
    assert (answer.status_code, "This wait is over" in text(answer)) == (409, True)


def test_another_full_time_of_the_day_can_be_named_as_well(client: Client) -> None:
    activity = make_activity()
    first = make_session(activity, capacity=1, starts_in=timedelta(days=3))
    noon = first.starts_at.replace(hour=11, minute=0, second=0, microsecond=0)
    Session.objects.filter(id=first.id).update(starts_at=noon, ends_at=noon + timedelta(hours=1), closes_at=noon)
    other = make_session(activity, capacity=1, starts_in=timedelta(days=4))
    later = noon + timedelta(hours=2)
    Session.objects.filter(id=other.id).update(starts_at=later, ends_at=later + timedelta(hours=1), closes_at=later)
    for session in (first, other):
        book(session, contact=stranger())
    assert "Would another time do, too?" in text(client.get(f"{address(first)}wait/"))
    page = join_on_page(client, first, 1, others=[str(other.id)])
    entry = WaitlistEntry.objects.get()
    assert list(entry.choices.values_list("session_id", "rank")) == [(first.id, 1), (other.id, 2)]
    assert text(page).count("You are next") == 3


def test_what_is_wrong_is_said_at_its_field_and_nobody_waits(client: Client, held: Reservation) -> None:
    page = join_on_page(client, held.session, 0, name="", email="anna")
    assert "Say how many people come." in text(page)
    assert "Give your name" in text(page)
    assert "This does not look like an e-mail address" in text(page)
    assert "A session here has 2 places." in text(join_on_page(client, held.session, 3))
    assert not WaitlistEntry.objects.exists()


def test_where_there_is_room_the_page_leads_to_the_booking(client: Client) -> None:
    session = make_session(capacity=3)
    page = client.get(f"{address(session)}wait/")
    assert f'href="{address(session)}">Book now' in page.content.decode()
    refused = join_on_page(client, session)
    assert (refused.status_code, "book it now" in text(refused)) == (409, True)


def test_a_second_click_finds_the_first_ones_wait(client: Client, held: Reservation) -> None:
    once = client.get(f"{address(held.session)}wait/").context["form"]["once"].value()
    answers = [join_on_page(client, held.session, once=once) for _ in range(2)]
    assert [answer.redirect_chain[-1] for answer in answers] == [answers[0].redirect_chain[-1]] * 2
    assert WaitlistEntry.objects.count() == 1


def test_a_wait_is_nobody_elses(client: Client, held: Reservation) -> None:
    entry, other = join(held.session, 2), join(held.session, 1)
    assert client.get(f"/waitlist/{entry.id}.{other.token}/").status_code == 404
    assert client.get(f"/waitlist/{entry.id}/").status_code == 404
    client.cookies["waitlist"] = other.token
    for act in ("accept", "leave"):
        assert client.post(f"/waitlist/{entry.id}/{act}/").status_code == 404
    assert client.get(f"/waitlist/{entry.id}/leave/").status_code == 405


def test_the_part_that_the_script_asks_for_is_the_state_alone(client: Client, held: Reservation) -> None:
    entry = join(held.session, 2)
    open_page(client, entry)
    part = client.get(f"/waitlist/{entry.id}/", headers={"HX-Request": "true"})
    assert part.content.decode().lstrip().startswith('<div class="wait-state" data-state="waiting">')
    confirm(held, contact=stranger())
    part = client.get(f"/waitlist/{entry.id}/", headers={"HX-Request": "true"})
    assert "All places are booked." in text(part)


def test_the_pages_ask_as_little_for_ten_who_wait_as_for_one(
    client: Client, held: Reservation, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    entry = join(held.session, 2)
    for _ in range(9):
        join(held.session, 1)
    open_page(client, entry)
    with django_assert_max_num_queries(MOST_QUERIES):
        client.get(f"/waitlist/{entry.id}/")
