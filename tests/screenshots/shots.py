"""Every page and state by its name, and how a visitor comes to it."""

from collections.abc import Callable, Iterator
from urllib.parse import quote

from playwright.sync_api import Page, expect

from config.demo.credentials import STAFF_EMAIL, STAFF_PASSWORD
from config.kit.tokens import make_token
from scheduling.baskets import COOKIE
from scheduling.models import Reservation, Session
from tests.screenshots.live_shots import life_shots, staff_shots
from tests.screenshots.money import money_admin_shots, money_shots
from tests.screenshots.pictures import Open, Shot, go
from tests.screenshots.stage import FREE, GUEST, ORGANIZATION, PASS, UNPAYABLE, Stage

ADMIN_LISTS = (
    "tenants/organization", "scheduling/venue", "scheduling/activity", "scheduling/session", "scheduling/reservation",
    "scheduling/scheduleversion", "scheduling/scheduleexception", "scheduling/pricerule", "scheduling/schedulechange",
    "bookings/affectedline", "bookings/booking", "alerts/alert",
)  # fmt: skip


def shots(stage: Stage, site: str, host: str) -> Iterator[Shot]:
    """Yield every shot; those that need the database gone come last, and are `last_shots`."""
    yield from browsing(stage)
    yield from parties(stage)
    yield from checkouts(stage, site)
    yield from endings(stage)
    yield from widgets(stage, host)
    yield from life_shots(stage.lives, site)
    yield from money_shots(stage.money, site)


def here(stage: Stage, session: Session | None = None) -> str:
    """Return the activity's address, or its day's."""
    address = f"/{ORGANIZATION}/{stage.activity.slug}/"
    return f"{address}?day={session.starts_at.astimezone(stage.venue.zone):%Y-%m-%d}" if session else address


def party(stage: Stage, session: Session) -> str:
    """Return the address at which a session is booked."""
    return f"{here(stage)}{session.id}/"


def browsing(stage: Stage) -> Iterator[Shot]:
    """Yield what is looked at before anything is chosen."""
    yield Shot("organizations", go("/"))
    yield Shot("organization", go(f"/{ORGANIZATION}/"))
    yield Shot("organization-empty", go(f"/{stage.empty.slug}/"))
    yield Shot("activity", go(here(stage)))
    yield Shot("activity-full", go(here(stage, stage.full)))
    yield Shot("activity-few", go(here(stage, stage.few)))
    yield Shot("activity-closed", go(here(stage, stage.closed)))
    yield Shot("activity-closed-day", go(f"{here(stage)}?day={stage.closed_day}"))
    yield Shot("activity-no-dates", go(f"{here(stage)}?month=2031-01"))
    yield Shot("activity-not-payable-here", go(f"/{ORGANIZATION}/{UNPAYABLE}/"))
    yield Shot("activity-free", go(f"/{ORGANIZATION}/{FREE}/"))
    yield Shot("activity-pass", go(f"/{ORGANIZATION}/{PASS}/"))

    def lose_push(page: Page) -> None:
        page.route_web_socket("**/ws/**", lambda socket: socket.close())
        page.goto(here(stage))
        expect(page.get_by_text("Reconnecting…")).to_be_visible()

    yield Shot("activity-reconnecting", lose_push)


def parties(stage: Stage) -> Iterator[Shot]:
    """Yield how many come, and what is said when they cannot."""
    yield Shot("party", go(party(stage, stage.roomy)))
    yield Shot("party-full", go(party(stage, stage.full)))
    yield Shot("party-closed", go(party(stage, stage.closed)))

    def ask_for(count: str) -> Open:
        def act(page: Page) -> None:
            page.goto(party(stage, stage.few))
            page.get_by_role("spinbutton", name="Adult").fill(count)
            page.get_by_role("button", name="Hold these places").click()
            page.get_by_role("alert").wait_for()

        return act

    def ask_for_a_child_alone(page: Page) -> None:
        page.goto(party(stage, stage.roomy))
        page.get_by_role("spinbutton", name="Adult").fill("0")
        page.get_by_role("spinbutton", name="Child").fill("1")
        page.get_by_role("button", name="Hold these places").click()
        page.locator("[role=alert], .wrong").first.wait_for()

    yield Shot("party-too-many", ask_for("18"))
    yield Shot("party-nobody", ask_for("0"))
    yield Shot("party-child-alone", ask_for_a_child_alone)


def checkouts(stage: Stage, site: str) -> Iterator[Shot]:
    """Yield the checkout in its states."""

    def basket(reservation: Reservation) -> Open:
        def act(page: Page) -> None:
            path = f"/checkout/{reservation.basket}/"
            token = make_token(purpose="basket", subject=reservation.basket)
            page.context.add_cookies([{"name": COOKIE, "value": token, "url": f"{site}{path}"}])
            page.goto(path)

        return act

    def send(reservation: Reservation, *, email: str) -> Open:
        def act(page: Page) -> None:
            basket(reservation)(page)
            page.get_by_label("Your name").fill(GUEST.name if "@" in email else "")
            page.get_by_label("E-mail").fill(email)
            page.get_by_role("button", name="Book, and pay").click()
            page.get_by_role("alert").wait_for()

        return act

    yield Shot("checkout", basket(stage.held))
    yield Shot("checkout-errors", send(stage.held, email="robin"))
    yield Shot("checkout-booked-already", send(stage.twice, email=GUEST.email))
    yield Shot("checkout-not-payable-here", basket(stage.unpayable))
    yield Shot("expired-with-room", basket(stage.lapsed))
    yield Shot("expired-without-room", basket(stage.lapsed_full))


def endings(stage: Stage) -> Iterator[Shot]:
    """Yield the booking, and addresses that lead nowhere."""
    for name, booking in (("booking", stage.booking), ("booking-of-four", stage.long_booking)):
        yield Shot(name, go(f"/bookings/{booking.number}.{booking.token}/"))
    yield Shot("not-found", go("/nothing/here/"))

    def send_foreign_form(page: Page) -> None:
        page.goto("/")
        page.evaluate(
            """path => { const form = document.createElement("form");
            [form.method, form.action] = ["post", path]; document.body.append(form); form.submit(); }""",
            f"/embed/{stage.activity.id}/{stage.roomy.id}/",
        )
        page.get_by_text("lay open").first.wait_for()

    yield Shot("refusal", send_foreign_form)


def widgets(stage: Stage, host: str) -> Iterator[Shot]:
    """Yield the widget in a page of somebody else's."""

    def framed(path: str, *steps: Callable[[Page], object]) -> Open:
        def act(page: Page) -> None:
            page.goto(f"{host}{path}")
            page.frame_locator("iframe").locator("h1").wait_for()
            for step in steps:
                step(page)
            page.wait_for_timeout(300)  # the frame's height follows

        return act

    def choose(page: Page) -> None:
        page.frame_locator("iframe").get_by_role("link", name="Book").last.click()
        page.frame_locator("iframe").get_by_role("button", name="Hold these places").wait_for()

    def hold(page: Page) -> None:
        page.frame_locator("iframe").get_by_role("button", name="Hold these places").click()
        page.frame_locator("iframe").get_by_role("heading", name="Nearly there").wait_for()

    def book(page: Page) -> None:
        frame = page.frame_locator("iframe")
        frame.get_by_label("Your name").fill("Sam Bell")
        frame.get_by_label("E-mail").fill(
            f"sam.{page.viewport_size}@example.org".translate(str.maketrans("", "", " {}':,"))
        )
        frame.get_by_role("button", name="Book, and pay").click()
        frame.get_by_role("button", name="Book again all the same").or_(frame.get_by_text("You are booked")).wait_for()
        if frame.get_by_role("button", name="Book again all the same").is_visible():
            frame.get_by_role("button", name="Book again all the same").click()
            frame.get_by_text("You are booked").wait_for()

    yield Shot("widget-venue", framed("/venue"))
    yield Shot("widget-activity", framed("/activity"))
    yield Shot("widget-party", framed("/activity", choose))
    yield Shot("widget-checkout", framed("/activity", choose, hold))
    yield Shot("widget-booking", framed("/activity", choose, hold, book))


def admin_shots(stage: Stage) -> Iterator[Shot]:
    """Yield the records as staff see them; the first picture is of somebody who has not signed in."""

    def sign_in(page: Page) -> None:
        page.goto("/admin/")
        if page.get_by_label("Password").count():
            page.get_by_label("Email").fill(STAFF_EMAIL)
            page.get_by_label("Password").fill(STAFF_PASSWORD)
            page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/admin/")

    yield Shot("admin-login", go(f"/admin/login/?next={quote('/admin/')}"))
    yield Shot("admin-index", sign_in)
    for path in ADMIN_LISTS:
        yield Shot(f"admin-{path.partition('/')[2]}-list", go(f"/admin/{path}/"))
    for path, key in (
        ("scheduling/session", stage.few.id), ("scheduling/activity", stage.activity.id),
        ("scheduling/venue", stage.venue.id), ("bookings/booking", stage.booking.id), ("alerts/alert", stage.alert.id),
    ):  # fmt: skip
        yield Shot(f"admin-{path.partition('/')[2]}", go(f"/admin/{path}/{key}/change/"))
    changes = "/admin/scheduling/schedulechange"
    yield Shot("admin-change-new", go(f"{changes}/add/"))
    yield Shot("admin-change-timetable", go(f"{changes}/timetable/?activity={stage.activity.id}"))
    yield Shot("admin-change-exception", go(f"{changes}/exception/"))
    yield Shot("admin-change-sessions", go(f"{changes}/sessions/?activity={stage.activity.id}"))
    yield Shot("admin-change-rehearsed", go(f"{changes}/{stage.change.id}/change/"))
    yield Shot("admin-change-moved", go(f"{changes}/{stage.moved.id}/change/"))
    yield Shot("admin-pricerule-new", go("/admin/scheduling/pricerule/add/"))
    yield Shot("admin-desk", go("/admin/bookings/booking/add/"))
    yield from staff_shots(stage.lives)
    yield from money_admin_shots(stage.money)


def last_shots(stage: Stage) -> Iterator[Shot]:
    """Yield what is said while the database is away."""
    yield Shot("busy", go(here(stage)))
