"""Clocks are the venue's, whatever the visitor's own says."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser

from config.kit.clock import database_now
from tests.factories import make_activity, make_organization, make_session, make_venue

pytestmark = pytest.mark.journey


def test_a_visitor_in_a_third_zone_sees_each_venues_own_clock_and_date(browser: Browser, live_site: str) -> None:
    instant = (database_now() + timedelta(days=10)).astimezone(UTC).replace(hour=2, minute=0, second=0, microsecond=0)
    organization = make_organization()
    seen, expected = {}, {}
    for zone in ("America/New_York", "Pacific/Apia"):
        venue = make_venue(organization, timezone=zone, name=zone)
        activity = make_activity(venue)
        session = make_session(activity, starts_at=instant, ends_at=instant + timedelta(hours=1), closes_at=instant)
        local = session.starts_at.astimezone(venue.zone)
        with browser.new_context(base_url=live_site, timezone_id="Asia/Tokyo") as context:
            page = context.new_page()
            page.goto(f"/{organization.slug}/{activity.slug}/?day={local:%Y-%m-%d}")
            page.wait_for_selector("[data-session]")
            there = page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone")
            heading = page.locator("#day-name").inner_text()
            clock = page.locator("[data-session] time").inner_text()
            page.goto(f"/embed?widget=calendar&key={venue.embed_key}&day={local:%Y-%m-%d}")
            seen[zone] = (there, heading, clock, page.locator("[data-session] time").inner_text())
        day = f"{local:%A} {local.day} {local:%B}"
        expected[zone] = ("Asia/Tokyo", day, f"{local:%H:%M}", f"{local:%H:%M}")
    assert seen == expected
    assert len({words for _, words, *_ in seen.values()}) == 2  # one instant, two dates
    assert datetime.now(UTC) < instant
