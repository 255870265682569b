"""How many come, what they have beside their places, and what it costs, in a real browser."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from scheduling.models import Reservation, Session
from scheduling.services import price_rules
from scheduling.services.catalogue import refresh_plain_hold
from tests.factories import make_activity, make_extra, make_session, make_unit

pytestmark = pytest.mark.journey

PICTURES = os.environ.get("PARTY_PICTURES", "")  # a folder, for those who want to look
NARROW = {"width": 320, "height": 780}
AXE_OPTIONS = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


@pytest.fixture
def session(live_site: str) -> Session:
    activity = make_activity(price_minor=1500, smallest_party=2, largest_party=8)
    make_unit(activity, name="Child", price_minor=750, needs_accompaniment=True, minimum_age=5, maximum_age=15)
    make_extra(activity, name="Locker", summary="For bags and shoes, with a key.", stock_per_session=3)
    make_extra(activity, name="Photograph", price_minor=0, maximum_per_party=1)
    price_rules.add_price_rule(activity_id=activity.id, name="Peak hours", amount_minor=250)
    refresh_plain_hold(activity_id=activity.id)
    return make_session(activity, capacity=9)


@pytest.fixture(params=[True, False], ids=["script", "no-script"])
def page(request: pytest.FixtureRequest, browser: Browser, live_site: str, session: Session) -> Iterator[Page]:
    context = browser.new_context(
        base_url=live_site, viewport=NARROW, reduced_motion="reduce", java_script_enabled=request.param,  # type: ignore[arg-type]
    )  # fmt: skip
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.goto(f"/{session.activity.organization.slug}/{session.activity.slug}/{session.id}/")
    yield page
    context.close()


def look(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


def test_a_party_with_extras_sees_its_price_line_by_line_and_books_it(page: Page, session: Session) -> None:
    has_script = page.get_by_role("button", name="One Adult more").count() == 1
    expect(page.get_by_text("For 2 to 8 people.")).to_be_visible()
    page.get_by_role("spinbutton", name="Adult").fill("2")
    page.get_by_role("spinbutton", name="Child").fill("1")
    page.get_by_role("spinbutton", name="Locker").fill("2")
    if has_script:
        expect(page.get_by_role("button", name="Show the price")).to_have_count(0)
    else:
        page.get_by_role("button", name="Show the price").click()
    total = page.get_by_text("Together £51.00")
    expect(total).to_be_visible()
    expect(page.locator(".line-part")).to_have_count(3)
    expect(page.locator(".line-part").first).to_contain_text("£35.00")
    look(page, f"party-{'script' if has_script else 'plain'}")
    page.get_by_role("button", name="Hold these places").click()
    expect(page.locator(".total-line")).to_contain_text("£51.00")
    look(page, f"checkout-{'script' if has_script else 'plain'}")
    assert Reservation.objects.get().amount_minor == 5100


@pytest.mark.parametrize("page", [True], indirect=True, ids=["script"])
def test_the_page_is_accessible_and_narrow_enough_with_errors_too(page: Page) -> None:
    found = {}
    for name in ("empty", "errors"):
        look(page, f"party-{name}")
        found[name] = [rule["id"] for rule in Axe().run(page, options=AXE_OPTIONS).response["violations"]]
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        page.get_by_role("spinbutton", name="Adult").fill("0")
        page.get_by_role("spinbutton", name="Child").fill("1")
        page.get_by_role("button", name="Hold these places").click()
        expect(page.get_by_text("A party is 2 people or more here.")).to_be_visible()
    assert found == {"empty": [], "errors": []}
