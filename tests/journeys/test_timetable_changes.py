"""A timetable changes under people who have booked: in a browser, wide and on a phone, and without a script."""

import os
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from bookings.models import AffectedLine, Booking
from config.kit.clock import database_now
from config.tenants.models import Membership, User
from scheduling.models import Activity, Reservation, ScheduleChange, ScheduleException, Session
from scheduling.services import generation, schedules
from tests.factories import ANNA, book, make_activity, make_organization, make_venue, stranger
from tests.journeys.test_booking import follow, violations
from tests.journeys.test_staff import EMAIL, PASSWORD, fits, sign_in

pytestmark = pytest.mark.journey
WIDTHS = pytest.mark.parametrize("width", [1280, 360])
WEEK = {
    "operatingDays": ["Thursday", "Friday", "Saturday", "Sunday"], "startTime": "10:00", "endTime": "18:00",
    "slotInterval": 60, "capacity": 8,
}  # fmt: skip
THURSDAY, TWO = 3, time(14)
PICTURES = os.environ.get("STAFF_PICTURES")  # a folder, for whoever wants to look


@pytest.fixture
def desk(page: Page) -> Iterator[Page]:
    """Fail on whatever the console complains of: an error, or something that the policy blocked."""
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        expected = (
            "/ws/" in message.text or "status of 422" in message.text
        )  # no realtime process here; a form's answer
        if message.type == "error" and not expected:
            complaints.append(message.text)

    page.on("console", hear)
    yield page
    assert complaints == []


@pytest.fixture
def activity(committed_db: None) -> Activity:
    """An activity from Thursday to Sunday with a month of sessions, and its manager."""
    organization = make_organization(name="Lantern Yard")
    user = User.objects.create_user(EMAIL, PASSWORD, name="Priya Nair", is_staff=True)
    Membership.objects.create(organization=organization, user=user, role="manager")
    activity = make_activity(make_venue(organization, name="The Yard"), name="Laser tag", slug="laser-tag")
    today = database_now().astimezone(activity.venue.zone).date()
    schedules.publish_schedule(activity_id=activity.id, rules=WEEK, effective_from=today)
    generation.generate_activity_sessions(activity_id=activity.id, start_date=today, days_ahead=31)
    return activity


def thursday_at_two(activity: Activity) -> Session:
    """Return the session of a Thursday at 14:00, a week from now or later."""
    zone = activity.venue.zone
    day = database_now().astimezone(zone).date() + timedelta(days=7)
    day += timedelta(days=(THURSDAY - day.weekday()) % 7)
    return activity.sessions.get(starts_at=datetime.combine(day, TWO, zone))


def rows_of_people() -> list[object]:
    """Return all that is promised to people, whole."""
    return [list(model.objects.order_by("id").values()) for model in (Booking, Reservation)]


def look(page: Page, name: str) -> None:
    """Check what a picture would show: nothing sticks out, nobody is kept out."""
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)
    assert fits(page)
    assert [found for found in violations(page) if ".desk" in found or "#content" in found or "main" in found] == []


@WIDTHS
def test_a_booked_thursday_stays_when_the_venue_moves_to_friday_to_sunday(
    desk: Page, activity: Activity, width: int
) -> None:
    session = thursday_at_two(activity)
    booking, other = book(session, party_size=2), book(session, contact=stranger())
    promised = rows_of_people()
    sign_in(desk, width)
    desk.goto("/admin/scheduling/scheduleversion/add/")
    desk.get_by_label("Activity").select_option(label="Laser tag (Lantern Yard)")
    desk.get_by_role("button", name="Begin").click()
    desk.get_by_role("checkbox", name="Thursday").uncheck()
    desk.get_by_label("In force from").fill(str(session.starts_at.date() - timedelta(days=3)))
    desk.get_by_role("button", name="Show the week").click()
    expect(desk.get_by_text("Monday to Thursday: closed")).to_be_visible()
    look(desk, f"timetable-{width}")
    desk.get_by_role("button", name="Preview what changes").click()
    expect(desk.get_by_text("Nothing has been changed yet.")).to_be_visible()
    expect(desk.get_by_text("2 bookings, 2 customers, 3 people, £30.00.")).to_be_visible()
    for each in (booking, other):
        expect(desk.get_by_role("link", name=each.number)).to_be_visible()
    look(desk, f"rehearsal-{width}")
    assert not activity.sessions.exclude(status="published", is_legacy=False).exists()
    desk.get_by_role("button", name="Apply exactly this").click()
    expect(desk.get_by_text("Done by Priya Nair")).to_be_visible()
    look(desk, f"applied-{width}")
    session.refresh_from_db()
    assert (session.is_legacy, session.status, session.places_booked) == (True, "published", 3)
    assert rows_of_people() == promised
    desk.goto(f"/bookings/{booking.number}.{booking.token}/")
    expect(desk.get_by_text("You are booked")).to_be_visible()
    expect(desk.get_by_text(f"{session.starts_at:%A} {session.starts_at.day} {session.starts_at:%B}")).to_be_visible()
    expect(desk.get_by_text("14:00", exact=True)).to_be_visible()
    assert f"{session.starts_at:%A}" == "Thursday"
    desk.goto(f"/{activity.organization.slug}/laser-tag/?day={session.starts_at.date()}")
    expect(desk.get_by_role("heading", name="Laser tag")).to_be_visible()
    expect(desk.get_by_role("link", name="Book")).to_have_count(0)


@WIDTHS
def test_whoever_was_touched_is_called_and_the_decision_noted(desk: Page, activity: Activity, width: int) -> None:
    session = thursday_at_two(activity)
    booking = book(session, party_size=2)
    sign_in(desk, width)
    desk.goto("/admin/scheduling/schedulechange/add/")
    look(desk, f"ways-{width}")
    desk.get_by_role("link", name="Close, or open besides").click()
    desk.get_by_label("Where").select_option(label="The Yard (Lantern Yard)")
    desk.get_by_label("First day").fill(str(session.starts_at.date()))
    desk.get_by_label("Why, in words for customers").fill("Closed for the regatta")
    look(desk, f"exception-{width}")
    desk.get_by_role("button", name="Preview what changes").click()
    desk.get_by_role("button", name="Apply exactly this").click()
    follow(desk, desk.get_by_role("link", name="Work list: 1 to decide"))
    look(desk, f"work-list-{width}")
    desk.goto(f"/admin/bookings/affectedline/{AffectedLine.objects.get().id}/change/")
    expect(desk.get_by_text(ANNA.phone)).to_be_visible()
    look(desk, f"affected-{width}")
    desk.get_by_label("Note").fill("Comes all the same")
    desk.get_by_role("button", name="Keep as it is").click()
    expect(desk.get_by_text("noted: it stays as it is.")).to_be_visible()
    assert AffectedLine.objects.get().status == "keep"
    desk.goto(f"/admin/bookings/booking/{booking.id}/change/")
    expect(desk.get_by_text("it stays as it is: Comes all the same")).to_be_visible()
    desk.goto(f"/admin/scheduling/scheduleexception/{ScheduleException.objects.get().id}/change/")
    desk.get_by_role("button", name="Lift: see first what comes back").click()
    expect(desk.get_by_text("8 sessions come back on sale").first).to_be_visible()
    desk.get_by_role("button", name="Apply exactly this").click()
    session.refresh_from_db()
    assert not session.is_legacy


@WIDTHS
def test_a_cut_is_seen_first_and_honoured(desk: Page, activity: Activity, width: int) -> None:
    session = thursday_at_two(activity)
    book(session, party_size=6)
    sign_in(desk, width)
    desk.goto(f"/admin/scheduling/session/{session.id}/change/")
    desk.get_by_role("button", name="Change places or price").click()
    desk.get_by_label("Places", exact=True).fill("4")
    look(desk, f"sessions-{width}")
    desk.get_by_role("button", name="Preview what changes").click()
    expect(desk.get_by_text("1 session is over by 2, honoured: nobody loses a place").first).to_be_visible()
    desk.get_by_role("button", name="Apply exactly this").click()
    desk.goto(f"/admin/scheduling/session/{session.id}/change/")
    expect(desk.get_by_text("over by 2, honoured")).to_be_visible()
    expect(desk.get_by_text("Every place is taken.")).to_be_visible()
    look(desk, f"session-{width}")


def test_a_timetable_is_changed_without_a_script(browser: Browser, live_site: str, activity: Activity) -> None:
    context = browser.new_context(base_url=live_site, java_script_enabled=False)
    page = context.new_page()
    page.goto("/admin/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.goto(f"/admin/scheduling/schedulechange/timetable/?activity={activity.id}")
    page.get_by_label("Closes").first.fill("16:00")
    page.locator("button[name=preview]").click()
    page.locator("button[name=apply]").click()
    assert ScheduleChange.objects.get().status == "applied"
    assert page.locator(".verdict-done").count() == 1
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_wrong_is_found_by_eye_and_by_ear(desk: Page, activity: Activity, scheme: str) -> None:
    desk.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    sign_in(desk, 1280)
    desk.goto(f"/admin/scheduling/schedulechange/timetable/?activity={activity.id}")
    desk.get_by_label("Saturday opens").fill("12:00")
    desk.get_by_label("A session every").fill("0")
    desk.get_by_role("button", name="Preview what changes").click()
    wrong = desk.get_by_label("Saturday closes")
    expect(wrong).to_have_attribute("aria-invalid", "true")
    expect(desk.locator(f"#{wrong.get_attribute('aria-describedby')}")).to_have_text("Give a time.")
    look(desk, f"timetable-wrong-{scheme}")
    assert date.fromisoformat(desk.get_by_label("In force from").input_value())
