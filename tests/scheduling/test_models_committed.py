"""What only shows with real commits, or to the owner of the tables."""

from typing import Any

import pytest

from scheduling.services import capacity
from tests.factories import book, hold, make_session


def test_the_owner_of_the_tables_cannot_rewrite_a_fact_either(committed_db: None, owner_sql: Any) -> None:
    book(make_session())
    for statement in ("UPDATE bookings_bookingevent SET kind = 'x'", "DELETE FROM bookings_bookingevent"):
        with pytest.raises(Exception, match="append-only"):
            owner_sql(statement)


def test_recounting_repairs_the_counters_and_reports_the_drift(admin_sql: Any, committed_db: None) -> None:
    session = make_session(capacity=10)
    hold(session, 3)
    book(session, party_size=2)
    admin_sql("UPDATE scheduling_session SET places_held = 1, places_booked = 9")
    drift = capacity.recount(session_id=session.id)
    assert drift == capacity.Drift(places_held=1, places_booked=9, counted_held=3, counted_booked=2)
    session.refresh_from_db()
    assert (session.places_held, session.places_booked, session.capacity_remaining) == (3, 2, 5)
    assert capacity.recount(session_id=session.id).is_clean
