"""Asks the worker to look at a session when a hold in it lapses: a nudge, which may be lost; then the sweep comes.

Sent from a thread beside the request, so that nobody waits for the broker.
"""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.core.cache import cache

from bookings.tasks import hand_on_places
from config.kit.gathering import Gathering

GATHER_SECONDS = 0.05
GRACE_SECONDS = 0.5  # after the lapse, so that it has lapsed by then
ASKED = "hand-on-asked:{session_id}:{at}"  # in the cache, so that many acts before one lapse ask once


class Lapse(NamedTuple):
    """When a hold lapses, and in how many seconds to look."""

    session_id: UUID
    at: datetime
    seconds: float


def await_lapse(session_id: UUID, *, at: datetime, seconds: float) -> None:
    """Remember that places of this session may come back then."""
    lapses.add([Lapse(session_id, at, seconds)])


def ask_the_worker(due: set[Lapse]) -> None:
    """Queue a task for each lapse. With the broker away this fails and is logged; the sweep comes."""
    for session_id, at, seconds in due:
        key = ASKED.format(session_id=session_id, at=at.timestamp())
        if cache.add(key, seconds, timeout=max(int(seconds), 1)):
            hand_on_places.apply_async((str(session_id),), countdown=seconds + GRACE_SECONDS, retry=False)


lapses: Gathering[Lapse] = Gathering(ask_the_worker, name="lapse-nudges", gather_seconds=GATHER_SECONDS)
