"""What tests stand on: the worker's database in the application's role, real commits, and looks behind the scenes."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, LiteralString, Protocol

import psycopg
import pytest
import redis
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connections
from playwright.sync_api import Browser, sync_playwright
from pytest_django.plugin import DjangoDbBlocker

import config.celery  # noqa: F401 tasks asked for in tests go to the run's own Redis
from config.run.chromium import find_chromium
from tests import servers

Rows = list[tuple[Any, ...]]
QUIET_BROWSER = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TRUNCATE_TRIES = 5
KEPT_TABLES = ["django_migrations", "django_content_type", "auth_permission"]
OTHER_BACKENDS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
SET_UP_DJANGO = "import django\ndjango.setup()\nimport config.celery\n"


class QuickHasher(PBKDF2PasswordHasher):
    """Costs nothing, and the site's own hasher can still verify what it made."""

    iterations = 1


def pytest_configure() -> None:
    """Keep slow password hashing out of every test, and the names of static files as they are in the checkout."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    settings.PASSWORD_HASHERS = [f"{__name__}.{QuickHasher.__name__}"]


class RunSql(Protocol):
    """Executes one statement and returns its rows, or none."""

    def __call__(self, statement: LiteralString, parameters: Sequence[object] | None = None) -> Rows: ...


class RunPython(Protocol):
    """Runs code in a Python process of its own, with Django set up on this worker's database."""

    def __call__(
        self, code: str, *, env: Mapping[str, str] | None = None, timeout_seconds: float = 60
    ) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Stand on the worker's copy of the migrated template instead of a test database made by the owner's role."""
    servers.make_worker_database()
    yield
    with django_db_blocker.unblock():
        connections.close_all()


@pytest.fixture
def committed_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Allow real commits, threads and processes; afterwards every table of the worker's database is empty again."""
    with django_db_blocker.unblock():
        try:
            yield
        finally:
            connections.close_all()
            empty_database()


@pytest.fixture
def admin_sql(django_db_setup: None) -> Iterator[RunSql]:
    """Execute SQL as the superuser on this worker's database, committed at once: past every guard."""
    with psycopg.connect(os.environ["DATABASE_ADMIN_URL"], autocommit=True) as connection:
        yield runner_on(connection)


@pytest.fixture
def owner_sql(django_db_setup: None) -> Iterator[RunSql]:
    """Execute SQL as the owner of the tables, committed at once."""
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as connection:
        yield runner_on(connection)


@pytest.fixture
def run_python(django_db_setup: None) -> RunPython:
    """Run a child process that may crash: tests of recovery look at what it left."""

    def run(
        code: str, *, env: Mapping[str, str] | None = None, timeout_seconds: float = 60
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", SET_UP_DJANGO + code],
            cwd=servers.ROOT,
            env=os.environ | dict(env or {}),
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )

    return run


def runner_on(connection: psycopg.Connection) -> RunSql:
    """Return a function that executes a statement on this connection."""

    def run(statement: LiteralString, parameters: Sequence[object] | None = None) -> Rows:
        cursor = connection.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []

    return run


def empty_database() -> None:
    """Cut what a test's threads and processes left open, then empty all tables and the Redis number."""
    with psycopg.connect(os.environ["DATABASE_ADMIN_URL"], autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET lock_timeout = '2s'")
        for tries_left in reversed(range(TRUNCATE_TRIES)):
            connection.execute(f"SELECT pg_terminate_backend(pid, 2000) {OTHER_BACKENDS}")
            try:
                _truncate_all(connection)
                break
            except (psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable):
                if not tries_left:  # a thread that tells what changed may have come back in between
                    raise
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.flushdb()


def _truncate_all(connection: psycopg.Connection) -> None:
    tables = connection.execute(
        "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' AND tablename <> ALL(%s)",
        [KEPT_TABLES],
    ).fetchall()
    if tables:
        connection.execute("TRUNCATE " + ", ".join(name for (name,) in tables))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Chromium once per worker; without one the journeys fail, they are never skipped."""
    program = os.environ.get("CHROMIUM_PATH") or find_chromium()
    assert program, "there is no Chromium: run bin/test, which installs one, or set CHROMIUM_PATH"
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright keeps a loop in this thread; no coroutine of ours runs
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET_BROWSER)
        yield browser
        browser.close()
