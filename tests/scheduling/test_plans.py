"""With a million sessions, and reservations and bookings to match, no hot query reads a whole table."""

import os
import re
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection

from bookings.models import Booking
from config.kit.clock import database_now
from config.kit.ids import uuid7
from scheduling.availability import ONE, SPAN, with_availability
from scheduling.models import PriceRule, Reservation, ScheduleException, Session, Unit, UnitPrice, Venue
from scheduling.months import MONTH, VENUE_MONTH
from scheduling.price_lists import price_lists
from scheduling.services.capacity import PLAIN_HOLD
from scheduling.venue_days import DAY
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
    """UPDATE scheduling_activity SET venue_id = v.id FROM (
        SELECT a.id AS activity, (array_agg(a.id) OVER (ORDER BY a.id))[1 + (row_number() OVER (ORDER BY a.id) - 1) / 30
            * 30] AS id FROM scheduling_activity a) v WHERE v.activity = scheduling_activity.id""",
    """INSERT INTO scheduling_venue (id, organization_id, name, timezone, embed_key, allowed_embed_origins)
    SELECT DISTINCT venue_id, organization_id, 'Hall', 'Europe/London', replace(venue_id::text, '-', ''), '{}'::text[]
    FROM scheduling_activity""",
    """INSERT INTO scheduling_unit (id, organization_id, activity_id, name, price_minor, places, is_default, position)
    SELECT uuid7(), organization_id, id, 'Adult', 1000, 1, true, 0 FROM scheduling_activity a
    WHERE NOT EXISTS (SELECT FROM scheduling_unit u WHERE u.activity_id = a.id)""",
    """INSERT INTO scheduling_scheduleexception (id, organization_id, venue_id, kind, first_date, last_date, reason)
    SELECT uuid7(), organization_id, id, 'closure', d, d, 'Closed.' FROM scheduling_venue,
        generate_series(1, 1000) n, LATERAL (SELECT current_date - 800 + n AS d) x""",
    """INSERT INTO scheduling_unitprice (id, organization_id, unit_id, session_id, price_minor)
    SELECT uuid7(), s.organization_id, u.id, s.id, 900 FROM scheduling_unit u
    JOIN scheduling_session s ON s.activity_id = u.activity_id WHERE s.starts_at > now() + interval '50 days'""",
    """INSERT INTO scheduling_pricerule (id, organization_id, activity_id, name, position, weekdays, percent, ended_at)
    SELECT uuid7(), organization_id, id, 'Weekend', 0, '{5,6}'::smallint[], 20, CASE WHEN n = 1 THEN NULL ELSE now() END
    FROM scheduling_activity, generate_series(1, 20) n""",
    """INSERT INTO kit_idempotencykey (id, organization_id, fingerprint, effect_id, created_at)
    SELECT uuid7(), uuid7(), uuid7(), uuid7(), now() FROM generate_series(1, 100000)""",
    """ANALYZE scheduling_venue, scheduling_activity, scheduling_unit, scheduling_session, scheduling_reservation,
        scheduling_scheduleexception, scheduling_unitprice, scheduling_pricerule, bookings_booking,
        kit_idempotencykey""",
]
BIG = (
    "scheduling_session", "scheduling_reservation", "bookings_booking", "kit_idempotencykey",
    "scheduling_scheduleexception", "scheduling_unitprice", "scheduling_pricerule",
)  # fmt: skip


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
    return [table for table in BIG if re.search(rf"Seq Scan on {table}\b", plan)]


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
    venue = Venue.objects.get(id=some.activity.venue_id)
    month_of_venue = {"venue": venue.id, "first": month["first"], "last": month["last"]}
    week = {"begins": now, "ends": now + timedelta(days=7)}
    staff = Session.objects.filter(organization=some.organization_id, starts_at__gt=now).order_by("starts_at")
    day = Session.objects.filter(organization=some.organization_id, starts_at__gte=now).order_by("starts_at")[:50]
    reads = {
        "the hold": whole_reads(PLAIN_HOLD, hold),
        "a month": whole_reads(MONTH, month),
        "one session": whole_reads(*ONE.statement(session=some.id)),
        "a month of a venue": whole_reads(VENUE_MONTH, month_of_venue),
        "a day across a venue": whole_reads(
            *DAY.statement(organization=venue.organization_id, venue=venue.id, begins=now, ends=now + timedelta(days=1))
        ),
        "alternatives, and an activity's day": whole_reads(*SPAN.statement(activity=some.activity_id, **week)),
        "staff's sessions to come": whole_reads(*of(staff[:100])),
        "a venue's exceptions": whole_reads(
            *of(ScheduleException.objects.filter(venue=venue, lifted_at=None, last_date__gte=now.date()))
        ),
        "price rules": whole_reads(*of(PriceRule.objects.filter(activity__in=[some.activity_id], ended_at=None))),
        "prices of versions": whole_reads(
            *of(UnitPrice.objects.filter(session=None, unit__activity__in=[some.activity_id]))
        ),
        "prices of sessions": whole_reads(
            *of(UnitPrice.objects.filter(session__in=[some.id], unit__activity__in=[some.activity_id]))
        ),
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
    assert Unit.objects.filter(activity__venue=venue).count() == 30  # and the venue is a large one
    assert len(of_price_list(some)) == 1


def of_price_list(session: Session) -> list[object]:
    """Return what the price list itself reads, so that the statements above are of tables that hold something."""
    return [rule.id for rule in price_lists([session.activity_id])[session.activity_id].rules]
