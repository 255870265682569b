"""A booking's receipt as a document: what it cost, what was paid and given back, each with its date. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date

from bookings.models import Booking, Line
from bookings.money_pages import Money
from bookings.pages import BookingPage, ManagedLine
from config.kit.display import LOCALE, clock_text, money_text

Row = tuple[str, str]  # what, and how much


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """What was booked: its name, when it is, and what of it costs how much."""

    name: str
    when: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class ReceiptMove:
    """A payment or a refund: on which day, by which way, how much, and how it stands."""

    day: str
    what: str
    amount: str
    state: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """One page of paper."""

    organization: str
    number: str
    name: str
    day: str  # on which it was written
    zone: str
    lines: tuple[ReceiptLine, ...]
    sums: tuple[Row, ...]
    total: str
    moves: tuple[ReceiptMove, ...]
    paid: str
    due: str  # empty: nothing

    @property
    def title(self) -> str:
        """Return what the file and the page are called."""
        return f"Receipt for booking {self.number}"


def receipt_of(page: BookingPage, *, at: datetime) -> Receipt:
    """Write the receipt of a booking as it stands now."""
    booking, money, zone = page.booking, page.money, page.zone
    return Receipt(
        organization=page.organization.name, number=booking.number, name=booking.contact_name, day=_day(at, zone),
        zone=str(zone), lines=tuple(_line(row, booking) for row in page.rows), sums=tuple(_sums(money, booking)),
        total=money_text(booking.total_minor, booking.currency), moves=tuple(_moves(money, zone)),
        paid=money_text(money.due.paid_minor, booking.currency),
        due=money_text(money.due.due_minor, booking.currency) if money.due.due_minor else "",
    )  # fmt: skip


def _line(row: ManagedLine, booking: Booking) -> ReceiptLine:
    session = row.line.session
    when = f"{_day(session.starts_at, row.zone)}, {clock_text(session.starts_at, row.zone)}"
    return ReceiptLine(f"{session.activity.name}, {session.activity.venue.name}", when, tuple(_rows(row.line, booking)))


def _rows(line: Line, booking: Booking) -> Iterator[Row]:
    if line.status == Line.Status.CANCELLED:
        yield "Cancelled; kept of it", money_text(line.fee_minor, booking.currency)
        return
    for entry in line.quote:
        yield f"{entry['count']} × {entry['name']}", money_text(entry["amount_minor"], booking.currency)


def _sums(money: Money, booking: Booking) -> Iterator[Row]:
    if money.discount_minor:
        yield f"Code {money.code}".strip(), f"−{money_text(money.discount_minor, money.currency)}"
    if booking.fee_minor:
        yield "Fees for changes", money_text(booking.fee_minor, money.currency)
    if money.rebate_minor:
        yield "Let off by the venue", f"−{money_text(money.rebate_minor, money.currency)}"


def _moves(money: Money, zone: ZoneInfo) -> Iterator[ReceiptMove]:
    for each in money.moved:
        amount = money_text(each.amount_minor, money.currency)
        yield ReceiptMove(_day(each.at, zone), each.what, f"−{amount}" if each.is_back else amount, each.state)


def _day(at: datetime, zone: ZoneInfo) -> str:
    return str(format_date(at.astimezone(zone).date(), "d MMMM y", locale=LOCALE))
