"""How the bank misbehaves, when it is told to: PUT /sandbox/faults {"down": true}, or the form at /sandbox."""

import random
import threading
import time
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Faults:
    """What is wrong at the moment; nothing at first. Probabilities lie between 0 and 1."""

    down: bool = False  # 503 to every call of the API
    slow_seconds: float = 0.0  # before each call of the API is worked on
    rate_limited: int = 0  # so many calls are answered 429
    errors_probability: float = 0.0  # 500, before anything is done
    lost_answers: int = 0  # so many POSTs are done, and the connection is cut before the answer
    lost_probability: float = 0.0  # … or any, with this probability
    failing_refunds: int = 0  # so many refunds are taken, and fail after `refund_seconds`
    refund_seconds: float = 2.0  # until a refund that is not settled at once is
    late_success_seconds: float = 3.0  # until a payment that is not settled at once is
    delayed_events_seconds: float = 0.0  # before an event is delivered for the first time
    reordered_events_seconds: float = 0.0  # events are delivered at any moment within this window
    duplicate_events: int = 1  # each event is delivered so often
    dropped_events_probability: float = 0.0  # never delivered; only the list of events has them
    bad_signatures_probability: float = 0.0  # one more delivery, signed with a secret that is not the endpoint's
    seed: int = 0  # of the chances above

    def but(self, **changes: Any) -> "Faults":
        """Return it with other values of the same kinds; a name that is none raises TypeError."""
        kinds = {each.name: type(getattr(self, each.name)) for each in fields(self)}
        if unknown := set(changes) - set(kinds):
            raise TypeError(", ".join(sorted(unknown)))
        values = {name: kinds[name](value) for name, value in changes.items()}
        if any(value < 0 for value in values.values()):
            raise ValueError("a fault cannot be less than nothing")
        return Faults(**{**asdict(self), **values})


EVERYTHING = Faults(
    slow_seconds=0.2,
    rate_limited=3,
    errors_probability=0.1,
    lost_answers=2,
    lost_probability=0.05,
    failing_refunds=1,
    delayed_events_seconds=1.0,
    reordered_events_seconds=3.0,
    duplicate_events=2,
    dropped_events_probability=0.1,
    bad_signatures_probability=0.2,
)


class Switches:
    """The faults of a running bank, counted down as they happen."""

    def __init__(self) -> None:
        """Begin well."""
        self._faults = Faults()
        self._changed = threading.Condition()
        self._chance = random.Random(0)  # noqa: S311 chances that a test can repeat

    def set(self, changes: dict[str, Any]) -> Faults:
        """Take the whole of what is wrong from now on; `all` begins with everything. TypeError, ValueError: refused."""
        start = EVERYTHING if changes.get("all") else Faults()
        faults = start.but(**{name: value for name, value in changes.items() if name != "all"})
        with self._changed:
            self._faults, self._chance = faults, random.Random(faults.seed)  # noqa: S311
            self._changed.notify_all()
        return faults

    @property
    def now(self) -> Faults:
        """Return what is wrong at the moment."""
        return self._faults

    def use_up(self, name: str) -> bool:
        """Count one of a number of calls down; return whether there was one left."""
        with self._changed:
            left = int(getattr(self._faults, name))
            if left:
                self._faults = self._faults.but(**{name: left - 1})
            return left > 0

    def happens(self, name: str) -> bool:
        """Return whether a chance comes true this time."""
        with self._changed:
            probability = float(getattr(self._faults, name))
            return probability > 0 and self._chance.random() < probability

    def some_of(self, seconds: float) -> float:
        """Return any moment within a window."""
        with self._changed:
            return self._chance.uniform(0, seconds) if seconds else 0.0

    def dawdle(self) -> None:
        """Be slow, for as long as the switch says; turning it off lets everybody go at once."""
        began = time.monotonic()
        with self._changed:
            while (left := began + self._faults.slow_seconds - time.monotonic()) > 0:
                self._changed.wait(left)
