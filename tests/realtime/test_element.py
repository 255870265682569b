"""<live-availability> in a real browser, on a page as small as can be, with a realtime process and a Redis to kill."""

import gzip
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import Browser, Page, expect

from config.run.valkey import HOST, EmbeddedValkey
from scheduling.models import Session
from scheduling.services import reservations
from tests import factories
from tests.realtime.conftest import Realtime, kill
from tests.servers import ROOT

pytestmark = pytest.mark.journey
SCRIPT = ROOT / "static" / "js" / "live-availability.js"
MOST_BYTES = 4096


class Site:
    """A page with one row, and what it was asked for."""

    def __init__(self) -> None:
        self.rows = ""
        self.polls = 0
        self.url = ""
        self.attributes = ""
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, body = site.answer(self.path, is_fragment=self.headers["HX-Request"] == "true")
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Security-Policy", "default-src 'self'; connect-src 'self' ws:; img-src data:")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer((HOST, 0), Handler)
        self.address = f"http://{HOST}:{self.server.server_port}/"

    def answer(self, path: str, *, is_fragment: bool) -> tuple[str, str]:
        """Return the script, the rows alone, or the page around them."""
        if path == "/live.js":
            return "text/javascript", SCRIPT.read_text()
        if is_fragment:
            self.polls += 1
            return "text/html", self.rows
        element = (
            f'<live-availability data-url="{self.url}" data-poll="?rows" data-text-left="{{n}} left" '
            f'data-text-full="Full" data-text-closed="Closed" {self.attributes}>'
            f'<p data-connection role="status"></p><ul data-rows>{self.rows}</ul></live-availability>'
        )
        head = '<link rel="icon" href="data:,"><script type="module" src="/live.js"></script>'
        return (
            "text/html",
            f"<!doctype html><html lang=en><head><title>x</title>{head}</head><body>{element}</body></html>",
        )


def row(session: Session, left: int, *, version: int = 1, book: bool = True) -> str:
    """Return a row as the page makes it."""
    button = '<a data-book href="/book">Book</a>' if book else "<span>Full</span>"
    is_full = "" if book else ' class="is-full"'
    return (
        f'<li data-session="{session.id}" data-capacity="{session.capacity_total}" data-version="{version}"{is_full}>'
        f"<span data-left>{left} left</span>{button}</li>"
    )


@pytest.fixture
def site() -> Iterator[Site]:
    """Serve the page."""
    site = Site()
    Thread(target=site.server.serve_forever, daemon=True).start()
    yield site
    site.server.shutdown()
    site.server.server_close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open an empty page; an error in a script or against the policy fails the test."""
    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if "Security Policy" in line.text else None)
    yield page
    page.close()
    assert errors == []


def open_page(page: Page, site: Site, realtime: Realtime, session: Session, *, attributes: str = "") -> None:
    site.url = f"http://{HOST}:{realtime.port}/ws/availability/?activity={session.activity_id}"
    site.rows = row(session, session.capacity_remaining)
    site.attributes = attributes
    page.goto(site.address)


def test_the_script_is_small() -> None:
    assert len(gzip.compress(SCRIPT.read_bytes())) <= MOST_BYTES


def test_a_row_follows_the_holds_of_others_until_it_is_full_and_open_again(
    page: Page, site: Site, realtime: Realtime
) -> None:
    session = factories.make_session(capacity=5)
    open_page(page, site, realtime, session)
    expect(page.locator("live-availability")).to_have_class("is-live")
    left, book, line = page.locator("[data-left]"), page.locator("[data-book]"), page.locator("[data-session]")
    factories.hold(session, party_size=4)
    expect(left).to_have_text("1 left")
    expect(line).to_have_class("is-few")
    last = factories.hold(session)
    expect(left).to_have_text("Full")
    expect(line).to_have_class("is-full")
    expect(book).to_have_attribute("aria-disabled", "true")
    assert book.get_attribute("href") is None
    reservations.release_reservation(reservation_id=last.id)
    expect(left).to_have_text("1 left")
    expect(book).to_have_attribute("href", "/book")
    assert book.get_attribute("aria-disabled") is None
    assert site.polls == 0


def test_a_row_without_a_button_is_asked_for_when_places_come_free(page: Page, site: Site, realtime: Realtime) -> None:
    session = factories.make_session(capacity=1)
    reservation = factories.hold(session)
    open_page(page, site, realtime, session)
    site.rows = row(session, 0, version=2, book=False)
    page.goto(site.address)
    expect(page.locator("live-availability")).to_have_class("is-live")
    site.rows = row(session, 1, version=3)
    reservations.release_reservation(reservation_id=reservation.id)
    expect(page.locator("[data-book]")).to_be_visible()
    assert site.polls == 1


def test_what_is_older_than_the_row_is_not_shown(page: Page, site: Site, realtime: Realtime) -> None:
    session = factories.make_session(capacity=5)
    open_page(page, site, realtime, session)
    site.rows = row(session, 3, version=9)
    page.goto(site.address)
    expect(page.locator("live-availability")).to_have_class("is-live")
    expect(page.locator("[data-left]")).to_have_text("3 left")


def test_without_push_the_page_polls(page: Page, site: Site, realtime: Realtime) -> None:
    session = factories.make_session(capacity=5)
    open_page(page, site, realtime, session, attributes="data-every=1")
    realtime.stop()
    expect(page.locator("[data-connection]")).to_have_text("Reconnecting…")
    site.rows = row(session, 2, version=4)
    expect(page.locator("[data-left]")).to_have_text("2 left")
    assert site.polls >= 1


def test_the_answer_to_a_poll_may_be_the_whole_element(page: Page, site: Site, realtime: Realtime) -> None:
    session = factories.make_session(capacity=5)
    open_page(page, site, realtime, session, attributes="data-every=1")
    realtime.stop()
    fresh = row(session, 2, version=4)
    site.rows = f"<h2>Elsewhere</h2><live-availability><ul data-rows>{fresh}</ul></live-availability>"
    expect(page.locator("[data-left]")).to_have_text("2 left")
    expect(page.locator("live-availability")).to_have_count(1)
    expect(page.locator("[data-connection]")).to_have_text("Reconnecting…")


def test_a_script_that_cannot_have_sockets_polls(page: Page, site: Site, realtime: Realtime) -> None:
    session = factories.make_session(capacity=5)
    page.add_init_script("delete window.WebSocket")
    open_page(page, site, realtime, session, attributes="data-every=1")
    site.rows = row(session, 2, version=4)
    expect(page.locator("[data-left]")).to_have_text("2 left")


def test_the_focus_stays_on_its_row_when_the_rows_are_replaced(page: Page, site: Site, realtime: Realtime) -> None:
    session = factories.make_session(capacity=5)
    open_page(page, site, realtime, session, attributes="data-every=1")
    realtime.stop()
    page.locator("[data-book]").focus()
    site.rows = row(session, 2, version=4)
    expect(page.locator("[data-left]")).to_have_text("2 left")
    expect(page.locator("[data-book]")).to_be_focused()


def test_pages_converge_within_half_a_minute_after_redis_was_killed(
    page: Page, site: Site, frail_realtime: Realtime, valkey: EmbeddedValkey
) -> None:
    session = factories.make_session(capacity=5)
    open_page(page, site, frail_realtime, session)
    live, words = page.locator("live-availability"), page.locator("[data-connection]")
    expect(live).to_have_class("is-live")
    kill(valkey)
    expect(words).to_have_text("Reconnecting…")
    factories.hold(session, party_size=2)
    valkey.start()
    expect(page.locator("[data-left]")).to_have_text("3 left", timeout=30_000)
    expect(words).to_be_empty()
    expect(live).to_have_class("is-live")


def test_a_realtime_process_that_was_killed_is_found_again(page: Page, site: Site, realtime: Realtime) -> None:
    session = factories.make_session(capacity=5)
    open_page(page, site, realtime, session)
    expect(page.locator("live-availability")).to_have_class("is-live")
    realtime.stop()
    expect(page.locator("[data-connection]")).to_have_text("Reconnecting…")
    factories.hold(session, party_size=2)
    realtime.start()
    expect(page.locator("[data-left]")).to_have_text("3 left", timeout=30_000)
