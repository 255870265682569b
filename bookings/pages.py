"""What checkout and management pages show."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from bookings.models import Booking, Line
from config.kit.clock import database_now
from config.kit.refusals import NotFound
from config.tenants.models import Organization
from scheduling.availability import judge, with_availability
from scheduling.models import Activity, Reservation, Session


@dataclass(frozen=True, slots=True)
class BasketLine:
    """A reservation in the basket, with what its session says now."""

    reservation: Reservation
    session: Session
    activity: Activity
    zone: ZoneInfo
    still_free: int  # for a lapsed one: what a fresh hold could take


@dataclass(frozen=True, slots=True)
class BasketPage:
    """The basket: what is in it, until when, and what it costs."""

    basket: UUID
    organization: Organization
    lines: tuple[BasketLine, ...]
    expires_at: datetime
    seconds_left: int
    total_minor: int
    currency: str
    is_held: bool
    can_extend: bool
    can_hold_again: bool
    pay_on_arrival: bool
    booking: Booking | None

    @property
    def clock_left(self) -> str:
        """The time left as a clock: 9:59; a script counts it down from there."""
        return f"{self.seconds_left // 60}:{self.seconds_left % 60:02}"

    @property
    def zone(self) -> ZoneInfo:
        """The first line's: pages name it beside the time."""
        return self.lines[0].zone


def basket_page(basket: UUID) -> BasketPage:
    """Gather a basket, or raise NotFound when nothing was ever in it, or all of it was given back."""
    rows = Reservation.objects.of_basket(basket).exclude(status=Reservation.Status.RELEASED)
    reservations = list(rows.select_related("session__activity__venue", "organization"))
    if not reservations:
        raise NotFound
    now = database_now()
    is_held = all(reservation.is_held(at=now) for reservation in reservations)
    is_booked = any(reservation.status == Reservation.Status.CONFIRMED for reservation in reservations)
    free = {} if is_held or is_booked else _free_now([r.session_id for r in reservations])
    expires_at = min(reservation.expires_at for reservation in reservations)
    lines = tuple(_line(reservation, free) for reservation in reservations)
    return BasketPage(
        basket=basket,
        organization=reservations[0].organization,
        lines=lines,
        expires_at=expires_at,
        seconds_left=max(int((expires_at - now).total_seconds()), 0),
        total_minor=sum(reservation.amount_minor for reservation in reservations),
        currency=reservations[0].currency,
        is_held=is_held,
        can_extend=is_held and not any(reservation.extended for reservation in reservations),
        can_hold_again=bool(free) and all(line.still_free >= line.reservation.places for line in lines),
        pay_on_arrival=all(line.activity.pay_on_arrival for line in lines),
        booking=Booking.objects.filter(lines__reservation__in=reservations).first() if is_booked else None,
    )


def _line(reservation: Reservation, free: dict[UUID, int]) -> BasketLine:
    activity = reservation.session.activity
    still_free = free.get(reservation.session_id, 0)
    return BasketLine(reservation, reservation.session, activity, activity.venue.zone, still_free)


def _free_now(session_ids: list[UUID]) -> dict[UUID, int]:
    rows = with_availability(Session.objects.filter(id__in=session_ids))
    return {row["id"]: judge(row).spots for row in rows}


@dataclass(frozen=True, slots=True)
class BookingPage:
    """A booking as its customer sees it."""

    booking: Booking
    organization: Organization
    lines: tuple[Line, ...]
    zone: ZoneInfo


def booking_page(number: str) -> BookingPage:
    """Gather a booking by its number, or raise NotFound."""
    booking = Booking.objects.select_related("organization", "customer").filter(number=number).first()
    if booking is None:
        raise NotFound
    rows = booking.lines.select_related("session__activity__venue").prefetch_related("participants")
    lines = tuple(rows.order_by("session__starts_at", "id"))
    return BookingPage(booking, booking.organization, lines, lines[0].session.activity.venue.zone)
