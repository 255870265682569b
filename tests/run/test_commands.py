"""`bin/run` and `bin/manage` as a person meets them."""

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

from config.run.__main__ import explain
from config.run.processes import ServerError, is_alive, marked_processes, wait_until
from config.run.state import ROOT, DataFolder
from config.run.valkey import free_port

OURS = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_ADMIN_URL", "REDIS_URL", "STATIC_ROOT", "SECRET_KEY")


def fresh_environment(folder: Path, port: int) -> dict[str, str]:
    """Return the environment of somebody who has set nothing but a folder and a port."""
    inherited = {name: value for name, value in os.environ.items() if name not in OURS}
    return inherited | {"DATA_DIR": str(folder), "PORT": str(port), "DEMO": "off"}


def run(module: str, *arguments: str, folder: Path, port: int = 8000) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=fresh_environment(folder, port),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Site:
    """A `bin/run` in the background, its words in a file."""

    def __init__(self, folder: Path, port: int, *arguments: str) -> None:
        self.log = folder.with_suffix(".log")
        with self.log.open("w") as words:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "config.run", *arguments],
                cwd=ROOT,
                env=fresh_environment(folder, port),
                stdout=words,
                stderr=words,
            )
        self.is_up = wait_until(lambda: "ready after" in self.words() or self.process.poll() is not None, seconds=90)

    def words(self) -> str:
        """Return what it said so far."""
        return self.log.read_text()


def test_a_second_run_says_where_the_first_one_is(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    assert folder.take_lock()
    folder.write_state({"address": "http://127.0.0.1:8123/"})
    answer = run("config.run", folder=tmp_path)
    assert (answer.returncode, answer.stdout) == (0, "run      | already running at http://127.0.0.1:8123/\n")


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        answer = run("config.run", folder=tmp_path, port=port)
    expected = f"bin/run: Port {port} is taken by another program; set PORT=… to use another one.\n"
    assert (answer.returncode, answer.stderr) == (1, expected)


def test_a_port_that_is_no_number_is_named(tmp_path: Path) -> None:
    environment = fresh_environment(tmp_path, 0)
    answer = subprocess.run(
        [sys.executable, "-m", "config.run"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (answer.returncode, answer.stderr) == (1, "bin/run: PORT=0 is no port: it is a number from 1 to 65535.\n")


def test_a_full_disk_is_named_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=10**7))
    with pytest.raises(ServerError, match=r"The disk of .* is full \(only 10 MB are free, 300 MB are needed\)"):
        DataFolder(tmp_path).prepare()


def test_a_disk_that_fills_up_later_is_named_too() -> None:
    assert explain(OSError(errno.ENOSPC, "No space left on device")).startswith("The disk is full: make room")
    assert explain(ServerError("could not write: No space left on device")).startswith("The disk is full: make room")


def test_manage_says_that_nothing_runs(tmp_path: Path) -> None:
    answer = run("config.run.manage", "check", folder=tmp_path)
    assert (answer.returncode, answer.stderr) == (
        1,
        "Nothing runs here: start bin/run first (or set DATABASE_URL and REDIS_URL).\n",
    )


def test_a_killed_run_is_recovered_by_the_next_one(tmp_path: Path) -> None:
    folder, port = tmp_path / "data", free_port()
    first = Site(folder, port, "--only", "web")
    assert first.is_up, first.words()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/admin/login/", timeout=20) as answer:
        assert answer.status == 200
    assert run("config.run.manage", "check", folder=folder).returncode == 0
    first.process.kill()
    first.process.wait()

    second = Site(folder, port, "--without", "beat")
    assert second.is_up, second.words()
    programs = list(marked_processes(f"HOLDFAST_CHILD_OF={folder}"))
    assert len(programs) >= 2
    second.process.send_signal(signal.SIGINT)
    assert second.process.wait(timeout=40) == 0
    assert "stopped" in second.words()
    assert not any(is_alive(pid) for pid in programs)
    assert not DataFolder(folder).is_running()
