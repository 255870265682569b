"""A real browser in front of a real server on this worker's database."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page

from config.run.processes import end_group, wait_until
from config.run.valkey import free_port
from tests import servers

START_SECONDS = 30


@pytest.fixture(scope="session")
def static_files() -> None:
    """Collect the static files into the run's temporary folder, once for all workers."""
    servers.once("static", [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity=0"])


@pytest.fixture
def live_site(committed_db: None, static_files: None) -> Iterator[str]:
    """Serve the site as production does, in a process of its own; the value is its address without a final slash."""
    with serving(threads=2) as address:
        yield address


@contextmanager
def serving(*, threads: int) -> Iterator[str]:
    """Serve the site with so many threads in a process of its own; the value is its address."""
    port = free_port()
    options = ["--interface", "wsgi", "--blocking-threads", str(threads), "--log-level", "warning", "--port", str(port)]
    command = [sys.executable, "-m", "granian", *options, "config.wsgi:application"]
    with subprocess.Popen(command, cwd=servers.ROOT, start_new_session=True) as server:
        try:
            assert wait_until(lambda: answers(port) or server.poll() is not None, seconds=START_SECONDS)
            assert server.poll() is None, "the site did not start; its own words are above"
            yield f"http://127.0.0.1:{port}"
        finally:
            end_group(server.pid, signal.SIGKILL)


@pytest.fixture
def page(browser: Browser, live_site: str) -> Iterator[Page]:
    """Open a page of a fresh visitor; paths are relative to the site, and a script error fails the test."""
    context = browser.new_context(base_url=live_site)
    page = context.new_page()
    page.set_default_timeout(15_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


def answers(port: int) -> bool:
    """Answer whether somebody listens on this port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
