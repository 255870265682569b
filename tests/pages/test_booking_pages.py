"""The customer pages, as the server renders them: complete without a script."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from icalendar import Calendar
from pytest_django import DjangoAssertNumQueries

from bookings.models import Booking
from config.tenants.models import Organization
from scheduling.models import Activity, Reservation, Session
from tests.factories import book, hold, lapse, make_activity, make_session, make_sessions, make_unit, make_venue

pytestmark = pytest.mark.django_db

MOST_QUERIES = 10


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


def address(of: Activity | Session) -> str:
    activity = of if isinstance(of, Activity) else of.activity
    path = f"/{activity.organization.slug}/{activity.slug}/"
    return path if isinstance(of, Activity) else f"{path}{of.id}/"


def text(response: Any) -> str:
    """Return what a person reads: no tags, no runs of space."""
    body = re.sub(r"<script.*?</script>|<head.*?</head>|<[^>]+>", " ", response.content.decode(), flags=re.DOTALL)
    return " ".join(body.split())


def hold_on_page(client: Client, session: Session, **counts: int) -> Any:
    units = {f"unit-{unit.id}": counts.get(unit.name, 0) for unit in session.activity.units.all()}
    return client.post(address(session), units)


def contact(**changes: str) -> dict[str, str]:
    return {"name": "Anna Archer", "email": "Anna@Example.org", "phone": "", **changes}


def test_a_place_is_booked_by_forms_alone(client: Client) -> None:
    session = make_session(make_activity(price_minor=4500), capacity=5)
    assert "5 left" in text(client.get(address(session.activity)))
    held = hold_on_page(client, session, Adult=2)
    reservation = Reservation.objects.get()
    assert (held.status_code, held["Location"]) == (302, f"/checkout/{reservation.basket}/")
    shown = text(client.get(held["Location"]))
    assert "2 × Adult £90.00" in shown
    assert "Book, and pay £90.00 on arrival" in shown
    booked = client.post(held["Location"], contact(), follow=True)
    booking = Booking.objects.get()
    assert booked.redirect_chain[-1][0] == f"/bookings/{booking.number}/"
    assert f"You are booked {booking.number} for Anna Archer" in text(booked)
    assert "Europe/London" in text(booked)
    assert "To pay on arrival £90.00" in text(booked)
    assert booking.customer.email == "anna@example.org"
    assert booking.events.get(kind="booking_confirmed").channel == "web"


def test_a_second_click_finds_the_first_ones_booking(client: Client) -> None:
    held = hold_on_page(client, make_session(), Adult=1)
    answers = [client.post(held["Location"], contact()) for _ in range(2)]
    assert [answer["Location"] for answer in answers] == [answers[0]["Location"]] * 2
    assert Booking.objects.count() == 1
    assert client.get(held["Location"])["Location"] == answers[0]["Location"]


def test_units_are_counted_each_for_itself(client: Client) -> None:
    session = make_session(capacity=10)
    make_unit(session.activity, name="Family", price_minor=3000, places=4)
    hold_on_page(client, session, Adult=1, Family=1)
    reservation = Reservation.objects.get()
    assert (reservation.places, reservation.party_size, reservation.amount_minor) == (5, 5, 4000)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"Adult": 0}, "Say how many people come."),
        ({"Adult": -1}, "Give 0 or more."),
        ({"Adult": 9}, "Only 3 of these places are left."),
    ],
)
def test_what_cannot_be_held_is_said_on_the_page(client: Client, counts: dict[str, int], words: str) -> None:
    session = make_session(capacity=3)
    response = hold_on_page(client, session, **counts)
    assert words in text(response)
    assert not Reservation.objects.exists()


def test_a_full_session_says_so_and_cannot_be_booked(client: Client) -> None:
    session = make_session(capacity=1)
    hold(session)
    page = client.get(address(session.activity))
    assert "Full" in text(page)
    assert "This session is full." in text(page)
    assert "data-book" not in page.content.decode()
    assert "This session is full." in text(client.get(address(session)))


@pytest.mark.parametrize(
    ("status", "words"),
    [("closed", "The venue has closed this session for booking."), ("cancelled", "This session does not take place.")],
)
def test_the_reason_stands_where_the_button_would_be(client: Client, status: str, words: str) -> None:
    session = make_session()
    Session.objects.filter(id=session.id).update(status=status)
    page = client.get(address(session.activity))
    assert words in text(page)
    assert "data-book" not in page.content.decode()


def test_what_must_be_paid_online_is_not_offered_before_it_can_be(client: Client) -> None:
    session = make_session(make_activity(pay_on_arrival=False))
    page = client.get(address(session.activity))
    assert "takes no payments online" in text(page)
    assert "data-book" not in page.content.decode()


def test_wrong_details_are_named_field_by_field_and_kept(client: Client) -> None:
    held = hold_on_page(client, make_session(), Adult=1)
    page = client.post(held["Location"], contact(name="", email="anna"))
    assert "Please look at 2 fields again." in text(page)
    assert "Give your name, so that the venue knows who comes." in text(page)
    assert 'value="anna"' in page.content.decode()
    assert not Booking.objects.exists()


def test_a_lapsed_basket_is_kept_and_held_again_with_one_click(client: Client) -> None:
    session = make_session(capacity=4)
    held = hold_on_page(client, session, Adult=3)
    lapse(Reservation.objects.get())
    page = client.get(held["Location"])
    assert "These places went back at" in text(page)
    assert "4 are still free" in text(page)
    late = client.post(held["Location"], contact())
    assert (late.status_code, "The time for which these places were kept is over" in text(late)) == (409, True)
    again = client.post(f"{held['Location']}again/", follow=True)
    assert "Nearly there" in text(again)
    assert Reservation.objects.held().get().party_size == 3


def test_a_lapsed_basket_that_does_not_fit_any_more_says_so(client: Client) -> None:
    session = make_session(capacity=3)
    held = hold_on_page(client, session, Adult=3)
    lapse(Reservation.objects.get())
    hold(session, 2)
    page = client.get(held["Location"])
    assert "1 is still free" in text(page)
    assert "Hold them again" not in text(page)
    assert client.post(f"{held['Location']}again/").status_code == 409


def test_places_are_kept_longer_once_and_given_back_at_once(client: Client) -> None:
    session = make_session()
    held = hold_on_page(client, session, Adult=1)
    before = Reservation.objects.get().expires_at
    client.post(f"{held['Location']}extend/")
    assert Reservation.objects.get().expires_at - before == timedelta(minutes=3)
    assert "Keep them 3 minutes longer" not in text(client.get(held["Location"]))
    back = client.post(f"{held['Location']}release/")
    assert back["Location"] == address(session.activity)
    session.refresh_from_db()
    assert session.places_held == 0


def test_a_basket_and_a_booking_open_for_their_owners_alone(client: Client) -> None:
    reservation, booking = hold(make_session()), book(make_session())
    stranger = [
        client.get(f"/checkout/{reservation.basket}/"),
        client.post(f"/checkout/{reservation.basket}/release/"),
        client.get(f"/bookings/{booking.number}/"),
        client.get(f"/bookings/{booking.number}.wrong/"),
        client.get(f"/bookings/{booking.number}/calendar.ics"),
    ]
    assert [response.status_code for response in stranger] == [404] * 5
    opened = client.get(f"/bookings/{booking.number}.{booking.token}/")
    assert opened["Location"] == f"/bookings/{booking.number}/"
    assert booking.token not in opened["Location"]
    cookie = opened.cookies["booking"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", f"/bookings/{booking.number}/")


def test_the_calendar_file_says_when_in_utc_under_a_lasting_name(client: Client) -> None:
    booking = book(make_session())
    client.get(f"/bookings/{booking.number}.{booking.token}/")
    response = client.get(f"/bookings/{booking.number}/calendar.ics")
    event = Calendar.from_ical(response.content).walk("VEVENT")[0]
    line = booking.lines.get()
    assert response["Content-Type"] == "text/calendar; charset=utf-8"
    assert str(event["uid"]) == f"{line.id}@holdfast"
    assert event.decoded("dtstart") == line.session.starts_at.replace(microsecond=0)


def test_drafts_and_suspended_organizations_have_no_pages(client: Client) -> None:
    draft, suspended = make_activity(status="draft"), make_activity()
    Organization.objects.filter(id=suspended.organization_id).update(status="suspended")
    pages = [address(draft), address(suspended), f"/{suspended.organization.slug}/", "/nobody/", "/nobody/nothing/"]
    assert [client.get(path).status_code for path in pages] == [404] * 5


def test_a_session_is_not_shown_under_another_activity(client: Client) -> None:
    session, other = make_session(), make_session()
    assert client.get(f"{address(other.activity)}{session.id}/").status_code == 404


@pytest.mark.parametrize("query", ["?month=soon", "?day=2026-02-30", "?month=1999-01", "?day=x&month=y"])
def test_an_address_that_makes_no_sense_shows_this_month(client: Client, query: str) -> None:
    session = make_session()
    page = client.get(address(session.activity) + query)
    assert (page.status_code, "Book" in text(page)) == (200, True)


@pytest.mark.parametrize("rows", [1, 3])
def test_pages_take_few_queries_however_many_rows(
    client: Client, rows: int, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    activity = make_activity(make_venue())
    sessions = make_sessions(rows, activity)
    for _ in range(rows - 1):
        make_activity(activity.venue)
    held = hold_on_page(client, sessions[0], Adult=1)
    for session in sessions[1:]:
        hold(session, basket=Reservation.objects.earliest("held_at").basket)
    paths = ["/", f"/{activity.organization.slug}/", address(activity), address(sessions[0]), held["Location"]]
    booked = book(*sessions)
    client.get(f"/bookings/{booked.number}.{booked.token}/")
    for path in [*paths, f"/bookings/{booked.number}/"]:
        with django_assert_max_num_queries(MOST_QUERIES):
            assert client.get(path).status_code == 200


def test_every_page_forbids_frames_and_foreign_or_inline_scripts(client: Client) -> None:
    response = client.get("/")
    policy = dict(part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";"))
    assert (policy["default-src"], policy["script-src"], policy["style-src"], policy["frame-ancestors"]) == (
        "'none'", "'self'", "'self'", "'none'",
    )  # fmt: skip
    assert response["X-Frame-Options"] == "DENY"


def test_names_are_escaped(client: Client) -> None:
    activity = make_activity(name="<script>alert(1)</script>", summary="<b>bold</b>")
    make_session(activity)
    body = client.get(address(activity)).content.decode()
    assert "<script>alert(1)" not in body
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in body
