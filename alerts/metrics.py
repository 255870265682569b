"""Figures in Prometheus's text form.

What happens in a request or a task is counted where it happens; with PROMETHEUS_MULTIPROC_DIR set (bin/run does) every
process counts into a file of its own there, and an answer adds them up. What is a state is read when it is asked for.
"""

import atexit
import os
import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from celery.signals import task_postrun, task_prerun
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from alerts.figures import States
from config.kit.addresses import UUID_FORM
from config.kit.keepable import Keepable
from config.kit.problems import REFUSAL_CODE
from payments.providers.base import AccountBroken, ProviderDown, ProviderRefused
from payments.providers.gateway import NobodyAsks

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
BY_ROUTE = ["route", "method", "status"]
REQUESTS = Histogram("holdfast_request_seconds", "Time to answer a request.", BY_ROUTE, buckets=BUCKETS)
SQL_SECONDS = Counter("holdfast_sql_seconds", "Time spent in SQL statements by requests.", BY_ROUTE)
SQL_STATEMENTS = Counter("holdfast_sql_statements", "SQL statements executed by requests.", BY_ROUTE)
HOLDS = Counter("holdfast_holds", "Attempts to hold places.", ["outcome"])
BOOKINGS = Counter("holdfast_bookings", "Attempts to book.", ["outcome"])
REFUSALS = Counter("holdfast_refusals", "Refusals answered to programs, and pages that are one.", ["code"])
TASKS = Counter("holdfast_tasks", "Tasks of the worker: sweeps, audits, fan-out.", ["task", "state"])
TASK_SECONDS = Counter("holdfast_task_seconds", "Time spent in tasks.", ["task"])
PROVIDER_CALLS = Counter("holdfast_provider_calls", "Calls to payment providers.", ["outcome"])
PROVIDER_SECONDS = Histogram("holdfast_provider_seconds", "Time until a payment provider answered.", buckets=BUCKETS)
# The first that fits: nobody asked while the breaker was open or others waited; no answer; the key is dead; a no.
ENDED: Sequence[tuple[type[BaseException], str]] = (
    (NobodyAsks, "not_asked"), (ProviderDown, "down"), (AccountBroken, "broken"), (ProviderRefused, "refused"),
)  # fmt: skip

# The routes at which places are held and bookings made: programs, then pages and frames, by the name of their address.
OUTCOMES: Mapping[str, tuple[Counter, str]] = {
    "/api/v1/reservations": (HOLDS, "held"),
    "/api/v1/bookings": (BOOKINGS, "booked"),
    "/api/v1/reservations/{reservation_id}/confirm": (BOOKINGS, "booked"),
    "hold-session": (HOLDS, "held"),
    "checkout": (BOOKINGS, "booked"),
    "embed-hold": (HOLDS, "held"),
    "embed-checkout": (BOOKINGS, "booked"),
}


# Requests ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class SqlTime:
    """What the statements of one thread's connection took so far."""

    seconds: float = 0.0
    statements: int = 0


class _Thread(threading.local):
    def __init__(self) -> None:
        self.sql = SqlTime()


class Answered(NamedTuple):
    """A request that was answered, as its thread leaves it behind; sorted out later."""

    match: ResolverMatch | None
    method: str | None
    response: HttpResponse
    seconds: float
    sql_seconds: float
    statements: int


@dataclass(slots=True)
class Sums:
    """What many requests of one kind add up to."""

    buckets: list[int]
    seconds: float = 0.0
    sql_seconds: float = 0.0
    statements: int = 0


current = _Thread()
answered: deque[Answered] = deque()
DRAIN_SECONDS = 1.0


@receiver(connection_created)
def watch_statements(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Time every statement of a new connection."""
    if time_statement not in connection.execute_wrappers:
        connection.execute_wrappers.append(time_statement)


def time_statement(execute: Callable[..., Any], *statement: Any) -> Any:
    """Execute, and add the time to the thread's."""
    began = time.perf_counter()
    try:
        return execute(*statement)
    finally:
        sql = current.sql
        sql.seconds += time.perf_counter() - began
        sql.statements += 1


class MetricsMiddleware:
    """Times every request; the first of all, so that it sees what is sent. The counting is done beside the requests."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, and leave behind what is to be counted."""
        sql, began = current.sql, time.perf_counter()
        seconds, statements = sql.seconds, sql.statements
        response = self.get_response(request)
        took = time.perf_counter() - began
        leave_behind(
            Answered(
                request.resolver_match, request.method, response, took, sql.seconds - seconds,
                sql.statements - statements,
            )
        )  # fmt: skip
        return response


def leave_behind(one: Answered) -> None:
    """Leave an answered request to be counted beside the requests."""
    answered.append(one)
    if not drain.is_running:
        drain.start()


def count_kept_answer(keepable: Keepable, status: int, seconds: float) -> None:
    """Count a GET that was answered before the application, as its route's: without a statement."""
    leave_behind(Answered(keepable.match, "GET", KEPT_ANSWERS[status], seconds, 0.0, 0))


KEPT_ANSWERS = {200: HttpResponse(status=200), 304: HttpResponse(status=304)}


class Drain:
    """A thread that counts what was answered, once a second: many requests cost one write to each counter."""

    def __init__(self) -> None:
        self.is_running = False
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the thread of this process, unless it runs."""
        with self._lock:
            if not self.is_running:
                self.is_running = True
                atexit.register(count_answered)
                threading.Thread(target=self._run, name="metrics", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(DRAIN_SECONDS)
            count_answered()


drain = Drain()


def count_answered() -> None:
    """Count every request that was answered since the last time."""
    kinds: dict[tuple[str, str, str], Sums] = {}
    while answered:
        try:
            one = answered.popleft()
        except IndexError:  # another thread was faster
            break
        sums = kinds.setdefault(labels_of(one), Sums([0] * (len(BUCKETS) + 1)))
        sums.buckets[bisect_left(BUCKETS, one.seconds)] += 1
        sums.seconds += one.seconds
        sums.sql_seconds += one.sql_seconds
        sums.statements += one.statements
        count_outcome(one)
    for labels, sums in kinds.items():
        write_sums(labels, sums)


def labels_of(one: Answered) -> tuple[str, str, str]:
    """Return route, method and class of status."""
    route = "unknown" if one.match is None else address_of(one.match.route)
    return route, one.method if one.method in METHODS else "other", f"{one.response.status_code // 100}xx"


def write_sums(labels: tuple[str, str, str], sums: Sums) -> None:
    """Add many requests to the counters; a Histogram takes one by one, so its parts are written here."""
    histogram = REQUESTS.labels(*labels)
    for bucket, number in zip(histogram._buckets, sums.buckets, strict=True):  # noqa: SLF001
        if number:
            bucket.inc(number)
    histogram._sum.inc(sums.seconds)  # noqa: SLF001
    if sums.statements:
        SQL_SECONDS.labels(*labels).inc(sums.sql_seconds)
        SQL_STATEMENTS.labels(*labels).inc(sums.statements)


METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@cache
def address_of(route: str) -> str:
    """Write a URL pattern for people: /api/v1/reservations/{reservation_id}. The patterns are few, so all are kept."""
    plain = route.replace(UUID_FORM, "").replace("(?P<", "{").replace(">)", "}").replace("^", "").replace("/?$", "")
    return "/" + plain


def count_outcome(one: Answered) -> None:
    """Count the refusal, if it is one, and how a hold or a booking ended."""
    code = getattr(one.response, REFUSAL_CODE, None)
    if code:
        REFUSALS.labels(code).inc()
    if one.method != "POST" or one.match is None:
        return
    outcome = OUTCOMES.get(address_of(one.match.route)) or OUTCOMES.get(one.match.url_name or "")
    if outcome:
        counter, success = outcome
        counter.labels(code or _how(one.response, success)).inc()


def _how(response: HttpResponse, success: str) -> str:
    if response.status_code >= 500:  # noqa: PLR2004 a failure of ours
        return "failed"
    if response.status_code >= 400:  # noqa: PLR2004 a page that says why
        return "refused"
    is_form = response.status_code == 200 and not response.headers["Content-Type"].startswith("application/json")  # noqa: PLR2004
    return "form_shown_again" if is_form else success


# Tasks ------------------------------------------------------------------------------------------------------------


@task_prerun.connect
def start_watch(task: Any, **_: Any) -> None:
    """Remember when a task began."""
    task.request.began = time.perf_counter()


@task_postrun.connect
def count_task(task: Any, state: str | None = None, **_: Any) -> None:
    """Count how a task ended, and its time."""
    TASKS.labels(task.name, (state or "unknown").lower()).inc()
    began = getattr(task.request, "began", None)
    if began is not None:
        TASK_SECONDS.labels(task.name).inc(time.perf_counter() - began)


# Providers --------------------------------------------------------------------------------------------------------


def count_provider_call(seconds: float, error: BaseException | None) -> None:
    """Count how a call to a payment provider ended, and its time; what was not asked took none."""
    outcome = next((name for kind, name in ENDED if isinstance(error, kind)), "failed") if error else "answered"
    PROVIDER_CALLS.labels(outcome).inc()
    if not isinstance(error, NobodyAsks):
        PROVIDER_SECONDS.observe(seconds)


# The answer -------------------------------------------------------------------------------------------------------


def metrics_text() -> bytes:
    """Return all figures: the counters of every process, then the states."""
    count_answered()
    states = CollectorRegistry()
    states.register(States())
    return generate_latest(_counters()) + generate_latest(states)


def _counters() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
