"""At most one message on a subject in half a second: the first at once, then the latest; the last one always."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from alerts.realtime.states import Message, Topic

EVERY_SECONDS = 0.5


class Change(NamedTuple):
    """A message on its way to those who follow one of its topics."""

    subject: str
    topics: tuple[Topic, ...]
    message: Message

    @property
    def version(self) -> int:
        """What is older than another with the same subject is not told after it."""
        return int(self.message.get("version", 0))


class Spacing:
    """Lets changes through, subject by subject, so that a busy session does not make every page flicker."""

    def __init__(self, tell: Callable[[Change], None], *, every_seconds: float = EVERY_SECONDS) -> None:
        """Remember how to tell; runs on the loop in which it is used."""
        self._tell = tell
        self._every_seconds = every_seconds
        self._told: dict[str, Change] = {}  # in the last half second
        self._held_back: dict[str, Change] = {}

    def offer(self, change: Change) -> None:
        """Tell it now, or when the subject's time has come; processes may speak out of order, so versions decide."""
        last = self._held_back.get(change.subject) or self._told.get(change.subject)
        if last is not None and change.version < last.version:
            return
        if change.subject in self._told:
            self._held_back[change.subject] = change
        else:
            self._let_through(change)

    def _let_through(self, change: Change) -> None:
        self._told[change.subject] = change
        asyncio.get_running_loop().call_later(self._every_seconds, self._turn, change.subject)
        self._tell(change)

    def _turn(self, subject: str) -> None:
        change = self._held_back.pop(subject, None)
        if change is None:
            del self._told[subject]
        else:
            self._let_through(change)
