"""A month of availability over HTTP beside a constant body of the same size from the same server."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

from config.kit.ids import uuid7
from config.run.valkey import HOST
from scheduling.models import Session
from scheduling.services.generation import generate_activity_sessions
from tests.bench.ground import Ground, Web
from tests.bench.load import Load, run_wrk
from tests.bench.seed import create_activities
from tests.bench.table import Row, WrongResult, print_table, say

CLIENTS = 8
DAYS = 31
OK, NOT_MODIFIED, CREATED = 200, 304, 201
BUYER_PAUSE_SECONDS = 0.05
WARM_UP_SECONDS = 1.0


def run(ground: Ground, *, rounds: int) -> None:
    """Measure in rounds: constant, warm, not modified, and while a buyer keeps changing the month."""
    path, session_id = _month_path()
    constant, warm, tagged, moving = (
        Row(name, str(CLIENTS))
        for name in ("constant body", "month, warm", "month, 304", "month, 20 holds a second in it")
    )
    with ground.web() as web:
        _, body = web.get(path)
        with ground.web("tests.bench.constant:application", BENCH_BODY_BYTES=str(len(body))) as beside:
            for server in (web, beside):
                _read(ground, server, path, seconds=min(WARM_UP_SECONDS, ground.seconds))
            for number in range(1, rounds + 1):
                say(f"month: round {number} of {rounds}")
                bare = _add(constant, _read(ground, beside, path))
                _add(warm, _read(ground, web, path), bare)
                _add(tagged, _read(ground, web, path, "tagged"), bare)
                with _buyer(web, session_id):
                    _add(moving, _read(ground, web, path), bare)
    title = f"Month: GET /api/v1/activities/…/availability?month=, {len(body):,} bytes"
    print_table(title, [constant, warm, tagged, moving])


def _month_path() -> tuple[str, UUID]:
    activity = create_activities(1, name="month")[0]
    first = (datetime.now(tz=UTC).date().replace(day=1) + timedelta(days=32)).replace(day=1)
    generate_activity_sessions(activity_id=activity.id, start_date=first, days_ahead=DAYS)
    Session.objects.filter(activity=activity).update(capacity_total=1_000_000)
    session = Session.objects.filter(activity=activity).order_by("starts_at").first()
    if session is None:
        raise WrongResult("no sessions were generated")
    return f"/api/v1/activities/{activity.id}/availability?month={first:%Y-%m}", session.id


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
