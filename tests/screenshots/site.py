"""A whole site on temporary servers, with the demo in it, and a page of another site that frames it."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from config.run import commands
from config.run.commands import manage
from config.run.options import Options
from config.run.processes import ServerError, dying_with_parent, end_group, wait_until
from config.run.state import ROOT
from config.run.temporary import TemporaryServers, create_servers
from config.run.valkey import HOST, free_port, is_free

START_SECONDS = 60.0
MONEY = {"STRIPE_API_BASE": "http://127.0.0.1:9"}  # nobody answers there: the provider is away
MAIL = {"MAIL_URL": "dummymail://nobody", "MAIL_FALLBACK_URL": ""}  # takes everything, sends nothing


@dataclass(frozen=True, slots=True)
class Site:
    """Where it answers, and the servers that it stands on."""

    address: str
    servers: TemporaryServers


@contextmanager
def running_site() -> Iterator[Site]:
    """Serve web and realtime as bin/run does, with the demo loaded."""
    with create_servers() as servers:
        port = free_port_with_next()
        options = Options(host=HOST, port=port, programs=("web", "realtime"), reload=False, demo=True)
        own = {"DEMO": "on", "REALTIME_URL": options.realtime_address}
        os.environ.update(servers.environment() | own | MAIL | MONEY)
        run(manage("migrate", "--skip-checks", "--verbosity=0"), DATABASE_URL=servers.postgres.owner_url())
        run(manage("collectstatic", "--noinput", "--verbosity=0"))
        run(manage("demo"))
        with serving(commands.web(options), port), serving(commands.realtime(options), options.realtime_port):
            yield Site(options.address.rstrip("/"), servers)


def free_port_with_next() -> int:
    """Return a free port whose next one is free as well."""
    while not is_free((port := free_port()) + 1):
        pass
    return port


def run(command: Sequence[str], **environment: str) -> None:
    """Run a command to its end, or raise ServerError with its words."""
    answer = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        raise ServerError(f"{' '.join(command)} failed:\n{answer.stdout}{answer.stderr}")


@contextmanager
def serving(command: Sequence[str], port: int) -> Iterator[None]:
    """Run a program until it is not needed any more."""
    with subprocess.Popen(
        command, cwd=ROOT, start_new_session=True, preexec_fn=dying_with_parent(signal.SIGTERM)  # noqa: PLW1509 no threads yet
    ) as process:  # fmt: skip
        try:
            if not wait_until(lambda: not is_free(port) or process.poll() is not None, seconds=START_SECONDS):
                raise ServerError(f"{' '.join(command)} does not answer")
            yield
        finally:
            end_group(process.pid, signal.SIGKILL)


class _Host(BaseHTTPRequestHandler):
    """A page of somebody else's, with our script in it."""

    def __init__(self, scripts: dict[str, str], *args: object) -> None:
        self.scripts = scripts
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        body = (
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
            "<title>Somebody's site</title><style>body { font: 17px Georgia, serif; margin: 1rem auto;"
            " max-width: 48rem; padding: 0 1rem; color: #222; background: #fff }</style><h1>Our own site</h1>"
            f"<p>Words of the host, before the frame.</p>{self.scripts.get(self.path, '')}<p>And after it.</p></html>"
        )
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@contextmanager
def host_site(scripts: dict[str, str]) -> Iterator[str]:
    """Serve pages of another site, each with its script; yield their address."""
    server = ThreadingHTTPServer((HOST, 0), partial(_Host, scripts))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_address[1]}"  # another site than 127.0.0.1
    server.shutdown()
    server.server_close()


def picture_folder(name: str | None) -> Path:
    """Return an empty place for the pictures; what is there already is left, but for pictures of the same name."""
    folder = Path(name).absolute() if name else ROOT / ".cache" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
