"""What is told of a session: its places, its status and their version; nothing of any person.

A change goes from a web or worker process to the realtime process as JSON on one Redis channel:

    {"activity": id, "venue": embed key, "messages": [message, …]}

    {"session": id, "capacity_remaining": n, "status": …, "version": v}     these numbers are true now
    {"activity": id}                                                        its timetable or price changed: look again
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Now

from config.tenants.models import Organization
from scheduling.availability import with_availability
from scheduling.models import Activity, Session, Venue

CHANNEL = "holdfast:availability"
AHEAD = timedelta(days=62)  # as far as a list of sessions may reach

Message = dict[str, Any]


class Topic(NamedTuple):
    """What a visitor follows: an activity by its id, or a venue by its embed key."""

    kind: str
    key: str


class State(NamedTuple):
    """A session's message, and who may hear it."""

    activity: UUID
    venue: str  # its embed key
    message: Message

    @property
    def topics(self) -> tuple[Topic, Topic]:
        """Both ways to follow it."""
        return Topic("activity", str(self.activity)), Topic("venue", self.venue)


@dataclass(frozen=True, slots=True)
class View:
    """What a newcomer gets, and from where it may be asked for."""

    origins: tuple[str, ...]  # of the venue, beside our own
    messages: tuple[Message, ...]


def changed_states(session_ids: Iterable[UUID]) -> list[State]:
    """Return these sessions as they are now, in one query; drafts do not exist for the public."""
    sessions = Session.objects.filter(id__in=list(session_ids))
    return _states(sessions.exclude(activity__status=Activity.Status.DRAFT))


def changed_activities(activity_ids: Iterable[UUID]) -> list[State]:
    """Return the news that these activities changed as such."""
    rows = Activity.objects.on_sale().filter(id__in=list(activity_ids)).values_list("id", "venue__embed_key")
    return [State(activity, venue, {"activity": str(activity)}) for activity, venue in rows]


def view_of(topic: Topic) -> View | None:
    """Return the sessions to come of what is on sale under this topic; None when nothing is."""
    if topic.kind == "activity":
        venues, sessions = _of_activity(topic.key)
    else:
        venues, sessions = _of_venue(topic.key)
    origins = venues.first()
    if origins is None:
        return None
    upcoming = sessions.visible().filter(starts_at__gt=Now(), starts_at__lt=Now() + AHEAD)
    return View(tuple(origins), tuple(state.message for state in _states(upcoming)))


def _of_activity(key: str) -> tuple[QuerySet[Any, list[str]], Any]:
    found = Activity.objects.on_sale().filter(id=key)
    return found.values_list("venue__allowed_embed_origins", flat=True), Session.objects.filter(activity=UUID(key))


def _of_venue(key: str) -> tuple[QuerySet[Any, list[str]], Any]:
    found = Venue.objects.filter(embed_key=key, organization__status=Organization.Status.ACTIVE)
    return found.values_list("allowed_embed_origins", flat=True), Session.objects.filter(activity__venue__embed_key=key)


def _states(sessions: QuerySet[Session]) -> list[State]:
    annotated: Any = with_availability(sessions)
    rows = annotated.values(
        "id",
        "activity_id",
        "activity__venue__embed_key",
        "status",
        "is_legacy",
        "on_sale",
        "free",
        "waiting",
        "version",
    )
    return [State(row["activity_id"], row["activity__venue__embed_key"], _message(row)) for row in rows]


def _message(row: Mapping[str, Any]) -> Message:
    """Say what a fresh customer could take: nothing while others wait (design, rule 13)."""
    free = 0 if row["waiting"] else max(row["free"], 0)
    return {
        "session": str(row["id"]),
        "capacity_remaining": free,
        "status": _status(row, free),
        "version": row["version"],
    }


def _status(row: Mapping[str, Any], free: int) -> str:
    """The session's own; what is not for sale is closed, what has no room left is full."""
    if row["status"] != Session.Status.PUBLISHED:
        return str(row["status"])
    if row["is_legacy"] or not row["on_sale"]:
        return str(Session.Status.CLOSED)
    return "full" if free == 0 else str(row["status"])
