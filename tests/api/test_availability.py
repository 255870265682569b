"""What programs ask about places: one session, a month, and a venue as its calendar shows it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from config.kit.clock import database_now
from config.tenants.models import Organization
from scheduling import display_cache
from scheduling.models import Activity, PriceRule, ScheduleException, Session, Venue
from tests.factories import hold, make_activity, make_session, make_sessions, make_venue

pytestmark = pytest.mark.django_db
FITS_NOT = "There are not enough places left for your party."


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


def get(client: Client, path: str, **headers: str) -> Any:
    return client.get(f"/api/v1/{path}", headers=headers)


def next_month() -> date:
    tomorrow = database_now().date() + timedelta(days=1)  # at some venues it is that already
    return (tomorrow.replace(day=1) + timedelta(days=40)).replace(day=1)


def at(activity: Activity, day: date, hour: int, **more: Any) -> Session:
    """Make a session at an hour of the venue's clock."""
    starts = datetime(day.year, day.month, day.day, hour, tzinfo=activity.venue.zone).astimezone(UTC)
    return make_session(activity, starts_at=starts, ends_at=starts + timedelta(hours=1), closes_at=starts, **more)


# One session ------------------------------------------------------------------------------------------------------


def test_the_answer_about_a_session_has_exactly_these_fields(client: Client) -> None:
    session = make_session(capacity=3)
    hold(session)
    assert get(client, f"sessions/{session.id}/availability?party_size=2").json() == {
        "session": str(session.id),
        "available": True,
        "available_spots": 2,
        "status": "published",
        "price": {"amount_minor": 1000, "currency": "GBP"},
        "is_full": False,
        "reasons": [],
        "alternatives": [],
    }


def test_a_party_of_n_fits_and_one_of_n_and_one_does_not(client: Client) -> None:
    session = make_session(capacity=5)
    hold(session, party_size=2)
    answers = [get(client, f"sessions/{session.id}/availability?party_size={size}").json() for size in (3, 4)]
    assert [(a["available"], a["available_spots"], a["reasons"]) for a in answers] == [
        (True, 3, []),
        (False, 3, [{"code": "not_enough_places", "detail": FITS_NOT}]),
    ]
    assert hold(session, party_size=3).places == 3


def test_what_is_full_says_where_there_is_room_and_a_party_that_may_not_come_is_told_nothing_of_it(
    client: Client,
) -> None:
    activity = make_activity(largest_party=4, plain_hold=False)
    full, small, large = (make_session(activity, capacity=n, starts_in=timedelta(hours=20 + n)) for n in (1, 2, 4))
    hold(full)
    ask = f"sessions/{full.id}/availability?party_size="
    assert [[other["id"] for other in get(client, ask + size).json()["alternatives"]] for size in "1345"] == [
        [str(small.id), str(large.id)],
        [str(large.id)],
        [str(large.id)],
        [],
    ]
    refused = client.post(
        "/api/v1/reservations", {"session": str(full.id), "party_size": 1, "email": "a@example.org"},
        content_type="application/json",
    ).json()  # fmt: skip
    assert [(a["id"], a["available_spots"]) for a in refused["alternatives"]] == [
        (str(small.id), 2),
        (str(large.id), 4),
    ]


def test_a_dated_rule_moves_the_price_of_lists_and_of_one_session_alike(client: Client) -> None:
    activity = make_activity(plain_hold=False)
    plain, dear = at(activity, next_month(), 9), at(activity, next_month(), 18)
    PriceRule.objects.create(
        organization_id=activity.organization_id, activity=activity, name="Evening", percent=50, from_time="17:00"
    )
    one = [get(client, f"sessions/{each.id}/availability").json()["price"]["amount_minor"] for each in (plain, dear)]
    span = f"from={next_month()}&to={next_month()}"
    rows = get(client, f"sessions?activity={activity.id}&{span}").json()["results"]
    day = get(client, f"venues/{activity.venue.embed_key}/sessions?date={next_month()}").json()["results"]
    assert (one, [r["price"]["amount_minor"] for r in rows], [r["price"]["amount_minor"] for r in day]) == (
        [1000, 1500],
        [1000, 1500],
        [1000, 1500],
    )
    assert hold(dear, party_size=2).amount_minor == 3000


# A venue ----------------------------------------------------------------------------------------------------------


def test_a_day_across_a_venue_names_each_session_with_its_activity_in_order_of_time(client: Client) -> None:
    venue, day = make_venue(timezone="Australia/Lord_Howe"), next_month()
    archery, boats = make_activity(venue, name="Archery"), make_activity(venue, name="Boats")
    late, early = at(archery, day, 23, capacity=2), at(boats, day, 0, capacity=1)
    at(archery, day + timedelta(days=1), 0)
    at(archery, day, 12, is_legacy=True)
    hold(early)
    body = get(client, f"venues/{venue.embed_key}/sessions/?date={day}&party_size=2").json()
    assert (body["venue"], body["date"], body["timezone"]) == (
        {"id": str(venue.id), "name": "Hall"},
        str(day),
        "Australia/Lord_Howe",
    )
    assert [
        (s["id"], s["activity"], s["activity_name"], s["starts_at_local"][:16], [r["code"] for r in s["reasons"]])
        for s in body["results"]
    ] == [
        (str(early.id), str(boats.id), "Boats", f"{day}T00:00", ["full"]),
        (str(late.id), str(archery.id), "Archery", f"{day}T23:00", []),
    ]


@pytest.mark.parametrize("activities", [1, 3])
def test_a_venue_is_asked_in_as_many_queries_for_three_activities_as_for_one(
    client: Client, activities: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    venue, day = make_venue(), next_month()
    for _ in range(activities):
        at(make_activity(venue), day, 9)
    with django_assert_num_queries(2):  # the venue, the sessions
        assert len(get(client, f"venues/{venue.embed_key}/sessions?date={day}").json()["results"]) == activities
    with django_assert_num_queries(3):  # the venue, what it has on sale, the month
        month = get(client, f"venues/{venue.embed_key}/availability?month={day:%Y-%m}").json()
    assert len(month["activities"]) == activities


def test_a_venues_month_has_days_with_reasons_a_tag_and_a_304(client: Client) -> None:
    venue, first = make_venue(), next_month()
    session = at(make_activity(venue, name="Archery"), first, 9, capacity=8)
    ScheduleException.objects.create(
        organization_id=venue.organization_id, venue=venue, kind="closure", first_date=first + timedelta(days=1),
        last_date=first + timedelta(days=1), reason="Closed for the regatta.",
    )  # fmt: skip
    path = f"venues/{venue.embed_key}/availability?month={first:%Y-%m}"
    answer = get(client, path)
    body = answer.json()
    day = {"date": str(first), "sessions": 1, "available_spots": 8, "status": "available", "reason": None}
    closed = {
        "date": str(first + timedelta(days=1)), "sessions": 0, "available_spots": 0, "status": "closed",
        "reason": "Closed for the regatta.",
    }  # fmt: skip
    assert body.keys() == {"venue", "month", "timezone", "days", "activities", "as_of"}
    assert body["days"][:2] == body["activities"][0]["days"][:2] == [day, closed]
    assert body["activities"][0].keys() == {"id", "slug", "name", "days"}
    unchanged = get(client, path, **{"If-None-Match": answer["ETag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    hold(session, party_size=3)
    display_cache.move_versions({(session.activity_id, False)})  # what the nudge does a moment after the commit
    changed = get(client, path, **{"If-None-Match": answer["ETag"]})
    assert (changed.status_code, changed.json()["days"][0]["available_spots"]) == (200, 5)


@pytest.mark.parametrize("call", ["sessions?date=2031-01-01", "availability?month=2031-01"])
def test_what_is_unknown_or_suspended_is_not_found(client: Client, call: str) -> None:
    venue = make_venue()
    assert get(client, f"venues/{venue.embed_key}/{call}").status_code == 200
    assert get(client, f"venues/{'0' * 32}/{call}").status_code == 404
    assert get(client, f"venues/{venue.id}/{call}").status_code == 404  # the id is not the key
    Organization.objects.filter(id=venue.organization_id).update(status="suspended")
    assert get(client, f"venues/{venue.embed_key}/{call}").status_code == 404


@pytest.mark.parametrize(
    ("call", "field"),
    [
        ("sessions", "date"),
        ("sessions?date=soon", "date"),
        ("sessions?date=2031-01-01&party_size=0", "party_size"),
        ("sessions?date=2031-01-01&color=red", "color"),
        ("availability?month=2031-13", "month"),
    ],
)
def test_a_bad_question_is_refused_by_field(client: Client, call: str, field: str) -> None:
    response = get(client, f"venues/{make_venue().embed_key}/{call}")
    assert (response.status_code, [error["field"] for error in response.json()["errors"]]) == (422, [field])


# Zones ------------------------------------------------------------------------------------------------------------


def test_two_venues_in_different_zones_each_show_their_own_date_and_clock(client: Client) -> None:
    """One instant, two venues: what is Monday evening for one is Tuesday noon for the other."""
    organization = make_venue().organization
    new_york, apia = (
        make_venue(organization, timezone=zone, name=zone) for zone in ("America/New_York", "Pacific/Apia")
    )
    instant = datetime(next_month().year, next_month().month, 15, 2, 0, tzinfo=UTC)
    shown = {}
    for venue in Venue.objects.filter(id__in=[new_york.id, apia.id]):
        make_session(make_activity(venue), starts_at=instant, ends_at=instant + timedelta(hours=1), closes_at=instant)
        local = instant.astimezone(venue.zone)
        [session] = get(client, f"venues/{venue.embed_key}/sessions?date={local.date()}").json()["results"]
        month = get(client, f"venues/{venue.embed_key}/availability?month={local:%Y-%m}").json()
        shown[venue.timezone] = (
            session["starts_at"], session["starts_at_local"], [d["date"] for d in month["days"] if d["sessions"]],
        )  # fmt: skip
    assert {zone: (utc, local[8:16], [day[-2:] for day in days]) for zone, (utc, local, days) in shown.items()} == {
        "America/New_York": (f"{instant:%Y-%m-%d}T02:00:00Z", shown["America/New_York"][1][8:16], ["14"]),
        "Pacific/Apia": (f"{instant:%Y-%m-%d}T02:00:00Z", "15T15:00", ["15"]),
    }
    assert shown["America/New_York"][1][8:16] in ("14T21:00", "14T22:00")  # by the season


def test_the_lists_know_no_other_sessions_than_the_calendar(client: Client) -> None:
    venue = make_venue()
    sessions = make_sessions(3, make_activity(venue))
    Session.objects.filter(id=sessions[1].id).update(status="withdrawn")
    day = sessions[0].starts_at.astimezone(venue.zone).date()
    names = {s["id"] for d in (day, day + timedelta(days=1))
             for s in get(client, f"venues/{venue.embed_key}/sessions?date={d}").json()["results"]}  # fmt: skip
    assert names == {str(sessions[0].id), str(sessions[2].id)}
