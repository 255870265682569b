"""The supervisor: whatever dies is started again, and says so."""

import os
import signal
import sys
from collections.abc import Callable, Iterator

import psycopg
import pytest

from config.run.postgres import EmbeddedPostgres
from config.run.processes import is_alive, wait_until
from config.run.program import Program
from config.run.supervisor import Kept, Supervisor

PARENT_AND_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("child", child.pid, flush=True)
time.sleep(60)
"""


class Words:
    """What was printed since the test began."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self.capture = capture
        self.text = ""

    def so_far(self) -> str:
        """Return all of it."""
        self.text += self.capture.readouterr().out
        return self.text


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    """Make a supervisor that stops what it keeps."""
    supervisor = Supervisor()
    yield supervisor
    supervisor.stop()


def program(code: str, name: str = "web") -> Program:
    """Describe a program of a few words."""
    return Program(name, [sys.executable, "-c", code], os.environ)


def turn_until(supervisor: Supervisor, is_done: Callable[[], bool], *, seconds: float = 20) -> bool:
    """Let the supervisor work until something is true."""

    def turn_and_look() -> bool:
        supervisor.turn()
        return is_done()

    return wait_until(turn_and_look, seconds=seconds)


def test_a_killed_program_is_started_again_with_a_line_that_says_so(
    supervisor: Supervisor, capfd: pytest.CaptureFixture[str]
) -> None:
    web = program("import time; print('hello', flush=True); time.sleep(60)")
    supervisor.keep("web", web)  # killed before it says a word: the greeting is its successor's
    assert web.process is not None
    first = web.process.pid
    os.kill(first, signal.SIGKILL)
    assert turn_until(supervisor, lambda: web.process is not None and web.process.pid != first and web.is_running())
    words = Words(capfd)
    assert turn_until(supervisor, lambda: "hello" in words.so_far())
    assert "web was killed by SIGKILL; starting it again" in words.so_far()


def test_the_children_of_a_killed_program_end_with_it(
    supervisor: Supervisor, capfd: pytest.CaptureFixture[str]
) -> None:
    web = program(PARENT_AND_CHILD)
    supervisor.keep("web", web)
    words = Words(capfd)
    assert turn_until(supervisor, lambda: "child" in words.so_far())
    child = int(words.so_far().split()[-1])
    assert web.process is not None
    os.kill(web.process.pid, signal.SIGKILL)
    assert turn_until(supervisor, lambda: not is_alive(child))


def test_the_pause_before_a_start_doubles_until_the_program_settles() -> None:
    kept = Kept("web", program(""))
    pauses = []
    for _ in range(10):
        kept.note_death(kept.started_at + 1)
        pauses.append(kept.pause_seconds)
    kept.note_death(kept.started_at + 31)
    assert (pauses[:3], pauses[-1], kept.pause_seconds) == ([0.2, 0.4, 0.8], 30.0, 0.2)


def test_a_command_that_ends_gives_its_code_and_all_its_words(
    supervisor: Supervisor, capfd: pytest.CaptureFixture[str]
) -> None:
    code = supervisor.run_once(program("print('one'); print('two', end=''); raise SystemExit(3)", "demo"))
    assert (code, capfd.readouterr().out) == (3, "demo     | one\ndemo     | two\n")


def test_a_killed_postgres_is_started_again_and_keeps_a_committed_row(
    supervisor: Supervisor, postgres: EmbeddedPostgres
) -> None:
    supervisor.keep("postgres", postgres)
    with psycopg.connect(postgres.owner_url()) as connection:
        connection.execute("CREATE TABLE acknowledged AS SELECT 50 AS number")
    assert postgres.process is not None
    os.kill(postgres.process.pid, signal.SIGKILL)
    assert turn_until(supervisor, lambda: postgres.is_running() and postgres.is_ready())
    with psycopg.connect(postgres.owner_url()) as connection:
        assert connection.execute("SELECT number FROM acknowledged").fetchall() == [(50,)]
