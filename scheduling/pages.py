"""What the customer pages show, gathered in a few queries; frozen, so that a template can only look."""

import calendar
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from config.kit.clock import database_now
from config.kit.display import clock_text, length_text
from config.kit.refusals import NotFound
from config.tenants.models import Organization
from scheduling import payable
from scheduling.availability import SPAN, Availability, judged
from scheduling.display_cache import display_prices, near_sessions
from scheduling.models import Activity, Venue
from scheduling.months import month_availability, venue_month
from scheduling.venue_days import midnight, venue_day

BookUrl = Callable[[UUID], str]  # a page's own address for booking a session: the site's, or the embed's
VenueBookUrl = Callable[[UUID, UUID], str]  # the same, of an activity's session

BAR_STEPS = 10  # a day's bar is drawn in tenths
FEW = 5  # a fifth or less of the places is "few"


def nowhere(_: UUID) -> str:
    """Return no address: the row is only looked at."""
    return ""


@dataclass(frozen=True, slots=True)
class Day:
    """A cell of the month."""

    date: date
    status: str  # none, available, few, full, closed
    spots: int
    sessions: int
    bar: int  # tenths of the day's places that are free, 1 to 10 when any is
    is_chosen: bool
    reason: str = ""  # of a closure of the whole day

    @property
    def can_be_chosen(self) -> bool:
        """Is there anything to see?"""
        return self.sessions > 0


@dataclass(frozen=True, slots=True)
class Month:
    """A month as a calendar: weeks of days, blank before the first and after the last."""

    first: date
    weeks: tuple[tuple[Day | None, ...], ...]
    before: date | None
    after: date | None

    @property
    def closures(self) -> list[tuple[str, list[date]]]:
        """The closed days by what is said of them, in order."""
        found: dict[str, list[date]] = {}
        for day in (day for week in self.weeks for day in week if day and day.reason):
            found.setdefault(day.reason, []).append(day.date)
        return list(found.items())

    @property
    def chosen_reason(self) -> str:
        """Why the chosen day is closed, if a closure says so."""
        return next((day.reason for week in self.weeks for day in week if day and day.is_chosen), "")


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another time of the same activity that has room."""

    day: date
    clock: str
    spots: int
    is_same_day: bool
    book_url: str


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as a row: when, how much is left, what it costs, why it cannot be booked, and what else could be."""

    id: UUID
    starts_at: datetime
    clock: str
    until: str
    length: str
    spots: int
    capacity: int
    is_available: bool
    is_full: bool
    is_few: bool
    price_minor: int | None
    price_varies: bool
    currency: str
    reason: str
    version: int
    book_url: str
    activity_id: UUID
    activity_name: str
    is_pass: bool  # opening hours, to come and go
    activity_slug: str = ""
    alternatives: tuple[Alternative, ...] = ()
    can_book: bool = True  # here: it can be settled
    can_wait: bool = False
    is_only_held: bool = False  # what is missing is kept for somebody who may not book it, and nobody is next yet


@dataclass(frozen=True, slots=True)
class ActivityPage:
    """An activity with its month and the chosen day's sessions."""

    activity: Activity
    zone: ZoneInfo
    month: Month
    day: date | None
    sessions: tuple[SessionRow, ...]
    price_from: int | None  # of the cheapest who takes a place
    can_book: bool  # here: free, paid on arrival, or paid online


@dataclass(frozen=True, slots=True)
class VenuePage:
    """All that a venue has on sale, with its month and the chosen day's sessions."""

    venue: Venue
    zone: ZoneInfo
    activities: tuple[Activity, ...]
    month: Month
    day: date | None
    sessions: tuple[SessionRow, ...]
    shows_activities: bool = True  # each row says of which it is

    @property
    def can_book(self) -> bool:
        """Can any of it be settled here? Each row says it for itself."""
        return not self.sessions or any(session.can_book for session in self.sessions)


def find_activity(*, organization: str, activity: str) -> Activity:
    """Return what is on sale under these slugs, or raise NotFound."""
    rows = Activity.objects.on_sale().select_related("organization", "venue").prefetch_related("units")
    found = rows.filter(organization__slug=organization, slug=activity).first()
    if found is None:
        raise NotFound
    return found


def organization_page(slug: str) -> tuple[Organization, list[Activity]]:
    """Return an active organization and what it sells, or raise NotFound."""
    organization = Organization.objects.filter(slug=slug, status=Organization.Status.ACTIVE).first()
    if organization is None:
        raise NotFound
    rows = Activity.objects.on_sale().filter(organization=organization).select_related("venue")
    return organization, list(rows.prefetch_related("units").order_by("name"))


def activity_page(activity: Activity, *, month: str | None, day: str | None, book_url: BookUrl) -> ActivityPage:
    """Gather the page for a month ("YYYY-MM") and a day ("YYYY-MM-DD"); what cannot be read is this month's."""
    zone = activity.venue.zone
    asked = _Asked(month, day, database_now().astimezone(zone).date())
    days = _days(month_availability(activity_id=activity.id, year=asked.first.year, month=asked.first.month).body)
    chosen = asked.day_of(days)
    can_book = payable.can_settle(activity)
    rows = sessions_of_day(activity, chosen, book_url) if chosen else []
    sessions = tuple(replace(row, can_book=can_book) for row in rows)
    return ActivityPage(
        activity, zone, _month(asked, days, chosen, activity.opens_days_before), chosen, sessions, activity.price_from,
        can_book,
    )  # fmt: skip


def venue_page(venue: Venue, *, month: str | None, day: str | None, book_url: VenueBookUrl) -> VenuePage:
    """Gather all that a venue has on sale, for a month ("YYYY-MM") and a day ("YYYY-MM-DD") of it."""
    activities = tuple(Activity.objects.on_sale().filter(venue=venue).prefetch_related("units").order_by("name"))
    asked = _Asked(month, day, database_now().astimezone(venue.zone).date())
    days = _days(venue_month(venue=venue, year=asked.first.year, month=asked.first.month).body)
    chosen = asked.day_of(days)
    sessions = tuple(_sessions_of_venue(venue, chosen, activities, book_url)) if chosen else ()
    horizon = max((activity.opens_days_before for activity in activities), default=0)
    return VenuePage(venue, venue.zone, activities, _month(asked, days, chosen, horizon), chosen, sessions)


def _sessions_of_venue(
    venue: Venue, day: date, activities: tuple[Activity, ...], book_url: VenueBookUrl
) -> Iterator[SessionRow]:
    online = payable.can_pay_online(venue.organization_id)
    settled = {one.id: online or one.pay_on_arrival or not payable.costs_money(one) for one in activities}
    for found in venue_day(venue, day, prices=display_prices):
        activity_id = found.session["activity_id"]
        row = session_row(found, venue.zone, partial(book_url, activity_id))
        yield replace(row, can_book=settled.get(activity_id, False))


class _Asked:
    """Which month and day somebody wants to see; what cannot be read, or is over, is this month's."""

    def __init__(self, month: str | None, day: str | None, today: date) -> None:
        self.today = today
        self.day = _date(day)
        first = _date(f"{month}-01") or (self.day or today).replace(day=1)
        self.first = max(first, today.replace(day=1))

    def day_of(self, days: list[Mapping[str, Any]]) -> date | None:
        """Return the day that was asked for, if it is of this month, else the first that is open."""
        if self.day and (self.day.year, self.day.month) == (self.first.year, self.first.month):
            return self.day
        return _first_open(days, self.today)


def _date(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def _days(body: bytes) -> list[Mapping[str, Any]]:
    days: list[Mapping[str, Any]] = json.loads(body)["days"]
    return days


def _first_open(days: list[Mapping[str, Any]], today: date) -> date | None:
    """Return the first day on which something can be booked, else the first with sessions from today on."""
    ahead = [day for day in days if day["sessions"] and date.fromisoformat(day["date"]) >= today]
    good = [day for day in ahead if day["status"] in ("available", "few")]
    return date.fromisoformat((good or ahead)[0]["date"]) if ahead else None


def _month(asked: _Asked, days: list[Mapping[str, Any]], chosen: date | None, horizon: int) -> Month:
    first, today = asked.first, asked.today
    most = max((day["available_spots"] for day in days), default=0) or 1
    cells: list[Day | None] = [None] * first.weekday()
    for day in days:
        spots = day["available_spots"]
        bar = max(round(spots * BAR_STEPS / most), 1) if spots else 0
        on = date.fromisoformat(day["date"])
        sessions = day["sessions"] if on >= today else 0
        reason = (day["reason"] or "") if on >= today else ""
        cells.append(Day(on, day["status"], spots, sessions, bar, on == chosen, reason))
    cells += [None] * (-len(cells) % 7)
    weeks = tuple(tuple(cells[start : start + 7]) for start in range(0, len(cells), 7))
    before = (first - timedelta(days=1)).replace(day=1)
    after = first + timedelta(days=calendar.monthrange(first.year, first.month)[1])
    return Month(
        first,
        weeks,
        before if before >= today.replace(day=1) else None,
        after if after <= today + timedelta(days=horizon) else None,
    )


def sessions_of_day(activity: Activity, day: date, book_url: BookUrl) -> list[SessionRow]:
    """Return the rows of one date of the venue, in order of time, in one query."""
    begins, ends = midnight(activity.venue, day), midnight(activity.venue, day + timedelta(days=1))
    found = judged(SPAN.rows(activity=activity.id, begins=begins, ends=ends), prices=display_prices)
    return [session_row(each, activity.venue.zone, book_url) for each in found]


def session_row(found: Availability, zone: ZoneInfo, book_url: BookUrl = nowhere) -> SessionRow:
    """Write a session as a row."""
    session = found.session
    return SessionRow(
        id=session["id"],
        starts_at=session["starts_at"],
        clock=clock_text(session["starts_at"], zone),
        until=clock_text(session["ends_at"], zone),
        length=length_text(session["ends_at"] - session["starts_at"]),
        spots=found.spots,
        capacity=session["capacity_total"],
        is_available=found.is_available,
        is_full=found.is_full,
        is_few=0 < found.spots * FEW <= session["capacity_total"],
        price_minor=session["price"],
        price_varies=session.get("price_varies", False),
        currency=session["currency"],
        reason=next(iter(found.words.values()), ""),
        version=session["version"],
        book_url=book_url(session["id"]),
        activity_id=session["activity_id"],
        activity_name=session["activity_name"],
        is_pass=session["kind"] == Activity.Kind.PASS,
        activity_slug=session["activity_slug"],
        can_wait=found.can_wait,
        is_only_held=session["waiting"] == 0 and session["places_held"] > session["lapsed"],
        alternatives=tuple(_alternatives(found, zone, book_url)),
    )


def _alternatives(found: Availability, zone: ZoneInfo, book_url: BookUrl) -> Iterator[Alternative]:
    """Yield where else there is room, of a session for which it is too late or that has none."""
    if found.is_available:
        return
    session = found.session
    day = session["starts_at"].astimezone(zone).date()
    for one in near_sessions(session["activity_id"], session["starts_at"], session["smallest_party"]):
        on = one.starts_at.astimezone(zone).date()
        yield Alternative(on, clock_text(one.starts_at, zone), one.spots, on == day, book_url(one.id))
