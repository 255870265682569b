"""What people read in the terminal: every line says who speaks."""

import contextlib
import os
import sys

COLOURS = {"web": 36, "realtime": 37, "worker": 35, "beat": 34, "postgres": 33, "valkey": 31, "run": 32}
WIDTH = max(map(len, COLOURS))


def label(name: str) -> str:
    """Return the name padded, in its colour on a terminal (never when NO_COLOR is set)."""
    padded = f"{name:<{WIDTH}} |"
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return padded
    return f"\033[{COLOURS.get(name, 39)}m{padded}\033[0m"


def say(name: str, line: str) -> None:
    """Print a line under a name; a reader that went away (a closed pipe) is no reason to stop serving."""
    with contextlib.suppress(OSError):
        sys.stdout.write(f"{label(name)} {line}\n")
        sys.stdout.flush()
