"""Whatever runs by the clock, over whatever bookings there are: it ends none of them."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.services.auditor import check_invariants
from bookings.models import Booking, BookingEvent
from bookings.services.cancellation import cancel_booking
from bookings.services.changes import move_line
from bookings.services.session_closure import close_with_offers
from config.celery import app
from config.kit.facts import Actor, ActorKind
from scheduling.services import capacity
from tests.factories import CUSTOMER, book, hold, lapse, make_activity, make_session, shift_session, stranger

DESK = Actor(kind=ActorKind.STAFF, channel="admin", detail={"note": "storm"})
HOUR = timedelta(hours=1)
ACTS = ("nothing", "cancel", "move", "close", "cut", "lapse")


def jobs() -> list[str]:
    app.loader.import_default_modules()
    return sorted({entry["task"] for entry in app.conf.beat_schedule.values()})


def confirmed() -> dict[str, str]:
    return {str(key): status for key, status in Booking.objects.values_list("id", "status")}


@pytest.mark.usefixtures("committed_db")
@settings(max_examples=6, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
@given(plan=st.lists(st.tuples(st.sampled_from(ACTS), st.integers(-72, 72), st.integers(1, 3)), min_size=1, max_size=5))
def test_no_job_ends_a_booking(plan: list[tuple[str, int, int]]) -> None:
    activity = make_activity(cancel_until_minutes=0, change_until_minutes=0)
    for place, (act, hours, size) in enumerate(plan):
        session = make_session(activity, starts_in=timedelta(days=4, hours=place))
        booking = book(session, party_size=size, contact=stranger())
        if act == "cancel":
            cancel_booking(booking_id=booking.id, actor=CUSTOMER)
        elif act == "move":
            target = make_session(activity, starts_in=timedelta(days=8, hours=place))
            move_line(line_id=booking.lines.get().id, session_id=target.id, actor=CUSTOMER)
        elif act == "close":
            close_with_offers(session_id=session.id, actor=DESK, reason="Storm")
        elif act == "cut":
            capacity.set_capacity(session_id=session.id, capacity=0)
        elif act == "lapse":
            lapse(hold(session))
        shift_session(session, starts_in=hours * HOUR)
    before = confirmed()

    for job in jobs():
        app.tasks[job]()

    assert {key: confirmed()[key] for key in before} == before
    assert not BookingEvent.objects.filter(actor_kind="system", to_status="cancelled").exists()
    assert check_invariants() == []
