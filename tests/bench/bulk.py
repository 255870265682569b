"""Big statements side by side: the product's act, and one bare statement on a twin of its tables."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from tests.bench.ground import Ground, cpu_of
from tests.bench.table import print_cells

COLUMNS = ("what", "rows", "seconds", "of bare", "db CPU s", "goal")
FOREIGN_KEYS = (
    "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'f'"
)
TRIGGERS = "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal"


@dataclass(frozen=True, slots=True)
class Timed:
    """One act: how many rows, how long, how much of PostgreSQL's CPU."""

    rows: int
    seconds: float
    db_cpu_seconds: float


def timed(ground: Ground, act: Callable[[], int]) -> Timed:
    """Run an act that returns its rows, from a settled database."""
    ground.settle()
    started = time.perf_counter()
    with cpu_of(ground) as used:
        rows = act()
        seconds = time.perf_counter() - started
    return Timed(rows, seconds, used[1] / 1000)


def make_twin(ground: Ground, table: LiteralString) -> str:
    """Make <table>_twin, with the same columns, checks, indexes, foreign keys and triggers; return its name."""
    twin = f"{table}_twin"
    ground.sql(f"CREATE TABLE {table}_twin (LIKE {table} INCLUDING ALL)")
    for name, definition in ground.sql(FOREIGN_KEYS, [table]):
        _execute(ground, f'ALTER TABLE {twin} ADD CONSTRAINT "{name}" {definition}')
    for (definition,) in ground.sql(TRIGGERS, [table]):
        _execute(ground, definition.replace(f" ON public.{table} ", f" ON public.{twin} "))
    return twin


def _execute(ground: Ground, statement: str) -> None:
    ground.run(sql.SQL(statement))  # the catalogue's own words


def print_timed(title: str, rows: list[tuple[str, Timed, float | None, str]]) -> None:
    """Print acts: name, figures, seconds as a multiple of the bare statement's, goal."""
    cells = [
        [
            name,
            f"{t.rows:,}",
            f"{t.seconds:.3g}",
            f"{ratio:.2f}" if ratio else "",
            f"{t.db_cpu_seconds:.2f}" if t.db_cpu_seconds else "",
            goal,
        ]
        for name, t, ratio, goal in rows
    ]
    print_cells(title, COLUMNS, cells)
