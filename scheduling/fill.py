"""How full a session is, in a word. Pure."""

from dataclasses import dataclass

NEARLY_FULL_PERCENT = 80  # R-ADM-01


@dataclass(frozen=True, slots=True)
class Fill:
    """Places taken, of how many."""

    taken: int
    total: int

    @property
    def level(self) -> str:
        """Return "room", "nearly-full", "full" or "over"."""
        if self.taken > self.total:
            return "over"
        if self.taken == self.total:
            return "full"
        return "nearly-full" if self.taken * 100 >= self.total * NEARLY_FULL_PERCENT else "room"

    @property
    def word(self) -> str:
        """Return what to say beside the bar; nothing while there is room."""
        return {
            "over": f"over by {self.taken - self.total}, honoured",
            "full": "full",
            "nearly-full": "nearly full",
            "room": "",
        }[self.level]

    def __str__(self) -> str:
        return f"{self.taken} of {self.total}"
