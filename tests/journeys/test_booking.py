"""Booking a place in a real browser."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from bookings.models import Booking
from scheduling.models import Reservation, Session
from tests.factories import book, hold, lapse, make_activity, make_session, make_unit

pytestmark = pytest.mark.journey

PHONE = {"width": 360, "height": 780}


@pytest.fixture
def session(live_site: str) -> Session:
    activity = make_activity(price_minor=1500)
    make_unit(activity, name="Child", price_minor=750)
    return make_session(activity, capacity=6)


@pytest.fixture
def phone(browser: Browser, live_site: str) -> Iterator[Page]:
    """A phone's screen; a script error or anything in the console fails the test."""
    context = browser.new_context(base_url=live_site, viewport=PHONE, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(10_000)
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "/ws/" not in message.text:  # no realtime process here
            said.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    assert said == []


def address(session: Session) -> str:
    return f"/{session.activity.organization.slug}/{session.activity.slug}/"


def fill_in(page: Page) -> None:
    page.get_by_label("Your name").fill("Anna Archer")
    page.get_by_label("E-mail").fill("anna@example.org")


def no_sideways_scroll(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def follow(page: Page, way: Locator) -> None:
    """Click on what leads to another page, and be there: nothing may look at a page that is just leaving."""
    with page.expect_navigation():
        way.click()


def violations(page: Page) -> list[str]:
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
    return [f"{rule['id']}: {node['html'][:120]}" for rule in found.response["violations"] for node in rule["nodes"]]


def test_a_place_is_booked_on_a_phone(phone: Page, session: Session) -> None:
    phone.goto(address(session))
    phone.get_by_role("link", name="Book").click()
    phone.get_by_role("button", name="One Child more").click()
    expect(phone.get_by_text("Together £22.50")).to_be_visible()
    phone.get_by_role("button", name="Hold these places").click()
    expect(phone.get_by_text("left).")).to_be_visible()  # the countdown runs
    fill_in(phone)
    phone.get_by_role("button", name="Book, and pay £22.50 on arrival").click()
    expect(phone.get_by_text("You are booked")).to_be_visible()
    expect(phone.get_by_role("heading", name=Booking.objects.get().number)).to_be_visible()


def test_a_place_is_booked_without_a_script(browser: Browser, live_site: str, session: Session) -> None:
    context = browser.new_context(base_url=live_site, viewport=PHONE, java_script_enabled=False)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(address(session))
    page.get_by_role("link", name="Book").click()
    page.get_by_label("Adult").fill("2")
    page.get_by_role("button", name="Hold these places").click()
    fill_in(page)
    page.get_by_role("button", name="Book, and pay £30.00 on arrival").click()
    expect(page.get_by_text("You are booked")).to_be_visible()
    context.close()


def test_a_place_is_booked_by_keyboard(phone: Page, session: Session) -> None:
    def tab_to(name: str) -> None:
        for _ in range(60):
            phone.keyboard.press("Tab")
            focused = phone.evaluate(
                "(() => { const e = document.activeElement;"
                " return e.getAttribute('aria-label') || (e.labels && e.labels[0] || e).textContent.trim(); })()"
            )
            if str(focused).startswith(name):
                return
        pytest.fail(f"{name} cannot be reached by keyboard")

    phone.goto(address(session))
    tab_to("Book")
    phone.keyboard.press("Enter")
    phone.wait_for_url(f"**/{session.id}/")
    tab_to("One Adult more")
    phone.keyboard.press("Space")
    tab_to("Hold these places")
    phone.keyboard.press("Enter")
    phone.wait_for_url("**/checkout/**")
    tab_to("Your name")
    phone.keyboard.type("Anna Archer")
    tab_to("E-mail")
    phone.keyboard.type("anna@example.org")
    phone.keyboard.press("Enter")
    expect(phone.get_by_text("You are booked")).to_be_visible()
    assert Booking.objects.get().lines.get().party_size == 2


def test_a_hold_that_runs_out_on_screen_is_held_again(phone: Page, session: Session) -> None:
    phone.goto(f"{address(session)}{session.id}/")
    phone.get_by_role("button", name="Hold these places").click()
    phone.wait_for_url("**/checkout/**")
    lapse(Reservation.objects.get())
    phone.reload()
    expect(phone.get_by_role("heading", name="These places went back at")).to_be_visible()
    expect(phone.get_by_text("6 are still free")).to_be_visible()
    phone.get_by_role("button", name="Hold them again").click()
    expect(phone.get_by_role("heading", name="Nearly there")).to_be_visible()


def test_the_page_itself_turns_when_the_countdown_ends(phone: Page, session: Session) -> None:
    phone.goto(f"{address(session)}{session.id}/")
    phone.get_by_role("button", name="Hold these places").click()
    phone.wait_for_url("**/checkout/**")
    lapse(Reservation.objects.get(), ago=timedelta(seconds=-3))
    phone.reload()
    expect(phone.get_by_role("heading", name="Nearly there")).to_be_visible()
    expect(phone.get_by_role("heading", name="These places went back at")).to_be_visible(timeout=8_000)


def test_another_day_is_chosen_without_a_whole_new_page(phone: Page, session: Session) -> None:
    phone.goto(address(session))
    phone.evaluate("window.stillHere = true")
    phone.locator("a.day").first.click()
    expect(phone.locator("a.day-chosen")).to_be_visible()
    assert phone.evaluate("window.stillHere") is True


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_and_state_is_accessible_and_fits_a_phone(phone: Page, session: Session, scheme: str) -> None:
    phone.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    found: dict[str, list[str]] = {}

    def look(name: str) -> None:
        found[name] = violations(phone) + ([] if no_sideways_scroll(phone) else ["scrolls sideways"])

    full = make_session(session.activity, capacity=1, starts_in=timedelta(days=1, hours=2))
    hold(full)
    booking = book(session)
    for path in ("/", f"/{session.activity.organization.slug}/", address(session)):
        phone.goto(path)
        look(path)
    phone.goto(f"{address(session)}{full.id}/")
    look("full")
    phone.goto(f"{address(session)}{session.id}/")
    look("party")
    phone.get_by_role("button", name="Hold these places").click()
    phone.wait_for_url("**/checkout/**")
    look("checkout")
    follow(phone, phone.get_by_role("button", name="Book, and pay"))
    look("errors")
    lapse(*Reservation.objects.held())
    phone.reload()
    look("expired")
    phone.goto(f"/bookings/{booking.number}.{booking.token}/")
    look("booking")
    assert found == {name: [] for name in found}


@pytest.mark.parametrize("width", [320, 375, 768, 1280])
def test_no_page_scrolls_sideways_at_any_width(phone: Page, session: Session, width: int) -> None:
    phone.set_viewport_size({"width": width, "height": 800})
    sideways = []
    for path in ("/", f"/{session.activity.organization.slug}/", address(session), f"{address(session)}{session.id}/"):
        phone.goto(path)
        sideways += [] if no_sideways_scroll(phone) else [path]
    phone.get_by_role("button", name="Hold these places").click()
    phone.wait_for_url("**/checkout/**")
    sideways += [] if no_sideways_scroll(phone) else ["checkout"]
    assert sideways == []
