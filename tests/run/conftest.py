"""Servers of a test's own, for the tests that kill them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.run.postgres import RUN_SETTINGS, EmbeddedPostgres
from config.run.valkey import EmbeddedValkey

SMALL = {**RUN_SETTINGS, "shared_buffers": "16MB", "max_connections": "20"}


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """Describe a durable server, not started; it is stopped afterwards."""
    server = EmbeddedPostgres(tmp_path / "postgres", settings=SMALL)
    yield server
    server.stop()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """Describe a durable server, not started; it is stopped afterwards."""
    server = EmbeddedValkey(tmp_path / "valkey")
    yield server
    server.stop()
