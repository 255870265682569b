"""What displays may remember for a moment, in Redis and in this process; nothing is decided by it.

    what                       at most     forgotten after commit of
    a month                    5 s         any change of the activity's places, sessions, prices or words
    the sessions near a day    30 s        the same; one process may be 0.25 s behind
    an activity's price list   1 h         a change of the activity itself: its units, prices, rules

Each activity has a version that moves after a commit, gathered for a moment; what was kept under the one before is not
served any more. Redis away: everything is made anew.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from django.core.cache import cache
from redis.exceptions import RedisError

from config.kit.api import instant, local_time
from config.kit.gathering import Gathering
from config.kit.ids import uuid7
from scheduling import price_lists
from scheduling.availability import SPAN, judge
from scheduling.models import Session
from scheduling.price_lists import PriceList

logger = logging.getLogger(__name__)

CAPACITY_SECONDS = 30
PRICE_SECONDS = 60 * 60
NUDGE_SECONDS = 0.05  # a change is told after this …
PAUSE_SECONDS = 0.25  # … and no sooner than this after the one before: a rush costs Redis a few writes a second
AWAY = (RedisError, OSError)

# Versions ---------------------------------------------------------------------------------------------------------

Listener = Callable[[set[UUID]], None]
listeners: list[Listener] = []  # told in this process, when the versions of these activities have moved


def versions_of(activities: Iterable[UUID], *, what: str = "places") -> dict[str, str] | None:
    """Return the versions that have moved lately, by key; None when Redis is away."""
    try:
        found: dict[str, str] = cache.get_many([_version_key(what, activity_id) for activity_id in activities])
    except AWAY:
        return None
    return found


def _version_key(what: str, activity_id: UUID) -> str:
    return f"version:{what}:{activity_id}"


def forget(activities: Iterable[UUID], *, is_activity: bool = False) -> None:
    """Let displays of these activities look again, soon after; `is_activity`: prices or words changed, not places."""
    nudges.add((activity_id, is_activity) for activity_id in activities)


def move_versions(changes: set[tuple[UUID, bool]]) -> None:
    """Give each activity a new version: what was kept for the old one is not served any more."""
    keys = [_version_key("places", activity_id) for activity_id, _ in changes]
    keys += [_version_key("prices", activity_id) for activity_id, is_activity in changes if is_activity]
    try:
        cache.set_many({key: uuid7().hex for key in keys}, timeout=86_400)
    except AWAY:
        logger.warning("the display cache is away; a display may be as old as its time allows")
    activities = {activity_id for activity_id, _ in changes}
    near.forget(activities)
    for listener in listeners:
        listener(activities)


nudges = Gathering(move_versions, name="display-nudges", gather_seconds=NUDGE_SECONDS, pause_seconds=PAUSE_SECONDS)


# Kept in Redis ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kept:
    """Something made for a display: of which activities, under which versions, and a stamp of its own."""

    activities: tuple[UUID, ...]
    versions: dict[str, str] | None  # None: made while Redis was away
    stamp: str
    value: Any

    @property
    def etag(self) -> str:
        """Return a tag that no other making has."""
        return f'"{self.stamp}"'


def kept(
    key: str, *, of: Callable[[], Collection[UUID]], make: Callable[[], Any], seconds: int, what: str = "places",
    is_fresh: bool = False,
) -> Kept:  # fmt: skip
    """Return what is kept under the key while the versions of its activities stand, else make it and keep it.

    `of` names the activities when it has to be made; `is_fresh` makes it in any case: who has just written may ask so.
    """
    found = None if is_fresh else _find(key)
    if found is not None and found.versions == versions_of(found.activities, what=what):
        return found
    activities = tuple(of())
    versions = versions_of(activities, what=what)  # before it is made: a change meanwhile makes it old
    made = Kept(activities, versions, uuid7().hex, make())
    if versions is not None:
        _keep(key, made, seconds)
    return made


def _find(key: str) -> Kept | None:
    try:
        found: Kept | None = cache.get(key)
    except AWAY:
        return None
    return found


def _keep(key: str, made: Kept, seconds: int) -> None:
    try:
        cache.set(key, made, timeout=seconds)
    except AWAY:
        logger.warning("the display cache is away; displays are made anew")


# Kept in this process ---------------------------------------------------------------------------------------------


class Memory:
    """A few values in this process, for a fraction of a second: so many readers cost Redis one question."""

    SECONDS = 0.25
    MOST = 256

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._values: dict[tuple[UUID, Any], tuple[float, Any]] = {}

    def get(self, activity_id: UUID, about: Any, make: Callable[[], Any]) -> Any:
        """Return the value, made when it is not there or too old."""
        key, now = (activity_id, about), time.monotonic()
        found = self._values.get(key)
        if found is not None and now < found[0]:
            return found[1]
        made = make()
        if len(self._values) >= self.MOST:
            self._values = {}  # replaced, not emptied: another thread may be reading it
        self._values[key] = (now + self.SECONDS, made)
        return made

    def forget(self, activities: set[UUID]) -> None:
        """Drop what is about these activities."""
        self._values = {key: value for key, value in list(self._values.items()) if key[0] not in activities}


near = Memory()


# Sessions near a time: alternatives -------------------------------------------------------------------------------

AROUND = timedelta(days=7)
MOST_ALTERNATIVES = 3


class NearSession(NamedTuple):
    """A session that had room when it was looked at."""

    id: UUID
    starts_at: datetime
    closes_at: datetime
    timezone: str
    spots: int


def alternatives_to(*, session_id: UUID, party_size: int) -> list[dict[str, Any]]:
    """Return the alternatives to a session; none for one that does not exist."""
    found = _place_in_time(session_id)
    return alternatives(*found, party_size=party_size) if found else []


@lru_cache(maxsize=4096)
def _place_in_time(session_id: UUID) -> tuple[UUID, datetime] | None:
    """Return a session's activity and start; neither ever changes."""
    return Session.objects.filter(id=session_id).values_list("activity_id", "starts_at").first()


def alternatives(activity_id: UUID, starts_at: datetime, party_size: int) -> list[dict[str, Any]]:
    """Return up to three sessions of the activity within 7 days that have room for the party, the nearest first.

    Each as {id, starts_at, starts_at_local, available_spots}. For display: up to 30 seconds old.
    """
    return [_alternative(one) for one in near_sessions(activity_id, starts_at, party_size)]


def near_sessions(activity_id: UUID, starts_at: datetime, party_size: int) -> list[NearSession]:
    """Return the same as rows."""
    day = starts_at.astimezone(UTC).date()
    sessions: list[NearSession] = near.get(activity_id, day, lambda: _near_day(activity_id, starts_at))
    now = datetime.now(tz=UTC)
    fitting = [
        one
        for one in sessions
        if one.spots >= party_size
        and one.closes_at > now
        and one.starts_at != starts_at
        and abs(one.starts_at - starts_at) <= AROUND
    ]
    fitting.sort(key=lambda one: (abs(one.starts_at - starts_at), one.starts_at))
    return fitting[:MOST_ALTERNATIVES]


def _alternative(one: NearSession) -> dict[str, Any]:
    return {
        "id": one.id,
        "starts_at": instant(one.starts_at),
        "starts_at_local": local_time(one.starts_at, one.timezone),
        "available_spots": one.spots,
    }


def _near_day(activity_id: UUID, starts_at: datetime) -> list[NearSession]:
    """Return what can be booked within 7 days of any time of a day, in UTC."""
    begins = starts_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - AROUND
    span = {"activity": activity_id, "begins": begins, "ends": begins + 2 * AROUND + timedelta(days=1)}

    def make() -> list[NearSession]:
        answers = (judge(row) for row in SPAN.rows(**span))
        rows = [(answer.session, answer.spots) for answer in answers if answer.is_available]
        return [NearSession(r["id"], r["starts_at"], r["closes_at"], r["timezone"], spots) for r, spots in rows]

    key = f"near:{activity_id}:{begins:%Y-%m-%d}"
    found: list[NearSession] = kept(key, of=lambda: [activity_id], make=make, seconds=CAPACITY_SECONDS).value
    return found


# Prices -----------------------------------------------------------------------------------------------------------


def display_prices(activity_ids: Iterable[UUID]) -> dict[UUID, PriceList]:
    """Return price lists for display, up to an hour old unless the activity changed; no quote is made of them."""
    return {activity_id: _prices_of(activity_id) for activity_id in activity_ids}


def _prices_of(activity_id: UUID) -> PriceList:
    found: PriceList = kept(
        f"prices:{activity_id}", of=lambda: [activity_id], what="prices", seconds=PRICE_SECONDS,
        make=lambda: price_lists.price_lists([activity_id])[activity_id],
    ).value  # fmt: skip
    return found
