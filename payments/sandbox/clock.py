"""The bank's one clock, so that a test can move it."""

import time


def now() -> float:
    """Return seconds since 1970."""
    return time.time()


def stamp() -> int:
    """Return whole seconds since 1970, as the API writes every instant."""
    return int(now())
