"""How the provider misbehaves, when it is told to: PUT /sandbox/faults {"down": true}."""

import threading
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True)
class Faults:
    """What is wrong at the moment; nothing at first."""

    down: bool = False  # 503 to everything
    slow_seconds: float = 0.0  # before every answer
    rate_limited: int = 0  # so many requests are answered 429 …
    retry_after: int = 30  # … with this Retry-After, in seconds
    lost_answers: int = 0  # so many mails are accepted, and the connection is cut before the answer
    doubles: int = 0  # so many requests arrive twice, as from a nervous proxy
    rejects: str = ""  # addresses that end so are answered 422

    def but(self, **changes: object) -> "Faults":
        """Return it with other values; a name that is none raises TypeError."""
        return Faults(**{**asdict(self), **changes})


class Switches:
    """The faults of a running provider, counted down as they happen."""

    def __init__(self) -> None:
        """Begin well."""
        self._faults = Faults()
        self._lock = threading.Lock()

    def set(self, changes: dict[str, object]) -> Faults:
        """Take faults from a program; unknown names are refused with TypeError."""
        if unknown := set(changes) - {each.name for each in fields(Faults)}:
            raise TypeError(", ".join(sorted(unknown)))
        with self._lock:
            self._faults = Faults().but(**changes)
            return self._faults

    @property
    def now(self) -> Faults:
        """Return what is wrong at the moment."""
        return self._faults

    def use_up(self, name: str) -> bool:
        """Count one of `rate_limited`, `lost_answers` or `doubles` down; return whether there was one left."""
        with self._lock:
            left = int(getattr(self._faults, name))
            if left:
                self._faults = self._faults.but(**{name: left - 1})
            return left > 0
