"""The widget in another site's page: a frame, no cookies, and only where the venue allows it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from bookings.models import Booking
from scheduling.models import Session, Venue
from tests.factories import hold, make_activity, make_session

pytestmark = pytest.mark.journey

HostPage = Callable[[str], str]


class _Host(BaseHTTPRequestHandler):
    """Answers every address with one page."""

    def __init__(self, body: list[str], *args: object) -> None:
        self.body = body
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(self.body[0].encode())

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@pytest.fixture
def host_page() -> Iterator[HostPage]:
    """Serve a page of another site; the value takes its body and returns its address."""
    body = [""]
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Host, body))
    Thread(target=server.serve_forever, daemon=True).start()

    def serve(text: str) -> str:
        body[0] = f"<!doctype html><html lang=en><title>Host</title><main>{text}</main></html>"
        return f"http://localhost:{server.server_address[1]}"  # another site than 127.0.0.1

    yield serve
    server.shutdown()


@pytest.fixture
def session(live_site: str) -> Session:
    return make_session(make_activity(price_minor=1500), capacity=6)


def allow(session: Session, origin: str) -> None:
    Venue.objects.filter(id=session.activity.venue_id).update(allowed_embed_origins=[origin])


def script(site: str, **data: str) -> str:
    attributes = " ".join(f'data-{name}="{value}"' for name, value in data.items())
    return f'<script src="{site}/static/embed/embed.js" {attributes}></script>'


def open_phone(browser: Browser, address: str) -> Page:
    page = browser.new_context(viewport={"width": 360, "height": 780}, reduced_motion="reduce").new_page()
    page.set_default_timeout(10_000)
    page.goto(address)
    return page


def book_in(frame: FrameLocator) -> None:
    frame.get_by_role("link", name="Book").click()
    frame.get_by_role("button", name="Hold these places").click()
    frame.get_by_label("Your name").fill("Anna Archer")
    frame.get_by_label("E-mail").fill("anna@example.org")
    frame.get_by_role("button", name="Book, and pay £15.00 on arrival").click()
    expect(frame.get_by_text("You are booked")).to_be_visible()


def test_an_activity_is_booked_inside_another_sites_page_without_a_cookie(
    browser: Browser, live_site: str, session: Session, host_page: HostPage
) -> None:
    address = host_page(script(live_site, activity=str(session.activity_id)))
    allow(session, address)
    page = open_phone(browser, address)
    book_in(page.frame_locator("iframe"))
    assert page.context.cookies() == []
    assert Booking.objects.get().events.get(kind="booking_confirmed").channel == "widget"
    page.context.close()


def test_a_venues_activities_are_offered_by_its_key(
    browser: Browser, live_site: str, session: Session, host_page: HostPage
) -> None:
    address = host_page(script(live_site, key=session.activity.venue.embed_key))
    allow(session, address)
    page = open_phone(browser, address)
    frame = page.frame_locator("iframe")
    frame.get_by_role("link", name=session.activity.name).click()
    book_in(frame)
    page.context.close()


def test_the_widget_filters_by_day_and_marks_what_is_full(
    browser: Browser, live_site: str, session: Session, host_page: HostPage
) -> None:
    later = make_session(session.activity, capacity=1, starts_in=timedelta(days=1, hours=30))
    hold(later)
    address = host_page(script(live_site, activity=str(session.activity_id)))
    allow(session, address)
    page = open_phone(browser, address)
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("link", name="Book")).to_be_visible()
    if later.starts_at.month != session.starts_at.month:
        frame.locator(".month-nav a").last.click()
    frame.locator("a.day-full, a.day-closed").first.click()
    expect(frame.locator("[data-session]")).to_have_count(1)
    expect(frame.get_by_text("This session is full.")).to_be_visible()
    expect(frame.get_by_role("link", name="Book")).to_have_count(0)
    page.context.close()


def test_a_plain_frame_without_our_script_works_too(
    browser: Browser, live_site: str, session: Session, host_page: HostPage
) -> None:
    source = f"{live_site}/embed?widget=singlegame&activityId={session.activity_id}"
    address = host_page(f'<iframe title="Booking" src="{source}" width="340" height="700"></iframe>')
    allow(session, address)
    page = open_phone(browser, address)
    book_in(page.frame_locator("iframe"))
    page.context.close()


def test_the_frame_is_as_high_as_what_it_shows(
    browser: Browser, live_site: str, session: Session, host_page: HostPage
) -> None:
    address = host_page(script(live_site, activity=str(session.activity_id)))
    allow(session, address)
    page = open_phone(browser, address)
    expect(page.frame_locator("iframe").get_by_role("link", name="Book")).to_be_visible()
    page.wait_for_function(
        "() => { const f = document.querySelector('iframe'); return f.style.height && parseInt(f.style.height) > 500; }"
    )
    inner = page.frames[1].evaluate("document.documentElement.offsetHeight")
    assert abs(page.locator("iframe").evaluate("frame => frame.offsetHeight") - inner) <= 1
    page.context.close()


def test_a_site_that_the_venue_does_not_allow_gets_no_frame(
    browser: Browser, live_site: str, session: Session, host_page: HostPage
) -> None:
    address = host_page(script(live_site, activity=str(session.activity_id)))
    allow(session, "https://somebody.example")
    page = open_phone(browser, address)
    page.wait_for_timeout(1_000)
    assert page.frames[1].url.startswith("chrome-error:")
    page.context.close()
