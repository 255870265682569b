"""`bin/bench [hold|booking|paid|month|search|page|generate|preview|changes|release|sockets|all] [--seconds N]`."""

import argparse
import importlib
import platform
import signal
import sys
import time
from types import FrameType

import django

from config.run.processes import ServerError
from tests.bench.ground import Ground
from tests.bench.load import find_wrk
from tests.bench.table import WrongResult, say

PARTS = ("hold", "booking", "paid", "month", "search", "page", "generate", "preview", "changes", "release", "sockets")
OVER_HTTP = {"hold", "booking", "month", "search", "page"}
SECONDS = 4.0
ROUNDS = 3


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bin/bench", description="Measure the product beside bare PostgreSQL.")
    parser.add_argument("part", nargs="?", default="all", choices=(*PARTS, "all"))
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="N", help="of each timed run (whole seconds)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="of which the medians are taken")
    return parser.parse_args(arguments)


def run(part: str, *, seconds: float, rounds: int) -> None:
    """Start the servers and measure; each part is imported when Django's settings can be read."""
    parts = PARTS if part == "all" else (part,)
    if OVER_HTTP.intersection(parts):
        find_wrk()
    say(f"starting temporary servers, default durability (Python {platform.python_version()}) …")
    with Ground(seconds=seconds) as ground:
        django.setup()
        for name in parts:
            importlib.import_module(f"tests.bench.{name}").run(ground, rounds=rounds)


def stop(_number: int, _frame: FrameType | None) -> None:
    """End in order at SIGTERM too: the servers and their folder must go."""
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    """Return 0, whatever the figures are, unless something is wrong."""
    chosen = parse(arguments)
    signal.signal(signal.SIGTERM, stop)
    started = time.monotonic()
    try:
        run(chosen.part, seconds=chosen.seconds, rounds=max(chosen.rounds, 1))
    except (WrongResult, ServerError) as error:
        say(f"\nWRONG: {error}")
        return 1
    except KeyboardInterrupt:
        say("stopped")
        return 130
    say(f"done in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
