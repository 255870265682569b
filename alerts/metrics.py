"""Figures in Prometheus's text form.

What happens in a request or a task is counted where it happens; with PROMETHEUS_MULTIPROC_DIR set (bin/run does) every
process counts into a file of its own there, and an answer adds them up. What is a state is read when it is asked for.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from celery.signals import task_postrun, task_prerun
from django.db import connection
from django.http import HttpRequest, HttpResponse
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from alerts import health
from alerts.services import fan_out
from config.kit.addresses import UUID_FORM
from config.kit.problems import REFUSAL_CODE

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


@dataclass(frozen=True, slots=True)
class Meters:
    """The counters of one route, method and class of status, found once."""

    seconds: Any
    sql_seconds: Any
    sql_statements: Any
    outcome: tuple[Counter, str] | None


class SqlWatch:
    """Adds up the statements of one request."""

    __slots__ = ("seconds", "statements")

    def __init__(self) -> None:
        self.seconds, self.statements = 0.0, 0

    def __call__(self, execute: Callable[..., Any], *statement: Any) -> Any:
        """Execute, and keep the time."""
        began = time.perf_counter()
        try:
            return execute(*statement)
        finally:
            self.seconds += time.perf_counter() - began
            self.statements += 1


class MetricsMiddleware:
    """Counts every request, once it is answered; the first of all, so that it sees what is sent."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, and count."""
        began, sql = time.perf_counter(), SqlWatch()
        with connection.execute_wrapper(sql):
            response = self.get_response(request)
        match = request.resolver_match
        meters = meters_of(match and match.route, match and match.url_name, request.method, response.status_code // 100)
        meters.seconds.observe(time.perf_counter() - began)
        if sql.statements:
            meters.sql_seconds.inc(sql.seconds)
            meters.sql_statements.inc(sql.statements)
        count_outcome(meters.outcome, response)
        return response


@cache
def meters_of(route: str | None, name: str | None, method: str | None, status: int) -> Meters:
    """Return the counters for a URL pattern of Django's; the patterns are few, so all are kept."""
    address = "unknown" if route is None else address_of(route)
    labels = (address, method if method in METHODS else "other", f"{status}xx")
    outcome = OUTCOMES.get(address) or OUTCOMES.get(name or "")
    return Meters(
        REQUESTS.labels(*labels), SQL_SECONDS.labels(*labels), SQL_STATEMENTS.labels(*labels),
        outcome if method == "POST" else None,
    )  # fmt: skip


METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def address_of(route: str) -> str:
    """Write a URL pattern for people: /api/v1/reservations/{reservation_id}."""
    plain = route.replace(UUID_FORM, "").replace("(?P<", "{").replace(">)", "}").replace("^", "").replace("/?$", "")
    return "/" + plain


def count_outcome(outcome: tuple[Counter, str] | None, response: HttpResponse) -> None:
    """Count the refusal, if it is one, and how a hold or a booking ended."""
    code = getattr(response, REFUSAL_CODE, None)
    if code:
        REFUSALS.labels(code).inc()
    if outcome:
        counter, success = outcome
        counter.labels(code or _how(response, success)).inc()


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
        for ask in (*((facts, audits) if is_up else ()), clockwork):
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
    for key in (health.SWEEP_RAN, fan_out.FAN_OUT_RAN):
        running.add_metric([key], float(key in health.redis.ask()["beats"]))
    yield running


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=value)


def metrics_text() -> bytes:
    """Return all figures: the counters of every process, then the states."""
    states = CollectorRegistry()
    states.register(States())
    return generate_latest(_counters()) + generate_latest(states)


def _counters() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return registry
