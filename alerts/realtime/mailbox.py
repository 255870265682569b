"""What a visitor has still to be told: the latest of each subject only, so that a slow reader costs no memory."""

import asyncio
from typing import NamedTuple

MOST_LETTERS = 1000  # subjects that wait for one visitor; beyond, a fresh snapshot replaces them all


class Letter(NamedTuple):
    """A message ready to send, made once for all who get it."""

    text: str  # JSON, for a socket
    event: bytes  # the same as a server-sent event, with its id

    @classmethod
    def write(cls, text: str, *, mark: str = "") -> "Letter":
        """Write it in both forms; `mark` is where a reader can go on from, if anywhere."""
        return cls(text, (f"id: {mark}\n" if mark else "").encode() + f"data: {text}\n\n".encode())


class Mailbox:
    """Letters of one visitor, in the order in which their subjects were first heard of."""

    __slots__ = ("_arrived", "_letters", "has_overflowed")

    def __init__(self) -> None:
        """Begin empty."""
        self._letters: dict[str, Letter] = {}
        self._arrived = asyncio.Event()
        self.has_overflowed = False  # so much was thrown away that only a snapshot helps

    def put(self, subject: str, letter: Letter) -> None:
        """Add a letter; it takes the place of an older one on the same subject."""
        self._letters[subject] = letter
        if len(self._letters) > MOST_LETTERS:
            self._letters.clear()
            self.has_overflowed = True
        self._arrived.set()

    def start_over(self, letter: Letter) -> None:
        """Forget what waits: this letter says it all."""
        self._letters = {"snapshot": letter}
        self.has_overflowed = False
        self._arrived.set()

    async def wait(self, *, seconds: float | None = None) -> None:
        """Return when there is something to do; raise TimeoutError when there is nothing for so long."""
        if self._letters or self.has_overflowed:
            return
        if seconds is None:  # a socket: the timeout would cost as much as the rest
            await self._arrived.wait()
            return
        async with asyncio.timeout(seconds):
            await self._arrived.wait()

    def take(self) -> Letter | None:
        """Return the oldest letter; None when there is none left."""
        if not self._letters:
            self._arrived.clear()
            return None
        return self._letters.pop(next(iter(self._letters)))

    def __len__(self) -> int:
        return len(self._letters)
