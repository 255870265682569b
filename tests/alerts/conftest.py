"""A mail provider for tests that send."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from alerts.sandbox.server import Provider
from tests.alerts.mail import serving, url_of


@pytest.fixture
def provider(tmp_path: Path, settings: Settings) -> Iterator[Provider]:
    """Serve a provider, and have this process use it."""
    with serving(tmp_path / "provider") as provider:
        settings.MAIL_URL, settings.MAIL_FALLBACK_URL = url_of(provider), ""
        yield provider
