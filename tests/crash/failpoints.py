"""Ways for a process to die in the middle of an act, without a word to the database. Used by child processes alone."""

import os
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

EXIT_CODE = 137  # what the shell says of a process killed with -9
NEVER = "never"
WRITES = ("INSERT", "UPDATE", "WITH")


def arm(failpoint: str) -> None:
    """Let this process die at the point of that name."""
    if failpoint != NEVER:
        FAILPOINTS[failpoint]()


def die() -> None:
    """End at once: nothing is rolled back, closed or flushed by us."""
    os._exit(EXIT_CODE)


def before_the_first_statement() -> None:
    """Die before anything reaches the database."""
    _around_execute(before=lambda _sql: die())


def before_the_first_write() -> None:
    """Die with whatever the act has locked and read, before it writes."""
    _around_execute(before=lambda sql: die() if is_write(sql) else None)


def before_the_commit() -> None:
    """Die when everything is written and nothing is committed."""
    _replace_commit(lambda _original, _self: die())

    def begin(sql: str) -> None:
        if is_autocommit() and is_write(sql):
            connection.connection.autocommit = False  # so that the server has the statement, and no commit of it

    _around_execute(before=begin, after=lambda sql: die() if is_autocommit() and is_write(sql) else None)


def after_the_commit() -> None:
    """Die when everything is committed, before anybody hears of it."""

    def commit_and_die(original: Callable[[Any], None], self: BaseDatabaseWrapper) -> None:
        original(self)
        die()

    _replace_commit(commit_and_die)
    _around_execute(after=lambda sql: die() if is_autocommit() and is_write(sql) else None)


FAILPOINTS: dict[str, Callable[[], None]] = {
    act.__name__: act
    for act in (before_the_first_statement, before_the_first_write, before_the_commit, after_the_commit)
}


def is_write(sql: str) -> bool:
    return sql.lstrip().upper().startswith(WRITES)


def is_autocommit() -> bool:
    return not connection.in_atomic_block


def _around_execute(
    *, before: Callable[[str], None] = lambda _: None, after: Callable[[str], None] = lambda _: None
) -> None:
    original = CursorWrapper.execute

    def execute(self: CursorWrapper, sql: str, params: Any = None) -> Any:
        before(sql)
        answer = original(self, sql, params)
        after(sql)
        return answer

    CursorWrapper.execute = execute  # type: ignore[method-assign, assignment]


def _replace_commit(instead: Callable[[Callable[[Any], None], BaseDatabaseWrapper], None]) -> None:
    original = BaseDatabaseWrapper._commit  # type: ignore[attr-defined]

    def commit(self: BaseDatabaseWrapper) -> None:
        if self.connection is not None:
            instead(original, self)

    BaseDatabaseWrapper._commit = commit  # type: ignore[attr-defined]
