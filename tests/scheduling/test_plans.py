"""With a million sessions, and reservations and bookings to match, no hot query reads a whole table."""

import os
from datetime import date
from typing import Any

import psycopg
import pytest
from django.db import connection

from bookings.models import Booking
from config.kit.clock import database_now
from config.kit.ids import uuid7
from scheduling.availability import with_availability
from scheduling.models import Reservation, Session
from scheduling.months import MONTH
from scheduling.services.capacity import PLAIN_HOLD
from tests.factories import book, make_activity, make_session

GROW = [
    """INSERT INTO scheduling_activity (id, organization_id, venue_id, name, slug, summary, kind, status, currency,
        price_reference, capacity, hold_minutes, opens_days_before, closes_minutes_before, pay_on_arrival)
    SELECT uuid7(), organization_id, venue_id, name, slug || n, '', kind, status, currency, '', 10, 10, 365, 0, true
    FROM scheduling_activity, generate_series(1, 1000) n""",
    """INSERT INTO scheduling_session (id, organization_id, activity_id, starts_at, ends_at, opens_at, closes_at,
        status, is_legacy, on_sale, capacity_total, places_held, places_booked, honoured_capacity, waiting, version)
    SELECT uuid7(), organization_id, id, t, t + interval '1 hour', t - interval '365 days', t, 'published',
        n % 50 = 0, true, 10, 1, 0, 0, 0, 1
    FROM (SELECT id, organization_id FROM scheduling_activity ORDER BY id DESC LIMIT 1000) a,
        generate_series(1, 1000) n, LATERAL (SELECT now() - interval '300 days' + n * interval '9 hours' AS t) x""",
    """INSERT INTO scheduling_reservation (id, organization_id, session_id, basket, status, party_size, places, email,
        currency, amount_minor, quote, held_at, expires_at, extended, token_version, confirmed_at, ended_at)
    SELECT uuid7(), organization_id, id, uuid7(), CASE WHEN n = 1 THEN 'held' ELSE 'expired' END, 1, 1, 'a@example.org',
        'GBP', 0, '[]', now(), now() + interval '10 minutes', false, 1, NULL, CASE WHEN n = 1 THEN NULL ELSE now() END
    FROM (SELECT id, organization_id FROM scheduling_session LIMIT 100000) s, generate_series(1, 2) n""",
    """INSERT INTO bookings_booking (id, organization_id, number, customer_id, contact_name, contact_phone, status,
        payment_method, currency, total_minor, version, token_version, event_seq, event_hash)
    SELECT uuid7(), organization_id, lpad(upper(translate(to_hex(n), 'ilou', 'wxyz')), 8, '0'), uuid7(), 'A', '',
        CASE WHEN n % 10 = 0 THEN 'pending' ELSE 'confirmed' END, 'free', 'GBP', 0, 1, 1, 0, ''
    FROM bookings_booking, generate_series(1, 100000) n""",
    "ANALYZE scheduling_activity, scheduling_session, scheduling_reservation, bookings_booking",
]


@pytest.fixture
def million(committed_db: None) -> Session:
    """Grow the tables set-wise, past triggers and keys, around one real session and booking."""
    session = make_session(make_activity())
    book(session)
    with psycopg.connect(os.environ["DATABASE_ADMIN_URL"], autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")
        for statement in GROW:
            admin.execute(statement.encode())
    return session


def whole_reads(sql: str, parameters: Any = None) -> list[str]:
    """Return the big tables that the plan reads from end to end."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT TEXT) {sql}", parameters)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    big = ("scheduling_session", "scheduling_reservation", "bookings_booking", "kit_idempotencykey")
    return [table for table in big if f"Seq Scan on {table}" in plan]


def of(queryset: Any) -> tuple[str, Any]:
    sql, parameters = queryset.query.sql_with_params()
    return sql, parameters


def test_no_hot_query_reads_a_whole_table(million: Session) -> None:
    now = database_now()
    some = Session.objects.filter(starts_at__gt=now).first()
    customer = Booking.objects.order_by("id").values_list("customer_id", flat=True)[0]
    assert some is not None
    month = {"activity": some.activity_id, "first": date(now.year, now.month, 1), "last": date(now.year, now.month, 28)}
    hold = {
        "session": some.id, "places": 1, "email": "a@example.org", "reservation": uuid7(), "basket": uuid7(),
        "organization": None, "key": uuid7(), "fingerprint": uuid7(),
    }  # fmt: skip
    day = Session.objects.filter(organization=some.organization_id, starts_at__gte=now).order_by("starts_at")[:50]
    reads = {
        "the hold": whole_reads(PLAIN_HOLD, hold),
        "a month": whole_reads(MONTH, month),
        "one session": whole_reads(*of(with_availability(Session.objects.filter(id=some.id)))),
        "an activity's sessions": whole_reads(
            *of(with_availability(Session.objects.visible().filter(activity=some.activity_id, starts_at__gte=now)))
        ),
        "a day's sessions": whole_reads(*of(day)),
        "sessions with room, legacy ones left out": whole_reads(
            *of(
                Session.objects.filter(
                    activity=some.activity_id, starts_at__gte=now, is_legacy=False, capacity_remaining__gt=0
                )
            )
        ),
        "what is held in a session": whole_reads(*of(Reservation.objects.held().filter(session=some.id))),
        "a basket": whole_reads(*of(Reservation.objects.of_basket(some.id))),
        "the lapsed, in order": whole_reads(
            "SELECT DISTINCT session_id FROM scheduling_reservation WHERE status = 'held'"
            " AND expires_at <= (SELECT clock_timestamp()) AND session_id > %s ORDER BY session_id LIMIT 2",
            [some.id],
        ),
        "a customer's bookings": whole_reads(*of(Booking.objects.filter(customer=customer, status="confirmed"))),
        "the oldest pending bookings": whole_reads(
            *of(Booking.objects.filter(status="pending").order_by("created_at")[:50])
        ),
    }
    assert reads == {key: [] for key in reads}
    assert whole_reads("SELECT count(*) FROM scheduling_session") == ["scheduling_session"]  # the test can see one
