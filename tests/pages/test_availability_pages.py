"""What the calendars of the site and of the widget say beside the numbers."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from config.kit.clock import database_now
from scheduling.models import Activity, PriceRule, ScheduleException, Session, Venue
from tests.factories import hold, make_activity, make_session, make_venue

pytestmark = pytest.mark.django_db
MOST_QUERIES = 8


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


def text(response: Any) -> str:
    body = re.sub(r"<script.*?</script>|<head.*?</head>|<[^>]+>", " ", response.content.decode(), flags=re.DOTALL)
    return " ".join(body.split())


def next_month() -> date:
    tomorrow = database_now().date() + timedelta(days=1)  # at some venues it is that already
    return (tomorrow.replace(day=1) + timedelta(days=40)).replace(day=1)


def at(activity: Activity, day: date, hour: int, **more: Any) -> Session:
    starts = datetime(day.year, day.month, day.day, hour, tzinfo=activity.venue.zone).astimezone(UTC)
    plain = {"starts_at": starts, "ends_at": starts + timedelta(hours=1), "closes_at": starts}
    return make_session(activity, **{**plain, **more})


def show(client: Client, activity: Activity, day: date) -> str:
    return text(client.get(f"/{activity.organization.slug}/{activity.slug}/?day={day}"))


def show_venue(client: Client, venue: Venue, day: date) -> str:
    return text(client.get(f"/embed?widget=calendar&key={venue.embed_key}&day={day}"))


def test_a_full_row_says_why_and_where_there_is_room(client: Client) -> None:
    activity, day = make_activity(), next_month()
    hold(at(activity, day, 9, capacity=1))
    at(activity, day, 17, capacity=4)
    shown = show(client, activity, day)
    assert "This session is full." in shown
    assert "17:00 has room for 4" in shown
    full = Session.objects.get(activity=activity, capacity_total=1)
    party = client.get(f"/{activity.organization.slug}/{activity.slug}/{full.id}/")
    assert f'day={day}">17:00 has room for 4</a>' in party.content.decode()


def test_an_alternative_on_another_day_says_which(client: Client) -> None:
    activity, day = make_activity(), next_month()
    hold(at(activity, day, 9, capacity=1))
    at(activity, day + timedelta(days=2), 10, capacity=6)
    other = day + timedelta(days=2)
    assert f"{other:%a} {other.day} {other:%b}, 10:00 has room for 6" in show(client, activity, day)


def test_a_pass_is_shown_as_opening_hours(client: Client) -> None:
    activity, day = make_activity(kind="pass"), next_month()
    session = at(activity, day, 10)
    Session.objects.filter(id=session.id).update(ends_at=session.starts_at + timedelta(hours=8))
    assert "10:00–18:00, come and go" in show(client, activity, day)


def test_a_price_by_the_rules_is_each_rows_own(client: Client) -> None:
    activity, day = make_activity(plain_hold=False), next_month()
    PriceRule.objects.create(
        organization_id=activity.organization_id, activity=activity, name="Evening", percent=50, from_time="17:00"
    )
    at(activity, day, 9)
    at(activity, day, 18)
    shown = show(client, activity, day)
    assert "from £10.00" in shown
    assert "from £15.00" in shown


def test_a_closed_day_says_its_reason_in_the_month_and_when_it_is_chosen(client: Client) -> None:
    activity, day = make_activity(), next_month()
    at(activity, day, 9)
    closed = day + timedelta(days=1)
    ScheduleException.objects.create(
        organization_id=activity.organization_id, venue=activity.venue, kind="closure", first_date=closed,
        last_date=closed + timedelta(days=1), reason="Closed for the regatta.",
    )  # fmt: skip
    for shown in (show(client, activity, day), show_venue(client, activity.venue, day)):
        assert f"{closed.day} {closed:%b}, {closed.day + 1} {closed:%b}: Closed for the regatta." in shown
        assert shown.count("Closed for the regatta.") == 3  # two days for who hears the page, and the line for all
    assert show(client, activity, closed).count("Closed for the regatta.") == 4


def test_the_venues_calendar_lists_a_day_across_its_activities_and_leads_to_the_hold(client: Client) -> None:
    venue, day = make_venue(), next_month()
    boats, archery = make_activity(venue, name="Boats"), make_activity(venue, name="Archery")
    late, early = at(boats, day, 15), at(archery, day, 9)
    paid = at(make_activity(venue, name="Paid online", pay_on_arrival=False), day, 12)
    page = client.get(f"/embed?widget=calendar&key={venue.embed_key}&day={day}")
    body = page.content.decode()
    assert re.findall(r'data-session="([^"]+)"', body) == [str(s.id) for s in (early, paid, late)]
    assert re.findall(r'data-book href="([^"]+)"', body) == [
        f"/embed/{session.activity_id}/{session.id}/" for session in (early, late)
    ]
    part = client.get(f"/embed?widget=calendar&key={venue.embed_key}&day={day}", headers={"HX-Request": "true"})
    assert "<html" not in part.content.decode()
    assert "data-rows" in part.content.decode()


@pytest.mark.parametrize("activities", [1, 3])
def test_the_calendars_take_few_queries_however_many_rows(
    client: Client, activities: int, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    venue, day = make_venue(), next_month()
    for number in range(activities):
        activity = make_activity(venue, plain_hold=False)
        hold(at(activity, day, 9, capacity=1))
        at(activity, day, 10 + number)
    client.get(f"/embed?widget=calendar&key={venue.embed_key}&day={day}")  # the display cache of prices and places
    with django_assert_max_num_queries(MOST_QUERIES):
        assert "has room for 10" in show_venue(client, venue, day)
    with django_assert_max_num_queries(MOST_QUERIES):
        assert "has room for 10" in show(client, activity, day)
