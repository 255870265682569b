"""The address under which a calendar program reads a venue's sessions."""

import html
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from icalendar import Calendar
from pytest_django import DjangoAssertNumQueries

from config.kit.tokens import make_token
from scheduling.calendars import LEFT_OVER
from scheduling.feeds import feed_path
from scheduling.models import Activity, Session, Venue
from scheduling.services import capacity
from scheduling.services.catalogue import renew_feed_address
from tests.factories import ANNA, STAFF, book, hold, make_activity, make_session, make_sessions, make_venue
from tests.staff.admin_site import page_address
from tests.staff.conftest import make_member

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def activity() -> Activity:
    return make_activity(make_venue(name="Hall"), name="Archery")


def events(client: Client, venue: Venue) -> list[Any]:
    """Read the feed as it is; the events stand in order of time."""
    return read(client.get(feed_path(venue)))


def read(answer: Any) -> list[Any]:
    return list(Calendar.from_ical(answer.content).walk("VEVENT"))


def said(event: Any) -> tuple[str, str, str]:
    return str(event["summary"]), str(event["status"]), str(event.get("description", ""))


def uids(sessions: Sequence[Session]) -> list[str]:
    return [f"{session.id}@holdfast" for session in sessions]


def test_each_session_says_how_many_are_booked_of_how_many(client: Client, activity: Activity) -> None:
    session = make_session(activity, capacity=10)
    book(session, party_size=6)
    hold(session, 2)
    (event,) = events(client, activity.venue)
    assert said(event) == ("Archery 6/10", "CONFIRMED", "")
    assert event.decoded("dtstart") == session.starts_at.replace(microsecond=0)
    assert (event["dtstart"].params["TZID"], str(event["location"])) == ("Europe/London", "Hall")


def test_cancelled_closed_left_over_and_overfull_sessions_say_so_and_withdrawn_ones_are_left_out(
    client: Client, activity: Activity
) -> None:
    cancelled, closed, left_over, empty, overfull, withdrawn = make_sessions(6, activity, capacity=4)
    book(left_over, overfull, party_size=3)
    capacity.set_capacity(session_id=overfull.id, capacity=1)
    for session, change in (
        (cancelled, {"status": "cancelled"}), (closed, {"status": "closed"}), (left_over, {"is_legacy": True}),
        (empty, {"is_legacy": True}), (withdrawn, {"status": "withdrawn"}),
    ):  # fmt: skip
        Session.objects.filter(id=session.id).update(**change)
    assert [said(event) for event in events(client, activity.venue)] == [
        ("Archery 0/4", "CANCELLED", ""),
        ("Archery 0/4", "CONFIRMED", "Closed for new bookings."),
        ("Archery 3/4", "CONFIRMED", LEFT_OVER),
        ("Archery 3/1", "CONFIRMED", "Over by 2, honoured."),
    ]  # fmt: skip


def test_it_goes_from_a_week_ago_to_62_days_ahead_and_knows_this_venue_alone(
    client: Client, activity: Activity
) -> None:
    near = [make_session(activity, starts_in=days * DAY) for days in (-6, 0.1, 61)]
    for days in (-9, 64):
        make_session(activity, starts_in=days * DAY)
    make_session(make_activity(make_venue(activity.organization)))
    unpublished = make_activity(activity.venue, status="draft")
    make_session(unpublished)
    assert [str(event["uid"]) for event in events(client, activity.venue)] == uids(near)


def test_who_booked_a_discontinued_activity_is_still_expected(client: Client, activity: Activity) -> None:
    booked, _ = make_sessions(2, activity)
    book(booked)
    Activity.objects.update(status="discontinued")
    assert [str(event["uid"]) for event in events(client, activity.venue)] == uids([booked])


def test_without_the_right_token_there_is_no_such_page(client: Client, activity: Activity) -> None:
    venue, other = activity.venue, make_venue()
    path = feed_path(venue).partition("?")[0]
    for token in ("", "wrong", "ü", make_token(purpose="venue_feed", subject=other.id),
                  make_token(purpose="basket", subject=venue.id)):  # fmt: skip
        assert client.get(path, {"token": token}).status_code == 404
    assert client.get(path).status_code == 404
    assert client.get(path.replace(str(venue.id), str(activity.id)), {"token": "x"}).status_code == 404
    assert client.post(feed_path(venue)).status_code == 405
    assert client.get(feed_path(venue)).status_code == 200


def test_a_new_address_ends_the_old_one(client: Client, activity: Activity) -> None:
    old = feed_path(activity.venue)
    renew_feed_address(venue_id=activity.venue_id, actor=STAFF)
    activity.venue.refresh_from_db()
    assert (client.get(old).status_code, client.get(feed_path(activity.venue)).status_code) == (404, 200)


def test_nothing_of_a_person_is_in_it(client: Client, activity: Activity) -> None:
    session = make_session(activity)
    booking = book(session, party_size=2)
    answer = client.get(feed_path(activity.venue))
    assert answer["Content-Type"] == "text/calendar; charset=utf-8"
    text = re.sub(r"\r\n ", "", answer.content.decode()).lower()
    assert f"uid:{session.id}@holdfast" in text
    for personal in (ANNA.email, ANNA.name, "anna", str(ANNA.phone), booking.number, str(booking.id)):
        assert personal.lower() not in text


def test_an_unchanged_calendar_is_not_sent_again(client: Client, activity: Activity) -> None:
    session = make_session(activity)
    path = feed_path(activity.venue)
    first = client.get(path)
    unchanged = client.get(path, headers={"If-None-Match": f'"other", W/{first["ETag"]}'})
    assert (unchanged.status_code, unchanged.content, unchanged["ETag"]) == (304, b"", first["ETag"])
    book(session)
    changed = client.get(path, headers={"If-None-Match": first["ETag"]})
    assert (changed.status_code, changed["ETag"] == first["ETag"]) == (200, False)
    (before,), (after,) = (read(answer) for answer in (first, changed))
    assert (after["uid"], after["sequence"] > before["sequence"]) == (before["uid"], True)


@pytest.mark.parametrize("rows", [1, 30])
def test_it_asks_as_much_for_thirty_sessions_as_for_one(
    client: Client, activity: Activity, rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_sessions(rows, activity)
    with django_assert_num_queries(3):  # the venue, the clock, the sessions
        assert len(events(client, activity.venue)) == rows


def test_the_venues_page_shows_its_staff_the_address_to_copy(client: Client, activity: Activity) -> None:
    session = make_session(activity)
    staff = Client()
    staff.force_login(make_member(activity.organization, "manager"))
    page = staff.get(page_address(activity.venue)).content.decode()
    shown = re.search(r'aria-label="Address of the calendar"[^>]*>([^<]*)<', page)
    assert shown
    found = read(client.get(html.unescape(shown[1])))
    assert [str(event["uid"]) for event in found] == uids([session])
