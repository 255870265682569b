"""`bin/trace hold|book`: a real request's life on one page; `--shape` without times and ids; `--write` the document."""

import argparse
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django

from config.run.commands import manage
from config.run.processes import ServerError
from config.run.state import ROOT
from config.run.temporary import FOLDER_VARIABLE, create_servers
from tests.tracing import document
from tests.tracing.steps import page

NAMES = ("hold", "book")


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bin/trace", description="The life of a real request on one page.")
    parser.add_argument("walk", nargs="?", choices=NAMES, help="hold: POST reservations; book: POST …/confirm")
    parser.add_argument("--shape", action="store_true", help="leave out what changes from run to run")
    parser.add_argument("--write", action="store_true", help="renew docs/walks.md")
    chosen = parser.parse_args(arguments)
    if not chosen.walk and not chosen.write:
        parser.error(f"say which walk: {' or '.join(NAMES)}")
    return chosen


@contextmanager
def ground() -> Iterator[None]:
    """Stand on servers of our own, migrated; or on those that a parent process has put into the environment."""
    if FOLDER_VARIABLE in os.environ:
        yield
        return
    with create_servers() as servers:
        os.environ.update(servers.environment())
        Path(os.environ["STATIC_ROOT"]).mkdir()
        migrate = manage("migrate", "--skip-checks", "--verbosity=0")
        as_owner = os.environ | {"DATABASE_URL": servers.postgres.owner_url()}
        answer = subprocess.run(migrate, cwd=ROOT, env=as_owner, capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            raise ServerError(f"The database could not be migrated:\n{answer.stderr}")
        yield


def walked(name: str, *, shape: bool) -> str:
    """Walk, and return the page; Django is set up by now."""
    return page(importlib.import_module("tests.tracing.acts").walk(name), shape=shape)


def write() -> None:
    """Renew every walk of the document."""
    text = document.FILE.read_text()
    for name in NAMES:
        text = document.written(text, name, walked(name, shape=True))
    document.FILE.write_text(text)


def main(arguments: list[str]) -> int:
    """Print the walk, or write them all."""
    chosen = parse(arguments)
    try:
        with ground():
            django.setup()
            if chosen.write:
                write()
            if chosen.walk:
                sys.stdout.write(f"{walked(chosen.walk, shape=chosen.shape)}\n")
    except ServerError as error:
        sys.stderr.write(f"bin/trace: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
