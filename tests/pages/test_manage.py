"""The management page and its acts: each says what it comes to before its button, without a script."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from bookings.models import Booking, BookingEvent, Line
from bookings.services import cancellation, desk_money, party_changes, session_closure
from bookings.services.people import transfer_booking
from bookings.transfer_links import offer_token
from config.kit.facts import Actor, ActorKind
from scheduling.models import Activity, Session
from tests.bookings.paid import paid, sale
from tests.concurrency.races import Places, places_of
from tests.factories import (
    ANNA,
    CUSTOMER,
    book,
    hold,
    make_activity,
    make_session,
    make_unit,
    make_venue,
    shift_session,
    stranger,
)

pytestmark = pytest.mark.django_db

DESK = Actor(kind=ActorKind.STAFF, channel="admin", detail={"note": "storm"})
SOON = timedelta(days=3)
QUERIES = 10


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


@pytest.fixture
def session() -> Session:
    return make_session(make_activity(price_minor=1500, change_fee_minor=200), capacity=6, starts_in=SOON)


@pytest.fixture
def booking(session: Session) -> Booking:
    return book(session, party_size=2)


def text(response: Any) -> str:
    """Return what a person reads: no tags, no runs of space."""
    body = re.sub(r"<script.*?</script>|<head.*?</head>|<[^>]+>", " ", response.content.decode(), flags=re.DOTALL)
    return " ".join(body.split())


def page_of(booking: Booking, act: str = "", **query: object) -> str:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    return f"/bookings/{booking.number}/{act}{'/' if act else ''}{'?' if asked else ''}{asked}"


def open_booking(client: Client, booking: Booking) -> Any:
    return client.get(f"/bookings/{booking.number}.{booking.token}/", follow=True)


def hidden(response: Any) -> dict[str, str]:
    """Return the fields that the last form of the page sends by itself."""
    form = response.content.decode().rpartition('<form method="post"')[2]
    return dict(re.findall(r'type="hidden" name="([\w-]+)" value="([^"]*)"', form))


def press(client: Client, address: str, page: Any, **fields: object) -> Any:
    return client.post(address.partition("?")[0], {**hidden(page), **fields}, follow=True)


def test_the_page_says_how_it_stands_and_what_can_be_done(client: Client, booking: Booking) -> None:
    shown = text(open_booking(client, booking))
    for words in ("You are booked", "Change the time", "How many", "Who comes", "Hand it over", "Cancel", "Booked"):
        assert words in shown


def test_cancelling_says_what_comes_back_and_a_look_changes_nothing(
    client: Client, booking: Booking, session: Session
) -> None:
    open_booking(client, booking)
    page = client.get(page_of(booking, "cancel"))
    assert "Cancel the booking?" in text(page)
    assert "2 places go back to the venue. Less to pay £30.00 New total £0.00" in text(page)
    assert (Booking.objects.get().status, BookingEvent.objects.count()) == ("confirmed", 2)

    done = press(client, page_of(booking, "cancel"), page)

    assert "Cancelled. The places have gone back." in text(done)
    assert Booking.objects.get().status == "cancelled"
    assert places_of(session) == Places(0, 0, 6)


def test_another_time_is_chosen_in_the_calendar_and_seen_with_its_price_before_it_is_booked(
    client: Client, booking: Booking, session: Session
) -> None:
    dearer = make_session(session.activity, capacity=4, starts_in=SOON + timedelta(hours=2), price_minor=1800)
    line = booking.lines.get()
    open_booking(client, booking)
    day = dearer.starts_at.astimezone(session.activity.venue.zone).date()  # late at night the next one
    calendar = client.get(page_of(booking, "time", line=line.id, day=day))
    assert f"time/?line={line.id}&amp;session={dearer.id}" in calendar.content.decode()
    address = page_of(booking, "time", line=line.id, session=dearer.id)
    page = client.get(address)
    assert "Fee, by the terms £2.00 More to pay, on arrival £8.00 New total £38.00" in text(page)

    done = press(client, address, page)

    assert "Your new time is booked." in text(done)
    assert "Moved from" in text(done)
    assert (places_of(session), places_of(dearer)) == (Places(0, 0, 6), Places(0, 2, 2))


def test_more_or_fewer_are_seen_with_their_price_before_they_are_changed(
    client: Client, booking: Booking, session: Session
) -> None:
    child = make_unit(session.activity, name="Child", price_minor=700)
    adult = session.activity.units.get(is_default=True)
    line = booking.lines.get()
    open_booking(client, booking)
    form = client.get(page_of(booking, "party", line=line.id)).content.decode()
    assert f'name="unit-{adult.id}" id="id_unit-{adult.id}" value="2"' in form
    wanted = {f"unit-{adult.id}": 2, f"unit-{child.id}": 1}
    address = page_of(booking, "party", line=line.id, **wanted)
    page = client.get(address)
    assert "1 more place for you. More to pay, on arrival £7.00 New total £37.00" in text(page)

    done = press(client, address, page)

    assert "The number of people is changed." in text(done)
    assert "3 instead of 2 people" in text(done)
    assert places_of(session) == Places(0, 3, 3)


def test_who_comes_is_named_on_a_page(client: Client, booking: Booking) -> None:
    open_booking(client, booking)
    address = page_of(booking, "people", line=booking.lines.get().id)
    page = client.get(address)
    done = press(client, address, page, **{"name-0": "Zoe", "name-1": ""})
    assert "Zoe" in text(done)
    page = client.get(address)
    assert 'value="Zoe"' in page.content.decode()
    press(client, address, page, **{"name-0": "Zoe", "name-1": "Max"})
    assert sorted(person.name for person in booking.lines.get().participants.all()) == ["Max", "Zoe"]
    assert booking.lines.get().participants.filter(name="Zoe").count() == 1


def offer_by_page(client: Client, booking: Booking) -> Any:
    open_booking(client, booking)
    page = client.get(page_of(booking, "transfer"))
    return press(client, page_of(booking, "transfer"), page, name="Ben", email="Ben@example.org")


def link_of(booking: Booking) -> str:
    fact = booking.events.filter(kind="transfer_offered").last()
    assert fact
    return f"/bookings/transfers/{fact.id}.{offer_token(fact)}/"


def test_a_booking_is_offered_on_its_page_and_taken_over_by_the_link_in_the_mail(
    client: Client, booking: Booking
) -> None:
    open_booking(client, booking)
    page = client.get(page_of(booking, "transfer"))
    assert "Until they agree the booking stays yours" in text(page)
    assert "what is to be paid (£30.00)" in text(page)
    wrong = press(client, page_of(booking, "transfer"), page, name="Ben", email="ben")
    assert "This does not look like an e-mail address" in text(wrong)
    done = text(offer_by_page(client, booking))
    assert "Offered. We have written to them" in done
    assert "Offered to somebody else; yours until they agree" in done

    other, link = Client(), link_of(booking)
    shown = other.get(link)
    assert "Anna Archer offers you a booking" in text(shown)
    assert "2 people You pay on arrival £30.00" in text(shown)
    assert not [words for words in (booking.number, ANNA.email, booking.token) if words in shown.content.decode()]
    assert Booking.objects.get().customer.email == ANNA.email
    theirs = text(press(other, link, shown))
    assert "Handed over to you" in theirs
    assert "Anna" not in theirs
    assert Booking.objects.get().customer.email == "ben@example.org"
    assert client.get(page_of(booking)).status_code == 404
    used = Client().get(link)
    assert (used.status_code, "It was taken over already." in text(used)) == (409, True)


def test_who_takes_over_what_is_paid_in_part_reads_what_is_left_for_them_to_pay(client: Client) -> None:
    booking = paid(sale(deposit_percent=30, balance_days=0), 2)
    open_booking(client, booking)
    giving = text(client.get(page_of(booking, "transfer")))
    assert "what is to be paid (£14.00)" in giving
    assert "What is paid already (£6.00) goes with it." in giving
    offer_by_page(client, booking)
    shown = text(Client().get(link_of(booking)))
    assert "Total £20.00 Already paid by Anna Archer −£6.00 Left for you to pay, by " in shown
    assert "£14.00 If something of it goes back later, it goes back to whoever paid it." in shown
    booking.refresh_from_db()
    desk_money.take_money(booking_id=booking.id, amount_minor=1400, actor=DESK)
    assert "Already paid by Anna Archer −£20.00 Left for you to pay £0.00" in text(Client().get(link_of(booking)))


def test_an_offer_that_is_over_says_so_and_a_wrong_link_opens_nothing(client: Client, booking: Booking) -> None:
    offer_by_page(client, booking)
    link = link_of(booking)
    assert client.get(link[:-3] + "x/").status_code == 404
    cancellation.cancel_booking(booking_id=booking.id, actor=CUSTOMER)
    for answer in (client.get(link), client.post(link)):
        assert (answer.status_code, "This offer is over" in text(answer)) == (409, True)


def test_what_was_changed_since_it_was_offered_is_shown_again_before_it_is_taken_over(
    client: Client, booking: Booking
) -> None:
    offer_by_page(client, booking)
    link = link_of(booking)
    page = client.get(link)
    party_changes.change_party(line_id=booking.lines.get().id, party_size=3, actor=CUSTOMER)
    again = press(client, link, page)
    assert (again.status_code, "3 people You pay on arrival £45.00" in text(again)) == (412, True)
    assert Booking.objects.get().customer.email == ANNA.email


def test_an_offer_that_the_terms_stand_against_now_has_no_button(client: Client, booking: Booking) -> None:
    offer_by_page(client, booking)
    Line.objects.update(terms=None)  # as of a line from before terms were kept with it
    Activity.objects.update(customers_may_transfer=False)
    page = client.get(link_of(booking))
    assert (page.status_code, "Take it over" in text(page)) == (200, False)
    assert client.post(link_of(booking), {"version": 3}).status_code == 409


def test_the_page_of_an_offer_asks_few_questions(
    client: Client, booking: Booking, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    offer_by_page(client, booking)
    with django_assert_max_num_queries(11):
        assert client.get(link_of(booking)).status_code == 200


def test_one_of_several_lines_is_cancelled_and_stays_to_be_seen(client: Client, session: Session) -> None:
    other = make_session(session.activity, capacity=6, starts_in=SOON + timedelta(days=1))
    booking = book(session, other, party_size=1)
    going = booking.lines.get(session=session)
    open_booking(client, booking)
    assert "What do you want to cancel?" in text(client.get(page_of(booking, "cancel")))
    address = page_of(booking, "cancel", line=going.id)
    page = client.get(address)
    assert "Cancel this part?" in text(page)
    done = text(press(client, address, page))
    assert "You are booked; a part is cancelled" in done
    assert list(Line.objects.filter(status="live").values_list("session", flat=True)) == [other.id]


def test_what_changed_since_it_was_shown_is_shown_again_and_not_done(client: Client, booking: Booking) -> None:
    open_booking(client, booking)
    page = client.get(page_of(booking, "cancel"))
    shift_session(booking.lines.get().session, starts_in=timedelta(hours=2))  # the deadline passes meanwhile
    answer = press(client, page_of(booking, "cancel"), page)
    assert answer.status_code == 409
    assert "What this comes to has changed since it was shown." in text(answer)
    assert "Fee, by the terms £30.00" in text(answer)
    Booking.objects.update(version=9)
    assert press(client, page_of(booking, "cancel"), page).status_code == 412
    assert Booking.objects.get().status == "confirmed"


def test_a_full_time_is_refused_in_place(client: Client, booking: Booking, session: Session) -> None:
    full = make_session(session.activity, capacity=2, starts_in=SOON + timedelta(hours=3))
    open_booking(client, booking)
    address = page_of(booking, "time", line=booking.lines.get().id, session=full.id)
    page = client.get(address)
    hold(full)
    answer = press(client, address, page)
    assert answer.status_code == 409
    assert "Only 1 of these places is left." in text(answer)
    assert "Keep it as it is" in text(answer)


def test_too_late_is_said_and_nothing_is_offered_that_cannot_be_done(client: Client, booking: Booking) -> None:
    shift_session(booking.lines.get().session, starts_in=timedelta(hours=2))
    shown = text(open_booking(client, booking))
    assert "It is too late to change this." in shown
    assert "Change the time" not in shown
    assert "Cancel" in shown


def test_a_session_that_will_not_take_place_offers_its_people_a_way_out(client: Client, booking: Booking) -> None:
    session_closure.close_with_offers(session_id=booking.lines.get().session_id, actor=DESK, reason="Storm")
    shown = text(open_booking(client, booking))
    assert "This session will not take place. Choose another time, or cancel: both without a fee." in shown
    assert "will not take place" in shown.partition("What happened")[2]


def test_after_the_end_nothing_is_offered(client: Client, booking: Booking) -> None:
    shift_session(booking.lines.get().session, starts_in=timedelta(hours=-3))
    shown = text(open_booking(client, booking))
    assert "The session is over." in shown
    assert not [words for words in ("Change the time", "How many", "Hand it over") if words in shown]


@pytest.mark.parametrize("act", ["cancel", "time", "party", "people", "transfer"])
def test_without_the_link_there_is_nothing(client: Client, booking: Booking, act: str) -> None:
    foreign = book(make_session(starts_in=SOON), contact=stranger())
    client.cookies["booking"] = foreign.token
    assert client.get(page_of(booking, act)).status_code == 404
    assert client.post(page_of(booking, act)).status_code == 404


def test_what_the_former_holder_did_is_not_the_new_ones_story(client: Client, booking: Booking) -> None:
    transfer_booking(booking_id=booking.id, contact=stranger(), actor=DESK)
    shown = text(open_booking(client, Booking.objects.get()))
    assert shown.partition("What happened")[2].count("Booked") == 0


def test_it_is_all_there_in_a_frame_without_cookies() -> None:
    venue = make_venue(allowed_embed_origins=["https://venue.example"])
    session = make_session(make_activity(venue), capacity=4, starts_in=SOON)
    booking = book(session)
    here = f"/embed/bookings/{booking.number}.{booking.token}/"
    client = Client(enforce_csrf_checks=True)
    assert f'href="{here}cancel/"' in client.get(here).content.decode()
    page = client.get(f"{here}cancel/")
    assert "frame-ancestors https://venue.example" in page["Content-Security-Policy"]
    done = client.post(f"{here}cancel/", hidden(page), follow=True)
    assert "Cancelled. The places have gone back." in text(done)
    assert booking.events.get(kind="booking_cancelled").channel == "widget"
    assert done.cookies == {}


@pytest.mark.parametrize("lines", [1, 3])
def test_the_page_asks_the_same_number_of_questions_however_many_lines_it_has(
    client: Client, session: Session, lines: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    others = [make_session(session.activity, starts_in=SOON + timedelta(hours=2 + n)) for n in range(lines - 1)]
    booking = book(session, *others)
    open_booking(client, booking)
    with django_assert_num_queries(QUERIES):
        client.get(page_of(booking))
