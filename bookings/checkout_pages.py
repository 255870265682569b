"""What a checkout says of money: the price with code and voucher, the ways to pay, and what is begun and not paid."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from bookings import payment_links
from bookings.booking_quotes import BookingQuote, with_deposit
from bookings.models import Booking, Line, Participant
from bookings.orders import Contact, Terms
from bookings.pages import BasketLine, BasketPage
from bookings.payment_pages import came_instead
from bookings.services import pricing, promo_codes, settlement
from bookings.services.verdicts import LineVerdict, Order
from config.kit.clock import database_now
from config.kit.display import day_text
from config.kit.refusals import Refusal
from payments.methods import PaymentMethod
from payments.models import Payment, ProviderName
from payments.services import charges
from payments.services.balances import balance_of

CODES = frozenset({"promo_code", "voucher"})


@dataclass(frozen=True, slots=True)
class Sums:
    """What the lines come to: less a code, less a voucher; minor units of one currency."""

    currency: str
    total_minor: int
    discount_minor: int = 0
    code: str = ""
    percent: int | None = None
    voucher_minor: int = 0

    @property
    def left_minor(self) -> int:
        """What is left when the voucher has paid its part."""
        return self.total_minor - self.voucher_minor


@dataclass(frozen=True, slots=True)
class Choice:
    """A way to pay, and what it comes to now and later."""

    method: PaymentMethod
    quote: BookingQuote

    @property
    def name(self) -> str:
        """Return what the button says, in a word: pay, arrival, voucher, free."""
        if self.method == PaymentMethod.ONLINE:
            return "pay" if self.quote.due_now_minor else "voucher"
        return "free" if self.method == PaymentMethod.FREE else "arrival"

    @property
    def later_day(self) -> str:
        """Return the day by which the rest is due, where there is a deposit."""
        due_at = self.quote.balance_due_at
        return day_text(due_at, due_at.tzinfo or UTC) if due_at and self.quote.due_later_minor else ""


@dataclass(frozen=True, slots=True)
class Prices:
    """What a basket comes to with these codes, each way to pay for it, and what stands against the codes."""

    sums: Sums
    choices: tuple[Choice, ...]  # none: it cannot be paid for here
    faults: tuple[Refusal, ...] = ()

    def chosen(self, method: str | None) -> Choice | None:
        """Return the way that was asked for, or else the first."""
        return next((each for each in self.choices if each.method == method), next(iter(self.choices), None))


def prices_of(page: BasketPage, *, promo_code: str = "", voucher: str = "") -> Prices:
    """Price a basket with the codes that somebody has typed; a code that does not do takes nothing off, and says why.

    Only a look: the checkout decides under its locks, and compares the total.
    """
    terms = Terms(payment_method=PaymentMethod.PAY_ON_ARRIVAL, promo_code=promo_code, voucher=voucher)
    order = Order(Contact("", ""), terms, held=[line.reservation for line in page.lines])
    priced = pricing.price_booking(order, [_verdict(number, line) for number, line in enumerate(page.lines)])
    assert priced.quote is not None  # noqa: S101 what is held has its price
    faults = tuple(each for each in priced.refusals if any(error.field in CODES for error in each.errors))
    return Prices(_sums(priced.quote), tuple(_choices(page, priced.quote)), faults)


def _verdict(number: int, line: BasketLine) -> LineVerdict:
    held = line.reservation
    return LineVerdict(
        number, held.session_id, held.organization_id, held.party_size, held.amount_minor, held.currency, held.quote
    )


def _sums(quote: BookingQuote) -> Sums:
    rebate = quote.rebate
    return Sums(
        quote.currency, quote.total_minor, quote.discount_minor, rebate.code if rebate else "",
        rebate.percent if rebate else None, quote.voucher_minor,
    )  # fmt: skip


def _choices(page: BasketPage, quote: BookingQuote) -> list[Choice]:
    """Return how this could be paid for: online first, then at the desk; what is paid already needs no choice."""
    plain = replace(quote, method=None, balance_due_at=None)
    if not quote.total_minor:
        return [Choice(PaymentMethod.FREE, replace(plain, method=PaymentMethod.FREE))]
    is_covered = quote.voucher_minor >= quote.total_minor
    methods = [PaymentMethod.ONLINE] if is_covered or charges.can_pay_online(page.organization.id) else []
    if page.pay_on_arrival and not is_covered:
        methods.append(PaymentMethod.PAY_ON_ARRIVAL)
    if not any(line.terms for line in plain.lines):
        return [Choice(method, replace(plain, method=method)) for method in methods]
    now = database_now()
    return [Choice(method, with_deposit(replace(plain, method=method), at=now)) for method in methods]


# Begun, and not paid ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Begun:
    """A booking that waits for its money: what it comes to, what is to be paid, and what became of the last try."""

    booking: Booking
    sums: Sums
    due_minor: int
    payment: Payment | None  # the last one
    later_minor: int = 0
    balance_due_at: datetime | None = None
    came: str = ""  # the amount that came instead of the one that was asked for: staff look at it

    @property
    def own_url(self) -> str:
        """Return where the last payment tells what became of it; empty without one."""
        return payment_links.own_address(self.payment) if self.payment else ""

    @property
    def go_url(self) -> str:
        """Return what leads on to the provider's page."""
        return f"{self.own_url}go/" if self.payment else ""

    @property
    def has_failed(self) -> bool:
        """Did the last try come to nothing?"""
        return self.payment is not None and self.payment.status in (Payment.Status.FAILED, Payment.Status.CANCELLED)


def begun_of(booking: Booking) -> Begun:
    """Gather a pending booking with what it waits for."""
    lines = booking.lines.filter(status=Line.Status.LIVE).values_list("discount_minor", flat=True)
    use, paid = promo_codes.use_of(booking), balance_of(booking.id).net_minor
    rows = Payment.objects.filter(reference=booking.id, provider=ProviderName.STRIPE)
    payment, required = rows.order_by("-id").first(), settlement.required_minor(booking)
    return Begun(
        booking=booking, due_minor=max(required - paid, 0), payment=payment,
        came=came_instead(payment) if payment else "",
        later_minor=booking.total_minor - max(required, paid), balance_due_at=booking.balance_due_at,
        sums=Sums(
            booking.currency, booking.total_minor, sum(lines), use.code if use else "", use.percent if use else None,
            paid,
        ),
    )  # fmt: skip


def known_of(basket: UUID) -> dict[str, str]:
    """Return who began to book a basket, and with which codes: whoever turns back need not write it twice."""
    rows = Line.objects.filter(reservation__basket=basket).select_related("booking__customer")
    line = rows.order_by("-id").first()
    if line is None:
        return {}
    booking = line.booking
    use = getattr(booking, "promo_use", None)
    voucher = Payment.objects.filter(reference=booking.id, provider=ProviderName.VOUCHER).select_related("voucher")
    paid_with = next((each.voucher.code for each in voucher if each.voucher), "")
    return {
        "name": booking.contact_name, "email": booking.customer.email, "phone": booking.contact_phone,
        "promo_code": use.code if use else "", "voucher": paid_with, "payment_method": booking.payment_method,
    }  # fmt: skip


def known_people(basket: UUID) -> dict[UUID, list[Participant]]:
    """Return who was named on each reservation of a basket that was begun."""
    rows = Line.objects.filter(reservation__basket=basket).prefetch_related("links__participant").order_by("id")
    return {line.reservation_id: line.people for line in rows}  # of several the last one counts
