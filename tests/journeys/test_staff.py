"""A day at the desk, in a browser: wide and on a phone, without a word on the console."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, Route, expect

from alerts.models import Alert
from alerts.services import fan_out
from bookings.models import Booking
from bookings.services import checkout
from bookings.services.checkout import Terms, Wanted
from bookings.services.duplicates import DuplicateBooking
from config.tenants.models import Membership, Organization, User
from scheduling.models import Session
from scheduling.services.assessing import Party
from tests.factories import ANNA, CUSTOMER, book, make_activity, make_organization, make_session, make_unit, make_venue

pytestmark = pytest.mark.journey
PASSWORD = "correct horse battery"
EMAIL = "manager@example.com"
WIDTHS = pytest.mark.parametrize("width", [1280, 360])


@pytest.fixture
def desk(page: Page) -> Iterator[Page]:
    """Fail on whatever the console complains of: an error, or something that the policy blocked."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield page
    assert complaints == []


@pytest.fixture
def organization(committed_db: None) -> Organization:
    """An organization with a manager, a session that is nearly full, and an alert."""
    organization = make_organization(name="Lantern Yard")
    user = User.objects.create_user(EMAIL, PASSWORD, name="Priya Nair", is_staff=True)
    Membership.objects.create(organization=organization, user=user, role="manager")
    activity = make_activity(make_venue(organization), name="Laser tag")
    make_unit(activity, name="Child")
    session = make_session(activity, capacity=10, starts_in=timedelta(days=2))
    book(session, party_size=8)
    wanted = Wanted(Party(session_id=session.id, party_size=1))
    with pytest.raises(DuplicateBooking):
        checkout.book_lines(lines=[wanted], contact=ANNA, terms=Terms(), actor=CUSTOMER)
    fan_out.fan_out_facts()
    return organization


def sign_in(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/admin/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("main").get_by_role("link", name="Sessions").or_(page.locator(".groups"))).to_be_visible()


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@WIDTHS
def test_staff_see_how_full_a_session_is_close_it_and_reopen_it(
    desk: Page, organization: Organization, width: int
) -> None:
    sign_in(desk, width)
    desk.goto("/admin/scheduling/session/")
    expect(desk.locator(".fill-nearly-full")).to_have_text("8 of 10nearly full")
    assert fits(desk)
    desk.goto(f"/admin/scheduling/session/{Session.objects.get().id}/change/")
    desk.get_by_role("button", name="Close for new bookings").click()
    expect(desk.get_by_text("closed for new bookings.")).to_be_visible()
    assert Session.objects.get().status == "closed"
    desk.get_by_role("button", name="Take bookings again").click()
    expect(desk.get_by_text("open for bookings again.")).to_be_visible()
    assert Session.objects.get().status == "published"
    assert fits(desk)


def test_staff_close_sessions_from_the_list(desk: Page, organization: Organization) -> None:
    sign_in(desk, 1280)
    desk.goto("/admin/scheduling/session/")
    desk.locator("tbody .action-select").check()
    desk.locator("select[name=action]").select_option("close_sessions")
    desk.get_by_role("button", name="Run").click()
    expect(desk.get_by_text("closed for new bookings.")).to_be_visible()
    assert Session.objects.get().status == "closed"


@WIDTHS
def test_staff_acknowledge_an_alert_and_read_its_story(desk: Page, organization: Organization, width: int) -> None:
    sign_in(desk, width)
    desk.goto("/admin/alerts/alert/")
    expect(desk.locator(".unread")).to_have_text("Potential duplicate booking")
    desk.locator(".unread").click()
    expect(desk.get_by_role("link", name=f"Booking {Booking.objects.get().number}")).to_be_visible()
    desk.get_by_role("button", name="Acknowledge").click()
    expect(desk.get_by_text("Potential duplicate booking: acknowledged.")).to_be_visible()
    assert Alert.objects.get().acknowledged_by == User.objects.get()
    assert fits(desk)


@WIDTHS
def test_staff_book_for_a_caller(desk: Page, organization: Organization, width: int) -> None:
    session = Session.objects.select_related("activity__venue").get()
    day = session.starts_at.astimezone(session.activity.venue.zone).date()
    sign_in(desk, width)
    desk.goto("/admin/bookings/booking/add/")
    desk.get_by_label("Activity").select_option(label="Laser tag (Lantern Yard)")
    desk.get_by_label("Day").fill(day.isoformat())
    desk.get_by_role("button", name="Show the sessions").click()
    desk.get_by_label("2 left").check()
    desk.get_by_label("Child").fill("1")
    desk.get_by_label("Name").fill("Grace Hopper")
    desk.get_by_label("E-mail").fill("grace@example.com")
    assert fits(desk)
    desk.get_by_role("button", name="Book", exact=True).click()
    expect(desk.get_by_text("for Grace Hopper, £15.00.")).to_be_visible()
    expect(desk.locator(".timeline")).to_contain_text("by Priya Nair · desk")
    session.refresh_from_db()
    assert session.places_booked == 10
    assert fits(desk)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_admin_page_says_a_word_on_the_console(desk: Page, organization: Organization, scheme: str) -> None:
    desk.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    sign_in(desk, 360)
    desk.goto("/admin/")
    links = desk.locator(".groups a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert len(links) == 30
    pages = [*links, "/admin/scheduling/scheduleversion/add/", "/admin/scheduling/activity/add/"]
    pages += ["/admin/payments/voucher/add/", "/admin/bookings/promocode/add/"]
    booking = f"/admin/bookings/booking/{Booking.objects.get().id}"
    pages += [f"{booking}/{act}/" for act in ("change", "refund", "take-money", "payment-link")]
    pages += [f"/admin/scheduling/schedulechange/{name}/" for name in ("add", "timetable", "exception", "sessions")]
    pages += [f"/admin/scheduling/session/{Session.objects.get().id}/change/", "/admin/scheduling/venue/add/"]
    for address in pages:
        answer = desk.goto(address)
        assert answer is not None
        assert (address, answer.status, fits(desk)) == (address, 200, True)


def test_the_console_would_tell_if_the_policy_blocked_anything(browser: Browser, live_site: str) -> None:
    """The control of the tests above: under the strict policy of the other pages, Unfold complains."""
    complaints: list[str] = []
    context = browser.new_context(base_url=live_site)
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.route("**/admin/login/**", _answer_strictly)
    page.goto("/admin/login/")
    context.close()
    assert any("Content Security Policy" in text for text in complaints)


def _answer_strictly(route: Route) -> None:
    answer = route.fetch()
    strict = "; ".join(f"{name} {' '.join(of)}" for name, of in settings.CONTENT_SECURITY_POLICY["DIRECTIVES"].items())
    route.fulfill(response=answer, headers={**answer.headers, "content-security-policy": strict})
