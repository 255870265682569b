"""What staff do about prices: rules begin and end on their page; units, extras and limits stand with the activity."""

from typing import Any

import pytest
from django.test import Client
from pytest_django.asserts import assertContains

from scheduling.admin.activities import KIND_STAYS
from scheduling.models import Activity, PriceRule, ScheduleChange, Unit
from tests.factories import hold, make_activity, make_extra, make_session, make_unit
from tests.staff.admin_site import act, list_address, page_address
from tests.staff.conftest import SignIn

pytestmark = pytest.mark.django_db

ADD = "add/"


def rule_form(activity: Activity, **fields: Any) -> dict[str, Any]:
    return {"activity": activity.id, "name": "Weekend", "position": 0, "amount_minor": 200, **fields}


def activity_form(activity: Activity, **fields: Any) -> dict[str, Any]:
    """Return what an activity's page sends when its default unit and nothing else is on it."""
    unit = activity.units.get()
    return {
        "name": activity.name, "slug": activity.slug, "kind": "open", "currency": "GBP", "capacity": 10,
        "hold_minutes": 10, "opens_days_before": 365, "closes_minutes_before": 0, "units-TOTAL_FORMS": 1,
        "units-INITIAL_FORMS": 1, "units-0-id": unit.id, "units-0-activity": activity.id, "units-0-name": unit.name,
        "units-0-price_minor": unit.price_minor, "units-0-places": 1, "units-0-position": 0, "extras-TOTAL_FORMS": 0,
        "extras-INITIAL_FORMS": 0, **fields,
    }  # fmt: skip


def go_through(client: Client, answer: Any) -> None:
    """Follow to the preview, unless the client has, and apply it."""
    followed = getattr(answer, "redirect_chain", None)
    address = followed[-1][0] if followed else answer["Location"]
    assertContains(client.get(address), "Nothing has been changed yet")
    change = ScheduleChange.objects.latest("created_at")
    assert client.post(address, {"apply": "1"}).status_code == 302
    change.refresh_from_db()
    assert change.status == "applied"


def test_a_rule_begins_after_its_preview_with_its_author(sign_in: SignIn) -> None:
    activity = make_activity(price_minor=1000)
    make_session(activity)
    client = sign_in(activity.organization)
    days = [str(day) for day in range(7)]
    answer = client.post(list_address(PriceRule) + ADD, rule_form(activity, weekdays=days))
    assert not PriceRule.objects.exists()
    go_through(client, answer)
    rule = PriceRule.objects.get()
    assert (rule.weekdays, rule.amount_minor, rule.organization) == (list(range(7)), 200, activity.organization)
    assert rule.author is not None
    assert hold(make_session(activity)).amount_minor == 1200
    assertContains(client.get(page_address(rule)), "Monday, Tuesday")
    assertContains(client.get(page_address(rule)), "+£2.00")


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"name": ""}, "name", "This field is required."),
        ({"amount_minor": ""}, "percent", "one of them"),
        ({"percent": 20}, "amount_minor", "one of them"),
        ({"amount_minor": "", "percent": -101}, "percent", "A percentage is -100"),
        ({"amount_minor": "", "price_minor": -1}, "price_minor", "greater than or equal to 0"),
        ({"first_date": "2026-12-02", "last_date": "2026-12-01"}, "last_date", "The last date is before the first."),
        ({"weekdays": ["7"]}, "weekdays", "not one of the available choices"),
    ],
)
def test_a_wrong_rule_is_refused_at_its_field_and_nothing_is_written(
    sign_in: SignIn, fields: dict[str, Any], field: str, words: str
) -> None:
    activity = make_activity()
    answer = sign_in(activity.organization).post(list_address(PriceRule) + ADD, rule_form(activity, **fields))
    errors = answer.context["adminform"].form.errors
    assert words in " ".join(errors[field])
    assert "Constraint" not in str(errors)
    assert not PriceRule.objects.exists()


def test_another_activitys_unit_and_another_tenants_activity_are_refused(sign_in: SignIn) -> None:
    activity, foreign = make_activity(), make_activity()
    other = make_unit(make_activity(activity.venue))
    client = sign_in(activity.organization)
    for form, field in (
        (rule_form(activity, unit=other.id), "unit"),
        (rule_form(activity, unit=foreign.units.get().id), "unit"),
        (rule_form(foreign), "activity"),
    ):
        answer = client.post(list_address(PriceRule) + ADD, form)
        assert field in answer.context["adminform"].form.errors
    assert not PriceRule.objects.exists()


def test_a_rule_is_ended_by_those_who_may_and_never_edited(sign_in: SignIn) -> None:
    activity = make_activity(price_minor=1000)
    client = sign_in(activity.organization)
    go_through(client, client.post(list_address(PriceRule) + ADD, rule_form(activity)))
    rule = PriceRule.objects.get()
    assert client.post(page_address(rule), rule_form(activity, amount_minor=1)).status_code == 403
    act(sign_in(activity.organization, "auditor"), "end_price_rules", rule)
    assert hold(make_session(activity)).amount_minor == 1200
    go_through(client, act(client, "end_price_rules", rule))
    rule.refresh_from_db()
    assert (rule.amount_minor, rule.ended_at is None) == (200, False)
    assert client.get(list_address(PriceRule)).context["cl"].result_count == 0
    assertContains(client.get(list_address(PriceRule), {"in_force": "ended"}), "Weekend")


@pytest.mark.parametrize(
    "limits",
    [{"smallest_party": 2}, {"largest_party": 8}, {"units-0-minimum_count": 2}, {"units-0-maximum_count": 8},
     {"units-0-needs_accompaniment": "on"}],
    ids=lambda limits: next(iter(limits)),
)  # fmt: skip
def test_limits_set_on_the_activitys_page_end_its_plain_hold_and_taking_them_away_brings_it_back(
    sign_in: SignIn, limits: dict[str, Any]
) -> None:
    activity = make_activity()
    client = sign_in(activity.organization)
    flags = []
    for form in (activity_form(activity, **limits), activity_form(activity)):
        assert client.post(page_address(activity), form).status_code == 302
        activity.refresh_from_db()
        flags.append(activity.plain_hold)
    assert flags == [False, True]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"currency": "GBX"}, "GBX is not a currency that we know."),
        ({"smallest_party": 0}, "A party is 1 person or more."),
        ({"smallest_party": 5, "largest_party": 4}, "The largest party is smaller than the smallest."),
        ({"units-0-minimum_count": 5, "units-0-maximum_count": 4}, "The most are fewer than the fewest."),
        ({"units-0-needs_accompaniment": "on", "units-0-can_accompany": "on"}, "Who needs company cannot be company."),
    ],
)
def test_limits_and_currencies_that_cannot_be_are_refused_in_words(
    sign_in: SignIn, fields: dict[str, Any], words: str
) -> None:
    activity = make_activity()
    answer = sign_in(activity.organization).post(page_address(activity), activity_form(activity, **fields))
    assertContains(answer, words)
    unit = Unit.objects.get()
    assert (unit.minimum_count, unit.can_accompany) == (0, False)


def test_extras_stand_on_the_activitys_page_and_are_taken_off_the_list_there(sign_in: SignIn) -> None:
    activity = make_activity()
    client = sign_in(activity.organization)
    new = {"extras-TOTAL_FORMS": 1, "extras-0-name": "Locker", "extras-0-price_minor": 300, "extras-0-position": 0,
        "extras-0-stock_per_session": 5, "extras-0-is_offered": "on"}  # fmt: skip
    assert client.post(page_address(activity), activity_form(activity, **new)).status_code == 302
    extra = activity.extras.get()
    assert (extra.name, extra.stock_per_session, extra.organization) == ("Locker", 5, activity.organization)
    old = {**new, "extras-INITIAL_FORMS": 1, "extras-0-id": extra.id, "extras-0-activity": activity.id}
    del old["extras-0-is_offered"]
    assert client.post(page_address(activity), activity_form(activity, **old)).status_code == 302
    assert not activity.extras.get().is_offered
    foreign = make_extra(make_activity())
    stolen = {**old, "extras-0-id": foreign.id, "extras-0-name": "Mine"}
    client.post(page_address(activity), activity_form(activity, **stolen))
    foreign.refresh_from_db()
    assert foreign.name != "Mine"


@pytest.mark.parametrize(
    ("status", "is_taken", "kind"),
    [
        ("published", False, "open"),
        ("discontinued", False, "open"),
        ("draft", True, "open"),
        ("draft", False, "private"),
    ],
)
def test_an_activity_that_was_on_sale_keeps_its_kind(sign_in: SignIn, status: str, is_taken: bool, kind: str) -> None:
    activity = make_activity()
    if is_taken:
        hold(make_session(activity))
    Activity.objects.filter(id=activity.id).update(status=status)
    fields = {"kind": "private", "name": "Lessons", "units-0-is_default": "on"}
    answer = sign_in(activity.organization).post(page_address(activity), activity_form(activity, **fields))
    errors = {"kind": [KIND_STAYS]} if kind == "open" else {}
    assert (answer.context["adminform"].form.errors if answer.context else {}) == errors
    activity.refresh_from_db()
    assert (activity.kind, activity.name == "Lessons") == (kind, not errors)
