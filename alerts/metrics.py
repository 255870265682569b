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
from collections.abc import Callable, Iterable, Iterator, Mapping
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
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from alerts import health
from alerts.services import delivery, fan_out
from config.kit.addresses import UUID_FORM
from config.kit.keepable import Keepable
from config.kit.problems import REFUSAL_CODE
from scheduling.tasks import SWEEP_RAN

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


# The answer -------------------------------------------------------------------------------------------------------


class States(Collector):
    """What is so at this moment; what cannot be asked is left out."""

    def collect(self) -> Iterable[Metric]:
        """Yield every figure that can be had."""
        is_up = health.is_ready()
        yield _gauge("holdfast_database_up", "The database answers.", float(is_up))
        for ask in (*((facts, messages, audits) if is_up else ()), clockwork):
            try:
                yield from list(ask())
            except Exception:  # noqa: BLE001, S112 what is away has no figure
                continue


def facts() -> Iterator[Metric]:
    """Yield how many facts wait for a consumer, and for how long."""
    oldest = fan_out.oldest_unhandled()
    yield _gauge("holdfast_unhandled_facts", "Facts that wait for a consumer.", fan_out.count_unhandled())
    seconds = oldest.total_seconds() if oldest else 0.0
    yield _gauge("holdfast_oldest_unhandled_fact_seconds", "Age of the oldest of them.", seconds)
    yield _gauge("holdfast_parked_facts", "Facts that a consumer refuses again and again.", fan_out.count_parked())


def messages() -> Iterator[Metric]:
    """Yield how many messages wait for their provider, for how long, and how many were given up."""
    queue = delivery.queue_figures()
    yield _gauge("holdfast_queued_messages", "Messages that are due and not sent.", queue.queued)
    yield _gauge("holdfast_oldest_queued_message_seconds", "How long the oldest of them is due.", queue.oldest_seconds)
    yield _gauge("holdfast_failed_messages", "Messages that were given up.", queue.failed)


def audits() -> Iterator[Metric]:
    """Yield what the last audits found, and their age."""
    findings = GaugeMetricFamily("holdfast_audit_findings", "Broken invariants in the last audit.", labels=["scope"])
    ages = GaugeMetricFamily("holdfast_audit_age_seconds", "Age of the last audit.", labels=["scope"])
    for scope, (found, age) in health.audit_ages().items():
        findings.add_metric([scope], found)
        ages.add_metric([scope], age)
    yield from (findings, ages)


def clockwork() -> Iterator[Metric]:
    """Yield which sweeps are known to run."""
    running = GaugeMetricFamily("holdfast_sweep_running", "The sweep is known to run.", labels=["sweep"])
    for key in (SWEEP_RAN, fan_out.FAN_OUT_RAN):
        running.add_metric([key], float(key in health.redis.ask()["beats"]))
    yield running


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=value)


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
