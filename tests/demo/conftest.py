"""The demo, loaded once for the tests of a module that look at it: with a bank, or without."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connections
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from tests.conftest import empty_database
from tests.servers import ROOT

NOWHERE = "http://127.0.0.1:9"
SLUGS = {"lantern-yard", "beacon-first-aid", "silberhorn-ski-school", "riverside-arena"}


def run_demo(*arguments: str) -> str:
    """Run the command and return what it printed."""
    output = StringIO()
    call_command("demo", *arguments, stdout=output)
    return output.getvalue()


@pytest.fixture(scope="module")
def demo_output(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """Load the demo, committed, as a person would; return what the command printed."""
    with django_db_blocker.unblock():
        try:
            yield run_demo()
        finally:
            connections.close_all()
            empty_database()


@contextmanager
def running_bank(folder: Path) -> Iterator[str]:
    """Run a bank of its own, which is where money is moved; yield its address. Nobody hears its events."""
    command = [sys.executable, "-m", "payments.sandbox", "--folder", str(folder)]
    environment = os.environ | {"DEMO": "on"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        with override_settings(STRIPE_API_BASE=address, SITE_URL=NOWHERE):
            yield address
        process.kill()


@pytest.fixture(scope="module")
def paid_demo_output(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Load the demo, committed, beside a bank; return what the command printed."""
    with django_db_blocker.unblock(), running_bank(tmp_path_factory.mktemp("bank")):
        try:
            yield run_demo()
        finally:
            connections.close_all()
            empty_database()


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[str]:
    """Run a bank for one test; yield its address."""
    with running_bank(tmp_path / "bank") as address:
        yield address
