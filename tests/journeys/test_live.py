"""Live numbers on the real page, with a realtime process beside the site: what one does, everybody sees."""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from config.run.valkey import HOST, free_port
from scheduling.models import Session
from tests.factories import make_activity, make_session
from tests.realtime.conftest import Realtime

pytestmark = pytest.mark.journey

PHONE = {"width": 360, "height": 780}
EVERY_SECONDS = 0.5  # a session's numbers are told at most this often
POLL_MS = 30_000
CAPACITY = 30
NO_SOCKETS = "/ws/"  # what Chromium says of a socket that nobody answers
COUNT_RENDERS = """left => {
    window.renders = 0;
    new MutationObserver(() => window.renders++).observe(left, { childList: true, characterData: true, subtree: true });
}"""


@pytest.fixture
def realtime(committed_db: None) -> Iterator[Realtime]:
    """Serve live numbers from the worker's database and Redis."""
    process = Realtime()
    process.start()
    yield process
    process.stop()


@pytest.fixture
def site(realtime: Realtime, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Serve the site beside it, whose pages know where it is."""
    monkeypatch.setenv("REALTIME_URL", f"http://{HOST}:{realtime.port}")
    return str(request.getfixturevalue("live_site"))


@pytest.fixture
def lonely_site(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Serve the site with nothing where its pages look for live numbers."""
    monkeypatch.setenv("REALTIME_URL", f"http://{HOST}:{free_port()}")
    return str(request.getfixturevalue("live_site"))


@pytest.fixture
def session(committed_db: None) -> Session:
    return make_session(make_activity(price_minor=1500), capacity=CAPACITY)


@contextmanager
def visitor(browser: Browser, site: str) -> Iterator[Page]:
    """Somebody with a browser of his own; a script error or a broken policy fails the test."""
    context = browser.new_context(base_url=site, viewport=PHONE, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(15_000)
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda line: said.append(line.text) if NO_SOCKETS not in line.text else None)
    yield page
    context.close()
    assert said == []


def address(session: Session) -> str:
    return f"/{session.activity.organization.slug}/{session.activity.slug}/"


def watch(page: Page, session: Session) -> None:
    """Open the activity's day and wait until its numbers are live."""
    page.goto(address(session))
    expect(page.locator("live-availability")).to_have_class("is-live")
    page.evaluate("window.isTheSamePage = true")


def hold_over_the_api(site: str, session: Session, party_size: int = 1) -> None:
    """Hold places as a program does."""
    where = urlsplit(site)
    connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=30)
    body = json.dumps({"session": str(session.id), "party_size": party_size, "email": "somebody@example.org"})
    connection.request("POST", "/api/v1/reservations", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 201, answer.read()
    connection.close()


def shows(page: Page, words: str, *, timeout: float = 5_000) -> None:
    expect(page.locator("[data-left]")).to_have_text(words, timeout=timeout)


def test_two_browsers_see_one_session_fill_without_a_reload(browser: Browser, site: str, session: Session) -> None:
    with ExitStack() as stack:
        pages = [stack.enter_context(visitor(browser, site)) for _ in range(2)]
        for page in pages:
            watch(page, session)
            shows(page, f"{CAPACITY} left")
        hold_over_the_api(site, session, 2)
        for page in pages:
            shows(page, f"{CAPACITY - 2} left")
            expect(page.get_by_role("link", name="Book")).to_have_count(1)
        hold_over_the_api(site, session, CAPACITY - 2)
        for page in pages:
            shows(page, "Full")
            expect(page.get_by_role("link", name="Book")).to_have_count(0)
            assert page.evaluate("window.isTheSamePage") is True


def test_a_hold_in_one_browser_is_seen_in_the_other(browser: Browser, site: str, session: Session) -> None:
    with visitor(browser, site) as buyer, visitor(browser, site) as other:
        watch(other, session)
        buyer.goto(f"{address(session)}{session.id}/")
        buyer.get_by_role("button", name="Hold these places").click()
        shows(other, f"{CAPACITY - 1} left")
        buyer.get_by_role("button", name="Give the places back").click()
        shows(other, f"{CAPACITY} left")


def test_a_burst_of_changes_is_shown_a_few_times_and_ends_in_the_truth(
    browser: Browser, site: str, session: Session
) -> None:
    with visitor(browser, site) as page:
        watch(page, session)
        page.locator("[data-left]").evaluate(COUNT_RENDERS)
        began = time.monotonic()
        for _ in range(20):
            hold_over_the_api(site, session)
        shows(page, f"{CAPACITY - 20} left")
        seconds = time.monotonic() - began
        page.wait_for_timeout(EVERY_SECONDS * 1000 * 2)  # nothing comes after the truth
        shows(page, f"{CAPACITY - 20} left")
        assert 1 <= page.evaluate("window.renders") <= 2 + seconds / EVERY_SECONDS


def test_without_the_realtime_process_the_page_says_that_it_reconnects_and_then_it_converges(
    browser: Browser, site: str, session: Session, realtime: Realtime
) -> None:
    with visitor(browser, site) as page:
        watch(page, session)
        realtime.stop()
        expect(page.get_by_text("Reconnecting…")).to_be_visible()
        hold_over_the_api(site, session, 3)
        realtime.start()
        shows(page, f"{CAPACITY - 3} left", timeout=30_000)
        expect(page.get_by_text("Reconnecting…")).to_have_count(0)
        expect(page.locator("live-availability")).to_have_class("is-live")
        assert page.evaluate("window.isTheSamePage") is True


def test_without_push_the_page_asks_every_thirty_seconds(browser: Browser, lonely_site: str, session: Session) -> None:
    with visitor(browser, lonely_site) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if request.resource_type == "fetch" else None)
        page.clock.install()
        page.goto(address(session))
        shows(page, f"{CAPACITY} left")
        hold_over_the_api(lonely_site, session, 4)
        page.clock.run_for(POLL_MS - 2_000)
        assert asked == []
        page.clock.run_for(4_000)
        shows(page, f"{CAPACITY - 4} left")
        assert len(asked) == 1
        expect(page.locator("table")).to_have_count(1)  # the rows alone were replaced
        expect(page.locator("live-availability")).to_have_count(1)
        expect(page.get_by_role("link", name="Book")).to_have_count(1)
