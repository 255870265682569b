"""A process dies with -9 around each act of the day: no arrival without its fact, nobody half erased."""

from datetime import timedelta

import pytest

from alerts.services.auditor import check_invariants
from bookings.models import Booking, BookingEvent, Customer, Line, ResumeLink
from bookings.services import attendance, recovery
from config.kit.clock import database_now
from scheduling.models import Session
from tests.conftest import RunSql
from tests.crash.acts import STAFF, Scene
from tests.crash.day_acts import DAY_ACTS
from tests.crash.failpoints import EXIT_CODE, FAILPOINTS
from tests.crash.test_crashes import Die, die, everything, wait_for_the_dead
from tests.factories import book, hold, make_activity, make_organization, make_session, make_venue

__all__ = ["die"]

pytestmark = pytest.mark.usefixtures("committed_db")

OVER = ("erase", "settle_by_policy", "archive")  # acts about what is over


def make_scene(act: str) -> dict[str, str]:
    """Somebody booked a session that has begun, or is over where that is the act; and holds another by a link."""
    session = make_session(make_activity(make_venue(make_organization(outcome_policy="no_show"))))
    booking = book(session)
    line = booking.lines.get()
    starts_at = database_now() - (timedelta(hours=3) if act in OVER else timedelta(minutes=5))
    Session.objects.filter(id=session.id).update(
        starts_at=starts_at, ends_at=starts_at + timedelta(hours=1), closes_at=starts_at
    )
    link = recovery.ask_resume_link(basket=hold(make_session(session.activity)).basket, email="a@example.org")
    return {
        "line": str(line.id), "customer": str(booking.customer_id), "organization": str(booking.organization_id),
        "link": str(link.id),
    }  # fmt: skip


def summary() -> tuple[str, int, bool, bool, bool]:
    """Return how the line stands, the facts, and whether somebody is erased, archived, or has used the link."""
    return (
        Line.objects.get().attendance,
        BookingEvent.objects.count(),
        Customer.objects.get().erased_at is not None,
        Booking.objects.get().archived_at is not None,
        ResumeLink.objects.get().used_at is not None,
    )


BEGINNING = ("expected", 2, False, False, False)
DONE = {
    "check_in": ("arrived", 3, False, False, False),
    "note_a_no_show": ("no_show", 3, False, False, False),
    "settle_by_policy": ("no_show", 3, False, False, False),
    "erase": ("expected", 3, True, False, False),
    "archive": ("expected", 3, False, True, False),
    "open_a_link": ("expected", 2, False, False, True),
}


@pytest.mark.parametrize("failpoint", FAILPOINTS)
@pytest.mark.parametrize("act", DAY_ACTS)
def test_a_crash_leaves_an_act_of_the_day_done_or_not_begun(
    die: Die, act: str, failpoint: str, admin_sql: RunSql
) -> None:
    scene: Scene = make_scene(act)
    assert summary() == BEGINNING
    before = everything()

    assert die(act, failpoint, scene) == EXIT_CODE

    wait_for_the_dead(admin_sql)
    if failpoint == "after_the_commit":
        assert summary() == DONE[act]
    else:
        assert everything() == before
    assert check_invariants() == []

    DAY_ACTS[act](scene)  # the client, or the next worker, comes again
    assert summary() == DONE[act]
    assert check_invariants() == []


def test_an_arrival_without_its_fact_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: an act that leaves the fact out ends in another summary."""
    scene = make_scene("check_in")
    monkeypatch.setattr("bookings.services.lifecycle.record_event", lambda *_, **__: None)
    attendance.check_in_line(line_id=Line.objects.get(id=scene["line"]).id, actor=STAFF)
    assert summary() != DONE["check_in"]
