"""Keeps everything running: reads what programs say, and starts again what dies, servers of ours included."""

import contextlib
import selectors
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from config.run.console import say
from config.run.processes import ServerError
from config.run.program import Program

LOOK_SECONDS = 0.1
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 30.0
SETTLED_SECONDS = 30.0  # whoever lived this long may be started anew without a pause
STOP_SECONDS = 15.0


class Service(Protocol):
    """What can be kept running: an embedded server, or a program."""

    def start(self) -> None:
        """Start it, recovering from whatever happened before."""

    def stop(self) -> None:
        """Stop it."""

    def is_running(self) -> bool:
        """Answer whether it lives."""


@dataclass
class Kept:
    """A service and the story of its restarts."""

    name: str
    service: Service
    started_at: float = 0.0  # seconds of the monotonic clock, as are all here
    due_at: float | None = None
    pause_seconds: float = 0.0

    def note_death(self, now: float) -> None:
        """Plan the next start: at once after a long life, else after a pause that doubles."""
        doubled = 0.0 if now - self.started_at > SETTLED_SECONDS else self.pause_seconds * 2
        self.pause_seconds = min(max(doubled, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        self.due_at = now + self.pause_seconds


class Supervisor:
    """Single-threaded: one loop reads, looks and restarts, so a start can never race with a stop."""

    def __init__(self) -> None:
        """Begin with nothing to keep."""
        self.kept: list[Kept] = []
        self.selector = selectors.DefaultSelector()

    def keep(self, name: str, service: Service) -> None:
        """Start a service and keep it running from now on; raise ServerError when it does not start."""
        kept = Kept(name, service)
        self.kept.append(kept)
        self._start(kept)

    def run_once(self, program: Program) -> int:
        """Run a command that ends by itself, keeping the others meanwhile; return its exit code."""
        try:
            program.start()
            self._listen_to(program)
            while program.is_running():
                self.turn()
            return program.exit_code
        finally:
            self._stop_listening(program)
            program.kill()

    def turn(self) -> None:
        """One round: print what was said, start again what has died."""
        self._read_output()
        for kept in self.kept:
            self._look_after(kept)

    def stop(self) -> None:
        """Stop everything in order: first the programs, together, then the servers they stand on."""
        programs = [kept.service for kept in self.kept if isinstance(kept.service, Program)]
        for program in programs:
            program.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        while any(program.is_running() for program in programs) and time.monotonic() < deadline:
            self._read_output()
        for kept in reversed(self.kept):
            if isinstance(kept.service, Program):
                self._stop_listening(kept.service)
            with contextlib.suppress(ServerError):
                kept.service.stop()
        self.kept.clear()

    def _start(self, kept: Kept) -> None:
        kept.started_at, kept.due_at = time.monotonic(), None
        if isinstance(kept.service, Program):
            self._stop_listening(kept.service)
        kept.service.start()
        if isinstance(kept.service, Program):
            self._listen_to(kept.service)

    def _look_after(self, kept: Kept) -> None:
        now = time.monotonic()
        if kept.due_at is None and not kept.service.is_running():
            kept.note_death(now)
            how = kept.service.describe_end() if isinstance(kept.service, Program) else "died"
            say("run", f"{kept.name} {how}; starting it again in {kept.pause_seconds:.1f} s")
        elif kept.due_at is not None and now >= kept.due_at:
            self._start_again(kept)

    def _start_again(self, kept: Kept) -> None:
        try:
            self._start(kept)
        except (ServerError, OSError) as error:
            kept.note_death(time.monotonic())
            say("run", f"{kept.name} did not start; the next try is in {kept.pause_seconds:.1f} s: {error}")
        else:
            say("run", f"{kept.name} is up again")

    def _listen_to(self, program: Program) -> None:
        self.selector.register(program.output, selectors.EVENT_READ, program)

    def _stop_listening(self, program: Program) -> None:
        with contextlib.suppress(KeyError, ValueError, RuntimeError):
            self.selector.unregister(program.output)

    def _read_output(self) -> None:
        programs: Sequence[Program] = [key.data for key, _ in self.selector.select(LOOK_SECONDS)]
        for program in programs:
            if not program.read():
                self._stop_listening(program)
