"""A process dies with -9 before, in the middle of and after each act: nothing is half done, nothing is done twice."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import NamedTuple

import pytest
from django.apps import apps

from alerts.services.auditor import check_invariants
from bookings.models import Booking, BookingEvent, Line
from bookings.services import schedule_changes
from config.kit.models import IdempotencyKey
from scheduling.models import Reservation, ScheduleEvent, Session
from scheduling.services import reservations
from scheduling.services.schedules import publish_schedule
from tests import servers
from tests.concurrency.races import Places, places_of
from tests.conftest import RunSql
from tests.crash.acts import ACTS, Scene
from tests.crash.failpoints import EXIT_CODE, FAILPOINTS
from tests.factories import hold, lapse, make_activity, make_sessions

pytestmark = pytest.mark.usefixtures("committed_db")

MONDAY = date(2031, 3, 3)
TIMETABLE = {"operatingDays": ["Monday", "Friday"], "startTime": "09:00", "endTime": "12:00", "slotInterval": 60}
Die = Callable[[str, str, Scene], int]


@pytest.fixture(scope="module")
def die(django_db_setup: None) -> Iterator[Die]:
    """Perform an act in a process that dies at a failpoint; return how it ended."""
    command = [sys.executable, "-m", "tests.crash"]
    with subprocess.Popen(
        command, cwd=servers.ROOT, env=os.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin
        assert parent.stdout
        requests, answers = parent.stdin, parent.stdout

        def ask(act: str, failpoint: str, scene: Scene) -> int:
            requests.write(json.dumps([act, failpoint, scene]) + "\n")
            requests.flush()
            return int(answers.readline())

        yield ask
        requests.close()


@pytest.fixture
def scene() -> dict[str, str]:
    """Two sessions of ten places: two held in the first, four held by a lapsed hold in the second."""
    activity = make_activity()
    publish_schedule(activity_id=activity.id, rules=TIMETABLE, effective_from=MONDAY)
    first, second = make_sessions(2, activity)
    held, lapsed = hold(first, 2), hold(second, 5)
    lapse(lapsed)
    change = schedule_changes.rehearse_change(
        kind="capacity", venue_id=activity.venue_id, activity_id=activity.id, author=None,
        parameters={"sessions": [str(first.id)], "capacity": 1},
    )  # fmt: skip
    rows = {"activity": activity, "change": change, "first": first, "second": second, "held": held, "lapsed": lapsed}
    return {**{name: str(row.id) for name, row in rows.items()}, "monday": MONDAY.isoformat()}


class Summary(NamedTuple):
    """All that the acts may change."""

    first: Places
    second: Places
    reservations: dict[str, int]
    extended: int = 0
    bookings: int = 0
    lines: int = 0
    facts: int = 0
    keys: int = 0
    sessions: int = 2
    schedule_facts: int = 0


BEGINNING = Summary(
    first=Places(held=2, booked=0, remaining=8), second=Places(held=5, booked=0, remaining=5), reservations={"held": 2}
)
DONE = {
    "hold_in_one_statement": BEGINNING._replace(
        first=Places(held=5, booked=0, remaining=5), reservations={"held": 3}, keys=1
    ),
    "hold_in_two_sessions": BEGINNING._replace(
        first=Places(held=5, booked=0, remaining=5),
        second=Places(held=6, booked=0, remaining=4),
        reservations={"held": 3, "expired": 1},
        keys=1,
    ),
    "extend": BEGINNING._replace(extended=1, keys=1),
    "confirm": BEGINNING._replace(
        first=Places(held=0, booked=2, remaining=8),
        reservations={"held": 1, "confirmed": 1},
        bookings=1,
        lines=1,
        facts=2,
        keys=1,
    ),
    "book_two_lines": BEGINNING._replace(
        first=Places(held=2, booked=3, remaining=5),
        second=Places(held=0, booked=3, remaining=7),
        reservations={"held": 1, "expired": 1, "confirmed": 2},
        bookings=1,
        lines=2,
        facts=2,
        keys=1,
    ),
    "release": BEGINNING._replace(
        first=Places(held=0, booked=0, remaining=10), reservations={"held": 1, "released": 1}
    ),
    "extend_whole_basket": BEGINNING._replace(extended=1),
    "release_whole_basket": BEGINNING._replace(
        first=Places(held=0, booked=0, remaining=10), reservations={"held": 1, "released": 1}
    ),
    "sweep": BEGINNING._replace(second=Places(held=0, booked=0, remaining=10), reservations={"held": 1, "expired": 1}),
    "cut": BEGINNING._replace(first=Places(held=2, booked=0, remaining=0, honoured=2)),
    "generate": BEGINNING._replace(sessions=8),
    "apply_a_change": BEGINNING._replace(first=Places(held=2, booked=0, remaining=0, honoured=2), schedule_facts=1),
}


def summary(scene: Scene) -> Summary:
    statuses = list(Reservation.objects.values_list("status", flat=True))
    first, second = (places_of(Session.objects.get(id=scene[name])) for name in ("first", "second"))
    return Summary(
        first=first,
        second=second,
        reservations={status: statuses.count(status) for status in set(statuses)},
        extended=Reservation.objects.filter(extended=True).count(),
        bookings=Booking.objects.filter(status="confirmed").count(),
        lines=Line.objects.count(),
        facts=BookingEvent.objects.count(),
        keys=IdempotencyKey.objects.count(),
        sessions=Session.objects.count(),
        schedule_facts=ScheduleEvent.objects.count(),
    )


def everything() -> dict[str, list[dict[str, object]]]:
    """Return every row of every table."""
    return {
        model._meta.db_table: list(model._base_manager.order_by("pk").values())
        for model in apps.get_models(include_auto_created=True)
    }


def wait_for_the_dead(admin_sql: RunSql) -> None:
    """Wait until the server has noticed that nobody is there any more, and rolled back; its own workers may go on."""
    for _ in range(2000):
        if admin_sql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        ) == [(0,)]:
            return
        time.sleep(0.01)
    raise AssertionError("a transaction of the dead process is still open")


@pytest.mark.parametrize("failpoint", FAILPOINTS)
@pytest.mark.parametrize("act", ACTS)
def test_a_crash_leaves_the_act_done_or_not_begun_and_sending_it_again_does_it_once(
    die: Die, act: str, failpoint: str, scene: dict[str, str], admin_sql: RunSql
) -> None:
    assert summary(scene) == BEGINNING
    before = everything()

    assert die(act, failpoint, scene) == EXIT_CODE

    wait_for_the_dead(admin_sql)
    if failpoint == "after_the_commit":
        assert summary(scene) == DONE[act]
    else:
        assert everything() == before
    assert check_invariants() == []

    ACTS[act](scene)  # the client, or the next worker, comes again
    assert summary(scene) == DONE[act]
    assert check_invariants() == []

    lapse(*Reservation.objects.filter(status="held"), ago=timedelta(minutes=1))
    reservations.release_expired_reservations()
    assert [places.held for places in summary(scene)[:2]] == [0, 0]
    assert check_invariants() == []


def test_an_act_that_is_let_live_ends_by_itself(die: Die, scene: dict[str, str]) -> None:
    """The control: the failpoints kill, not the acts."""
    assert die("release", "never", scene) == 0
    assert summary(scene) == DONE["release"]


def test_half_an_act_is_seen_when_its_statements_do_not_share_a_transaction(
    die: Die, scene: dict[str, str], admin_sql: RunSql
) -> None:
    """The control: with the transaction left out the same crash leaves ended holds whose places nobody gave back."""
    assert die("release_without_a_transaction", "after_the_commit", scene) == EXIT_CODE

    wait_for_the_dead(admin_sql)
    assert summary(scene).first == Places(held=2, booked=0, remaining=8, held_by_rows=0)
    assert {finding.code for finding in check_invariants()} >= {"I02"}
