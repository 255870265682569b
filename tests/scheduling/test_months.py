"""The month as a read model: the same numbers as the live answers, refreshed by what happens; and a venue's day."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from config.kit.clock import database_now
from config.kit.refusals import NotFound
from config.tenants.models import Organization
from scheduling import display_cache
from scheduling.availability import check_slot_availability, with_availability
from scheduling.availability import judge as judge_row
from scheduling.models import Activity, ScheduleException, Session, Venue
from scheduling.months import find_venue, month_availability, venue_month
from scheduling.services import capacity, reservations
from scheduling.venue_days import midnight, venue_day
from tests.factories import book, hold, lapse, make_activity, make_session, make_venue

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


def next_month() -> date:
    tomorrow = database_now().date() + timedelta(days=1)  # at some venues it is that already
    return (tomorrow.replace(day=1) + timedelta(days=40)).replace(day=1)


def at(activity: Activity, day: date, hour: int, **more: Any) -> Session:
    """Make a session at an hour of the venue's clock."""
    starts = datetime(day.year, day.month, day.day, hour, tzinfo=activity.venue.zone).astimezone(UTC)
    return make_session(activity, starts_at=starts, ends_at=starts + timedelta(hours=1), closes_at=starts, **more)


def month_of(activity: Activity, *, is_fresh: bool = False) -> dict[str, dict[str, Any]]:
    first = next_month()
    found = month_availability(activity_id=activity.id, year=first.year, month=first.month, is_fresh=is_fresh)
    return {day["date"]: day for day in json.loads(found.body)["days"]}


def month_of_venue(venue: Venue) -> dict[str, Any]:
    first = next_month()
    found: dict[str, Any] = json.loads(venue_month(venue=venue, year=first.year, month=first.month).body)
    return found


def live(activity: Activity) -> dict[str, tuple[int, int]]:
    """Return sessions and free places of each day that has any, as each session's own answer has them."""
    sums: dict[str, tuple[int, int]] = {}
    for row in with_availability(Session.objects.visible().filter(activity=activity)):
        found = judge_row(row)
        day = str(row["starts_at"].astimezone(activity.venue.zone).date())
        sessions, spots = sums.get(day, (0, 0))
        sums[day] = (sessions + 1, spots + (0 if "waiting_list" in found.reasons else found.spots))
    return sums


def shown(activity: Activity) -> dict[str, tuple[int, int]]:
    days = month_of(activity)
    return {day: (d["sessions"], d["available_spots"]) for day, d in days.items() if d["sessions"]}


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["hold", "lapse", "release", "book", "cut", "close", "reopen", "wait", "legacy"]),
        st.integers(0, 5), st.integers(1, 4),
    ),
    max_size=12,
)  # fmt: skip


def do(act: str, session: Session, number: int) -> None:
    """Do one thing to a session, if it is possible; a refusal changes nothing, which is an act too."""
    if act in ("hold", "book") and check_slot_availability(session_id=session.id, party_size=number).is_available:
        book(session, party_size=number) if act == "book" else hold(session, party_size=number)
    held = session.reservations.filter(status="held").first()
    if act == "lapse" and held:
        lapse(held)
    if act == "release" and held:
        reservations.release_reservation(reservation_id=held.id)
    if act == "cut":
        capacity.set_capacity(session_id=session.id, capacity=number)
    changes: dict[str, dict[str, Any]] = {
        "close": {"status": "closed"}, "reopen": {"status": "published"}, "wait": {"waiting": number},
        "legacy": {"is_legacy": True},
    }  # fmt: skip
    if act in changes:
        Session.objects.filter(id=session.id).update(**changes[act])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_the_read_model_equals_the_live_answers_after_any_acts(acts: list[tuple[str, int, int]]) -> None:
    activity = make_activity()
    sessions = [at(activity, next_month() + timedelta(days=n // 2), 9 + n, capacity=6) for n in range(6)]
    for act, number, size in acts:
        do(act, sessions[number], size)
        display_cache.move_versions({(activity.id, False)})  # what the nudge does a moment after each commit
    assert shown(activity) == live(activity)
    [of_venue] = month_of_venue(activity.venue)["activities"]
    assert of_venue["days"] == list(month_of(activity).values())


def test_the_read_model_that_nobody_refreshes_is_old() -> None:
    session = at(make_activity(), next_month(), 9)
    before = shown(session.activity)
    hold(session, party_size=4)
    assert shown(session.activity) == before != live(session.activity)  # so the test above would notice
    assert month_of(session.activity, is_fresh=True)[str(next_month())]["available_spots"] == 6
    assert shown(session.activity) == live(session.activity)  # who asked for a fresh one left it for the others


def test_a_venues_month_adds_up_its_activities_and_leaves_out_what_is_not_on_sale() -> None:
    venue = make_venue()
    first = next_month()
    archery, boats = make_activity(venue, name="Archery"), make_activity(venue, name="Boats")
    draft = make_activity(venue, status="draft")
    for activity, capacity_total in ((archery, 10), (boats, 4), (draft, 50)):
        at(activity, first, 9, capacity=capacity_total)
    hold(at(boats, first, 12, capacity=4), party_size=3)
    at(make_activity(), first, 9)
    body = month_of_venue(venue)
    assert (body["venue"], body["timezone"], body["month"]) == (
        {"id": str(venue.id), "name": "Hall"},
        "Europe/London",
        f"{first:%Y-%m}",
    )
    assert body["days"][0] == {
        "date": str(first), "sessions": 3, "available_spots": 15, "status": "available", "reason": None
    }  # fmt: skip
    assert [(each["slug"], each["days"][0]["available_spots"]) for each in body["activities"]] == [
        (archery.slug, 10),
        (boats.slug, 5),
    ]
    assert month_of_venue(make_venue())["activities"] == []


def test_a_whole_closed_day_says_so_in_its_words_and_an_hour_of_it_does_not() -> None:
    venue, first = make_venue(), next_month()
    activity, other = make_activity(venue), make_activity(venue)
    closures: list[tuple[dict[str, Any], int, dict[str, Any], str]] = [
        ({"venue": venue}, 0, {}, "Closed for the regatta."),
        ({"activity": activity}, 1, {}, "The boats are being painted."),
        ({"venue": venue}, 2, {"from_time": "09:00", "to_time": "10:00"}, "The staff meet."),
    ]
    for owner, later, hours, reason in closures:
        on = first + timedelta(days=later)
        ScheduleException.objects.create(
            organization_id=venue.organization_id, kind="closure", first_date=on, last_date=on, reason=reason,
            **owner, **hours,
        )  # fmt: skip
    at(activity, first, 9, is_legacy=True)
    still_open = at(other, first, 9)
    days = list(month_of(activity).values())
    assert [(day["status"], day["reason"]) for day in days[:4]] == [
        ("closed", "Closed for the regatta."),
        ("closed", "The boats are being painted."),
        ("none", None),
        ("none", None),
    ]
    assert [(d["status"], d["reason"]) for d in list(month_of(other).values())[:2]] == [
        ("available", None),  # what can be booked is never called closed
        ("none", None),
    ]
    Session.objects.filter(id=still_open.id).update(status="withdrawn")
    cache.clear()
    of_venue = month_of_venue(venue)["days"]
    assert [(day["status"], day["reason"]) for day in of_venue[:2]] == [
        ("closed", "Closed for the regatta."),
        ("none", None),  # one activity's closure is not the venue's
    ]


def test_what_is_not_on_sale_has_no_month_and_a_suspended_organizations_venue_is_not_found() -> None:
    draft = make_activity(status="draft")
    with pytest.raises(NotFound):
        month_of(draft)
    assert find_venue(draft.venue.embed_key) == draft.venue
    Organization.objects.filter(id=draft.organization_id).update(status="suspended")
    with pytest.raises(NotFound):
        find_venue(draft.venue.embed_key)


@pytest.mark.parametrize("activities", [1, 3])
def test_a_day_across_a_venue_is_one_query_in_order_of_time(
    activities: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    venue, day = make_venue(timezone="America/New_York"), next_month()
    made = [at(make_activity(venue, name=f"{n}"), day, hour) for n in range(activities) for hour in (23, 0)]
    at(made[0].activity, day + timedelta(days=1), 0)
    at(make_activity(), day, 9)
    with django_assert_num_queries(1):
        found = venue_day(venue, day)
    assert [each.session["id"] for each in found] == [*(s.id for s in made[1::2]), *(s.id for s in made[::2])]
    assert midnight(venue, day).utcoffset() in (timedelta(hours=-4), timedelta(hours=-5))
