"""A provider of the tests' own, and looks at what it was given."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alerts.models import Notification
from alerts.sandbox.server import Provider
from alerts.services import delivery, fan_out
from config.kit.clock import database_now


@contextmanager
def serving(folder: Path) -> Iterator[Provider]:
    """Serve a provider on a free port until the end of the block."""
    with Provider(("127.0.0.1", 0), folder) as provider:
        thread = threading.Thread(target=provider.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield provider
        provider.shutdown()
        thread.join()


def url_of(provider: Provider) -> str:
    """Return what MAIL_URL says of it."""
    return f"resend+http://sandbox-key@127.0.0.1:{provider.server_port}"


def environment_of(provider: Provider) -> dict[str, str]:
    """Return the environment of a worker that uses it."""
    return {**os.environ, "MAIL_URL": url_of(provider)}


def mails(provider: Provider) -> list[dict[str, Any]]:
    """Return what it accepted, by its own ledger, in order."""
    return [kept["mail"] for kept in reversed(list(provider.store.all()))]


def told(provider: Provider) -> list[tuple[str, str]]:
    """Return to whom, with which title, in order of the titles."""
    return sorted((mail["to"][0], mail["subject"]) for mail in mails(provider))


def tell() -> int:
    """Do what the worker does: hand facts over, send what is due."""
    fan_out.fan_out_facts()
    return delivery.deliver_due()


def hurry() -> None:
    """Let everything that waits for its next try, or its time, be due now."""
    Notification.objects.filter(status="queued").update(next_try_at=database_now())


def statuses() -> list[tuple[str, str]]:
    """Return kind and state of every message but reminders."""
    rows = Notification.objects.exclude(kind__startswith="reminder").order_by("id")
    return list(rows.values_list("kind", "status"))
