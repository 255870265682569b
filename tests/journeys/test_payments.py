"""Money in a real browser: our pages, the bank's page, and back; the bank is a process of its own that never pays."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect
from pytest_django.fixtures import Settings

from alerts.services.auditor import check_invariants
from bookings.models import Booking
from bookings.services import expiry, settlement
from config.kit.facts import Actor, ActorKind
from payments.models import Payment, Refund
from payments.services import refund_submission, vouchers
from scheduling.models import Reservation, Session
from scheduling.services import reservations
from tests.factories import book, lapse, make_activity, make_organization, make_session, make_venue, stranger
from tests.journeys.test_booking import PHONE, address, fill_in, follow, no_sideways_scroll, violations
from tests.payments.bank.shop import Shop
from tests.payments.scenes import make_account
from tests.servers import ROOT

pytestmark = pytest.mark.journey

SAYS_WHERE = ", at "
GOOD, DECLINED, ASKS, LATER = "succeeds", "is declined", "asks you to approve", "is paid some seconds later"
DESK = Actor(kind=ActorKind.STAFF, channel="admin", detail={"note": "one of you fell ill"})
SHOTS = os.environ.get("MONEY_SHOTS", "")  # a folder: pictures of every page on the way


@pytest.fixture(scope="module")
def bank_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a bank, and say where."""
    command = [sys.executable, "-m", "payments.sandbox", "--folder", str(tmp_path_factory.mktemp("bank"))]
    environment = os.environ | {"DEMO": "on"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip().rpartition(SAYS_WHERE)[2]
        process.terminate()


@pytest.fixture(autouse=True)
def shop(bank_url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Look at an account of one's own at the bank; the site is told of the bank before it starts."""
    settings.STRIPE_API_BASE = bank_url
    monkeypatch.setenv("STRIPE_API_BASE", bank_url)
    monkeypatch.setenv("PAYMENT_PAGES", bank_url)
    shop = Shop(bank_url, f"sk_test_{uuid4().hex}")
    shop.faults()
    yield shop
    shop.faults()


@pytest.fixture
def session(shop: Shop, live_site: str) -> Session:
    organization = make_organization(name="Harbour Archery")
    make_account(organization, shop)
    activity = make_activity(make_venue(organization), price_minor=1500, name="Archery", pay_on_arrival=False)
    return make_session(activity, capacity=2, starts_in=timedelta(days=3))


@pytest.fixture(params=[360] if not SHOTS else [360, 1280])
def phone(request: pytest.FixtureRequest, browser: Browser, live_site: str) -> Iterator[Page]:
    viewport: ViewportSize = {"width": request.param, "height": PHONE["height"]}
    context = browser.new_context(base_url=live_site, viewport=viewport, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(15_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


def look(page: Page, name: str) -> None:
    """Find nothing wrong with a page of ours."""
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}-{page.evaluate('innerWidth')}.png", full_page=True)
    assert (name, violations(page), no_sideways_scroll(page)) == (name, [], True)


def to_the_checkout(page: Page, session: Session, *, people: int = 2) -> None:
    """Hold places, and fill the form in."""
    page.goto(f"{address(session)}{session.id}/")
    page.locator("input.unit-count").fill(str(people))
    page.get_by_role("button", name="Hold these places").click()
    fill_in(page)


def to_the_bank(page: Page, session: Session, *, amount: str, people: int = 2) -> None:
    """Press the checkout's button, which says the amount."""
    to_the_checkout(page, session, people=people)
    page.get_by_role("button", name=f"Pay {amount}").click()


def pay_with(page: Page, card: str) -> None:
    """Press a test card on the bank's page."""
    page.get_by_role("button", name=card, exact=False).first.click()


def test_a_place_is_paid_for_and_booked_and_the_card_never_comes_near_us(phone: Page, session: Session) -> None:
    sent: list[str] = []
    phone.on("request", lambda request: sent.append(f"{request.url} {request.post_data or ''}"))
    to_the_checkout(phone, session)
    look(phone, "checkout-pay")
    phone.get_by_role("button", name="Pay £30.00").click()
    expect(phone.get_by_role("heading", name="Pay the shop")).to_be_visible()
    assert Booking.objects.get().status == "pending"
    pay_with(phone, GOOD)
    expect(phone.get_by_text("You are booked")).to_be_visible()
    booking = Booking.objects.get()
    assert (phone.url.split("/bookings/")[1], booking.status) == (f"{booking.number}/", "confirmed")
    expect(phone.get_by_text("Paid by card")).to_be_visible()
    look(phone, "booking-paid")
    ours = [each for each in sent if each.startswith(phone.url.split("/bookings/")[0])]
    assert [each for each in ours if "4242" in each.replace("-", "").replace(" ", "")] == []
    phone.get_by_role("link", name="Receipt").click()
    expect(phone.get_by_text("Paid in all")).to_be_visible()
    look(phone, "receipt")
    assert check_invariants() == []


def test_who_turns_back_is_told_that_nothing_is_paid_and_a_declined_card_is_followed_by_another(
    phone: Page, session: Session
) -> None:
    to_the_bank(phone, session, amount="£30.00")
    phone.get_by_role("link", name="Go back without paying").click()
    expect(phone.get_by_role("heading", name="You have not paid yet")).to_be_visible()
    look(phone, "checkout-not-paid-yet")
    phone.get_by_role("button", name="Go on to payment, £30.00").click()
    pay_with(phone, DECLINED)
    expect(phone.get_by_text("Your card was declined.")).to_be_visible()
    held = Reservation.objects.get()
    assert (held.status, Booking.objects.get().status) == ("held", "pending")
    pay_with(phone, GOOD)
    expect(phone.get_by_text("You are booked")).to_be_visible()
    assert Payment.objects.filter(status="succeeded").count() == 1


def test_a_bank_that_asks_first_and_one_that_takes_its_time_both_end_in_a_booking(
    phone: Page, session: Session, shop: Shop
) -> None:
    shop.faults(late_success_seconds=6)
    to_the_bank(phone, session, amount="£15.00", people=1)
    pay_with(phone, ASKS)
    phone.get_by_role("button", name="Approve").click()
    expect(phone.get_by_text("You are booked")).to_be_visible()
    phone.context.clear_cookies()
    to_the_checkout(phone, session, people=1)
    phone.get_by_label("E-mail").fill("mei@example.org")
    phone.get_by_role("button", name="Pay £15.00").click()
    pay_with(phone, LATER)
    expect(phone.get_by_role("heading", name="Waiting for your payment")).to_be_visible()
    look(phone, "payment-waiting")
    expect(phone.get_by_text("You are booked")).to_be_visible(timeout=30_000)  # by itself
    assert Booking.objects.filter(status="confirmed").count() == 2


def test_a_voucher_pays_its_part_and_the_card_the_rest(phone: Page, session: Session) -> None:
    voucher = vouchers.issue_voucher(
        organization_id=session.organization_id, amount_minor=1000, currency="GBP", expires_on=None, note="a present",
        issued_by=None, actor=DESK,
    )  # fmt: skip
    to_the_checkout(phone, session)
    phone.get_by_text("Promo code or voucher").click()
    phone.get_by_label("Voucher").fill("NONE-SUCH")
    phone.get_by_role("button", name="Apply").click()
    expect(phone.get_by_text("We know no voucher with this code")).to_be_visible()
    look(phone, "checkout-unknown-voucher")
    phone.get_by_label("Voucher").fill(voucher.code.lower())
    phone.get_by_role("button", name="Pay £30.00").click()  # the price is shown before anything is booked
    expect(phone.get_by_text("This is the price now. Nothing is booked yet.")).to_be_visible()
    expect(phone.get_by_label("Your name")).to_have_value("Anna Archer")
    look(phone, "checkout-voucher")
    assert not Booking.objects.exists()
    phone.get_by_role("button", name="Pay £20.00").click()
    pay_with(phone, GOOD)
    expect(phone.get_by_text("Paid with a voucher")).to_be_visible()
    look(phone, "booking-voucher")
    paid = Payment.objects.order_by("amount_minor").values_list("provider", "amount_minor", "status")
    assert list(paid) == [("voucher", 1000, "succeeded"), ("stripe", 2000, "succeeded")]


def let_it_lapse() -> None:
    """Let the hold run out while somebody is at the bank's page, and let the passes do what they do."""
    lapse(Reservation.objects.get(status="held"), ago=timedelta(minutes=1))
    reservations.release_expired_reservations()
    assert expiry.expire_pending_bookings() == 1


def test_a_late_payment_gets_its_places_while_they_are_free(phone: Page, session: Session) -> None:
    to_the_bank(phone, session, amount="£30.00")
    let_it_lapse()
    pay_with(phone, GOOD)
    expect(phone.get_by_role("heading", name="You are booked")).to_be_visible()
    expect(phone.get_by_text("Your payment came after the time for which we kept the places.")).to_be_visible()
    look(phone, "payment-late-booked")
    assert Booking.objects.get().status == "confirmed"
    assert check_invariants() == []


def test_a_late_payment_goes_back_when_the_places_are_gone_and_says_so(phone: Page, session: Session) -> None:
    to_the_bank(phone, session, amount="£30.00")
    let_it_lapse()
    session.activity.pay_on_arrival = True
    session.activity.save()
    book(session, contact=stranger())
    pay_with(phone, GOOD)
    expect(phone.get_by_role("heading", name="Your money goes back to you")).to_be_visible()
    expect(phone.get_by_text("Somebody else had booked the places in the meantime.")).to_be_visible()
    expect(phone.get_by_text("£30.00 goes back to you the way you paid. It can take 5 to 10 days.")).to_be_visible()
    look(phone, "payment-returned")
    refund_submission.submit_refund(Refund.objects.get().id)
    phone.reload()
    expect(phone.get_by_text("£30.00 has gone back to you.")).to_be_visible()
    assert check_invariants() == []


def test_what_is_given_back_in_part_stands_on_the_booking(phone: Page, session: Session) -> None:
    to_the_bank(phone, session, amount="£30.00")
    pay_with(phone, GOOD)
    expect(phone.get_by_text("You are booked")).to_be_visible()
    settlement.give_back(booking_id=Booking.objects.get().id, amount_minor=500, actor=DESK)
    phone.reload()
    expect(phone.get_by_text("on its way; it can take 5 to 10 days")).to_be_visible()
    look(phone, "booking-refund-on-its-way")
    refund_submission.submit_refund(Refund.objects.get().id)
    phone.reload()
    expect(phone.get_by_text("Given back to your card")).to_be_visible()
    look(phone, "booking-refunded-in-part")
    phone.get_by_role("link", name="Cancel", exact=True).click()
    expect(phone.get_by_text("Goes back to your card")).to_be_visible()
    look(phone, "cancel-paid")


def test_while_the_bank_is_away_nothing_is_lost_and_the_same_order_goes_on(
    phone: Page, session: Session, shop: Shop
) -> None:
    shop.faults(down=True)
    to_the_bank(phone, session, amount="£30.00")
    expect(phone.get_by_role("heading", name="The payment page cannot be reached")).to_be_visible()
    look(phone, "bank-away")
    begun = Booking.objects.get()
    shop.faults()
    phone.get_by_role("button", name="Try again, £30.00").click()
    pay_with(phone, GOOD)
    expect(phone.get_by_text("You are booked")).to_be_visible()
    assert (Booking.objects.get().id, Payment.objects.count()) == (begun.id, 1)


def test_a_deposit_is_paid_now_and_two_people_pay_the_rest(
    phone: Page, session: Session, browser: Browser, live_site: str
) -> None:
    session.activity.deposit_percent, session.activity.balance_days = 30, 1
    session.activity.save()
    to_the_checkout(phone, session)
    expect(phone.get_by_text("£9.00 now, £21.00 by")).to_be_visible()
    look(phone, "checkout-deposit")
    phone.get_by_role("button", name="Pay £9.00").click()
    pay_with(phone, GOOD)
    expect(phone.get_by_text("Due by")).to_be_visible()
    look(phone, "booking-balance-due")
    phone.get_by_role("link", name="Pay £21.00").click()
    phone.get_by_label("Amount, in GBP").fill("99")
    phone.get_by_role("button", name="Pay", exact=True).click()
    expect(phone.get_by_text("Pay £21.00 or less.")).to_be_visible()
    phone.get_by_label("Amount, in GBP").fill("10.50")
    look(phone, "pay-balance")
    follow(phone, phone.get_by_role("button", name="Make a link for somebody else to pay"))
    look(phone, "pay-link")
    link = str(phone.locator(".link-to-send a").get_attribute("href"))
    friend = browser.new_context(viewport=phone.viewport_size).new_page()
    friend.goto(link)
    expect(friend.get_by_role("heading", name="Pay £10.50")).to_be_visible()
    look(friend, "pay-by-link")
    friend.get_by_role("link", name="Pay £10.50").click()
    pay_with(friend, GOOD)
    expect(friend.get_by_role("heading", name="Thank you, that is paid")).to_be_visible()
    look(friend, "paid-by-link")
    friend.context.close()
    phone.goto(f"/bookings/{Booking.objects.get().number}/")
    phone.get_by_role("link", name="Pay £10.50").click()
    phone.get_by_role("button", name="Pay", exact=True).click()
    pay_with(phone, GOOD)
    expect(phone.get_by_text("You are booked")).to_be_visible()
    assert phone.get_by_text("Due by").count() == 0
    assert sum(Payment.objects.filter(status="succeeded").values_list("amount_minor", flat=True)) == 3000
    assert check_invariants() == []


def test_in_the_widget_the_payment_opens_on_top_and_the_frame_says_by_itself_that_it_is_booked(
    phone: Page, session: Session
) -> None:
    phone.goto(f"/embed/{session.activity_id}/{session.id}/")
    phone.get_by_role("button", name="Hold these places").click()
    fill_in(phone)
    phone.get_by_role("button", name="Pay £15.00").click()
    expect(phone.get_by_text("Waiting for your payment")).to_be_visible()
    look(phone, "widget-waiting")
    with phone.context.expect_page() as opened:
        phone.get_by_role("link", name="Pay £15.00 in a new window").click()
    pay_with(opened.value, GOOD)
    expect(opened.value.get_by_role("heading", name="You are booked")).to_be_visible()
    look(opened.value, "widget-paid-on-top")
    expect(phone.get_by_text("You are booked")).to_be_visible(timeout=30_000)
    assert f"/embed/bookings/{Booking.objects.get().number}." in phone.url


def test_the_pages_of_money_are_accessible_in_the_dark_and_fit_the_smallest_phone(
    phone: Page, session: Session, shop: Shop
) -> None:
    phone.emulate_media(color_scheme="dark")
    phone.set_viewport_size({"width": 320, "height": 700})
    session.activity.pay_on_arrival = True
    session.activity.save()
    to_the_checkout(phone, session)
    phone.get_by_text("Promo code or voucher").click()
    phone.get_by_label("Promo code").fill("NOPE")
    follow(phone, phone.get_by_role("button", name="Apply"))
    look(phone, "dark-checkout")
    phone.get_by_label("Promo code").fill("")
    phone.get_by_label("Pay on arrival").check()
    expect(phone.get_by_role("button", name="Book, and pay £30.00 on arrival")).to_be_visible()
    assert phone.get_by_role("button", name="Pay £30.00", exact=True).count() == 0
    phone.get_by_label("Pay now").check()
    shop.faults(down=True)
    follow(phone, phone.get_by_role("button", name="Pay £30.00"))
    look(phone, "dark-bank-away")
    shop.faults()
    phone.get_by_role("button", name="Pay on arrival instead").click()
    expect(phone.get_by_label("Pay on arrival")).to_be_checked()
    look(phone, "dark-ways")
    follow(phone, phone.get_by_role("button", name="Book, and pay £30.00 on arrival"))
    look(phone, "dark-booking")
    follow(phone, phone.get_by_role("link", name="Pay £30.00 online now"))
    look(phone, "dark-pay")
    phone.get_by_role("button", name="Pay", exact=True).click()
    pay_with(phone, GOOD)
    expect(phone.get_by_text("Paid by card")).to_be_visible()
    look(phone, "dark-paid")
