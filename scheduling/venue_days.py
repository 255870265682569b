"""A day across a venue: the sessions of all that it has on sale, in order of time."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet

from config.kit.compiled import Compiled
from scheduling.availability import Availability, PriceLists, judged, with_availability
from scheduling.models import Session, Venue
from scheduling.price_lists import price_lists


def _sessions(organization: UUID, venue: UUID, begins: datetime, ends: datetime) -> QuerySet[Session]:
    return Session.objects.visible().filter(
        organization=organization, activity__venue=venue, starts_at__gte=begins, starts_at__lt=ends
    )


DAY = Compiled(
    lambda **span: with_availability(_sessions(**span).order_by("starts_at", "activity__name", "id")),
    organization=UUID(int=4), venue=UUID(int=5), begins=datetime(2001, 1, 1, tzinfo=UTC),
    ends=datetime(2002, 2, 2, tzinfo=UTC),
)  # fmt: skip


def venue_day(
    venue: Venue, day: date, *, party_size: int | None = None, prices: PriceLists = price_lists
) -> list[Availability]:
    """Answer for every visible session that starts on a date of the venue, whatever its clock does that day."""
    begins, ends = midnight(venue, day), midnight(venue, day + timedelta(days=1))
    rows = DAY.rows(organization=venue.organization_id, venue=venue.id, begins=begins, ends=ends)
    return judged(rows, party_size=party_size, prices=prices)


def midnight(venue: Venue, day: date) -> datetime:
    """Return the instant at which a date of the venue begins."""
    return datetime(day.year, day.month, day.day, tzinfo=venue.zone)
