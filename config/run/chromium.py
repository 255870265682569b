"""Finds a Chromium for the browser tests, or installs one; a missing browser is a failure, never a skipped test."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

from config.run.processes import ServerError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FIXED_PLACES = ("/usr/bin/chromium", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
ASK_PLAYWRIGHT = """
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)
"""
NOT_FOUND = """There is no Chromium for the browser tests, and none could be installed. Do one of these:
  apt-get install chromium
  .venv/bin/python -m playwright install --with-deps chromium
  set CHROMIUM_PATH to the program of one that is there"""


def works(program: str) -> bool:
    """Answer whether this is a browser that starts (some systems put a stub in its place)."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        answer = subprocess.run([program, "--version"], capture_output=True, timeout=30, check=False)
        return answer.returncode == 0 and b"rom" in answer.stdout  # Chromium, Google Chrome
    return False


def candidates() -> Iterator[str]:
    """Name the places to look, best first."""
    if os.environ.get("CHROMIUM_PATH"):
        yield os.environ["CHROMIUM_PATH"]
        return
    for name in NAMES:
        if found := shutil.which(name):
            yield found
    yield from FIXED_PLACES


def find_chromium() -> str | None:
    """Return the first browser that starts."""
    return next(filter(works, candidates()), None)


def install_by_package_manager() -> bool:
    """Install Debian's, as root."""
    if os.getuid() != 0 or not shutil.which("apt-get"):
        return False
    print("Installing Chromium by apt-get", flush=True)
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "-qq", "install", "--no-install-recommends", "-y", "chromium"]
    commands = (["apt-get", "-qq", "update"], install)
    return all(subprocess.run(command, env=quiet, check=False).returncode == 0 for command in commands)


def install_by_playwright() -> str | None:
    """Install Playwright's, for this user; return its place."""
    print("Installing Chromium by Playwright", flush=True)
    if subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False).returncode != 0:
        return None
    answer = subprocess.run([sys.executable, "-c", ASK_PLAYWRIGHT], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None


def find_or_install_chromium() -> str:
    """Return a browser that starts, or raise ServerError saying what to do."""
    if found := find_chromium():
        return found
    if install_by_package_manager() and (found := find_chromium()):
        return found
    if (placed := install_by_playwright()) and works(placed):
        return placed
    raise ServerError(NOT_FOUND)
