"""Start the demo anew. The application may delete nothing with business meaning, so the tables' owner empties them."""

import os
from contextlib import suppress

import psycopg
from django.apps import apps
from django.db import connection
from psycopg import sql

from config.demo.organizations import ORGANIZATIONS
from config.kit.retries import TRIES
from config.tenants.models import Organization

KEPT_TABLES = {"django_content_type", "auth_permission"}  # `migrate` writes them, and would not do so again
WHERE_AM_I = "SELECT current_database(), pg_postmaster_start_time()"
LOCK_TIMEOUT = "5s"


class CannotReset(Exception):
    """Nothing was emptied; the text says why."""


def empty_tables() -> None:
    """Empty every table of ours, as their owner, in one transaction; raise CannotReset rather than lose what is real.

    Refuses without DATABASE_OWNER_URL, when that is another database than ours, when there are organizations that are
    not the demo's, and when somebody uses the tables for longer than 5 seconds.
    """
    _refuse_real_organizations()
    try:
        _truncate_in_the_end()
    except psycopg.errors.LockNotAvailable as error:
        raise CannotReset("The tables are in use. Try again in a moment, or stop bin/run first.") from error
    except psycopg.Error as error:
        raise CannotReset(f"The owner of the tables could not empty them: {error}") from error


def _truncate_in_the_end() -> None:
    """Empty them, again where a reader of several tables held one and wanted another."""
    for _ in range(TRIES - 1):
        with suppress(psycopg.errors.DeadlockDetected):
            return _truncate()
    return _truncate()


def _truncate() -> None:
    statement = sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(map(sql.Identifier, _tables())))
    with psycopg.connect(_owner_url()) as owner:
        _refuse_another_database(owner)
        owner.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT)))
        owner.execute(statement)


def _refuse_real_organizations() -> None:
    known = {plan.slug for plan in ORGANIZATIONS}
    others = sorted(set(Organization.objects.values_list("slug", flat=True)) - known)
    if others:
        raise CannotReset(
            f"There are organizations that are not the demo's: {', '.join(others)}. A reset would lose them, so nothing"
            " was changed. For a fresh demo use an empty database, or another DATA_DIR."
        )


def _owner_url() -> str:
    url = os.environ.get("DATABASE_OWNER_URL", "")
    if not url:
        raise CannotReset(
            "Set DATABASE_OWNER_URL to the address of the tables' owner: the application may not empty them."
        )
    return url


def _refuse_another_database(owner: psycopg.Connection) -> None:
    """Compare the database's name and the second its server was started."""
    with connection.cursor() as cursor:
        cursor.execute(WHERE_AM_I)
        ours = cursor.fetchone()
    if owner.execute(WHERE_AM_I).fetchone() != ours:
        raise CannotReset("DATABASE_OWNER_URL and DATABASE_URL are two different databases; nothing was changed.")


def _tables() -> list[str]:
    """Return every model's table, but for the two that describe the models themselves."""
    models = apps.get_models(include_auto_created=True)
    return sorted({model._meta.db_table for model in models if model._meta.managed} - KEPT_TABLES)
