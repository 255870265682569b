"""A whole site as `bin/run` serves it, on data of its own, and a client that keeps every answer."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120


@dataclass(frozen=True)
class Answer:
    """What came back: a status and a body, or 0 and nothing when the connection broke."""

    status: int
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Site:
    """A running site."""

    port: int
    data_dir: Path
    process: subprocess.Popen[bytes]

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Call the API once; a broken connection is an answer too."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            payload = None if body is None else json.dumps(body)
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, f"/api/v1/{path}", payload, {"Content-Type": "application/json", **named})
            response = connection.getresponse()
            text = response.read()
            return Answer(response.status, json.loads(text) if text else {})
        except (OSError, http.client.HTTPException):
            return Answer(0, {})
        finally:
            connection.close()

    def hold(
        self, session: str, party_size: int = 1, key: str | None = None, email: str = "soak@example.org",
        agent: str = "soak",
    ) -> Answer:  # fmt: skip
        """Hold places."""
        body = {"session": session, "party_size": party_size, "email": email}
        return self.call("POST", "reservations", body, Idempotency_Key=key or str(uuid4()), User_Agent=agent)

    def confirm(self, held: Answer, email: str) -> Answer:
        """Book what is held."""
        body = {"customer": {"email": email, "name": "Somebody"}}
        return self.call(
            "POST", f"reservations/{held.body['id']}/confirm", body, Reservation_Token=str(held.body["token"])
        )

    def manage(self, *arguments: str, code: str | None = None) -> str:
        """Run a management command on the site's own servers; raise with its words when it fails."""
        done = subprocess.run(
            [ROOT / "bin" / "manage", *arguments], cwd=ROOT, env=self.environment, input=code, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def make_session(self, capacity: int) -> str:
        """Make a session of its own to fight over; return its id."""
        return self.manage("shell", "--verbosity=0", code=MAKE_SESSION.format(capacity=capacity)).splitlines()[-1]

    def lapse_holds(self, session: str) -> None:
        """Let every hold of a session run out now."""
        self.manage("shell", "--verbosity=0", code=LAPSE.format(session=session))

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment in which commands find this site."""
        return os.environ | {"DATA_DIR": str(self.data_dir), "PORT": str(self.port)}

    def kill(self, pattern: str) -> int:
        """kill -9 every process of this site whose command holds the pattern; return how many."""
        victims = [pid for pid in _descendants(self.process.pid) if pattern in _command(pid)]
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        return len(victims)

    def wait(self, *, seconds: float = START_SECONDS) -> None:
        """Wait until the site answers from its database."""
        deadline = time.monotonic() + seconds
        while self.call("GET", "activities").status != http.client.OK:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError("the site does not answer")
            time.sleep(0.1)


MAKE_SESSION = """
from tests.factories import make_activity, make_session, make_organization, make_venue
from uuid import uuid4
name = uuid4().hex
activity = make_activity(make_venue(make_organization(slug=name)), slug=name)
print(make_session(activity, capacity={capacity}).id)
"""

LAPSE = """
from tests.factories import lapse
from scheduling.models import Reservation
lapse(*Reservation.objects.held().filter(session_id="{session}"))
"""


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _descendants(root: int) -> list[int]:
    """Return every process below this one."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    found, queue = [], [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def _free_ports() -> int:
    """Return a port that is free, and so is the next, which realtime takes."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                two.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


@contextmanager
def running_site(*arguments: str, limits: bool = False, **settings: str) -> Iterator[Site]:
    """Serve a site from nothing; stop it and check what it left behind. Limits on holding are for who asks for them."""
    with tempfile.TemporaryDirectory(prefix="holdfast-soak-") as folder:
        port, data_dir = _free_ports(), Path(folder)
        switches = {
            "DEMO": "off",
            "LIMITS": "on" if limits else "off",
            "SITE_URL": f"http://127.0.0.1:{port}",
            **settings,
        }
        environment = os.environ | {"PORT": str(port), "DATA_DIR": folder, **switches}
        with (data_dir / "output").open("wb") as output:
            process = subprocess.Popen(
                [ROOT / "bin" / "run", *arguments], cwd=ROOT, env=environment, stdout=output, stderr=output
            )
        site = Site(port, data_dir, process)
        try:
            site.wait()
            yield site
        except BaseException:
            sys.stderr.write((data_dir / "output").read_text()[-4000:])
            raise
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)
