"""The editor of timetables: fields or text, the week as a picture, and errors where they belong."""

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from scheduling.models import Activity, ScheduleChange
from scheduling.services import schedules
from tests.factories import make_activity, make_session
from tests.staff.changing import (
    RULES,
    address,
    everything,
    fill_in_timetable,
    in_days,
    run_daily,
    send_timetable,
    today_at,
)
from tests.staff.conftest import SignIn

pytestmark = pytest.mark.django_db


def page_of(client: Client, activity: Activity) -> Any:
    return client.get(f"{address('timetable')}?activity={activity.id}")


def test_a_timetable_is_rehearsed_and_nothing_is_in_force_yet(sign_in: SignIn) -> None:
    activity = make_activity()
    run_daily(activity)
    before = everything()
    answer = send_timetable(sign_in(activity.organization), activity, end_time="13:00")
    change = ScheduleChange.objects.get()
    assertRedirects(answer, address("change", change.id))
    assert (change.kind, change.status, change.activity) == ("timetable", "rehearsed", activity)
    assert change.parameters == {
        "rules": {**RULES, "endTime": "13:00"}, "effective_from": str(in_days(activity, 3)), "effective_to": None,
    }  # fmt: skip
    assert everything() == before


def test_fields_and_text_lead_to_the_same_rules(sign_in: SignIn) -> None:
    activity = make_activity()
    client = sign_in(activity.organization)
    send_timetable(client, activity, Monday_open=None, Saturday_from="20:00", Saturday_to="02:00")
    rules = {
        **RULES, "operatingDays": [day for day in RULES["operatingDays"] if day not in ("Monday", "Saturday")],
        "customHours": {"Saturday": {"enabled": True, "startTime": "20:00", "endTime": "02:00"}},
    }  # fmt: skip
    send_timetable(client, activity, from_text="on", text=json.dumps(rules), slot_interval="nonsense")
    written, typed = ScheduleChange.objects.order_by("id")
    assert written.parameters == typed.parameters


def test_the_week_is_drawn_and_said_in_words_before_anything_is_rehearsed(sign_in: SignIn) -> None:
    activity = make_activity()
    client = sign_in(activity.organization)
    form = fill_in_timetable(activity, Sunday_open=None, Saturday_from="20:00", Saturday_to="02:00", preview=None)
    answer = client.post(f"{address('timetable')}?activity={activity.id}", form)
    for text in ("Monday to Friday: 10:00 to 14:00", "Saturday: 20:00 to 02:00 the next day", "Sunday: closed"):
        assertContains(answer, text)
    assertContains(answer, '<text class="week-time"', count=5 * 4 + 6)
    assertContains(answer, "week-midnight", count=1)
    assert not ScheduleChange.objects.exists()


def test_the_editor_begins_with_the_timetable_of_now_and_else_with_an_example(sign_in: SignIn) -> None:
    activity = make_activity()
    client = sign_in(activity.organization)
    assertContains(page_of(client, activity), "Monday to Friday: 09:00 to 17:00")
    other = make_activity(activity.venue)
    run_daily(other, customHours={"Sunday": {"enabled": True, "startTime": "20:15", "endTime": "23:15"}})
    assertContains(page_of(client, other), 'value="20:15"')
    assert client.get(f"{address('timetable')}?activity=nonsense").status_code == 422


def test_a_pass_has_no_interval_and_no_length(sign_in: SignIn) -> None:
    activity = make_activity(kind="pass")
    client = sign_in(activity.organization)
    page = page_of(client, activity)
    assertNotContains(page, "slot_interval")
    assertContains(page, "A pass for each day")
    send_timetable(client, activity, slot_interval=None, duration=None)
    assert set(ScheduleChange.objects.get().parameters["rules"]) == {
        "operatingDays", "startTime", "endTime", "capacity",
    }  # fmt: skip


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "a slot longer than the day": ({"slot_interval": 300, "duration": 300}, "end_time", "too short for a slot"),
    "an interval of nothing": ({"slot_interval": 0}, "slot_interval", "at least 1"),
    "no interval": ({"slot_interval": ""}, "slot_interval", "Give a number of minutes."),
    "an interval in words": ({"slot_interval": "often"}, "slot_interval", "whole number"),
    "no opening": ({"start_time": ""}, "start_time", "Give a time."),
    "an opening that is no time": ({"start_time": "25:00"}, "start_time", "Write the time as HH:MM"),
    "own hours without an end": ({"Saturday_from": "12:00"}, "Saturday_to", "Give a time."),
    "own hours that run into the next day's": (
        {"Friday_from": "20:00", "Friday_to": "11:00"}, "Friday_to", "after Saturday has opened",
    ),
    "no day at all": (
        {f"{day}_open": None for day in RULES["operatingDays"]}, "Monday_open", "at least one day",
    ),
    "places for nobody": ({"capacity": 0}, "capacity", "at least 1"),
    "no date": ({"effective_from": ""}, "effective_from", "Choose a date."),
    "an unknown weekday": (
        {"from_text": "on", "text": json.dumps({**RULES, "operatingDays": ["Mittwoch"]})}, "text",
        "operatingDays.0: Give the name of a weekday",
    ),
    "an unknown setting": (
        {"from_text": "on", "text": json.dumps({**RULES, "color": "red"})}, "text", "color: We do not know this",
    ),
    "text that cannot be read": ({"from_text": "on", "text": '{"operatingDays": [],}'}, "text", "line 1"),
    "text without end": ({"from_text": "on", "text": "[" * 30_000}, "text", "cannot be read"),
    "a number without end": ({"from_text": "on", "text": "9" * 5_000}, "text", "cannot be read"),
    "text that says nothing": ({"from_text": "on", "text": ""}, "text", "line 1"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_stands_at_its_field_and_nothing_is_written(sign_in: SignIn, case: str) -> None:
    overrides, field, words = BAD[case]
    activity = make_activity()
    answer = send_timetable(sign_in(activity.organization), activity, **overrides)
    assert answer.status_code == 422
    assert words in " ".join(answer.context["form"].errors[field])
    assert list(answer.context["form"].errors) == [field]
    assert not ScheduleChange.objects.exists()


def test_dates_that_cannot_be_stand_at_their_fields(sign_in: SignIn) -> None:
    activity = make_activity()
    run_daily(activity)
    schedules.publish_schedule(activity_id=activity.id, rules=RULES, effective_from=in_days(activity, 10))
    client, before = sign_in(activity.organization), everything()
    cases = [
        ({"effective_from": in_days(activity, -1)}, "effective_from", "What has been is not changed"),
        ({"effective_to": in_days(activity, 2)}, "effective_to", "must come after"),
        ({"effective_to": in_days(activity, 20)}, "effective_to", "Another timetable begins on"),
    ]
    for overrides, field, words in cases:
        answer = send_timetable(client, activity, **overrides)
        assert (answer.status_code, list(answer.context["form"].errors)) == (422, [field])
        assert words in answer.context["form"].errors[field][0]
    assert (everything(), ScheduleChange.objects.count()) == (before, 0)


def test_the_last_day_of_all_is_a_date_like_any_other(sign_in: SignIn) -> None:
    activity = make_activity()
    run_daily(activity)
    answer = send_timetable(sign_in(activity.organization), activity, effective_from="9999-12-31")
    assert answer.status_code in (302, 422)


@pytest.mark.parametrize("role", ["reception", "instructor", "auditor"])
def test_who_may_not_add_a_timetable_finds_no_editor(sign_in: SignIn, role: str) -> None:
    activity = make_activity()
    client = sign_in(activity.organization, role)
    assert (page_of(client, activity).status_code, send_timetable(client, activity).status_code) == (403, 403)
    assert not ScheduleChange.objects.exists()


def test_another_tenants_timetable_is_neither_shown_nor_rehearsed(sign_in: SignIn) -> None:
    own, foreign = make_session().activity, make_activity(name="Their archery")
    run_daily(foreign)
    client = sign_in(own.organization)
    page = page_of(client, foreign)
    assertNotContains(page, "Their archery", status_code=422)
    assert page.context["form"] is None
    assert send_timetable(client, foreign).status_code == 422
    assert not ScheduleChange.objects.exists()


def test_the_list_of_timetables_leads_to_the_editor(sign_in: SignIn) -> None:
    activity = make_activity()
    run_daily(activity)
    client = sign_in(activity.organization)
    answer = client.get(f"/admin/scheduling/scheduleversion/add/?activity={activity.id}")
    assertRedirects(answer, f"{address('timetable')}?activity={activity.id}")
    assert today_at(activity).isoformat() in client.get(answer.headers["Location"]).content.decode()
