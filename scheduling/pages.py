"""What the customer pages show, gathered in a few queries; frozen, so that a template can only look."""

import calendar
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from config.kit.clock import database_now
from config.kit.display import clock_text, length_text
from config.kit.refusals import NotFound
from config.tenants.models import Organization
from scheduling.availability import REASONS, Availability, judge, with_availability
from scheduling.models import Activity, Session
from scheduling.months import month_availability

BookUrl = Callable[[UUID], str]  # a page's own address for booking a session: the site's, or the embed's

BAR_STEPS = 10  # a day's bar is drawn in tenths
FEW = 5  # a fifth or less of the places is "few"


@dataclass(frozen=True, slots=True)
class Day:
    """A cell of the month."""

    date: date
    status: str  # none, available, few, full, closed
    spots: int
    sessions: int
    bar: int  # tenths of the day's places that are free, 1 to 10 when any is
    is_chosen: bool

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


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as a row: when, how much is left, what it costs, and why it cannot be booked."""

    id: UUID
    starts_at: datetime
    clock: str
    length: str
    spots: int
    capacity: int
    is_available: bool
    is_full: bool
    is_few: bool
    price_minor: int | None
    currency: str
    reason: str
    version: int
    book_url: str


@dataclass(frozen=True, slots=True)
class ActivityPage:
    """An activity with its month and the chosen day's sessions."""

    activity: Activity
    zone: ZoneInfo
    month: Month
    day: date | None
    sessions: tuple[SessionRow, ...]
    price_from: int | None  # of the cheapest who takes a place
    costs_money: bool

    @property
    def can_book(self) -> bool:
        """Can it be settled here: free, or paid on arrival?"""
        return self.activity.pay_on_arrival or not self.costs_money


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
    today = database_now().astimezone(zone).date()
    chosen = _date(day)
    first = _date(f"{month}-01") or (chosen or today).replace(day=1)
    first = max(first, today.replace(day=1))
    days = _days(activity, first)
    if chosen is None or (chosen.year, chosen.month) != (first.year, first.month):
        chosen = _first_open(days, today)
    sessions = tuple(sessions_of_day(activity, chosen, book_url)) if chosen else ()
    return ActivityPage(
        activity, zone, _month(first, days, chosen, today, activity.opens_days_before), chosen, sessions,
        activity.price_from, any(unit.price_minor for unit in activity.units.all()),
    )  # fmt: skip


def _date(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def _days(activity: Activity, first: date) -> list[Mapping[str, Any]]:
    body = month_availability(activity_id=activity.id, year=first.year, month=first.month).body
    days: list[Mapping[str, Any]] = json.loads(body)["days"]
    return days


def _first_open(days: list[Mapping[str, Any]], today: date) -> date | None:
    """Return the first day on which something can be booked, else the first with sessions from today on."""
    ahead = [day for day in days if day["sessions"] and date.fromisoformat(day["date"]) >= today]
    good = [day for day in ahead if day["status"] in ("available", "few")]
    return date.fromisoformat((good or ahead)[0]["date"]) if ahead else None


def _month(first: date, days: list[Mapping[str, Any]], chosen: date | None, today: date, horizon: int) -> Month:
    most = max((day["available_spots"] for day in days), default=0) or 1
    cells: list[Day | None] = [None] * first.weekday()
    for day in days:
        spots = day["available_spots"]
        bar = max(round(spots * BAR_STEPS / most), 1) if spots else 0
        on = date.fromisoformat(day["date"])
        sessions = day["sessions"] if on >= today else 0
        cells.append(Day(on, day["status"], spots, sessions, bar, on == chosen))
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
    zone = activity.venue.zone
    begins = datetime(day.year, day.month, day.day, tzinfo=zone)
    sessions = Session.objects.visible().filter(
        activity=activity, starts_at__gte=begins, starts_at__lt=begins + timedelta(days=1)
    )
    return [
        session_row(judge(row), zone, book_url(row["id"])) for row in with_availability(sessions.order_by("starts_at"))
    ]


def session_row(found: Availability, zone: ZoneInfo, book_url: str = "") -> SessionRow:
    """Write a session as a row."""
    session = found.session
    return SessionRow(
        id=session["id"],
        starts_at=session["starts_at"],
        clock=clock_text(session["starts_at"], zone),
        length=length_text(session["ends_at"] - session["starts_at"]),
        spots=found.spots,
        capacity=session["capacity_total"],
        is_available=found.is_available,
        is_full=found.is_full,
        is_few=0 < found.spots * FEW <= session["capacity_total"],
        price_minor=session["price"],
        currency=session["currency"],
        reason=REASONS[found.reasons[0]] if found.reasons else "",
        version=session["version"],
        book_url=book_url,
    )
