"""A booking's life in plain words, read from its facts: when by the venue's clock, what, who, by which channel."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID
from zoneinfo import ZoneInfo

from bookings.models import Booking, BookingEvent
from config.kit.display import clock_text, day_text
from config.kit.facts import ActorKind
from config.tenants.models import ApiKey, User

WORDS = {
    "booking_started": "Booking begun",
    "booking_confirmed": "Confirmed",
    "booking_cancelled": "Cancelled",
    "booking_expired": "Expired, unpaid",
    "duplicate_refused": "Somebody tried to book the same once more; it was not booked",
    "duplicate_overridden": "Repeats another booking, and was confirmed as meant",
}
CHANNELS = {"web": "website", "widget": "widget on another site", "api": "API", "octo": "reseller", "admin": "desk"}
NAMELESS = {
    ActorKind.CUSTOMER: "the customer",
    ActorKind.POLICY: "the organization's rule",
    ActorKind.SYSTEM: "Holdfast",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened."""

    when: str
    what: str
    who: str
    channel: str


def timeline_of(booking: Booking) -> list[Entry]:
    """Return what happened, in order, in four queries."""
    events: Sequence[BookingEvent] = list(booking.events.order_by("seq"))
    zone, names = _zone_of(booking), _names_of(events)
    return [
        Entry(
            when=f"{day_text(event.at, zone)} {event.at.astimezone(zone).year}, {clock_text(event.at, zone)}",
            what=WORDS.get(event.kind, event.kind.replace("_", " ").capitalize()),
            who=names.get(event.actor_id) or NAMELESS.get(ActorKind(event.actor_kind), "somebody"),
            channel=CHANNELS.get(event.channel, event.channel),
        )
        for event in events
    ]


def _zone_of(booking: Booking) -> ZoneInfo:
    """Return the zone of the venue of its first line."""
    line = booking.lines.select_related("session__activity__venue").order_by("id").first()
    return line.session.activity.venue.zone if line else ZoneInfo("UTC")


def _names_of(events: Iterable[BookingEvent]) -> dict[UUID | None, str]:
    """Return the names of the staff and of the programs' keys that acted."""
    ids = {event.actor_id for event in events if event.actor_id}
    names: dict[UUID | None, str] = {key.id: f"program “{key.name}”" for key in ApiKey.objects.filter(id__in=ids)}
    return names | {user.id: user.name or user.email for user in User.objects.filter(id__in=ids)}
