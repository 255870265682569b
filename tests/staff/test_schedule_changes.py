"""Rehearsals: what a change does and whom it touches, the button that does exactly that, and what was done."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from bookings.models import AffectedLine, Booking
from bookings.services import schedule_changes
from scheduling.models import Activity, ScheduleChange, ScheduleException
from tests.factories import CUSTOMER, book, make_activity, make_session, stranger
from tests.staff.admin_site import act, messages_of, page_address
from tests.staff.changing import (
    address,
    closure,
    everything,
    first_on,
    in_days,
    rehearse_closure,
    run_daily,
    send_timetable,
)
from tests.staff.conftest import SignIn

pytestmark = pytest.mark.django_db


def make_running() -> Activity:
    """Create an activity with four sessions of eight places on each of the next 30 days."""
    activity = make_activity()
    run_daily(activity)
    return activity


def press(client: Client, change: ScheduleChange, button: str = "apply") -> Any:
    """Press a button of a rehearsal's page."""
    return client.post(address("change", change.id), {button: "1"}, follow=True)


# A rehearsal says what it does ----------------------------------------------------------------------------------------


def test_a_rehearsal_says_what_it_does_and_whom_it_touches(sign_in: SignIn) -> None:
    activity = make_running()
    session = first_on(activity, in_days(activity, 3))
    booking = book(session, party_size=3)
    other = book(session, contact=stranger())
    before = everything()
    client = sign_in(activity.organization)
    page = client.get(address("change", rehearse_closure(activity).id))
    for text in (
        "Nothing has been changed yet.",
        "1 session stays valid for those who booked, and is not sold any more",
        "3 empty sessions are withdrawn",
        "2 bookings, 2 customers, 4 people, £40.00. Their bookings stay as they are.",
        "“Closed for the regatta”",
        "outside the timetable from then on",
        "Apply exactly this",
    ):
        assertContains(page, text)
    for each in (booking, other):
        assertContains(page, page_address(each))
        assertContains(page, each.number)
    assert everything() == before


def test_times_that_no_clock_shows_or_shows_twice_are_named(sign_in: SignIn) -> None:
    activity = make_running()
    change = rehearse_closure(activity)
    change.effects |= {
        "skipped": [{"date": "2026-03-29", "time": "01:30"}],
        "doubled": [{"starts_at": "2026-10-25T00:30:00+00:00"}],
    }
    change.save()
    page = sign_in(activity.organization).get(address("change", change.id))
    assertContains(page, "Sun 29 Mar 2026 01:30 does not exist at the venue: left out")
    assertContains(page, "Sun 25 Oct 2026 01:30 comes twice at the venue: the first is used")


def test_a_long_list_shows_the_first_200_and_how_many_more(sign_in: SignIn) -> None:
    activity = make_activity()
    run_daily(activity, slotInterval=20, duration=20)  # 12 a day
    client = sign_in(activity.organization)
    send_timetable(client, activity, effective_from=in_days(activity, 1), start_time="20:00", end_time="21:00")
    page = client.get(address("change", ScheduleChange.objects.get().id))
    assertContains(page, f"{30 * 12} empty sessions are withdrawn")
    assertContains(page, f"And {30 * 12 - 200} more.")


# Applying -----------------------------------------------------------------------------------------------------------


def test_apply_does_what_was_shown_and_says_who_did_it_and_when(sign_in: SignIn) -> None:
    activity = make_running()
    session = first_on(activity, in_days(activity, 3))
    booking = book(session)
    client, change = sign_in(activity.organization), rehearse_closure(activity)
    answer = press(client, change)
    assertRedirects(answer, address("change", change.id))
    session.refresh_from_db()
    change.refresh_from_db()
    assert (session.is_legacy, session.places_booked, change.status) == (True, 1, "applied")
    assert str(change.applied_by_id) == client.session["_auth_user_id"]
    assertContains(answer, "<strong>Done</strong> by manager-")
    assertContains(answer, "Work list: 1 to decide")
    assertNotContains(answer, "Apply exactly this")
    row = AffectedLine.objects.get()
    assert (row.change, row.line.booking, row.status) == (change, booking, "open")
    assert activity.events.get().actor_kind == "staff"


def test_a_change_is_applied_once(sign_in: SignIn) -> None:
    activity = make_running()
    client, change = sign_in(activity.organization), rehearse_closure(activity)
    press(client, change)
    after = everything()
    assertContains(press(client, change), "This change is in force already", status_code=409)
    assert everything() == after


def test_what_moved_since_is_said_and_a_new_preview_offered(sign_in: SignIn) -> None:
    activity = make_running()
    change = rehearse_closure(activity)
    session = first_on(activity, in_days(activity, 3))
    book(session, party_size=2)
    client, before = sign_in(activity.organization), everything()
    answer = press(client, change)
    assertContains(answer, "1 session is not as the preview shows it.", status_code=409)
    assertContains(answer, "withdrawn; now kept for those who booked, 2 booked.", status_code=409)
    assertNotContains(answer, "Apply exactly this", status_code=409)
    assert everything() == before
    again = press(client, change, "again")
    newest = ScheduleChange.objects.latest("id")
    assertRedirects(again, address("change", newest.id))
    press(client, newest)
    session.refresh_from_db()
    assert session.is_legacy


def test_a_timetable_is_put_in_force_from_the_page_alone(sign_in: SignIn) -> None:
    activity = make_running()
    client = sign_in(activity.organization)
    send_timetable(client, activity, end_time="12:00")
    change = ScheduleChange.objects.get()
    assertContains(client.get(address("change", change.id)), "Monday to Sunday: 10:00 to 12:00")
    press(client, change)
    assert list(activity.schedules.order_by("version").values_list("effective_from", "effective_to")) == [
        (in_days(activity, 0), in_days(activity, 3)), (in_days(activity, 3), None),
    ]  # fmt: skip
    assert activity.sessions.filter(status="withdrawn").count() == 28 * 2


# Closures and openings ----------------------------------------------------------------------------------------------


def test_a_closure_is_rehearsed_applied_and_lifted_with_a_preview_each(sign_in: SignIn) -> None:
    activity = make_running()
    client = sign_in(activity.organization)
    answer = client.post(address("exception"), closure(activity))
    change = ScheduleChange.objects.get()
    assertRedirects(answer, address("change", change.id))
    assert not ScheduleException.objects.exists()
    press(client, change)
    exception = ScheduleException.objects.get()
    assert activity.sessions.filter(status="withdrawn").count() == 4
    lifted = act(client, "lift_exceptions", exception)
    lift = ScheduleChange.objects.latest("id")
    assertRedirects(lifted, address("change", lift.id), status_code=307)
    assertContains(lifted, "4 sessions come back on sale")
    exception.refresh_from_db()
    assert (lift.kind, exception.lifted_at) == ("lift", None)
    press(client, lift)
    exception.refresh_from_db()
    assert exception.lifted_at is not None
    assert activity.sessions.filter(status="published").count() == 30 * 4
    assertContains(client.get("/admin/scheduling/scheduleexception/?in_force=lifted"), "Closed for the regatta")
    assertNotContains(client.get("/admin/scheduling/scheduleexception/"), "Closed for the regatta")


def test_the_whole_venue_is_closed_for_some_hours(sign_in: SignIn) -> None:
    first, day = make_running(), 3
    second = make_activity(first.venue)
    run_daily(second)
    client = sign_in(first.organization)
    form = closure(first, place=f"venue:{first.venue_id}", from_time="11:00", to_time="13:00")
    client.post(address("exception"), form)
    change = ScheduleChange.objects.get()
    assert (change.activity, change.effects["counts"]["withdraw"]) == (None, 4)
    assertContains(client.get(address("change", change.id)), "11:00 to 13:00")
    press(client, change)
    for activity in (first, second):
        kept = activity.sessions.filter(status="published", starts_at__date=in_days(activity, day))
        assert kept.count() == 2


IMPOSSIBLE: dict[str, tuple[dict[str, Any], str, str]] = {
    "in the past": ({"first_date": -2}, "first_date", "What has been is not changed"),
    "ends before it begins": ({"first_date": 5, "last_date": 4}, "last_date", "before the first"),
    "too long": ({"first_date": 5, "last_date": 500}, "last_date", "days at most"),
    "half its hours": ({"from_time": "10:00"}, "to_time", "Give both times"),
    "no time between": ({"from_time": "10:00", "to_time": "10:00"}, "to_time", "are the same"),
    "an opening without hours": ({"kind": "opening"}, "from_time", "from when to when"),
    "an opening that is too short": (
        {"kind": "opening", "from_time": "18:00", "to_time": "18:30"}, "to_time", "too short for a session",
    ),
    "a closure with places": ({"capacity": 5}, "capacity", "A closure has no places"),
    "no reason": ({"reason": ""}, "reason", "Say why"),
    "nowhere": ({"place": ""}, "place", "Choose a venue or an activity."),
    "somebody else's venue": ({"place": "venue:01900000-0000-7000-8000-000000000000"}, "place", "valid choice"),
    "no date": ({"first_date": ""}, "first_date", "Choose a date."),
}  # fmt: skip


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_an_impossible_closure_is_refused_at_its_field(sign_in: SignIn, case: str) -> None:
    overrides, field, words = IMPOSSIBLE[case]
    activity = make_running()
    dated = {name: in_days(activity, value) if isinstance(value, int) and "date" in name else value
        for name, value in overrides.items()}  # fmt: skip
    client, before = sign_in(activity.organization), everything()
    answer = client.post(address("exception"), closure(activity, **dated))
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, [field])
    assert words in answer.context["form"].errors[field][0]
    assert (everything(), ScheduleChange.objects.count()) == (before, 0)


# Sessions, many at once ---------------------------------------------------------------------------------------------


def test_chosen_sessions_get_other_places_after_a_preview(sign_in: SignIn) -> None:
    activity = make_running()
    sessions = list(activity.sessions.order_by("starts_at")[:3])
    book(sessions[0], party_size=6)
    client = sign_in(activity.organization)
    page = act(client, "revise_sessions", *sessions)
    assertContains(page, "3 chosen")
    answer = client.post(page.redirect_chain[-1][0], {"what": "capacity", "capacity": 4}, follow=True)
    assertContains(answer, "2 sessions get another number of places")
    assertContains(answer, "1 session is over by 2, honoured: nobody loses a place")
    press(client, ScheduleChange.objects.get())
    sessions[0].refresh_from_db()
    assert (sessions[0].capacity_total, sessions[0].honoured_capacity, sessions[0].own_capacity) == (4, 6, True)
    assert activity.sessions.filter(capacity_total=4).count() == 3
    own_page = client.get(page_address(sessions[0]))
    assertContains(own_page, "over by 2, honoured")
    assertContains(own_page, "Every place is taken.")


def test_an_activitys_sessions_are_chosen_by_days_and_hours_and_get_a_price(sign_in: SignIn) -> None:
    activity = make_running()
    client, day = sign_in(activity.organization), in_days(activity, 5)
    form = {
        "what": "price", "price": "12.50", "first_date": in_days(activity, 2), "last_date": in_days(activity, 8),
        "weekdays": [day.weekday()], "from_time": "11:00", "to_time": "12:30",
    }  # fmt: skip
    answer = client.post(f"{address('sessions')}?activity={activity.id}", form, follow=True)
    assertContains(answer, "2 sessions cost something else; who has booked keeps their price")
    assertContains(answer, "£10.00 → £12.50")
    press(client, ScheduleChange.objects.get())
    priced = activity.sessions.filter(price_minor=1250).order_by("starts_at")
    zone = activity.venue.zone
    assert [f"{row.starts_at.astimezone(zone):%Y-%m-%d %H:%M}" for row in priced] == [f"{day} 11:00", f"{day} 12:00"]
    usual = {**form, "what": "usual", "price": ""}
    client.post(f"{address('sessions')}?activity={activity.id}", usual)
    press(client, ScheduleChange.objects.latest("id"))
    assert not activity.sessions.filter(price_minor=1250).exists()


@pytest.mark.parametrize(
    ("overrides", "field", "words"),
    [
        ({"capacity": ""}, "capacity", "Say how many places."),
        ({"capacity": -1}, "capacity", "0"),
        ({"capacity": 99_999_999}, "capacity", "A capacity is 0 to"),
        ({"what": "price", "price": ""}, "price", "Say what one place costs."),
        ({"what": "price", "price": "-1"}, "price", "greater than or equal to 0"),
        ({"what": "price", "price": "1.005"}, "price", "2 digits after the point"),
        ({"first_date": ""}, "first_date", "Choose a date."),
        ({"last_date": "2020-01-01"}, "last_date", "before the first"),
        ({"weekdays": ["9"]}, "weekdays", "not one of the available choices"),
        ({"from_time": "noon"}, "from_time", "HH:MM"),
    ],
)
def test_what_is_wrong_with_many_sessions_stands_at_its_field(
    sign_in: SignIn, overrides: dict[str, Any], field: str, words: str
) -> None:
    activity = make_running()
    form = {"what": "capacity", "capacity": 5, "first_date": in_days(activity, 2), "last_date": in_days(activity, 4)}
    answer = sign_in(activity.organization).post(f"{address('sessions')}?activity={activity.id}", {**form, **overrides})
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, [field])
    assert words in answer.context["form"].errors[field][0]
    assert not ScheduleChange.objects.exists()


def test_sessions_of_two_activities_are_not_revised_together(sign_in: SignIn) -> None:
    own = make_session()
    other = make_session(make_activity(own.activity.venue))
    said = messages_of(act(sign_in(own.organization), "revise_sessions", own, other))
    assert said == ["Choose up to 200 sessions of one activity; for more, choose them by their dates."]


def test_another_tenants_sessions_are_not_revised(sign_in: SignIn) -> None:
    own, foreign = make_session(), make_session()
    client = sign_in(own.organization)
    page = client.post(f"{address('sessions')}?sessions={foreign.id}", {"what": "capacity", "capacity": 1})
    assert page.context["form"] is None
    both = f"{address('sessions')}?sessions={own.id},{foreign.id}"
    client.post(both, {"what": "capacity", "capacity": 1})
    assert ScheduleChange.objects.get().parameters["sessions"] == [str(own.id)]


def test_the_end_of_sale_of_an_activity_is_rehearsed(sign_in: SignIn) -> None:
    activity = make_running()
    booking = book(first_on(activity, in_days(activity, 2)))
    client = sign_in(activity.organization)
    answer = client.post(address("add"), {"activity": activity.id}, follow=True)
    assertContains(answer, "120 sessions are not sold any more; who has booked keeps their place")
    press(client, ScheduleChange.objects.get())
    activity.refresh_from_db()
    booking.refresh_from_db()
    assert (activity.status, booking.status) == ("discontinued", "confirmed")


# By role --------------------------------------------------------------------------------------------------------------

PAGES = ("add", "timetable", "exception", "sessions")


@pytest.mark.parametrize("role", ["reception", "instructor", "auditor"])
def test_who_may_not_change_what_is_sold_rehearses_and_applies_nothing(sign_in: SignIn, role: str) -> None:
    activity = make_running()
    change, client = rehearse_closure(activity), sign_in(activity.organization, role)
    exception = ScheduleException.objects.create(
        organization=activity.organization, activity=activity, kind="closure", first_date="2031-01-01",
        last_date="2031-01-02", reason="Frost",
    )  # fmt: skip
    before = everything()
    sent = [
        client.post(address("exception"), closure(activity)),
        client.post(f"{address('sessions')}?activity={activity.id}", {"what": "capacity", "capacity": 1}),
        client.post(address("add"), {"activity": activity.id}),
        client.post(address("lift", exception.id)),
        client.post(address("change", change.id), {"apply": "1"}),
        client.post(address("change", change.id), {"again": "1"}),
        send_timetable(client, activity),
    ]
    assert {answer.status_code for answer in sent} == {403}
    assert {client.get(address(name)).status_code for name in PAGES} == {403}
    act(client, "lift_exceptions", exception)
    act(client, "revise_sessions", activity.sessions.all()[0])
    assert (everything(), ScheduleChange.objects.count()) == (before, 1)


def test_an_auditor_reads_a_rehearsal_without_its_buttons(sign_in: SignIn) -> None:
    activity = make_running()
    page = sign_in(activity.organization, "auditor").get(address("change", rehearse_closure(activity).id))
    assertContains(page, "Nothing has been changed yet.")
    assertNotContains(page, "Apply exactly this")


def test_another_tenants_change_is_nowhere(sign_in: SignIn) -> None:
    own, foreign = make_running(), make_running()
    change, client = rehearse_closure(foreign), sign_in(own.organization)
    before = everything()
    for data in ({"apply": "1"}, {"again": "1"}):
        assertRedirects(client.post(address("change", change.id), data), "/admin/")
    form = closure(foreign)
    assert client.post(address("exception"), form).context["form"].errors["place"]
    assert (everything(), ScheduleChange.objects.count()) == (before, 1)


def test_a_lift_is_asked_for_by_post_alone(sign_in: SignIn) -> None:
    activity = make_running()
    exception = ScheduleException.objects.create(
        organization=activity.organization, activity=activity, kind="closure", first_date="2031-01-01",
        last_date="2031-01-02", reason="Frost",
    )  # fmt: skip
    assert sign_in(activity.organization).get(address("lift", exception.id)).status_code == 405


# The work list --------------------------------------------------------------------------------------------------------


def make_affected(activity: Activity) -> tuple[AffectedLine, Booking]:
    """Book, and close the day."""
    booking = book(first_on(activity, in_days(activity, 3)))
    schedule_changes.apply_change(change_id=rehearse_closure(activity).id, actor=CUSTOMER)
    return AffectedLine.objects.get(line__booking=booking), booking


def test_a_decision_is_noted_with_its_note_and_moves_nothing(sign_in: SignIn) -> None:
    row, booking = make_affected(make_running())
    client = sign_in(row.organization)
    page = client.get(page_address(row))
    for text in (booking.number, "Anna Archer", "+44 20 7946 0000", "outside the timetable from then on", "Note"):
        assertContains(page, text)
    form = {
        "action": "contact_lines", "_selected_action": [str(row.id)], "from_page": str(row.id),
        "note": "Will come on Friday",
    }  # fmt: skip
    client.post("/admin/bookings/affectedline/", form)
    row.refresh_from_db()
    assert (row.status, str(row.decided_by_id)) == ("contacted", client.session["_auth_user_id"])
    fact = booking.events.get(kind="affected_line_decided")
    assert (fact.detail.note, fact.after["decision"]) == ("Will come on Friday", "contacted")
    booking.refresh_from_db()
    assert (booking.status, booking.lines.get().status) == ("confirmed", "live")
    assertContains(client.get(page_address(booking)), "Will come on Friday")
    assertNotContains(client.get("/admin/bookings/affectedline/"), booking.number)
    assertContains(client.get("/admin/bookings/affectedline/?decision=contacted"), booking.number)


@pytest.mark.parametrize(
    ("role", "action", "status"),
    [
        ("manager", "refund_lines", "refund"), ("manager", "keep_lines", "keep"), ("reception", "move_lines", "move"),
        ("reception", "contact_lines", "contacted"), ("reception", "refund_lines", "open"),
        ("instructor", "keep_lines", "open"), ("auditor", "keep_lines", "open"),
    ],
)  # fmt: skip
def test_each_role_decides_as_far_as_it_goes(sign_in: SignIn, role: str, action: str, status: str) -> None:
    row, _ = make_affected(make_running())
    act(sign_in(row.organization, role), action, row, from_page=True)
    row.refresh_from_db()
    assert row.status == status


def test_a_changes_page_leads_to_its_own_lines(sign_in: SignIn) -> None:
    activity = make_running()
    row, booking = make_affected(activity)
    other = make_activity(activity.venue)
    run_daily(other)
    _, elsewhere = make_affected(other)
    client = sign_in(row.organization)
    page = client.get(f"/admin/bookings/affectedline/?change__id__exact={row.change_id}")
    assertContains(page, booking.number)
    assertNotContains(page, elsewhere.number)


# Three know who asks (session, user, memberships), one counts unread alerts; the change, its lines, and the work list.
PAGE_QUERIES = 7


# Cost -----------------------------------------------------------------------------------------------------------------


def test_a_rehearsals_page_asks_as_much_for_many_bookings_as_for_one(
    sign_in: SignIn, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    activity = make_running()
    session = first_on(activity, in_days(activity, 3))
    book(session)
    client = sign_in(activity.organization)
    one = rehearse_closure(activity)
    for _ in range(3):
        book(session, contact=stranger())
    many = rehearse_closure(activity)
    client.get(address("change", one.id))  # what is asked once a process, such as content types
    for change in (one, many):
        with django_assert_num_queries(PAGE_QUERIES):
            client.get(address("change", change.id))
