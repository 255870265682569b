"""What controls need: the worker's database without one of its guards, for the length of a test."""

import os
from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.db import connections

from tests.conftest import empty_database

CHECK = "session_never_oversold"


@pytest.fixture
def no_check(committed_db: None) -> Iterator[None]:
    """Take the CHECK on overselling away, so that a race without its lock shows what it does."""
    definition = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s"
    with as_owner() as owner:
        row = owner.execute(definition, [CHECK]).fetchone()
        assert row is not None
        owner.execute(f"ALTER TABLE scheduling_session DROP CONSTRAINT {CHECK}".encode())
    yield
    connections.close_all()
    empty_database()  # what was oversold would not pass the constraint
    with as_owner() as owner:
        owner.execute(f"ALTER TABLE scheduling_session ADD CONSTRAINT {CHECK} {row[0]}".encode())


@pytest.fixture
def no_transition_trigger(committed_db: None) -> Iterator[None]:
    """Take the trigger away that refuses illegal transitions of a reservation."""
    with as_owner() as owner:
        owner.execute("ALTER TABLE scheduling_reservation DISABLE TRIGGER status_moves")
    yield
    connections.close_all()
    with as_owner() as owner:
        owner.execute("ALTER TABLE scheduling_reservation ENABLE TRIGGER status_moves")


@pytest.fixture
def changed_sql(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], None]:
    """Change a part of one of capacity's statements, and fail when the part is not there any more."""

    def change(name: str, part: str, instead: str) -> None:
        statement: str = getattr(__import__("scheduling.services.capacity", fromlist=[name]), name)
        assert part in statement
        monkeypatch.setattr(f"scheduling.services.capacity.{name}", statement.replace(part, instead))

    return change


def as_owner() -> psycopg.Connection:
    """Connect as the owner of the tables; each statement is committed at once."""
    return psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True)
