"""Tells the realtime process what changed, after commit, in a thread with a database connection of its own.

The numbers are read fresh, so that the last word is true whatever order the changes came in. With Redis away the news
is dropped with a warning: the realtime process tells everybody afresh when it is back.
"""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from uuid import UUID

import redis
from django.conf import settings
from django.db import InterfaceError, OperationalError, connections
from redis.backoff import NoBackoff
from redis.retry import Retry

from alerts.realtime.states import CHANNEL, State, changed_activities, changed_states
from config.kit.gathering import Gathering

GATHER_SECONDS = 0.01  # the first change is on its way after this
EVERY_SECONDS = 0.5  # and a busy session's next ones this far apart
PAUSE_SECONDS = 0.2  # between two tellings, so that a rush of sales costs a few readings a second, not hundreds
REDIS_SECONDS = 0.5

Change = tuple[str, UUID]  # ("session", id), or ("activity", id) when its timetable or price changed


def tell_changes(*, sessions: Sequence[UUID], activities: Sequence[UUID]) -> None:
    """Remember what changed, in microseconds; without sessions it is the activities themselves that changed."""
    if sessions:
        changes.add(("session", session_id) for session_id in sessions)
    else:
        changes.add(("activity", activity_id) for activity_id in activities)


def publish_changes(changed: set[Change]) -> None:
    """Read how things are, and publish it."""
    states = _read(changed)
    with redis_client(settings.REDIS_URL).pipeline(transaction=False) as pipeline:
        for envelope in _envelopes(states):
            pipeline.publish(CHANNEL, envelope)
        pipeline.execute()


def _read(changed: set[Change]) -> list[State]:
    try:
        return _states(changed)
    except (OperationalError, InterfaceError):  # the server was restarted, or somebody cut an idle connection
        connections.close_all()
        return _states(changed)


def _states(changed: set[Change]) -> list[State]:
    sessions = [key for kind, key in changed if kind == "session"]
    activities = [key for kind, key in changed if kind == "activity"]
    states = changed_states(sessions) if sessions else []
    return states + (changed_activities(activities) if activities else [])


def _envelopes(states: Iterable[State]) -> list[str]:
    """Return one message for each activity."""
    found: dict[tuple[UUID, str], list[object]] = {}
    for state in states:
        found.setdefault((state.activity, state.venue), []).append(state.message)
    return [
        json.dumps({"activity": str(activity), "venue": venue, "messages": messages})
        for (activity, venue), messages in found.items()
    ]


@cache
def redis_client(address: str) -> redis.Redis:
    """Return the client; once more at once when its connection was cut, never longer."""
    return redis.Redis.from_url(
        address,
        socket_timeout=REDIS_SECONDS,
        socket_connect_timeout=REDIS_SECONDS,
        retry=Retry(NoBackoff(), 1),
    )


changes: Gathering[Change] = Gathering(
    publish_changes,
    name="push",
    gather_seconds=GATHER_SECONDS,
    every_seconds=EVERY_SECONDS,
    pause_seconds=PAUSE_SECONDS,
    rest=connections.close_all,  # of the thread
)
