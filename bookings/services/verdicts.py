"""What is asked of a booking's rules, and what they answer: the shapes; validation.py fills them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from bookings.booking_quotes import BookingQuote, LineQuote
from bookings.models import Line, PromoCode
from bookings.orders import Contact, Person, Terms, Wanted
from config.kit.facts import ActorKind
from config.kit.refusals import FieldError, InvalidRequest, NotFound, Refusal
from payments.methods import PaymentMethod
from payments.models import Voucher
from scheduling.models import Reservation
from scheduling.services.assessing import Assessed, NotBookable

Look = Callable[[Mapping[str, UUID]], dict[str, Line]]
FIRST = (NotFound, InvalidRequest)  # what is answered before everything else, in this order


class TotalDiffers(Refusal):
    """The customer was shown another total; compared, never believed."""

    code, title = "total_differs", "The price is not the one that you were shown"


class CurrencyNotAccepted(Refusal):
    """It cannot be paid for in this currency; `accepted` are those in which it can."""

    code, title, status = "currency_not_accepted", "This cannot be paid for in this currency", 422


@dataclass(frozen=True, slots=True)
class Order:
    """Lines to be taken, or the reservations of a basket; who asks, and for whom."""

    contact: Contact
    terms: Terms
    lines: Sequence[Wanted] = ()
    held: Sequence[Reservation] = ()
    held_people: Mapping[UUID, tuple[Person, ...]] = field(default_factory=dict)  # by reservation, of a basket
    organization_id: UUID | None = None
    overbook: bool = False  # a permitted person gave a reason: places that are short are no fault
    asked_by: ActorKind = ActorKind.CUSTOMER
    look: Look | None = None  # for twins; None: the caller is a stranger, and must not learn who has booked what

    @property
    def people(self) -> list[tuple[Person, ...]]:
        """Return who comes on each line."""
        return [line.participants for line in self.lines] or [self.held_people.get(each.id, ()) for each in self.held]


@dataclass(frozen=True, slots=True)
class LineVerdict:
    """One line: what it would take and cost, and what stands against it."""

    number: int
    session_id: UUID
    organization_id: UUID | None = None
    party_size: int = 0
    amount_minor: int | None = None  # None: it cannot be priced as it is
    currency: str = ""
    quote: Sequence[Mapping[str, Any]] = ()
    available_spots: int | None = None
    refusals: tuple[Refusal, ...] = ()
    assessed: Assessed | None = None  # of a line to be taken
    money: LineQuote | None = None  # None: the booking cannot be priced as it is
    terms: Mapping[str, Any] = field(default_factory=dict)  # for changing and cancelling it, once it is booked

    @property
    def discount_minor(self) -> int:
        """Return what a promo code takes off it."""
        return self.money.discount_minor if self.money else 0

    @property
    def path(self) -> str:
        """Return where it stands in the request."""
        return f"lines.{self.number}"

    @property
    def errors(self) -> list[FieldError]:
        """Return everything that stands against it, each at its field."""
        return [error for refusal in self.refusals for error in _errors_of(refusal, self.path)]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Every line, what stands against the whole, and how it would be settled."""

    lines: tuple[LineVerdict, ...]
    refusals: tuple[Refusal, ...] = ()  # about the whole
    quote: BookingQuote | None = None  # None: one of the lines has no price, or they do not go together
    promo: PromoCode | None = None  # that is used
    voucher: Voucher | None = None  # that pays
    twins: Mapping[str, Line] = field(default_factory=dict)  # of other bookings, by duplicate key
    keys: Sequence[str] = ()  # duplicate keys, one a line

    @property
    def method(self) -> PaymentMethod | None:
        """Return how it would be paid for, or None when it cannot be as it is."""
        return self.quote.method if self.quote else None

    @property
    def total_minor(self) -> int | None:
        """Return what all lines cost after the code, or None when one of them has no price."""
        return self.quote.total_minor if self.quote else None

    @property
    def discounts(self) -> list[int]:
        """Return what the code takes off each line."""
        return [line.discount_minor for line in self.lines]

    @property
    def discount_minor(self) -> int:
        """Return what the code takes off in all."""
        return sum(self.discounts)

    @property
    def deposit_minor(self) -> int | None:
        """Return what must be paid to confirm it, where that is less than the total."""
        return self.quote.deposit_minor if self.quote else None

    @property
    def balance_due_at(self) -> datetime | None:
        """Return until when the rest is due, where there is a deposit."""
        return self.quote.balance_due_at if self.quote else None

    @property
    def voucher_minor(self) -> int:
        """Return what the voucher would pay of the total."""
        return self.quote.voucher_minor if self.quote else 0

    @property
    def due_now_minor(self) -> int:
        """Return what must be paid online before it is confirmed, besides what the voucher pays."""
        return self.quote.due_now_minor if self.quote else 0

    @property
    def errors(self) -> list[FieldError]:
        """Return everything that is wrong, lines first."""
        of_lines = [error for line in self.lines for error in line.errors]
        return of_lines + [error for refusal in self.refusals for error in _errors_of(refusal, _whole(refusal))]

    @property
    def is_bookable(self) -> bool:
        """Does nothing stand against it?"""
        return not self.refusals and not any(line.refusals for line in self.lines)

    def require(self) -> None:
        """Raise the gravest of the refusals, with the errors of all."""
        found = [*(refusal for line in self.lines for refusal in line.refusals), *self.refusals]
        if found:
            leading = min(found, key=lambda each: FIRST.index(type(each)) if type(each) in FIRST else len(FIRST))
            leading.errors = self.errors
            if isinstance(leading, InvalidRequest):
                details = [each.detail for each in found if isinstance(each, InvalidRequest)]
                leading.detail = " ".join(dict.fromkeys(details))
            raise leading


def _errors_of(refusal: Refusal, path: str) -> list[FieldError]:
    """Return a refusal's errors, or the one that it is, at this path."""
    if isinstance(refusal, NotBookable):
        return [FieldError(f"{path}.{error.field}", error.code, error.detail) for error in refusal.errors]
    return refusal.errors or [FieldError(path, refusal.code, refusal.detail)]


def _whole(refusal: Refusal) -> str:
    return "expected_total" if isinstance(refusal, TotalDiffers) else "payment_method"
