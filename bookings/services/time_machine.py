"""Any booking, session or day as it was at a moment, from the facts alone; and whether they agree with the rows now."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from bookings.history import BookingThen, LineThen, replay
from bookings.models import Booking, BookingEvent, Line
from scheduling.models import Activity, Session


@dataclass(frozen=True, slots=True)
class SessionThen:
    """Who was booked in a session: each line with the booking that it was of."""

    session_id: UUID
    lines: tuple[tuple[UUID, LineThen], ...]

    @property
    def places_booked(self) -> int:
        """Return how many places were booked."""
        return sum(line.places for _, line in self.lines)

    @property
    def amount_minor(self) -> int:
        """Return what those lines cost after their codes, in minor units."""
        return sum(line.net_minor for _, line in self.lines)


@dataclass(frozen=True, slots=True)
class Difference:
    """A booking whose facts do not tell what its rows say."""

    booking_id: UUID
    told: BookingThen
    found: BookingThen


def booking_as_of(booking: Booking, at: datetime) -> BookingThen:
    """Return a booking as it was at a moment; without a status when it was not there yet."""
    return replay(booking.events.filter(at__lte=at).order_by("seq"))


def session_as_of(session: Session, at: datetime) -> SessionThen:
    """Return who was booked in a session at a moment, also those who have gone since."""
    return sessions_as_of([session], at)[session.id]


def day_as_of(activity: Activity, day: date, at: datetime) -> dict[UUID, SessionThen]:
    """Return every session of an activity's day, by the venue's clock, as it was at a moment."""
    begins = datetime.combine(day, time(), activity.venue.zone).astimezone(UTC)
    ends = datetime.combine(day + timedelta(days=1), time(), activity.venue.zone).astimezone(UTC)
    rows = Session.objects.filter(activity=activity, starts_at__gte=begins, starts_at__lt=ends)
    return sessions_as_of(list(rows.order_by("starts_at")), at)


def sessions_as_of(sessions: list[Session], at: datetime) -> dict[UUID, SessionThen]:
    """Return these sessions as they were at a moment, in two queries."""
    lines: dict[UUID, list[tuple[UUID, LineThen]]] = {session.id: [] for session in sessions}
    for booking_id, booking in _replayed(_ever_in(sessions), at):
        for line in booking.live if booking.status == Booking.Status.CONFIRMED else ():
            if line.session_id in lines:
                lines[line.session_id].append((booking_id, line))
    return {session_id: SessionThen(session_id, tuple(found)) for session_id, found in lines.items()}


def _ever_in(sessions: list[Session]) -> list[UUID]:
    """Return the bookings that were ever in one of these sessions: by a line now, or moved away since."""
    ids = [session.id for session in sessions]
    here = Line.objects.filter(session__in=ids).values_list("booking_id", flat=True)
    left = BookingEvent.objects.filter(
        organization__in={session.organization_id for session in sessions}, kind="line_moved",
        before__session__in=[str(session_id) for session_id in ids],
    )  # fmt: skip
    return list({*here, *left.values_list("booking_id", flat=True)})


def _replayed(booking_ids: Iterable[UUID], at: datetime) -> Iterator[tuple[UUID, BookingThen]]:
    facts: dict[UUID, list[BookingEvent]] = {}
    for fact in BookingEvent.objects.filter(booking__in=booking_ids, at__lte=at).order_by("booking", "seq"):
        facts.setdefault(fact.booking_id, []).append(fact)
    return ((booking_id, replay(found)) for booking_id, found in facts.items())


# Do facts and rows agree? -----------------------------------------------------------------------------------------


def find_differences(bookings: Iterable[Booking]) -> list[Difference]:
    """Return the bookings whose facts, applied one after another, do not end in their rows."""
    found = []
    for booking in bookings:
        told, row = replay(booking.events.order_by("seq")), as_row(booking)
        if told != row:
            found.append(Difference(booking.id, told, row))
    return found


def as_row(booking: Booking) -> BookingThen:
    """Return a booking as its rows have it now, in the form that facts tell."""
    lines = Line.objects.filter(booking=booking).select_related("reservation").order_by("id")
    rows = {line.id: _line_as_row(line) for line in lines}
    return BookingThen(booking.status, booking.total_minor, booking.customer_id, rows)


def _line_as_row(line: Line) -> LineThen:
    return LineThen(
        line.id, line.session_id, line.reservation_id, line.reservation.places, line.party_size, line.amount_minor,
        line.discount_minor, line.fee_minor, line.status, line.attendance,
    )  # fmt: skip
