"""The demo's mail provider, as a process of `bin/run`."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.run.addresses import program_environment
from config.run.commands import program_command
from config.run.options import parse_options
from config.run.processes import ServerError
from config.run.state import ROOT, DataFolder

ADDRESSES = {"DATABASE_URL": "x", "REDIS_URL": "y"}


@contextmanager
def running(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the program as the run does, on a free port; yield it, and its address."""
    command = [sys.executable, "-m", "alerts.sandbox", "--port", "0", "--folder", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process, process.stdout.readline().split()[-1]
        process.kill()


def send(address: str) -> str:
    """Send a mail, and return its id."""
    body = json.dumps({"from": "a@example.org", "to": ["b@example.org"], "subject": "Hello"}).encode()
    headers = {"Authorization": "Bearer t", "Idempotency-Key": "k"}
    request = urllib.request.Request(f"{address}/emails", data=body, headers=headers)  # noqa: S310 our own server
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return str(json.load(answer)["id"])


def test_a_killed_provider_still_has_what_it_accepted(tmp_path: Path) -> None:
    with running(tmp_path) as (process, address):
        first = send(address)
        process.send_signal(signal.SIGKILL)
        process.wait()
    with running(tmp_path) as (_, address):
        assert send(address) == first
    assert len(list((tmp_path / "mail").glob("*.json"))) == 1


@pytest.mark.parametrize(
    ("environment", "has_one"),
    [({}, True), ({"DEMO": "off"}, False), ({"MAIL_URL": "resend://key@api.resend.com"}, False)],
)
def test_the_demo_alone_has_a_provider_of_its_own_unless_another_is_named(
    environment: Mapping[str, str], has_one: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAIL_URL", raising=False)
    options = parse_options([], {"PORT": "8100", **environment})
    found = program_environment(DataFolder(tmp_path), options, ADDRESSES)
    assert ("mail" in options.programs, options.ports.get("mail"), found.get("MAIL_URL")) == (
        (True, 8102, "resend+http://demo@127.0.0.1:8102") if has_one else (False, None, None)
    )
    assert found["SITE_URL"] == "http://127.0.0.1:8100/"


def test_it_is_started_on_the_port_after_the_realtime_process(tmp_path: Path) -> None:
    options = parse_options([], {"PORT": "8100"})
    command = program_command("mail", options, DataFolder(tmp_path))
    assert command[1:] == ["-m", "alerts.sandbox", "--port", "8102", "--folder", str(tmp_path / "mail")]


def test_a_port_that_leaves_none_for_it_is_refused() -> None:
    with pytest.raises(ServerError, match="leaves none for realtime, mail and bank"):
        parse_options([], {"PORT": "65533"})
    assert parse_options([], {"PORT": "65532"}).mail_port == 65534
