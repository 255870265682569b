"""The last letters, the latest of each subject, so that a reader who comes back gets exactly what was missed.

A session's version says nothing about other sessions, so the place in this journal, not a version, is the `id:` of an
event: "<life>-<number>". A life ends when the subscription breaks or the process does: then the reader gets a snapshot.
"""

import secrets
from collections import OrderedDict
from typing import NamedTuple

from alerts.realtime.mailbox import Letter
from alerts.realtime.states import Topic

MOST_ENTRIES = 5000


class Entry(NamedTuple):
    """A letter that was sent, and to whom."""

    number: int
    topics: tuple[Topic, ...]
    letter: Letter


class Journal:
    """One unbroken subscription's letters."""

    def __init__(self) -> None:
        """Begin a life."""
        self.life = secrets.token_hex(4)
        self.number = 0
        self._entries: OrderedDict[str, Entry] = OrderedDict()  # by number
        self._forgotten = 0  # the highest number that is not here any more

    @property
    def mark(self) -> str:
        """Where the journal stands."""
        return f"{self.life}-{self.number}"

    def write(self, subject: str, topics: tuple[Topic, ...], text: str) -> Letter:
        """Add a letter; it takes the place of an older one on the same subject."""
        self.number += 1
        letter = Letter.write(text, mark=self.mark)
        self._entries.pop(subject, None)
        self._entries[subject] = Entry(self.number, topics, letter)
        if len(self._entries) > MOST_ENTRIES:
            self._forgotten = self._entries.popitem(last=False)[1].number
        return letter

    def missed(self, topic: Topic, mark: str) -> list[Letter] | None:
        """Return what was sent on a topic since the mark; None when that is not known any more."""
        life, _, number = mark.partition("-")
        if life != self.life or not number.isdecimal() or not self._forgotten <= int(number) <= self.number:
            return None
        entries = self._entries.values()
        return [entry.letter for entry in entries if entry.number > int(number) and topic in entry.topics]
