"""What a first visit may cost: every customer page and the widget, on a phone, with nothing cached."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from bookings.models import Booking
from config.kit.tokens import make_token
from scheduling.baskets import COOKIE
from scheduling.models import Activity, Reservation
from tests.factories import book, hold, lapse, make_activity, make_session, make_sessions, make_unit
from tests.servers import ROOT

pytestmark = pytest.mark.journey

PHONE = {"width": 360, "height": 780}
MOST_BYTES = 100_000  # everything, as it came over the wire: headers too
MOST_SCRIPTS = 3
MOST_SHIFT = 0.05
MOST_EMBED_BYTES = 6 * 1024  # of the script on the host's page, compressed
SETTLED_MS = 600  # after the load: what is late shifts now
NO_SOCKETS = "/ws/"  # no realtime process here
WATCH = """
    window.shift = 0;
    window.violations = [];
    new PerformanceObserver(list => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
    document.addEventListener("securitypolicyviolation",
        event => window.violations.push(`${event.effectiveDirective} ${event.blockedURI}`));
"""


@dataclass(slots=True)
class Cost:
    """What one first load asked of the network and of the visitor's patience."""

    bytes: int = 0
    kinds: list[str] = field(default_factory=list)  # of each answer: Document, Stylesheet, Script, Image, …
    statuses: list[int] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    shift: float = 0.0

    def complaints(self) -> list[str]:
        """Name every budget that is exceeded."""
        sheets, scripts = self.kinds.count("Stylesheet"), self.kinds.count("Script")
        broken = {
            f"{self.bytes:,} bytes": self.bytes > MOST_BYTES,
            f"{sheets} stylesheets": sheets != 1,
            f"{scripts} scripts": scripts > MOST_SCRIPTS,
            f"a layout shift of {self.shift:.3f}": self.shift > MOST_SHIFT,
        }
        return [*(words for words, is_broken in broken.items() if is_broken), *self.said, *self.violations]


@contextmanager
def phone(browser: Browser, **options: Any) -> Iterator[BrowserContext]:
    """A visitor who was never here."""
    context = browser.new_context(viewport=PHONE, reduced_motion="reduce", **options)  # type: ignore[arg-type]
    context.set_default_timeout(15_000)
    yield context
    context.close()


def first_load(context: BrowserContext, address: str) -> Cost:
    """Open the address and return what it cost."""
    page, cost = context.new_page(), Cost()
    listen(page, cost)
    page.add_init_script(WATCH)
    page.goto(address, wait_until="load")
    page.wait_for_timeout(SETTLED_MS)
    cost.shift, cost.violations = page.evaluate("[window.shift, window.violations]")
    page.close()
    return cost


def listen(page: Page, cost: Cost) -> None:
    """Count what comes over the wire, and hear what the console says."""
    wire = page.context.new_cdp_session(page)

    def answered(event: dict[str, Any]) -> None:
        cost.kinds.append(event["type"])
        cost.statuses.append(event["response"]["status"])

    def finished(event: dict[str, Any]) -> None:
        cost.bytes += int(event["encodedDataLength"])

    def redirected(event: dict[str, Any]) -> None:
        cost.bytes += int(event.get("redirectResponse", {}).get("encodedDataLength", 0))

    wire.on("Network.responseReceived", answered)
    wire.on("Network.loadingFinished", finished)
    wire.on("Network.requestWillBeSent", redirected)
    wire.send("Network.enable")
    page.on("pageerror", lambda error: cost.said.append(str(error)))
    page.on("console", lambda line: cost.said.append(line.text) if NO_SOCKETS not in line.text else None)


@pytest.fixture
def activity(committed_db: None) -> Activity:
    """An activity with a full day: a dozen sessions, three kinds of participants."""
    activity = make_activity(price_minor=1500, summary="An hour with bow and arrow in an old barn. " * 3)
    make_unit(activity, name="Child", price_minor=750)
    make_unit(activity, name="Family", price_minor=4000, places=4)
    for session in make_sessions(12, activity):
        hold(session)
    for _ in range(5):
        make_activity(activity.venue)
    return activity


def put_basket(context: BrowserContext, site: str, reservation: Reservation) -> str:
    """Give the browser the basket's cookie and return the checkout's address."""
    path = f"/checkout/{reservation.basket}/"
    token = make_token(purpose="basket", subject=reservation.basket)
    context.add_cookies([{"name": COOKIE, "value": token, "url": f"{site}{path}"}])
    return path


def addresses(activity: Activity, booking: Booking) -> dict[str, str]:
    """Return every page that needs no cookie, by its name."""
    session = make_session(activity, capacity=1)
    here = f"/{activity.organization.slug}/{activity.slug}/"
    token = make_token(purpose="basket", subject=(held := hold(session)).basket)
    return {
        "organizations": "/",
        "organization": f"/{activity.organization.slug}/",
        "activity": here,
        "party": f"{here}{make_session(activity).id}/",
        "full": f"{here}{session.id}/",
        "booking": f"/bookings/{booking.number}.{booking.token}/",
        "widget, activity": f"/embed?widget=singlegame&activityId={activity.id}",
        "widget, venue": f"/embed?widget=calendar&key={activity.venue.embed_key}",
        "widget, party": f"/embed/{activity.id}/{make_session(activity).id}/",
        "widget, checkout": f"/embed/checkout/{held.basket}/{token}/",
        "widget, booking": f"/embed/bookings/{booking.number}.{booking.token}/",
    }


def test_every_page_keeps_the_budgets(browser: Browser, live_site: str, activity: Activity) -> None:
    booking = book(make_session(activity), party_size=2)
    costs = {}
    for name, path in addresses(activity, booking).items():
        with phone(browser, base_url=live_site) as context:
            costs[name] = first_load(context, path)
    for name in ("checkout", "expired"):
        reservation = hold(make_session(activity))
        with phone(browser, base_url=live_site) as context:
            path = put_basket(context, live_site, reservation)
            if name == "expired":
                lapse(reservation)
            costs[name] = first_load(context, path)
    for name, cost in costs.items():
        print(f"{name:<18} {cost.bytes:>7,} bytes, {cost.kinds.count('Script')} scripts, shift {cost.shift:.3f}")  # noqa: T201
    assert {name: cost.complaints() for name, cost in costs.items()} == {name: [] for name in costs}
    assert {name: cost.statuses for name, cost in costs.items() if set(cost.statuses) != {200}} == {}


def test_the_hosts_script_is_small() -> None:
    assert len(gzip.compress((ROOT / "static" / "embed" / "embed.js").read_bytes())) <= MOST_EMBED_BYTES


# What proves that the budgets would notice --------------------------------------------------------------------------

WASTEFUL = """<!doctype html><html lang=en><head><title>x</title><link rel=icon href="data:,">
<link rel=stylesheet href="/one.css"><link rel=stylesheet href="/two.css">
<script src="/1.js"></script><script src="/2.js"></script><script src="/3.js"></script><script src="/4.js"></script>
</head><body><p>above</p><div id=late></div><p style="color:red">below</p><p>WORDS</p></body></html>""".replace(
    "WORDS", "words " * 200
)
LATE = "setTimeout(() => { document.getElementById('late').style.height = '400px'; console.log('late'); }, 200);"


class _Wasteful(BaseHTTPRequestHandler):
    """Answers with a page that breaks every budget."""

    def do_GET(self) -> None:
        kind = "text/css" if ".css" in self.path else "text/javascript" if ".js" in self.path else "text/html"
        body = {"text/css": "p { margin: 0 }", "text/javascript": "/*" + "x" * 30_000 + "*/", "text/html": WASTEFUL}[
            kind
        ]
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", "default-src 'self'; img-src data:")
        self.end_headers()
        self.wfile.write((body + (LATE if self.path == "/4.js" else "")).encode())

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@pytest.fixture
def wasteful_site() -> Iterator[str]:
    """Serve it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Wasteful)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def test_a_wasteful_page_is_named_for_each_of_its_wastes(browser: Browser, wasteful_site: str) -> None:
    with phone(browser) as context:
        cost = first_load(context, wasteful_site)
    complaints = " ".join(cost.complaints())
    assert cost.bytes > 4 * 30_000
    for waste in ("bytes", "2 stylesheets", "4 scripts", "layout shift", "late", "style-src-attr inline"):
        assert waste in complaints
