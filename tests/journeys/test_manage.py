"""A customer changes a booking in a real browser, on a phone: sees what it comes to, then does it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from alerts.services.auditor import check_invariants
from bookings.models import Booking
from bookings.services import session_closure, transfers
from bookings.transfer_links import offer_token
from config.kit.facts import Actor, ActorKind
from scheduling.models import Session
from tests.factories import CUSTOMER, book, make_activity, make_session, make_unit, stranger, until
from tests.journeys.test_booking import PHONE, follow, no_sideways_scroll, phone, violations

__all__ = ["phone"]
pytestmark = pytest.mark.journey

DESK = Actor(kind=ActorKind.STAFF, channel="admin", detail={"note": "storm"})


@pytest.fixture
def session(live_site: str) -> Session:
    activity = make_activity(price_minor=1500, change_fee_minor=200, cancel_fee_percent=10, name="Archery")
    make_unit(activity, name="Child", price_minor=750)
    return make_session(activity, capacity=6, starts_in=until(10, days=3))


@pytest.fixture
def later(session: Session) -> Session:
    return make_session(session.activity, capacity=6, starts_in=until(11, days=3), price_minor=1800)


@pytest.fixture
def booking(session: Session, later: Session) -> Booking:
    return book(session, party_size=2)


def open_booking(page: Page, booking: Booking) -> None:
    page.goto(f"/bookings/{booking.number}.{booking.token}/")


def test_a_customer_sees_the_difference_and_the_terms_before_moving_and_before_cancelling(
    phone: Page, booking: Booking, later: Session
) -> None:
    open_booking(phone, booking)
    phone.get_by_role("link", name="Change the time").click()
    clock = f"{later.starts_at.astimezone(later.activity.venue.zone):%H:%M}"
    phone.get_by_role("link", name=f"Choose {clock}").click()
    expect(phone.get_by_text("Fee, by the terms")).to_be_visible()
    expect(phone.get_by_text("£8.00")).to_be_visible()
    assert booking.lines.get().session_id != later.id
    phone.get_by_role("button", name="Move to this time").click()
    expect(phone.get_by_text("Your new time is booked.")).to_be_visible()
    assert booking.lines.get().session_id == later.id

    phone.get_by_role("link", name="Cancel", exact=True).click()
    expect(phone.get_by_text("£32.40")).to_be_visible()
    phone.get_by_role("button", name="Cancel the booking").click()
    expect(phone.get_by_text("Cancelled. The places have gone back.")).to_be_visible()
    booking.refresh_from_db()
    assert (booking.status, booking.total_minor) == ("cancelled", 360 + 200)
    assert check_invariants() == []


def test_a_party_grows_and_is_named_without_a_script(browser: Browser, live_site: str, booking: Booking) -> None:
    context = browser.new_context(base_url=live_site, viewport=PHONE, java_script_enabled=False)  # type: ignore[arg-type]
    page = context.new_page()
    open_booking(page, booking)
    page.get_by_role("link", name="How many").click()
    page.get_by_label("Child").fill("1")
    page.get_by_role("button", name="See what that comes to").click()
    expect(page.get_by_text("£7.50")).to_be_visible()
    page.get_by_role("button", name="Change the number").click()
    expect(page.get_by_text("3 instead of 2 people")).to_be_visible()
    page.get_by_role("link", name="Who comes").click()
    page.get_by_label("Name 1").fill("Zoe")
    page.get_by_role("button", name="Save the names").click()
    expect(page.get_by_text("Zoe")).to_be_visible()
    context.close()
    assert booking.lines.get().party_size == 3


def test_somebody_takes_over_what_is_offered_to_them_without_a_script(
    browser: Browser, live_site: str, booking: Booking
) -> None:
    offer = transfers.offer_transfer(booking_id=booking.id, contact=stranger(), actor=CUSTOMER)
    context = browser.new_context(base_url=live_site, viewport=PHONE, java_script_enabled=False)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"/bookings/transfers/{offer.id}.{offer_token(offer)}/")
    expect(page.get_by_text("You pay on arrival")).to_be_visible()
    page.get_by_role("button", name="Take it over").click()
    expect(page.get_by_text("Handed over to you")).to_be_visible()
    context.close()


def addresses(booking: Booking, later: Session) -> Iterator[str]:
    """Yield every page of the booking."""
    here, line = f"/bookings/{booking.number}/", booking.lines.order_by("session__starts_at")[0].id
    unit = later.activity.units.get(is_default=True).id
    yield here
    yield f"{here}cancel/"
    yield f"{here}time/?line={line}"
    yield f"{here}time/?line={line}&session={later.id}"
    yield f"{here}party/?line={line}&unit-{unit}=3"
    yield f"{here}people/?line={line}"
    yield f"{here}transfer/"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_and_state_is_accessible_and_fits_a_small_phone(
    phone: Page, booking: Booking, later: Session, scheme: str
) -> None:
    phone.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    phone.set_viewport_size({"width": 320, "height": 700})
    found: dict[str, list[str]] = {}

    def look(name: str) -> None:
        found[name] = violations(phone) + ([] if no_sideways_scroll(phone) else ["scrolls sideways"])

    open_booking(phone, booking)
    for address in addresses(booking, later):
        phone.goto(address)
        look(address)
    follow(phone, phone.get_by_role("button", name="Offer it"))
    look("what is wrong")
    offer = transfers.offer_transfer(booking_id=booking.id, contact=stranger(), actor=CUSTOMER)
    link = f"/bookings/transfers/{offer.id}.{offer_token(offer)}/"
    phone.goto(link)
    look("an offer")
    session_closure.close_with_offers(session_id=booking.lines.get().session_id, actor=DESK, reason="Storm")
    phone.goto(f"/bookings/{booking.number}/")
    look("will not take place")
    transfers.offer_transfer(booking_id=booking.id, contact=stranger(), actor=CUSTOMER)
    over = phone.context.new_page()  # its answer is a 409, which the phone's console would tell
    over.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    over.goto(link)
    found["an offer that is over"] = violations(over)
    over.close()
    several = book(later, make_session(later.activity, starts_in=until(10, days=5)))
    open_booking(phone, several)
    follow(phone, phone.get_by_role("link", name="Cancel", exact=True))
    look("choice")
    phone.get_by_role("checkbox").first.check()
    phone.get_by_role("button", name="See what that comes to").click()
    follow(phone, phone.get_by_role("button", name="Cancel this part"))
    look("partially cancelled")
    assert found == {name: [] for name in found}
