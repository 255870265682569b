"""Deadlocks are retried; the act ran in one transaction, so nothing of the first try is left."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection

P = ParamSpec("P")
R = TypeVar("R")

DEADLOCK_DETECTED = "40P01"
TRIES = 3


def is_deadlock(error: OperationalError) -> bool:
    """Did PostgreSQL choose this transaction to end a deadlock?"""
    return getattr(error.__cause__, "sqlstate", "") == DEADLOCK_DETECTED


def retry_on_deadlock(act: Callable[P, R]) -> Callable[P, R]:
    """Run the act again when it lost a deadlock, but only as the outermost transaction."""

    @functools.wraps(act)
    def retried(*args: P.args, **kwargs: P.kwargs) -> R:
        for _ in range(TRIES - 1):
            try:
                return act(*args, **kwargs)
            except OperationalError as error:
                if connection.in_atomic_block or not is_deadlock(error):
                    raise
        return act(*args, **kwargs)

    return retried
