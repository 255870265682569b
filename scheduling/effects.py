"""What a change to a timetable, a closure, a capacity or a price does to sessions. Pure: shapes and comparison."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

# In the order in which they are told. What is only kept is counted, not listed.
ADD, RESTORE, RETIME, RESIZE, HONOUR, REPRICE, END_SALE, CLOSE, LEGACY, WITHDRAW, KEEP = (
    "add", "restore", "retime", "resize", "honour", "reprice", "end_sale", "close", "legacy", "withdraw", "keep",
)  # fmt: skip
LISTED = (ADD, RESTORE, RETIME, RESIZE, HONOUR, REPRICE, END_SALE, CLOSE, LEGACY, WITHDRAW)
# These leave people outside the timetable, over the capacity or without their session: how many had booked is part of
# what was agreed to.
TOUCHING_PEOPLE = frozenset({HONOUR, LEGACY, CLOSE})


@dataclass(frozen=True, slots=True)
class Effect:
    """What happens to one session. `before` and `after` are places (resize, honour) or minor units (reprice)."""

    effect: str
    session: UUID | None  # None: it does not exist yet
    activity: UUID
    name: str  # the activity's
    starts_at: datetime
    ends_at: datetime
    before: int | None = None
    after: int | None = None
    booked: int = 0  # places
    held: int = 0  # places, lapsed holds left out

    def document(self) -> dict[str, Any]:
        """Return the JSON form that is kept with the change."""
        return {
            "effect": self.effect,
            "session": None if self.session is None else str(self.session),
            "activity": str(self.activity),
            "name": self.name,
            "starts_at": self.starts_at.isoformat(),
            "ends_at": self.ends_at.isoformat(),
            "before": self.before,
            "after": self.after,
            "booked": self.booked,
            "held": self.held,
        }


@dataclass(frozen=True, slots=True)
class Effects:
    """All that a change does, in order of time."""

    listed: Sequence[Effect] = ()
    kept: int = 0
    skipped: Sequence[Mapping[str, str]] = field(default_factory=tuple)  # [{date, time}]: no clock will show it
    doubled: Sequence[Mapping[str, str]] = field(default_factory=tuple)  # [{starts_at}]: the first of two was taken

    def document(self) -> dict[str, Any]:
        """Return the JSON form that is kept with the change."""
        counts = Counter(effect.effect for effect in self.listed)
        return {
            "counts": {**{name: counts[name] for name in LISTED if counts[name]}, KEEP: self.kept},
            "sessions": [effect.document() for effect in self.listed],
            "skipped": list(self.skipped),
            "doubled": list(self.doubled),
        }


def what_moved(agreed: Iterable[Mapping[str, Any]], now: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return each session about which two plans differ, as `{starts_at, name, was, is}`; None: not in that plan.

    Live holds come and go and may differ; a count of booked places may not where the change touches those people.
    """
    before, after = ({_key(row): row for row in rows} for rows in (agreed, now))
    return [
        {
            "starts_at": key[1],
            "name": (before.get(key) or after[key])["name"],
            "was": _told(before.get(key)),
            "is": _told(after.get(key)),
        }
        for key in sorted(before.keys() | after.keys(), key=lambda key: (key[1], key[0]))
        if _agreed(before.get(key)) != _agreed(after.get(key))
    ]


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["activity"], row["starts_at"]


def _agreed(row: Mapping[str, Any] | None) -> tuple[Any, ...] | None:
    """Return what an author agreed to about one session."""
    if row is None:
        return None
    booked = row["booked"] if row["effect"] in TOUCHING_PEOPLE else None
    return row["effect"], row["session"], row["ends_at"], row["before"], row["after"], booked


def _told(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if row is None else {name: row[name] for name in ("effect", "before", "after", "booked")}
