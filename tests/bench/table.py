"""What the bench prints: progress while it runs, one table at the end."""

import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

COLUMNS = ("what", "clients", "per s", "of bare", "p50", "p95", "p99 ms", "app CPU ms", "db CPU ms", "goal")


class WrongResult(Exception):
    """The bench found something that no speed excuses: an oversell, a lost hold, an answer that is a failure."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: operations a second, latencies in ms, CPU-ms of the application and of PostgreSQL per operation."""

    per_second: float
    p50: float
    p95: float
    p99: float
    app_cpu: float
    db_cpu: float


@dataclass(slots=True)
class Row:
    """One measured thing: a sample a round, and each round's share of what the bare database did in that round."""

    what: str
    clients: str = ""
    samples: list[Sample] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    goal: str = ""

    @property
    def ratio(self) -> float:
        """Return the median of the rounds' ratios."""
        return statistics.median(self.ratios)

    def median(self, name: str) -> float:
        """Return the median over the rounds of one of a sample's numbers."""
        return float(statistics.median(getattr(sample, name) for sample in self.samples))

    def cells(self) -> list[str]:
        """Return the columns as text; what was not measured is empty."""
        numbers = [self.median(name) for name in ("p50", "p95", "p99", "app_cpu", "db_cpu")] if self.samples else []
        latencies = [f"{n:.2f}" if n < 10 else f"{n:.1f}" for n in numbers[:3]]
        return [
            self.what,
            self.clients,
            f"{self.median('per_second'):,.0f}" if self.samples else "",
            f"{self.ratio:.2f}" if self.ratios else "",
            *(latencies or [""] * 3),
            *([f"{n:.2f}" if n else "" for n in numbers[3:]] or [""] * 2),
            self.goal,
        ]


def judged(*, met: bool, goal: str) -> str:
    """Say whether a goal was met; nothing fails because of it."""
    return f"{goal}: {'met' if met else 'NOT MET'}"


def say(line: str) -> None:
    """Print a line at once: a person waits."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def print_table(title: str, rows: Iterable[Row]) -> None:
    """Print rows as a Markdown table."""
    print_cells(title, COLUMNS, [row.cells() for row in rows])


def print_cells(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table whose columns line up."""
    widths = [max(len(cells[i]) for cells in (columns, *rows)) for i in range(len(columns))]
    say(f"\n### {title}\n")
    for cells in (columns, ["-" * width for width in widths], *rows):
        say("| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |")
    say("")
