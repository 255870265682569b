"""What the door's page shows: a venue's sessions of today, who is expected and who is here, and what can be done."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q

from bookings.models import Booking, Line
from scheduling.models import Session, Venue

Attendance = Line.Attendance
SOON = timedelta(hours=1)  # a session is unfolded from an hour before its start until its end
FEWEST_DIGITS = 4  # of a telephone number, before it is looked for


@dataclass(frozen=True, slots=True)
class Act:
    """A button: what it asks for, and what it says."""

    name: str
    words: str
    is_main: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """A line as the door sees it."""

    line: Line
    zone: ZoneInfo
    people: tuple[str, ...]
    acts: tuple[Act, ...]

    @property
    def is_here(self) -> bool:
        """Have they come?"""
        return self.line.attendance in (Attendance.ARRIVED, Attendance.COMPLETED)


@dataclass(frozen=True, slots=True)
class DoorSession:
    """A session of today, with its lines in order of the names."""

    session: Session
    arrivals: tuple[Arrival, ...]
    is_now: bool

    @property
    def expected(self) -> int:
        """Return how many people have booked."""
        return sum(arrival.line.party_size for arrival in self.arrivals)

    @property
    def here(self) -> int:
        """Return how many of them have come."""
        return sum(arrival.line.party_size for arrival in self.arrivals if arrival.is_here)


def sessions_today(venue: Venue, *, now: datetime) -> list[Session]:
    """Return the sessions of the venue's day, and those that still last from before, by time."""
    midnight = now.astimezone(venue.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    tomorrow = midnight + timedelta(days=1)  # by the wall clock: a day may have 23 hours
    rows = Session.objects.filter(
        Q(starts_at__gte=midnight, starts_at__lt=tomorrow) | Q(starts_at__lt=midnight, ends_at__gt=now),
        organization=venue.organization_id, activity__venue=venue, starts_at__gt=midnight - timedelta(days=2),
    ).exclude(status__in=(Session.Status.WITHDRAWN, Session.Status.CANCELLED))  # fmt: skip
    return list(rows.select_related("activity").order_by("starts_at", "id"))


def door_sessions(venue: Venue, *, now: datetime, search: str = "") -> list[DoorSession]:
    """Return today's sessions with their lines; with a search, those lines alone that it finds."""
    sessions = sessions_today(venue, now=now)
    lines = _lines([session.id for session in sessions])
    found = [line for line in lines if matches(line, search)] if search.strip() else lines
    by_session = {session.id: [line for line in found if line.session_id == session.id] for session in sessions}
    return [
        _door_session(session, by_session[session.id], venue.zone, now, is_searched=bool(search.strip()))
        for session in sessions
        if by_session[session.id] or not search.strip()
    ]


def _lines(session_ids: Iterable[UUID]) -> list[Line]:
    rows = Line.objects.filter(
        session__in=list(session_ids), status=Line.Status.LIVE, booking__status=Booking.Status.CONFIRMED
    )
    rows = rows.select_related("booking__customer", "session").prefetch_related("links__participant")
    return list(rows.order_by("booking__contact_name", "id"))


def _door_session(
    session: Session, lines: Sequence[Line], zone: ZoneInfo, now: datetime, *, is_searched: bool
) -> DoorSession:
    is_now = is_searched or session.starts_at - SOON <= now < session.ends_at
    return DoorSession(session, tuple(arrival_of(line, zone, now) for line in lines), is_now)


def arrival_of(line: Line, zone: ZoneInfo, now: datetime) -> Arrival:
    """Return a line with its buttons; its booking, session and participants are fetched already."""
    return Arrival(line, zone, tuple(person.name for person in line.people), acts_of(line, now))


def acts_of(line: Line, now: datetime) -> tuple[Act, ...]:
    """Return what can be noted of a line now; the service has the last word."""
    if line.status != Line.Status.LIVE or line.booking.status != Booking.Status.CONFIRMED:
        return ()
    over, begun = now >= line.session.ends_at, now >= line.session.starts_at
    missed = (Act("missed", "Did not come"),) if begun else ()
    if line.attendance == Attendance.EXPECTED:
        return (Act("came", "Came", is_main=True) if over else Act("check_in", "Check in", is_main=True), *missed)
    if line.attendance == Attendance.ARRIVED:
        return (Act("came", "Came", is_main=True),) if over else (Act("undo", "Undo"),)
    if line.attendance == Attendance.NO_SHOW:
        return (Act("came_after_all", "Came after all"),)
    return (Act("missed_after_all", "Did not come after all"),)


def matches(line: Line, search: str) -> bool:
    """Is this the line of whoever is looked for, by number, name, address or telephone?"""
    booking, wanted = line.booking, search.strip().casefold()
    names = (booking.number, booking.contact_name, booking.customer.name, booking.customer.email)
    if any(wanted in text.casefold() for text in (*names, *(person.name for person in line.people))):
        return True
    digits = _digits(wanted)
    phones = (booking.contact_phone, booking.customer.phone)
    return len(digits) >= FEWEST_DIGITS and any(digits in _digits(phone) for phone in phones)


def _digits(text: str) -> str:
    """Return a telephone number's digits without the 0 that it begins with at home."""
    return "".join(letter for letter in text if letter.isdigit()).removeprefix("0")
