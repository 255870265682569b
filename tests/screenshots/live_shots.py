"""Every page of a booking's life by its name: changing it, waiting for it, one's data, the door, and staff's acts."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta

from django.urls import reverse
from playwright.sync_api import Page

from bookings.check_in_codes import check_in_code
from bookings.data_links import data_token
from bookings.models import Booking, Customer, ResumeLink
from bookings.transfer_links import offer_address
from config.kit.clock import database_now
from config.kit.tokens import make_token
from scheduling.baskets import COOKIE
from scheduling.models import Reservation
from tests.screenshots.lives import Lives
from tests.screenshots.pictures import Open, Shot, go


def after(path: str, *steps: Callable[[Page], object]) -> Open:
    """Open an address, then do the rest."""

    def act(page: Page) -> None:
        page.goto(path)
        for step in steps:
            step(page)

    return act


def press(name: str) -> Callable[[Page], object]:
    """Press a button."""
    return lambda page: page.get_by_role("button", name=name, exact=True).click()


def await_alert(page: Page) -> None:
    """Wait for what is wrong."""
    page.locator("[role=alert], .wrong").first.wait_for()


def of_booking(booking: Booking, path: str = "", *steps: Callable[[Page], object]) -> Open:
    """Open a booking by its link, then a page of it."""

    def act(page: Page) -> None:
        page.goto(f"/bookings/{booking.number}.{booking.token}/")
        if path:
            page.goto(f"/bookings/{booking.number}/{path}")
        for step in steps:
            step(page)

    return act


def each_once(openings: Sequence[Open]) -> Open:
    """Use one for each picture."""
    left = iter(openings)

    def act(page: Page) -> None:
        next(left)(page)

    return act


def life_shots(lives: Lives, site: str) -> Iterator[Shot]:
    """Yield what customers see."""
    yield from manage_shots(lives)
    yield from waitlist_shots(lives)
    yield from basket_shots(lives, site)
    yield from data_shots(lives)
    yield Shot("code-for-the-door", go(f"/staff/check-in/?code={check_in_code(lives.booking)}"))


def manage_shots(lives: Lives) -> Iterator[Shot]:
    """Yield a booking and the changes of it."""
    for name in ("booking", "several", "partly", "cancelled", "closed", "late", "offered_on"):
        yield Shot(f"manage-{name.replace('_', '-')}", of_booking(getattr(lives, name)))
    booking, line = lives.booking, lives.booking.lines.get()
    unit = lives.activity.units.get(is_default=True).id
    yield Shot("manage-done", of_booking(booking, "?done=time"))
    for name, path in {
        "time": f"time/?line={line.id}", "time-consequence": f"time/?line={line.id}&session={lives.target.id}",
        "time-refused": f"time/?line={line.id}&session={lives.full.id}", "party": f"party/?line={line.id}",
        "party-more": f"party/?line={line.id}&unit-{unit}=3", "party-fewer": f"party/?line={line.id}&unit-{unit}=1",
        "party-refused": f"party/?line={line.id}&unit-{unit}=60", "people": f"people/?line={line.id}",
        "transfer": "transfer/", "cancel": "cancel/",
    }.items():  # fmt: skip
        yield Shot(f"manage-{name}", of_booking(booking, path))
    yield Shot("manage-transfer-errors", of_booking(booking, "transfer/", press("Offer it"), await_alert))
    part = lives.several.lines.order_by("id")[0].id
    yield Shot("manage-cancel-which", of_booking(lives.several, "cancel/"))
    yield Shot("manage-cancel-part", of_booking(lives.several, f"cancel/?line={part}"))
    yield Shot("manage-cancel-refused", of_booking(lives.late, "cancel/"))
    yield Shot("manage-time-too-late", of_booking(lives.late, f"time/?line={lives.late.lines.get().id}"))
    yield Shot("manage-transfer-refused", of_booking(lives.cancelled, "transfer/"))

    yield Shot("transfer-offer", go(reverse("transfer-offer", kwargs=offer_address(lives.offer))))
    yield Shot("transfer-over", go(reverse("transfer-offer", kwargs=offer_address(lives.offer_over))))


def waitlist_shots(lives: Lives) -> Iterator[Shot]:
    """Yield the waiting list."""
    here = f"/harbour-archery/{lives.activity.slug}/"
    day = lives.full.starts_at.astimezone(lives.activity.venue.zone).date()
    yield Shot("wait-rows", go(f"{here}?day={day}"))
    yield Shot("wait-join", go(f"{here}{lives.full.id}/wait/"))
    yield Shot("wait-join-errors", after(f"{here}{lives.full.id}/wait/", press("Join the waiting list"), await_alert))
    yield Shot("wait-join-next", go(f"{here}{lives.behind_a_hold.id}/wait/"))
    yield Shot("wait-join-not-full", go(f"{here}{lives.target.id}/wait/"))
    for name in ("waiting", "next_in_line", "offered", "lapsed", "left", "converted"):
        entry = getattr(lives, name)
        yield Shot(f"wait-{name.replace('_', '-')}", go(f"/waitlist/{entry.id}.{entry.token}/"))


def basket_shots(lives: Lives, site: str) -> Iterator[Shot]:
    """Yield baskets, and links to them on another device."""

    def basket(reservation: Reservation, path: str = "", *steps: Callable[[Page], object]) -> Open:
        def act(page: Page) -> None:
            address = f"/checkout/{reservation.basket}/"
            token = make_token(purpose="basket", subject=reservation.basket)
            page.context.add_cookies([{"name": COOKIE, "value": token, "url": f"{site}{address}"}])
            page.goto(f"{address}{path}")
            for step in steps:
                step(page)

        return act

    def name_a_minor(page: Page) -> None:
        page.get_by_label("Your name").fill("Robin Okafor")
        page.get_by_label("E-mail").fill("robin@example.org")
        page.locator("[name$='-0-name']").fill("Ada Okafor")
        page.locator("[name$='-0-birth_date']").fill(f"{date.today() - timedelta(days=3300)}")  # noqa: DTZ011
        page.get_by_role("button", name="Book").first.click()
        await_alert(page)

    yield Shot("checkout-two-sessions", basket(lives.two_sessions))
    yield Shot("checkout-family", basket(lives.family))
    yield Shot("checkout-family-errors", basket(lives.family, "", name_a_minor))
    yield Shot("elsewhere", basket(lives.family, "elsewhere/"))
    yield Shot("elsewhere-errors", basket(lives.family, "elsewhere/", press("Send me the link"), await_alert))
    yield Shot("elsewhere-sent", basket(lives.family, "elsewhere/?sent=yes"))

    def link(row: ResumeLink) -> str:
        return f"/resume/{row.id}.{row.token}/"

    yield Shot("resume", go(link(lives.resumed)))
    yield Shot("resume-over", go(link(lives.used_up)))
    yield Shot("resume-too-many", after(link(lives.too_many), press("Send me a new link"), await_alert))


def data_shots(lives: Lives) -> Iterator[Shot]:
    """Yield one's own data."""

    def link(customer: Customer) -> str:
        return f"/bookings/your-data/{customer.id}.{data_token(customer, at=database_now())}/"

    def erase(page: Page) -> None:
        page.get_by_label("I am sure").check()
        press("Erase my data")(page)

    def erased(page: Page) -> None:
        erase(page)
        page.get_by_role("heading", name="erased").wait_for()

    yield Shot("data", go(link(lives.past)))
    yield Shot("data-unsure", after(link(lives.past), press("Erase my data"), await_alert))
    yield Shot("data-refused", after(link(lives.booking.customer), erase, await_alert))
    yield Shot("data-erased", each_once([after(link(each), erased) for each in lives.erased]))


def staff_shots(lives: Lives) -> Iterator[Shot]:
    """Yield what staff see; they are signed in already."""
    door, booking = "/staff/check-in/", lives.booking
    venue = f"venue={lives.activity.venue_id}"
    yield Shot("admin-door", go(f"{door}?{venue}"))
    yield Shot("admin-door-wrong-code", go(f"{door}?{venue}&code=AAAA2222.nothing"))
    yield Shot("admin-door-code", go(f"{door}?code={check_in_code(lives.arrived.booking)}"))
    yield Shot("admin-door-code-of-another-day", go(f"{door}?code={check_in_code(booking)}"))
    yield Shot("admin-door-nobody-found", go(f"{door}?{venue}&q=nobody"))
    for path in ("bookings/attempt", "bookings/waitlistentry", "alerts/notification", "bookings/customer"):
        yield Shot(f"admin-{path.partition('/')[2]}-list", go(f"/admin/{path}/"))
    for name, path, key in (
        ("waitlistentry", "bookings/waitlistentry", lives.waiting.id),
        ("message", "alerts/notification", lives.message.id),
        ("customer", "bookings/customer", lives.past.id), ("booking-changed", "bookings/booking", lives.partly.id),
        ("booking-closed", "bookings/booking", lives.closed.id),
    ):  # fmt: skip
        yield Shot(f"admin-{name}", go(f"/admin/{path}/{key}/change/"))
    yield Shot("admin-waitlistentry-new", go("/admin/bookings/waitlistentry/add/"))
    yield Shot("admin-customer-erase", go(f"/admin/bookings/customer/{lives.past.id}/erase/"))
    yield Shot("admin-customer-erase-refused", after(
        f"/admin/bookings/customer/{booking.customer_id}/erase/",
        lambda page: page.get_by_role("button", name="Erase").last.click(),
    ))  # fmt: skip
    yield Shot("admin-mailbox", go("/staff/mail/"))
    yield Shot("admin-mail", go(f"/staff/mail/{lives.message.id}/"))
    record = f"/admin/bookings/booking/{booking.id}"
    for act in ("cancel", "move", "party", "hand-over"):
        yield Shot(f"admin-act-{act}", go(f"{record}/{act}/"))

    def see(page: Page) -> None:
        page.get_by_label("Why").fill("They called")
        page.locator("#content form button[type=submit], main form button[type=submit]").last.click()
        page.wait_for_load_state("load")

    yield Shot("admin-act-cancel-seen", after(f"{record}/cancel/", see))
    yield Shot("admin-act-move-errors", after(f"{record}/move/", see))
    yield Shot("admin-cancellations", go("/admin/bookings/booking/cancellations/"))
    yield Shot("admin-as-it-was", go(f"{record}/as-it-was/1/"))
