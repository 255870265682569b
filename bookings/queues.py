"""Whose turn it is, pure: the order of a waiting list, and the first party that fits.

A higher priority comes first, then who came earlier. Parties stay whole: the first one that fits into what is free is
asked, at the session that it would like best among those that have room; those before it who did not fit there are
passed over, and told so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Waiter:
    """A party that waits: its size in places, and the sessions it would come to, the best first."""

    id: UUID
    priority: int
    joined_at: datetime
    places: int
    sessions: tuple[UUID, ...]

    @property
    def turn(self) -> tuple[int, datetime, UUID]:
        """What the queue is sorted by; two who joined at the same instant are kept in one order for good."""
        return -self.priority, self.joined_at, self.id


@dataclass(frozen=True, slots=True)
class Turn:
    """Who is asked, where, and who was passed over because that many places are too few for them."""

    waiter: UUID
    session: UUID
    passed_over: tuple[UUID, ...] = ()


def in_order(waiters: Iterable[Waiter]) -> list[Waiter]:
    """Return them as they are asked."""
    return sorted(waiters, key=lambda waiter: waiter.turn)


def next_turn(queue: Sequence[Waiter], free: Mapping[UUID, int]) -> Turn | None:
    """Return the first party of an ordered queue that fits into the free places of a session it waits for, or None."""
    for number, waiter in enumerate(queue):
        for session in waiter.sessions:
            if free.get(session, 0) >= waiter.places:
                return Turn(waiter.id, session, tuple(w.id for w in queue[:number] if session in w.sessions))
    return None
