"""The only clock that decides: the database's."""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """Return clock_timestamp(): read it after the wait for a lock, so that it is never stale."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
