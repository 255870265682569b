"""The checkout in a real browser: it says what is wrong before and after the button, and several sessions are one."""

import pytest
from playwright.sync_api import Page, expect

from bookings.models import Attempt, Booking
from scheduling.models import Reservation, Session
from tests.factories import hold, make_activity, make_sessions
from tests.journeys.test_booking import PHONE, address, fill_in, no_sideways_scroll, phone, violations

pytestmark = pytest.mark.journey
__all__ = ["phone"]


@pytest.fixture
def sessions(live_site: str) -> list[Session]:
    return make_sessions(2, make_activity(price_minor=1500), capacity=6)


def hold_at(phone: Page, session: Session, people: int) -> None:
    phone.goto(f"{address(session)}{session.id}/")
    phone.locator("input.unit-count").fill(str(people))
    phone.get_by_role("button", name="Hold these places").click()


def test_the_form_says_what_is_wrong_and_the_server_refuses_whoever_gets_past_it(
    page: Page, sessions: list[Session]
) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    hold(sessions[0], 4)
    hold_at(page, sessions[0], 3)
    expect(page.get_by_text("Only 2 of these places are left.")).to_be_visible()
    hold_at(page, sessions[0], 2)
    page.get_by_role("button", name="Book, and pay £30.00 on arrival").click()
    expect(page.get_by_text("Give your e-mail address.")).to_be_visible()
    fill_in(page)
    page.evaluate("document.querySelector('[name=expected_total]').value = '1'")  # past the page
    page.get_by_role("button", name="Book, and pay £30.00 on arrival").click()
    expect(page.get_by_text("The price is not the one that you were shown.")).to_be_visible()
    assert (Booking.objects.count(), Attempt.objects.filter(outcome="refused").count()) == (0, 2)
    page.get_by_role("button", name="Book, and pay £30.00 on arrival").click()
    expect(page.get_by_text("You are booked")).to_be_visible()


def test_several_sessions_are_put_into_one_basket_and_booked_together(phone: Page, sessions: list[Session]) -> None:
    hold_at(phone, sessions[0], 1)
    phone.get_by_role("button", name="Add another session").click()
    expect(phone.get_by_text("goes with the places you hold already")).to_be_visible()
    hold_at(phone, sessions[1], 2)
    expect(phone.get_by_role("button", name="Book, and pay £45.00 on arrival")).to_be_visible()
    assert (no_sideways_scroll(phone), violations(phone)) == (True, [])
    phone.get_by_role("button", name="Keep them 3 minutes longer").click()
    expect(phone.get_by_role("button", name="Keep them 3 minutes longer")).to_have_count(0)
    assert Reservation.objects.filter(extended=True).count() == 2
    phone.get_by_role("button", name="Remove").first.click()
    expect(phone.get_by_role("button", name="Book, and pay £30.00 on arrival")).to_be_visible()
    fill_in(phone)
    phone.get_by_role("button", name="Book, and pay £30.00 on arrival").click()
    expect(phone.get_by_text("You are booked")).to_be_visible()
    assert Booking.objects.get().lines.count() == 1
