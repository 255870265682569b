"""What the operating system knows about processes: who lives, how to end one, how to die with one's parent."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

PROC = Path("/proc")
PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.05
libc = ctypes.CDLL(None, use_errno=True)  # loaded once: a child between fork and exec must not load libraries


class ServerError(RuntimeError):
    """A server of ours did not start; the message is a sentence for the person at the terminal."""


def is_alive(pid: int) -> bool:
    """Answer whether this process runs; a zombie does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with contextlib.suppress(OSError, IndexError):
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def command_of(pid: int) -> str:
    """Return the command line of a process, or nothing when there is no such process."""
    with contextlib.suppress(OSError):
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    question = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(question, capture_output=True, text=True, check=False).stdout.strip()


def wait_until(is_done: Callable[[], bool], *, seconds: float) -> bool:
    """Look every moment, return whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def end_process(pid: int, steps: Iterable[tuple[signal.Signals, float]], *, is_gone: Callable[[], bool]) -> None:
    """Send each signal in turn and give it its seconds, until the process is gone."""
    for number, seconds in steps:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if wait_until(is_gone, seconds=seconds):
            return
    raise ServerError(f"The process {pid} does not stop: {command_of(pid)}")


def end_together(pids: Sequence[int], *, seconds: float) -> None:
    """Ask all of them to end, and after so many seconds do not ask any more."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if wait_until(lambda: not any(map(is_alive, pids)), seconds=seconds):
            return


def end_group(group: int, number: signal.Signals) -> None:
    """Send a signal to a whole process group: a killed parent leaves its children there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def dying_with_parent(number: signal.Signals) -> Callable[[], None]:
    """Return a preexec_fn: the kernel sends this signal when our parent is gone, even by kill -9 (Linux only)."""

    def ask_the_kernel() -> None:
        if sys.platform == "linux":
            libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)

    return ask_the_kernel


def launch_server(
    command: Sequence[str | Path], *, log: Path, before_exec: Callable[[], None]
) -> subprocess.Popen[bytes]:
    """Start a server in a process group of its own (a Ctrl-C must not reach it), its words in a fresh log."""
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            preexec_fn=before_exec,  # noqa: PLW1509 our own processes start servers before any thread
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=log.parent,
            start_new_session=True,
        )


def marked_processes(mark: str) -> Iterator[int]:
    """Find the processes that were started with this NAME=value in their environment."""
    if PROC.is_dir():
        wanted = mark.encode()
        for folder in PROC.iterdir():
            with contextlib.suppress(OSError):
                if folder.name.isdigit() and wanted in (folder / "environ").read_bytes().split(b"\0"):
                    yield int(folder.name)
        return
    listing = subprocess.run(["ps", "axeww", "-o", "pid=,command="], capture_output=True, text=True, check=False)
    for line in listing.stdout.splitlines():
        if mark in line.split():
            yield int(line.split()[0])


def write_private(file: Path, text: str) -> None:
    """Replace a file in one step, readable for its owner alone."""
    draft = file.with_name(f"{file.name}.part")
    draft.touch(mode=0o600)
    draft.chmod(0o600)
    draft.write_text(text)
    draft.replace(file)
