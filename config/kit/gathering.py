"""Gathers what changes for a moment and tells it in one go, in a thread beside the requests: no request waits."""

import atexit
import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

REST_AFTER_SECONDS = 5.0  # quiet for so long: the thread ends, and what it holds is given back

Item = TypeVar("Item")


class Gathering(Generic[Item]):
    """Tells each item soon after it changed, then at most every so often; the last change is always told.

    A nudge, not a record: it may be lost with its process, and nothing may be decided by it.
    """

    def __init__(
        self,
        tell: Callable[[set[Item]], None],
        *,
        name: str,
        gather_seconds: float,
        every_seconds: float = 0.0,
        pause_seconds: float = 0.0,
        rest: Callable[[], None] | None = None,
    ) -> None:
        """Remember how to tell, and how long to pause after it; `rest` is called in the thread when it ends."""
        self._tell = tell
        self._name = name
        self._gather_seconds = gather_seconds
        self._every_seconds = every_seconds
        self._pause_seconds = pause_seconds
        self._rest = rest
        self._lock = threading.Lock()
        self._waiting: set[Item] = set()
        self._told_at: dict[Item, float] = {}  # of the last `every_seconds` only
        self._busy_at = 0.0
        self._is_running = False
        atexit.register(self.tell_rest)  # a command ends at once after its commit

    def add(self, items: Iterable[Item]) -> None:
        """Remember what changed, and see that somebody tells it."""
        with self._lock:
            self._waiting.update(items)
            if self._is_running or not self._waiting:
                return
            self._is_running = True
            self._busy_at = time.monotonic()
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def tell_rest(self) -> None:
        """Tell at once what still waits."""
        with self._lock:
            items, self._waiting = self._waiting, set()
        if items:
            self._tell_safely(items)

    def _run(self) -> None:
        while self._is_needed():
            time.sleep(self._gather_seconds)
            if items := self._take_due(time.monotonic()):
                self._tell_safely(items)
                time.sleep(self._pause_seconds)  # while many things change, a telling is for many of them
        if self._rest is not None:
            self._rest()

    def _is_needed(self) -> bool:
        """Answer whether to go on; the answer no and the next `add` cannot miss each other."""
        now = time.monotonic()
        with self._lock:
            if self._waiting:
                self._busy_at = now
            self._is_running = now - self._busy_at < REST_AFTER_SECONDS
            return self._is_running

    def _take_due(self, now: float) -> set[Item]:
        with self._lock:
            self._told_at = {item: at for item, at in self._told_at.items() if now - at < self._every_seconds}
            due = self._waiting - self._told_at.keys()
            self._waiting -= due
            self._told_at |= dict.fromkeys(due, now)
        return due

    def _tell_safely(self, items: set[Item]) -> None:
        try:
            self._tell(items)
        except Exception as error:  # noqa: BLE001 whatever is away: the thread must live to tell the next change
            logger.warning("%s: %d changes were not told: %s", self._name, len(items), error)
