"""What is on sale, over REST."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from config.tenants.models import ApiKey, Organization
from scheduling.display_cache import move_versions
from scheduling.models import Activity, Session
from scheduling.services.catalogue import refresh_on_sale, set_activity_status
from scheduling.services.reservations import reserve_slot
from tests.factories import STAFF, hold, lapse, make_activity, make_session, make_sessions, make_venue

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


def get(client: Client, path: str, **headers: str) -> Any:
    return client.get(f"/api/v1/{path}", headers=headers)


def at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def next_month() -> date:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)  # at some venues it is that already
    return (tomorrow.replace(day=1) + timedelta(days=40)).replace(day=1)


def test_a_list_shows_what_is_on_sale_and_nothing_else(client: Client) -> None:
    shown = make_activity()
    make_activity(status="draft")
    suspended = make_activity()
    Organization.objects.filter(id=suspended.organization_id).update(status="suspended")
    body = get(client, "activities").json()
    assert [row["id"] for row in body["results"]] == [str(shown.id)]
    assert body["next"] is None
    assert get(client, f"activities?organization={shown.organization.slug}").json() == body
    assert get(client, "activities?organization=nobody").json() == {"results": [], "next": None}


def test_a_slug_never_returns_another_schools_rows(client: Client) -> None:
    ours, theirs = make_activity(), make_activity()
    for activity in (ours, theirs):
        body = get(client, f"activities?organization={activity.organization.slug}").json()
        assert [row["id"] for row in body["results"]] == [str(activity.id)]


def test_a_key_sees_its_own_organization(client: Client) -> None:
    ours, theirs = make_activity(), make_activity()
    _, text = ApiKey.issue(organization_id=ours.organization_id, name="ours", scopes=[])
    bearer = {"Authorization": f"Bearer {text}"}
    assert [row["id"] for row in get(client, "activities", **bearer).json()["results"]] == [str(ours.id)]
    assert get(client, f"activities/{theirs.id}", **bearer).status_code == 404
    assert get(client, f"activities/{theirs.id}").status_code == 200


def test_an_activity_names_its_units_in_minor_units_of_its_currency(client: Client) -> None:
    activity = make_activity(price_minor=4500)
    unit = activity.units.get()
    assert get(client, f"activities/{activity.id}/").json() == {
        "id": str(activity.id),
        "organization": activity.organization.slug,
        "slug": activity.slug,
        "name": activity.name,
        "summary": "",
        "kind": "open",
        "venue": {"id": str(activity.venue_id), "name": "Hall"},
        "timezone": "Europe/London",
        "pay_on_arrival": True,
        "units": [
            {
                "id": str(unit.id),
                "name": "Adult",
                "price": {"amount_minor": 4500, "currency": "GBP"},
                "places": 1,
                "minimum_age": None,
                "maximum_age": None,
                "minimum_count": 0,
                "maximum_count": None,
                "needs_accompaniment": False,
                "can_accompany": False,
                "is_default": True,
            }
        ],
        "smallest_party": 1,
        "largest_party": None,
        "extras": [],
    }


def test_sessions_are_those_of_the_venues_own_dates(client: Client) -> None:
    day = next_month()
    activity = make_activity(make_venue(timezone="America/New_York"))
    for hour in (3, 6):  # 03:00 UTC is still the evening before in New York
        starts_at = at(day, hour)
        make_session(activity, starts_at=starts_at, ends_at=starts_at + timedelta(hours=1), closes_at=starts_at)
    body = get(client, f"sessions?activity={activity.id}&from={day}&to={day}").json()
    offset = "-04:00" if body["results"][0]["starts_at_local"].endswith("-04:00") else "-05:00"
    session = Session.objects.get(starts_at=at(day, 6))
    assert body == {
        "results": [
            {
                "id": str(session.id),
                "activity": str(activity.id),
                "starts_at": f"{day}T06:00:00Z",
                "ends_at": f"{day}T07:00:00Z",
                "starts_at_local": f"{day}T{6 + int(offset[:3]):02}:00:00{offset}",
                "timezone": "America/New_York",
                "capacity_total": 10,
                "capacity_remaining": 10,
                "status": "published",
                "is_full": False,
                "price": {"amount_minor": 1000, "currency": "GBP"},
                "reasons": [],
            }
        ],
        "next": None,
    }


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("from=2027-01-01&to=2027-01-02", "activity", "required"),
        ("activity=x&from=2027-01-01&to=2027-01-02", "activity", "invalid"),
        ("activity={id}&from=soon&to=2027-01-02", "from", "invalid"),
        ("activity={id}&from=2027-01-02&to=2027-01-01", "to", "out_of_range"),
        ("activity={id}&from=2027-01-01&to=2027-03-04", "to", "out_of_range"),
        ("activity={id}&from=2027-01-01&to=2027-01-02&color=red", "color", "unknown_field"),
    ],
)
def test_a_bad_range_is_refused_by_field(client: Client, query: str, field: str, code: str) -> None:
    response = get(client, "sessions?" + query.replace("{id}", str(make_activity().id)))
    assert response.status_code == 422
    assert [(error["field"], error["code"]) for error in response.json()["errors"]] == [(field, code)]


@pytest.mark.parametrize("rows", [1, 3])
def test_lists_take_as_many_queries_for_three_rows_as_for_one(
    client: Client, rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    activity = make_activity()
    make_sessions(rows, activity)
    for _ in range(rows - 1):
        make_activity(activity.venue)
    tomorrow = datetime.now(UTC).date()
    with django_assert_num_queries(3):  # activities, units, extras
        assert len(get(client, "activities").json()["results"]) == rows
    with django_assert_num_queries(2):  # the activity, the sessions with all that is said of them
        path = f"sessions?activity={activity.id}&from={tomorrow}&to={tomorrow + timedelta(days=3)}"
        assert len(get(client, path).json()["results"]) == rows


# One session --------------------------------------------------------------------------------------------------------


def test_a_session_answers_for_a_party_at_the_boundary(client: Client) -> None:
    session = make_session(capacity=5)
    hold(session, party_size=2)
    fits = get(client, f"sessions/{session.id}/availability?party_size=3").json()
    too_many = get(client, f"sessions/{session.id}/availability/?party_size=4").json()
    common = {
        "session": str(session.id),
        "available_spots": 3,
        "status": "published",
        "price": {"amount_minor": 1000, "currency": "GBP"},
        "is_full": False,
        "alternatives": [],
    }
    assert fits == {**common, "available": True, "reasons": []}
    assert too_many == {
        **common,
        "available": False,
        "reasons": [
            {"code": "not_enough_places", "detail": "There are not enough places left for your party."},
        ],
    }


def test_full_is_derived_and_reopens_by_itself_but_a_closed_session_stays_closed(client: Client) -> None:
    session = make_session(capacity=2)
    path = f"sessions/{session.id}/availability"
    answers = [get(client, path).json()]
    first, second = hold(session), hold(session)
    answers.append(get(client, path).json())
    Session.objects.filter(id=session.id).update(status="closed")
    answers.append(get(client, path).json())
    lapse(first, second)
    answers.append(get(client, path).json())
    Session.objects.filter(id=session.id).update(status="published")
    answers.append(get(client, path).json())
    assert [(a["status"], a["is_full"], a["available"], a["available_spots"]) for a in answers] == [
        ("published", False, True, 2),
        ("full", True, False, 0),
        ("closed", True, False, 0),
        ("closed", False, False, 0),
        ("published", False, True, 2),
    ]


def test_a_session_price_falls_back_to_the_default_units(client: Client) -> None:
    session = make_session(make_activity(price_minor=1500))
    path = f"sessions/{session.id}/availability"
    assert get(client, path).json()["price"] == {"amount_minor": 1500, "currency": "GBP"}
    Session.objects.filter(id=session.id).update(price_minor=900)
    assert get(client, path).json()["price"] == {"amount_minor": 900, "currency": "GBP"}
    assert hold(session, party_size=2).amount_minor == 1800


def test_what_was_shown_as_free_is_checked_again_when_it_is_taken(client: Client) -> None:
    session = make_session(capacity=1)
    assert get(client, f"sessions/{session.id}/availability").json()["available"] is True
    reserve_slot(session_id=session.id, party_size=1, email="first@example.org")
    body = {"session": str(session.id), "party_size": 1, "email": "second@example.org"}
    response = client.post("/api/v1/reservations", body, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (409, "not_enough_places")


def test_drafts_do_not_exist_and_discontinued_or_suspended_ones_are_not_on_sale(client: Client) -> None:
    session = make_session()
    path = f"sessions/{session.id}/availability"
    set_activity_status(activity_id=session.activity_id, status=Activity.Status.DISCONTINUED, actor=STAFF)
    assert [reason["code"] for reason in get(client, path).json()["reasons"]] == ["not_on_sale"]
    set_activity_status(activity_id=session.activity_id, status=Activity.Status.PUBLISHED, actor=STAFF)
    assert get(client, path).json()["available"] is True
    Organization.objects.filter(id=session.organization_id).update(status="suspended")
    refresh_on_sale(organization_id=session.organization_id)
    body = {"session": str(session.id), "party_size": 1, "email": "a@example.org"}
    refused = client.post("/api/v1/reservations", body, content_type="application/json")
    assert (refused.status_code, refused.json()["reasons"]) == (409, ["not_on_sale"])
    set_activity_status(activity_id=session.activity_id, status=Activity.Status.DRAFT, actor=STAFF)
    assert get(client, path).status_code == 404


# A month ------------------------------------------------------------------------------------------------------------


def test_a_month_says_of_each_day_how_much_is_left(client: Client) -> None:
    month = next_month()
    activity = make_activity()
    sessions = [
        make_session(
            activity,
            capacity=10,
            starts_at=(s := at(month + timedelta(days=d), 9)),
            ends_at=s + timedelta(hours=1),
            closes_at=s,
        )
        for d in range(5)
    ]
    for session, size in zip(sessions, (0, 8, 10, 10, 0), strict=True):
        if size:
            hold(session, party_size=size)
    lapse(*sessions[3].reservations.all())
    Session.objects.filter(id=sessions[4].id).update(status="closed")
    body = get(client, f"activities/{activity.id}/availability?month={month:%Y-%m}").json()
    assert [(d["date"], d["sessions"], d["available_spots"], d["status"]) for d in body["days"][:6]] == [
        (f"{month + timedelta(days=0)}", 1, 10, "available"),
        (f"{month + timedelta(days=1)}", 1, 2, "few"),
        (f"{month + timedelta(days=2)}", 1, 0, "full"),
        (f"{month + timedelta(days=3)}", 1, 10, "available"),
        (f"{month + timedelta(days=4)}", 1, 0, "closed"),
        (f"{month + timedelta(days=5)}", 0, 0, "none"),
    ]
    assert (body["timezone"], body["month"]) == ("Europe/London", f"{month:%Y-%m}")


def test_an_unchanged_month_is_a_304_and_a_changed_one_is_made_anew(client: Client) -> None:
    session = make_session()
    day = session.starts_at.astimezone(session.activity.venue.zone).date()
    path = f"activities/{session.activity_id}/availability?month={day:%Y-%m}"
    first = get(client, path)
    assert get(client, path).content == first.content
    unchanged = get(client, path, **{"If-None-Match": first["ETag"]})
    assert (unchanged.status_code, unchanged.content, unchanged["ETag"]) == (304, b"", first["ETag"])
    hold(session, party_size=4)
    move_versions({(session.activity_id, False)})  # what the nudge does a moment after the commit
    changed = get(client, path, **{"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    spots = {day["date"]: day["available_spots"] for day in changed.json()["days"]}
    assert spots[f"{day}"] == 6


@pytest.mark.parametrize("month", ["", "?month=2027-13", "?month=soon", "?month=2027-1", "?month=2027-01&x=1"])
def test_a_bad_month_is_refused(client: Client, month: str) -> None:
    assert get(client, f"activities/{make_activity().id}/availability{month}").status_code == 422
