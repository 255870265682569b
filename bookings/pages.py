"""What checkout and management pages show."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from bookings.labels import WORDS, Label, label_of
from bookings.models import Booking, Line
from bookings.money_pages import Money, money_of
from bookings.policies import Act, Situation
from bookings.services import amendments
from bookings.services.amendments import Case
from bookings.terms_words import terms_in_words
from bookings.timeline import Told, story_of
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from config.kit.refusals import NotFound
from config.tenants.models import Organization
from scheduling.availability import judge, with_availability
from scheduling.models import Activity, Reservation, Session

ASKING = Actor(kind=ActorKind.CUSTOMER, channel="web")  # whoever reads the page; the acts know who does them


@dataclass(frozen=True, slots=True)
class BasketLine:
    """A reservation in the basket, with what its session says now."""

    reservation: Reservation
    session: Session
    activity: Activity
    zone: ZoneInfo
    still_free: int  # for a lapsed one: what a fresh hold could take
    terms: str  # on which it is booked, in words


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
    booking: Booking | None  # that it has become
    waiting: Booking | None = None  # that was begun and is not paid yet

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
    lines = tuple(_line(reservation, free, at=now) for reservation in reservations)
    begun = _booking_of(reservations)
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
        booking=begun if is_booked else None,
        waiting=begun if begun and begun.status == Booking.Status.PENDING else None,
    )


def _booking_of(reservations: list[Reservation]) -> Booking | None:
    rows = Booking.objects.filter(lines__reservation__in=reservations, lines__status=Line.Status.LIVE)
    return rows.select_related("customer").first()


def _line(reservation: Reservation, free: dict[UUID, int], *, at: datetime) -> BasketLine:
    session, activity = reservation.session, reservation.session.activity
    zone, still_free = activity.venue.zone, free.get(session.id, 0)
    situation = Situation(amendments.terms_now(activity), session.starts_at, session.ends_at, at)
    words = terms_in_words(situation, zone=zone, currency=activity.currency, price_minor=reservation.amount_minor)
    return BasketLine(reservation, session, activity, zone, still_free, words)


def _free_now(session_ids: list[UUID]) -> dict[UUID, int]:
    rows = with_availability(Session.objects.filter(id__in=session_ids))
    return {row["id"]: judge(row).spots for row in rows}


@dataclass(frozen=True, slots=True)
class ManagedLine:
    """A line as its customer sees it, and what they may do with it."""

    line: Line
    zone: ZoneInfo
    is_live: bool
    is_released: bool  # its session will not take place, or stands outside the timetable
    may: frozenset[Act]
    terms: str  # on which it was booked, in words; empty: nothing can be done any more


@dataclass(frozen=True, slots=True)
class BookingPage:
    """A booking as its customer sees it."""

    booking: Booking
    organization: Organization
    lines: tuple[Line, ...]
    zone: ZoneInfo
    rows: tuple[ManagedLine, ...]
    label: Label
    story: tuple[Told, ...]
    may_cancel: bool
    may_transfer: bool
    why_not: tuple[str, ...]  # what the terms or the clock stand against, in words
    money: Money

    @property
    def headline(self) -> str:
        """Say how it stands."""
        return WORDS[self.label]

    @property
    def is_over(self) -> bool:
        """Is nothing of it left to come to?"""
        return not any(row.is_live for row in self.rows)


def find_booking(number: str) -> Booking:
    """Return a booking by its number, or raise NotFound."""
    booking = Booking.objects.select_related("organization", "customer").filter(number=number).first()
    if booking is None:
        raise NotFound
    return booking


def booking_page(number: str) -> BookingPage:
    """Gather a booking by its number, or raise NotFound."""
    booking = find_booking(number)
    case = amendments.read_case(booking, ASKING)
    zone = case.lines[0].session.activity.venue.zone
    is_booked = booking.status == Booking.Status.CONFIRMED
    rows = tuple(_managed(case, line, is_booked=is_booked) for line in case.lines)
    live = case.live if is_booked else ()
    return BookingPage(
        booking=booking, organization=booking.organization, lines=case.lines, zone=zone, rows=rows,
        label=label_of(booking.status, case.lines), story=tuple(story_of(booking, zone)),
        may_cancel=any(Act.CANCEL in row.may for row in rows),
        may_transfer=bool(live) and not case.obstacles(Act.TRANSFER, live),
        why_not=tuple(dict.fromkeys(each.words for act in Act for each in case.obstacles(act, live))),
        money=money_of(booking, case.lines, now=case.now),
    )  # fmt: skip


def _managed(case: Case, line: Line, *, is_booked: bool) -> ManagedLine:
    """Say what of a line can still be changed."""
    is_live = is_booked and line.status == Line.Status.LIVE
    may = frozenset(act for act in Act if is_live and not case.obstacles(act, [line]))
    zone, is_released = line.session.activity.venue.zone, is_live and line.id in case.released
    words = ""
    if is_live and not is_released and case.now < line.session.starts_at:
        currency, price = case.booking.currency, amendments.net_of(line)
        words = terms_in_words(case.situation(line), zone=zone, currency=currency, price_minor=price)
    return ManagedLine(line, zone, is_live, is_released, may, words)
