"""What happened to an activity or to one of its sessions, in plain words, read from the facts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q

from config.kit.display import clock_text, day_text
from config.kit.facts import ActorKind, Fact
from config.tenants.models import ApiKey, User
from scheduling import effects
from scheduling.change_words import dates_in_words, effect_in_words, plural
from scheduling.models import ScheduleEvent, ScheduleEventDetail, Session

OVERBOOKED = "session_overbooked"
MOST = 100  # the newest; an activity's chain is long
WORDS: Mapping[str, str] = {
    "schedule_published": "New timetable",
    "closure_added": "Closed",
    "opening_added": "Opened besides the timetable",
    "closure_lifted": "Closure lifted",
    "opening_lifted": "Opening lifted",
    "capacity_changed": "Number of places changed",
    "price_changed": "Price changed",
    "activity_added": "Activity added",
    "activity_changed": "Terms of the activity changed",
    "activity_published": "On sale",
    "activity_withdrawn": "Taken back to draft",
    "activity_discontinued": "Sale ended",
    "unit_added": "Added to the price list",
    "unit_changed": "Price list changed",
    "extra_added": "Extra added",
    "extra_changed": "Extra changed",
    "session_closed": "Closed for new bookings",
    "session_reopened": "Open for bookings again",
    "session_cancelled": "Cancelled, with nobody booked",
    "sessions_closed": "Will not take place; who has booked may move or cancel",
    OVERBOOKED: "Booked beyond the capacity",
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
    note: str = ""


def entries(
    events: Sequence[Fact], zone: ZoneInfo, words: Mapping[str, str], *, note: Callable[[Any], str] = lambda _: ""
) -> list[Entry]:
    """Tell facts of any chain: when by the venue's clock, what, who, by which channel."""
    names = _names_of(events)
    return [
        Entry(
            when=f"{day_text(event.at, zone)} {event.at.astimezone(zone).year}, {clock_text(event.at, zone)}",
            what=words.get(event.kind, event.kind.replace("_", " ").capitalize()),
            who=names.get(event.actor_id) or NAMELESS.get(ActorKind(event.actor_kind), "somebody"),
            channel=CHANNELS.get(event.channel, event.channel),
            note=note(event),
        )
        for event in events
    ]


def changes_in_words(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Say what a person changed in a form, column by column: "deposit percent: none → 30"."""
    return ", ".join(f"{name.replace('_', ' ')}: {_value(before[name])} → {_value(after.get(name))}" for name in before)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str("" if value is None else value)
    return text or "none"


def timeline_of_session(session: Session) -> list[Entry]:
    """Return what happened to a session, and to its activity as a whole, in order."""
    about = Q(session_id=session.id) | Q(session_id=None)
    rows = ScheduleEvent.objects.filter(about, activity_id=session.activity_id).select_related("detail")
    newest = list(rows.order_by("-seq")[:MOST])
    return entries(newest[::-1], session.activity.venue.zone, WORDS, note=_note)


def overbookings_of(session: Session) -> list[str]:
    """Return a line for each party that was booked beyond a session's capacity: places, day, and the reason."""
    rows = ScheduleEvent.objects.filter(session_id=session.id, kind=OVERBOOKED).select_related("detail").order_by("seq")
    zone = session.activity.venue.zone
    return [f"{_said(row.after)} beyond the capacity, {day_text(row.at, zone)}: {_note_of(row)}" for row in rows]


def _note(event: ScheduleEvent) -> str:
    """Say by how much, as far as the fact has it, and why, in the words of whoever did it."""
    return " · ".join(part for part in (_said(event.after), _note_of(event)) if part)


def _note_of(event: ScheduleEvent) -> str:
    """Return what whoever did it wrote beside; nothing once it was erased."""
    detail: ScheduleEventDetail | None = getattr(event, "detail", None)
    return detail.note if detail else ""


def _said(after: Mapping[str, Any]) -> str:
    """Put a fact's numbers into words: which version, which days, how many places, what became of sessions."""
    parts = [f"version {after['version']}"] if "version" in after else []
    if "first_date" in after:
        first, last = (date.fromisoformat(after[name]) for name in ("first_date", "last_date"))
        parts.append(dates_in_words(first, last))
    parts += [plural(after[name], "place", "places") for name in ("capacity", "places") if name in after]
    counts = after.get("effects", {})
    return ", ".join([*parts, *(effect_in_words(name, counts[name]) for name in effects.LISTED if counts.get(name))])


def _names_of(events: Iterable[Fact]) -> dict[UUID | None, str]:
    """Return the names of the staff and of the programs' keys that acted."""
    ids = {event.actor_id for event in events if event.actor_id}
    names: dict[UUID | None, str] = {key.id: f"program “{key.name}”" for key in ApiKey.objects.filter(id__in=ids)}
    return names | {user.id: user.name or user.email for user in User.objects.filter(id__in=ids)}
