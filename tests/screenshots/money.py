"""Every page of money by its name, and the states to look at; the provider is away, what it would say is said here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.models import F
from playwright.sync_api import Page

from bookings.models import Booking, PromoCode
from bookings.services import cancellation, paying, settlement
from config.kit.tokens import make_token
from payments.models import Dispute, Payment, Refund, Voucher
from payments.providers.base import Outcome, State
from payments.services import charges, vouchers
from scheduling.baskets import COOKIE
from scheduling.models import Activity, Reservation
from tests import factories
from tests.bookings import paid
from tests.screenshots.live_shots import after, await_alert, of_booking, press
from tests.screenshots.lives import DESK, SOON, guest
from tests.screenshots.pictures import Open, Shot, go

PAGE = "https://checkout.stripe.com/c/"
MONEY_LISTS = tuple(
    f"payments/{name}" for name in
    ("payment", "refund", "dispute", "voucher", "ledgertransaction", "reconciliation", "provideraccount")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Money:
    """What the pictures need to know."""

    bookings: dict[str, Booking]
    payments: dict[str, Payment]
    baskets: dict[str, Reservation]


def set_money() -> Money:
    """Make every state, in an organization that takes money online."""
    organization = factories.make_organization(name="Quayside Tours", slug="quayside-tours")
    factories.make_account(organization)
    plain = {"hold_minutes": 60, "price_minor": 1500, "cancel_fee_percent": 10}
    make = partial(factories.make_activity, factories.make_venue(organization, name="The quay"))
    online = make(name="Harbour tour", slug="harbour-tour", pay_on_arrival=False, **plain)
    either = make(name="Island walk", slug="island-walk", deposit_percent=30, balance_days=1, **plain)
    PromoCode.objects.create(organization=organization, code="TENTH", percent=10, currency="GBP")
    return Money(bookings_of(online, either), payments_of(online), baskets_of(online, either))


def begun(activity: Activity, name: str, *, capacity: int = 10, **terms: str) -> Booking:
    """Begin to pay for two places in a session of their own."""
    session = factories.make_session(activity, starts_in=SOON, capacity=capacity)
    return paid.submit(factories.hold(session, 2), contact=guest(name), **terms)


def at_the_provider(booking: Booking, state: State = State.OPEN, **said: str) -> Payment:
    """Let the provider have opened its page, and say how it went there."""
    payment = paid.payment_of(booking)
    named = {"provider_ref": f"cs_{payment.id.hex}", "redirect_url": f"{PAGE}{payment.id}", **said}
    return charges.apply_outcome(payment.id, Outcome(state, payment.amount_minor, payment.currency, **named))


def bookings_of(online: Activity, either: Activity) -> dict[str, Booking]:
    """Return bookings whose money has a story."""
    card = vouchers.issue_voucher(
        organization_id=online.organization_id, amount_minor=1000, currency="GBP", expires_on=None, note="",
        issued_by=None, actor=DESK,
    )  # fmt: skip
    voucher = paid.pay(begun(online, "Amara Osei", voucher=card.code, promo_code="TENTH"))
    deposit = paid.pay(begun(either, "Jonas Weber", payment_method="online"))
    returning, failed, disputed = (
        paid.pay(begun(online, name)) for name in ("Mei Tanaka", "Owen Price", "Noor Haddad")
    )
    for booking in (returning, failed):
        settlement.give_back(booking_id=booking.id, amount_minor=500, actor=DESK)
    Refund.objects.filter(reference=failed.id).update(status="failed", next_try_at=None)
    Dispute.objects.create(
        organization_id=disputed.organization_id, payment=paid.payment_of(disputed), provider_ref="dp_1",
        amount_minor=3000, currency="GBP", is_withdrawn=True,
    )  # fmt: skip
    return {"voucher": voucher, "deposit": deposit, "returning": returning, "failed": failed, "disputed": disputed}


def payments_of(activity: Activity) -> dict[str, Payment]:
    """Return payments at which their payers look."""
    waiting, declined = begun(activity, "Priya Raman"), begun(activity, "Lucia Fernandez")
    late, gone, over = (begun(activity, name, capacity=2) for name in ("Ines Costa", "Bela Novak", "Ravi Menon"))
    for booking in (late, gone, over):
        factories.lapse(paid.reservation_of(booking))
        with transaction.atomic():
            settlement.expire(Booking.objects.get(id=booking.id), reason_code="not_paid")
    factories.hold(gone.lines.get().session, 2)
    deposit = paid.pay(begun(Activity.objects.get(slug="island-walk"), "Robin Okafor", payment_method="online"))
    booked = paid.payment_of(deposit)
    part = paying.open_balance(booking_id=deposit.id, actor=factories.CUSTOMER, amount_minor=1050)
    lapsed = paying.open_balance(booking_id=deposit.id, actor=factories.CUSTOMER, amount_minor=2100)
    Payment.objects.filter(id=lapsed.id).update(expires_at=F("created_at"))
    wrong, left = begun(activity, "Dana Kerr"), paid.pay(begun(activity, "Kit Moss"))
    at_the_provider(wrong)
    charges.apply_outcome(paid.payment_of(wrong).id, Outcome(State.SUCCEEDED, 2900, "GBP"))
    cancellation.cancel_booking(booking_id=left.id, actor=factories.CUSTOMER)
    return {
        "lapsed": lapsed, "mismatched": paid.payment_of(wrong), "cancelled": paid.payment_of(left),
        "to-pay": part, "waiting": at_the_provider(waiting),
        "declined": at_the_provider(declined, State.FAILED, failure_code="insufficient_funds"),
        "late-booked": paid.settle(paid.payment_of(late)), "returned": paid.settle(paid.payment_of(gone)),
        "over": at_the_provider(over, State.CANCELLED), "booked": booked,
    }  # fmt: skip


def baskets_of(online: Activity, either: Activity) -> dict[str, Reservation]:
    """Return what is held, and begun."""
    held = {
        name: factories.hold(factories.make_session(activity, starts_in=SOON + timedelta(hours=2)), 2, email="")
        for name, activity in (("pay", online), ("ways", either), ("away", either))
    }
    waiting = begun(online, "Anna Archer")
    at_the_provider(waiting)
    return {**held, "begun": paid.reservation_of(waiting)}


def money_shots(money: Money, site: str) -> Iterator[Shot]:
    """Yield every page of money."""

    def basket(name: str, *steps: Callable[[Page], object]) -> Open:
        def act(page: Page) -> None:
            reservation = money.baskets[name]
            path = f"/checkout/{reservation.basket}/"
            token = make_token(purpose="basket", subject=reservation.basket)
            page.context.add_cookies([{"name": COOKIE, "value": token, "url": f"{site}{path}"}])
            page.goto(path)
            for step in steps:
                step(page)

        return act

    def code(text: str) -> Callable[[Page], object]:
        def act(page: Page) -> None:
            page.get_by_text("Promo code or voucher").click()
            page.get_by_label("Promo code").fill(text)
            press("Apply")(page)
            page.locator(".notice").first.wait_for()

        return act

    yield Shot("checkout-pay", basket("pay"))
    yield Shot("checkout-ways", basket("ways"))
    yield Shot("checkout-code", basket("pay", code("TENTH")))
    yield Shot("checkout-code-unknown", basket("pay", code("NONE-SUCH")))
    yield Shot("checkout-begun", basket("begun"))
    yield Shot("checkout-bank-away", basket("away", go_to_the_bank, await_alert))
    reservation = money.baskets["begun"].basket
    token = make_token(purpose="basket", subject=reservation)
    yield Shot("embed-waiting-for-payment", go(f"/embed/checkout/{reservation}/{token}/"))
    for name, payment in money.payments.items():
        yield Shot(f"payment-{name}", go(f"/pay/{payment.id}.{payment.token}/"))
    for name, booking in money.bookings.items():
        yield Shot(f"booking-money-{name}", of_booking(booking))
    yield Shot("manage-cancel-paid", of_booking(money.bookings["voucher"], "cancel/"))
    yield Shot("manage-pay", of_booking(money.bookings["deposit"], "pay/"))
    yield Shot("manage-pay-nothing", of_booking(money.bookings["voucher"], "pay/"))
    link = press("Make a link for somebody else to pay")
    yield Shot("manage-pay-link", of_booking(money.bookings["deposit"], "pay/", link))
    yield Shot("receipt", of_booking(money.bookings["returning"], "receipt/"))


def money_admin_shots(money: Money) -> Iterator[Shot]:
    """Yield the pages of money for staff, who are signed in already."""
    booking, payment = money.bookings["returning"], paid.payment_of(money.bookings["disputed"])
    refund, dispute = Refund.objects.filter(status="failed").latest("id"), Dispute.objects.latest("id")
    made = {
        "payment": ("payments/payment", payment.id), "refund": ("payments/refund", refund.id),
        "dispute": ("payments/dispute", dispute.id), "voucher": ("payments/voucher", Voucher.objects.latest("id").id),
        "provideraccount": ("payments/provideraccount", payment.account_id),
        "promocode": ("bookings/promocode", PromoCode.objects.latest("id").id),
        "booking-money": ("bookings/booking", booking.id),
    }  # fmt: skip
    for path in (*MONEY_LISTS, "bookings/promocode"):
        yield Shot(f"admin-{path.partition('/')[2]}-list", go(f"/admin/{path}/"))
    for name, (path, key) in made.items():
        yield Shot(f"admin-{name}", go(f"/admin/{path}/{key}/change/"))
    for path in ("payments/voucher", "bookings/promocode", "payments/provideraccount"):
        yield Shot(f"admin-{path.partition('/')[2]}-new", go(f"/admin/{path}/add/"))
    yield Shot("admin-statement", go("/admin/payments/ledgertransaction/statement/"))
    record = f"/admin/bookings/booking/{money.bookings['deposit'].id}"
    for act in ("refund", "take-money", "payment-link"):
        yield Shot(f"admin-act-{act}", go(f"{record}/{act}/"))
    yield Shot("admin-act-take-money-seen", after(f"{record}/take-money/", see_what_it_comes_to))
    yield Shot("admin-account-end", go(f"/admin/payments/provideraccount/{payment.account_id}/end/"))


def see_what_it_comes_to(page: Page) -> None:
    """Fill the act in and look."""
    page.get_by_label("Cash").check()
    press("See what it comes to")(page)
    page.get_by_role("heading", name="What this comes to").wait_for()


def go_to_the_bank(page: Page) -> None:
    """Fill the form in and pay, or go on with what the picture before this one began."""
    if page.get_by_label("Your name").count():
        page.get_by_label("Your name").fill("Robin Okafor")
        page.get_by_label("E-mail").fill("robin@example.org")
        page.get_by_label("Pay now").check()
        page.get_by_role("button", name="Pay £").click()
    else:
        page.get_by_role("button", name="Go on to payment").click()
