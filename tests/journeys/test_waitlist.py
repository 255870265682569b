"""Waiting in a real browser: next in line behind somebody's hold, on a phone."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from bookings.models import Booking, WaitlistEntry
from bookings.tasks import hand_on_places
from scheduling.models import Session
from tests.factories import book, confirm, hold, join, lapse, make_activity, make_session, make_unit, stranger
from tests.journeys.test_booking import PHONE, address, fill_in, follow, no_sideways_scroll, phone, violations

__all__ = ["phone"]

pytestmark = pytest.mark.journey
SEEN_WITHIN_MS = 12_000  # the page asks every five seconds


@pytest.fixture
def session(live_site: str) -> Session:
    activity = make_activity(price_minor=1500)
    make_unit(activity, name="Child", price_minor=750)
    return make_session(activity, capacity=2)


def be_next(page: Page, session: Session) -> None:
    """Go from the full row to the waiting page."""
    page.goto(address(session))
    page.get_by_role("link", name="Be next in line").click()
    page.get_by_role("button", name="One Adult more").click()
    fill_in(page)
    page.get_by_role("button", name="Be next in line").click()
    expect(page.get_by_role("heading", name="You are next")).to_be_visible()


def test_a_next_in_line_place_is_taken_on_a_phone_when_a_hold_lapses(phone: Page, session: Session) -> None:
    held = hold(session, 2)
    be_next(phone, session)
    expect(phone.get_by_text("Others keep places until")).to_be_visible()

    lapse(held)
    hand_on_places(str(session.id))  # what the worker does at that moment

    offer = phone.get_by_role("heading", name="These places are yours to book")
    expect(offer).to_be_visible(timeout=SEEN_WITHIN_MS)  # without a reload
    expect(phone.get_by_text("left).")).to_be_visible()  # the countdown runs
    phone.get_by_role("button", name="Book these places").click()
    expect(phone.get_by_role("heading", name="Nearly there")).to_be_visible()
    expect(phone.get_by_label("E-mail")).to_have_value("anna@example.org")
    phone.get_by_role("button", name="Book, and pay £30.00 on arrival").click()
    expect(phone.get_by_text("You are booked")).to_be_visible()
    assert (WaitlistEntry.objects.get().status, WaitlistEntry.objects.get().booking) == (
        "converted", Booking.objects.get(),
    )  # fmt: skip


def test_who_is_next_sees_that_the_hold_was_booked_and_waits_on(phone: Page, session: Session) -> None:
    held = hold(session, 2)
    be_next(phone, session)
    confirm(held, contact=stranger())
    expect(phone.get_by_text("All places are booked.")).to_be_visible(timeout=SEEN_WITHIN_MS)
    expect(phone.get_by_role("heading", name="You are next")).to_be_visible()


def test_one_waits_and_leaves_without_a_script(browser: Browser, live_site: str, session: Session) -> None:
    book(session, party_size=2, contact=stranger())
    context = browser.new_context(base_url=live_site, viewport=PHONE, java_script_enabled=False)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{address(session)}{session.id}/")
    page.get_by_role("link", name="Join the waiting list").click()
    page.get_by_label("Adult").fill("2")
    fill_in(page)
    page.get_by_role("button", name="Join the waiting list").click()
    expect(page.get_by_role("heading", name="You are next")).to_be_visible()
    page.get_by_role("button", name="Leave the waiting list").click()
    expect(page.get_by_role("heading", name="You do not wait any more")).to_be_visible()
    context.close()
    assert WaitlistEntry.objects.get().status == "left"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_of_a_waiting_list_is_accessible_and_fits_a_phone(
    phone: Page, session: Session, scheme: str, tmp_path: Path
) -> None:
    phone.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    found: dict[str, list[str]] = {}

    def look(name: str) -> None:
        for width in (320, 360, 1280):
            phone.set_viewport_size({"width": width, "height": 800})
            phone.screenshot(path=tmp_path / f"{name}-{width}-{scheme}.png", full_page=True)
            found[f"{name} {width}"] = violations(phone) + ([] if no_sideways_scroll(phone) else ["scrolls sideways"])

    held = hold(session, 2)
    phone.goto(address(session))
    look("row")
    phone.goto(f"{address(session)}{session.id}/wait/")
    look("join")
    follow(phone, phone.get_by_role("button", name="Be next in line"))
    look("errors")
    first, second = join(session, 2), join(session, 1)
    phone.goto(f"/waitlist/{second.id}.{second.token}/")
    look("waiting")
    lapse(held)
    hand_on_places(str(session.id))
    phone.goto(f"/waitlist/{first.id}.{first.token}/")
    look("offered")
    follow(phone, phone.get_by_role("button", name="No, give them to the next"))
    look("left")
    second.refresh_from_db()
    assert second.reservation is not None
    lapse(second.reservation)
    phone.goto(f"/waitlist/{second.id}.{second.token}/")
    look("over")
    assert found == {name: [] for name in found}
