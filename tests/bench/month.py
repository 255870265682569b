"""Months of an activity and of a venue over HTTP, each beside a constant body of the same size from the same server."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from config.kit.ids import uuid7
from config.run.valkey import HOST
from scheduling.models import Activity, Session
from scheduling.services.generation import generate_activity_sessions
from tests.bench.ground import Ground, Web
from tests.bench.load import Load, run_wrk
from tests.bench.seed import create_activities
from tests.bench.table import Row, WrongResult, judged, print_table, say

CLIENTS = 8
DAYS = 31
OK, NOT_MODIFIED, CREATED = 200, 304, 201
ACTIVITIES = 30
HOLDS_A_SECOND = 20
BUYER_PAUSE_SECONDS = 1 / HOLDS_A_SECOND
WARM_GOAL, MOVING_GOAL = 0.5, 0.25  # of what the same server does with a constant
WARM_UP_SECONDS = 1.0


def run(ground: Ground, *, rounds: int) -> None:
    """Measure in rounds: constant, warm, not modified, and while a buyer keeps changing the month."""
    activities = create_activities(ACTIVITIES, name="month")
    first = _generate(activities)
    one = Subject(f"/api/v1/activities/{activities[0].id}/availability?month={first:%Y-%m}", "month")
    venue = Subject(f"/api/v1/venues/{activities[0].venue.embed_key}/availability?month={first:%Y-%m}", "venue's month")
    session_id = _busy_session(activities[0])
    with ground.web() as web:
        for subject in (one, venue):
            _measure(ground, web, subject, session_id, rounds=rounds)
    for subject, title in ((one, "an activity's month"), (venue, f"the month of a venue with {ACTIVITIES} activities")):
        _judge(subject)
        print_table(f"Month: {title}, {subject.size:,} bytes", subject.rows)


class Subject:
    """A path with the rows of its table."""

    def __init__(self, path: str, name: str) -> None:
        """Begin the table."""
        self.path = path
        self.size = 0
        names = ("constant body", f"{name}, warm", f"{name}, 304", f"{name}, {HOLDS_A_SECOND} holds a second in it")
        self.constant, self.warm, self.tagged, self.moving = self.rows = [Row(name, str(CLIENTS)) for name in names]


def _measure(ground: Ground, web: Web, subject: Subject, session_id: UUID, *, rounds: int) -> None:
    _, body = web.get(subject.path)
    subject.size = len(body)
    with ground.web("tests.bench.constant:application", BENCH_BODY_BYTES=str(len(body))) as beside:
        for server in (web, beside):
            _read(ground, server, subject.path, seconds=min(WARM_UP_SECONDS, ground.seconds))
        for number in range(1, rounds + 1):
            say(f"{subject.warm.what}: round {number} of {rounds}")
            bare = _add(subject.constant, _read(ground, beside, subject.path))
            _add(subject.warm, _read(ground, web, subject.path), bare)
            _add(subject.tagged, _read(ground, web, subject.path, "tagged"), bare)
            with _buyer(web, session_id):
                _add(subject.moving, _read(ground, web, subject.path), bare)


def _judge(subject: Subject) -> None:
    for row, goal in ((subject.warm, WARM_GOAL), (subject.moving, MOVING_GOAL)):
        row.goal = judged(met=row.ratio >= goal, goal=f">= {goal} of the constant")


def _generate(activities: list[Activity]) -> date:
    """Fill next month's timetable; return its first day."""
    first = (datetime.now(tz=UTC).date().replace(day=1) + timedelta(days=32)).replace(day=1)
    for activity in activities:
        generate_activity_sessions(activity_id=activity.id, start_date=first, days_ahead=DAYS)
    return first


def _busy_session(activity: Activity) -> UUID:
    """Give the first session of an activity room for every buyer of the bench."""
    Session.objects.filter(activity=activity).update(capacity_total=1_000_000)
    session = Session.objects.filter(activity=activity).order_by("starts_at").first()
    if session is None:
        raise WrongResult("no sessions were generated")
    return session.id


def _read(ground: Ground, web: Web, path: str, mode: str = "plain", seconds: float | None = None) -> Load:
    load = run_wrk(ground, web, path, script="read.lua", clients=CLIENTS, arguments=[mode], seconds=seconds)
    load.only(*((OK, NOT_MODIFIED) if mode == "tagged" else (OK,)))
    if mode == "tagged" and load.statuses.get(NOT_MODIFIED, 0) < load.statuses[OK]:
        raise WrongResult(f"most answers to a fresh tag should be 304: {load.statuses}")
    return load


def _add(row: Row, load: Load, bare: Load | None = None) -> Load:
    row.samples.append(load.sample)
    if bare:
        row.ratios.append(load.sample.per_second / bare.sample.per_second)
    say(f"  {row.what:<32} {load.sample.per_second:,.0f} a second")
    return load


@contextmanager
def _buyer(web: Web, session_id: UUID) -> Iterator[None]:
    """Let somebody hold a place of the month every moment, so that its version moves."""
    over, failures = threading.Event(), list[str]()
    thread = threading.Thread(target=_buy, args=(web.port, session_id, over, failures))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if failures:
        raise WrongResult(f"the buyer was refused: {failures[0]}")


def _buy(port: int, session_id: UUID, over: threading.Event, failures: list[str]) -> None:
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    body = json.dumps({"session": str(session_id), "party_size": 1, "email": "buyer@example.com"})
    while not over.is_set() and not failures:
        headers = {"Content-Type": "application/json", "Idempotency-Key": uuid7().hex}
        connection.request("POST", "/api/v1/reservations", body, headers)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        if answer.status != CREATED:
            failures.append(text)
        time.sleep(BUYER_PAUSE_SECONDS)
    connection.close()
