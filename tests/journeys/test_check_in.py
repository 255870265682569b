"""The door, on a telephone: found, checked in by a tap, taken back by a key; and a basket on a second device."""

from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from bookings.check_in_codes import check_in_code
from bookings.models import Line, ResumeLink
from scheduling.models import Reservation
from tests.bookings.test_attendance import let_begin
from tests.factories import book, make_activity, make_organization, make_session, make_unit, make_venue, stranger
from tests.staff.conftest import make_member

PASSWORD = "correct horse battery staple"
PHONE = {"width": 360, "height": 740}


def sign_in(page: Page, line: Line) -> None:
    member = make_member(line.organization, "reception")
    member.set_password(PASSWORD)
    member.save()
    page.goto("/staff/check-in/")
    page.get_by_label("Email").fill(member.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Who is here")).to_be_visible()


def begun() -> Line:
    session = make_session(make_activity(make_venue(make_organization(), name="Harbour hall")))
    line = book(session, party_size=3).lines.get()
    book(session, contact=stranger())
    let_begin(line, ago=timedelta(minutes=5))
    return line


def test_reception_checks_a_party_in_by_one_tap_and_takes_it_back_by_keyboard(page: Page) -> None:
    line = begun()
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    sign_in(page, line)
    expect(page.get_by_text("0 of 4 here")).to_be_visible()
    page.get_by_label("Number, name, e-mail or phone").fill("archer")
    page.keyboard.press("Enter")
    expect(page.get_by_text("0 of 3 here")).to_be_visible()
    page.get_by_role("button", name=f"Check in Anna Archer, {line.booking.number}").click()
    expect(page.get_by_text("3 of 3 here")).to_be_visible()
    assert Line.objects.get(id=line.id).attendance == "arrived"
    undo = page.get_by_role("button", name="Undo")
    undo.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("0 of 3 here")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_scanned_code_leads_to_its_party(page: Page) -> None:
    line = begun()
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    sign_in(page, line)
    page.goto(f"/staff/check-in/?code={check_in_code(line.booking)}")
    expect(page.get_by_role("heading", name=f"{line.booking.number}, Anna Archer")).to_be_visible()
    page.get_by_role("button", name="Check in").click()
    expect(page.get_by_text("Here", exact=True)).to_be_visible()
    page.get_by_role("link", name="Everybody").click()
    expect(page.get_by_text("3 of 4 here")).to_be_visible()


@pytest.mark.parametrize("width", [320, 1280])
def test_the_doors_page_fits_any_screen(page: Page, width: int) -> None:
    line = begun()
    page.set_viewport_size({"width": width, "height": 740})
    sign_in(page, line)
    expect(page.get_by_text("0 of 4 here")).to_be_visible()  # not the page before
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small = page.evaluate(
        "[...document.querySelectorAll('main button, main input:not([type=hidden])')]"
        ".filter(each => each.checkVisibility() && each.getBoundingClientRect().height < 44).length"
    )
    assert small == 0


def test_a_basket_goes_on_on_a_second_device(page: Page, browser: Browser, live_site: str) -> None:
    session = make_session()
    make_unit(session.activity, name="Kid")
    page.goto(f"/{session.organization.slug}/{session.activity.slug}/{session.id}/")
    page.get_by_role("spinbutton", name="Adult").fill("2")
    page.get_by_role("button", name="Hold these places").click()
    page.get_by_role("link", name="Continue on another device").click()
    page.get_by_label("E-mail").fill("zoe@example.org")
    page.get_by_role("button", name="Send me the link").click()
    expect(page.get_by_role("heading", name="A link is on its way")).to_be_visible()
    link = ResumeLink.objects.get()
    phone = browser.new_context(base_url=live_site, viewport=PHONE)  # type: ignore[arg-type]
    other = phone.new_page()
    other.goto(f"/resume/{link.id}.{link.token}/")
    other.get_by_role("button", name="Continue here").click()
    expect(other.get_by_text("2 × Adult")).to_be_visible()
    assert str(Reservation.objects.get().basket) in other.url
    phone.close()
