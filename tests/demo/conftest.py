"""The demo, loaded once for the tests of a module that look at it."""

from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connections
from pytest_django import DjangoDbBlocker

from tests.conftest import empty_database

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
