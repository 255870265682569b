"""What came in week by week, from the ledger: paid for bookings, less what went back."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from django.db import connection

WEEK = timedelta(days=7)
# Credits of the account are what was paid; a week begins on Monday, by UTC.
REVENUE = """SELECT t.currency, date_trunc('week', t.at AT TIME ZONE 'UTC')::date, (-sum(e.amount_minor))::bigint
    FROM payments_ledgertransaction t JOIN payments_ledgerentry e ON e.transaction_id = t.id
    WHERE t.organization_id = ANY(%s) AND e.account = 'bookings' AND t.at >= %s GROUP BY 1, 2"""


@dataclass(frozen=True, slots=True)
class Week:
    """A week by its Monday, and what came in, in minor units: below nought when more went back."""

    monday: date
    amount_minor: int


def revenue_by_week(organizations: Collection[UUID], *, now: datetime, weeks: int = 12) -> Mapping[str, list[Week]]:
    """Return the last weeks up to `now`, the oldest first, of each currency in which something moved; one statement."""
    today = now.astimezone(UTC).date()
    first = today - timedelta(days=today.weekday()) - (weeks - 1) * WEEK
    with connection.cursor() as cursor:
        cursor.execute(REVENUE, [list(organizations), datetime(first.year, first.month, first.day, tzinfo=UTC)])
        found = {(currency, monday): amount for currency, monday, amount in cursor.fetchall()}
    mondays = [first + number * WEEK for number in range(weeks)]
    return {
        currency: [Week(monday, found.get((currency, monday), 0)) for monday in mondays]
        for currency in sorted({currency for currency, _ in found})
    }
