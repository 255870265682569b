"""How the system is: what it stands on, whether its clockwork runs, and whether facts and audits are in order.

The database alone decides whether it can serve; everything else degrades it (C21). Nothing here waits for long.
"""

import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, connections
from redis.exceptions import RedisError

from alerts.services import auditor, delivery, fan_out
from alerts.services.providers import provider_figures
from config.kit.clock import database_now
from payments.services.provider_events import inbox_figures
from scheduling.tasks import SWEEP_RAN

DATABASE_SECONDS = 1.5
REDIS_SECONDS = 1.0
LEAST_DISK_BYTES = 300_000_000
LEAST_MEMORY_BYTES = 100_000_000
OLDEST_FACT = timedelta(minutes=5)
OLDEST_MESSAGE_SECONDS = 5 * 60
OLDEST_EVENT_SECONDS = 5 * 60
MEMORY_FILE = Path("/proc/meminfo")

OK, DEGRADED, DOWN = "ok", "degraded", "down"


class Probe:
    """Looks in a thread of its own, one look at a time; who asks meanwhile shares it; nobody waits longer."""

    def __init__(self, look: Callable[[], Any], *, seconds: float) -> None:
        """Remember how to look; nothing runs yet."""
        self._look, self._seconds = look, seconds
        self._lock = Lock()
        self._running: Future[Any] | None = None

    def ask(self) -> Any:
        """Return what the look returns; raise what it raises, or TimeoutError."""
        with self._lock:
            if self._running is None:
                self._running = Future()
                Thread(target=self._run, args=(self._running,), name="health-probe", daemon=True).start()
            running = self._running
        return running.result(timeout=self._seconds)

    def _run(self, future: "Future[Any]") -> None:
        try:
            outcome, error = self._look(), None
        except Exception as caught:  # noqa: BLE001 handed to whoever asked
            outcome, error = None, caught
        with self._lock:
            self._running = None
        if error is None:
            future.set_result(outcome)
        else:
            future.set_exception(error)


def _look_at_database() -> float:
    """Return the milliseconds of a connection of its own and one statement."""
    began = time.perf_counter()
    own = connections[DEFAULT_DB_ALIAS].copy()
    own.settings_dict["OPTIONS"] = {**own.settings_dict["OPTIONS"], "connect_timeout": 2}  # psycopg's least
    try:
        with own.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        own.close()
    return (time.perf_counter() - began) * 1000


def _look_at_redis() -> dict[str, Any]:
    """Return the heartbeats and audit results that are there."""
    beats = cache.get_many([SWEEP_RAN, fan_out.FAN_OUT_RAN])
    return {"beats": beats, "audits": auditor.last_results()}


database = Probe(_look_at_database, seconds=DATABASE_SECONDS)
redis = Probe(_look_at_redis, seconds=REDIS_SECONDS)


@dataclass(frozen=True, slots=True)
class Component:
    """One thing looked at: its status, and figures about it."""

    status: str
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    """All of it."""

    components: Mapping[str, Component]

    @property
    def can_serve(self) -> bool:
        """The database alone decides."""
        return self.components["database"].status == OK

    @property
    def status(self) -> str:
        """Return ok, degraded or down."""
        if not self.can_serve:
            return DOWN
        return OK if all(component.status == OK for component in self.components.values()) else DEGRADED


def is_ready() -> bool:
    """Does the database answer in time?"""
    return check_database().status == OK


def check_health() -> Health:
    """Look at everything; what stands on the database is asked only while it answers."""
    found = {"database": check_database(), "disk": check_disk(), "memory": check_memory()}
    is_up = found["database"].status == OK
    found |= _check_redis()
    standing = {"facts": check_facts, "mail": check_mail, "payments": check_payments}
    if found["redis"].status != OK:  # what calls to providers came to stands there: nobody waits for it once more
        standing["payments"] = _unknown
    asked = {name: ask() if is_up else Component(DOWN) for name, ask in standing.items()}
    return Health({**found, **asked})


def check_database() -> Component:
    """Connect and ask, within the deadline."""
    try:
        return Component(OK, {"milliseconds": round(database.ask(), 1)})
    except Exception as error:  # noqa: BLE001 whatever it is, it does not answer
        return Component(DOWN, {"error": type(error).__name__})


def check_disk() -> Component:
    """Ask how much room the data has."""
    free = shutil.disk_usage(settings.DATA_DIR if Path(settings.DATA_DIR).exists() else settings.BASE_DIR).free
    return Component(OK if free >= LEAST_DISK_BYTES else DEGRADED, {"free_bytes": free})


def check_memory() -> Component:
    """Ask how much memory is available; a system that does not say is taken at its best."""
    try:
        lines = dict(line.split(":", 1) for line in MEMORY_FILE.read_text().splitlines())
        available = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return Component(OK, {"available_bytes": None})
    return Component(OK if available >= LEAST_MEMORY_BYTES else DEGRADED, {"available_bytes": available})


def _check_redis() -> dict[str, Component]:
    """Ask Redis, and what the worker has written there: its heartbeats and the last audits."""
    began = time.perf_counter()
    try:
        seen = redis.ask()
    except Exception as error:  # noqa: BLE001 whatever it is, it does not answer
        down = Component(DOWN, {"error": type(error).__name__})
        return {"redis": down, "worker_and_beat": _unknown(), "audit": _unknown()}
    up = Component(OK, {"milliseconds": round((time.perf_counter() - began) * 1000, 1)})
    return {"redis": up, "worker_and_beat": _clockwork(seen["beats"]), "audit": _audit(seen["audits"])}


def _unknown() -> Component:
    return Component(DEGRADED, {"known": False})


def _clockwork(beats: Mapping[str, Any]) -> Component:
    running = {"release_expired_reservations": SWEEP_RAN in beats, "fan_out_facts": fan_out.FAN_OUT_RAN in beats}
    return Component(OK if all(running.values()) else DEGRADED, {"running": running})


def _audit(results: Mapping[str, auditor.Result]) -> Component:
    clean = bool(results) and not any(result.findings for result in results.values())
    last = {scope: {"at": result.at.isoformat(), "findings": result.findings} for scope, result in results.items()}
    return Component(OK if clean else DEGRADED, {"last": last})


def check_facts() -> Component:
    """Ask how long the oldest fact has waited for a consumer."""
    try:
        oldest = fan_out.oldest_unhandled()
    except (DatabaseError, InterfaceError) as error:
        return Component(DOWN, {"error": type(error).__name__})
    seconds = oldest.total_seconds() if oldest else 0.0
    return Component(OK if seconds <= OLDEST_FACT.total_seconds() else DEGRADED, {"oldest_unhandled_seconds": seconds})


def check_mail() -> Component:
    """Ask how many messages are due, and whether there is a provider to take them; never worse than degraded."""
    try:
        queue = delivery.queue_figures()
    except (DatabaseError, InterfaceError) as error:
        return Component(DEGRADED, {"error": type(error).__name__})
    is_moving = bool(settings.MAIL_URL) and queue.oldest_seconds <= OLDEST_MESSAGE_SECONDS
    figures = {
        "provider": bool(settings.MAIL_URL),
        "queued": queue.queued,
        "oldest_queued_seconds": queue.oldest_seconds,
        "failed": queue.failed,
    }
    return Component(OK if is_moving else DEGRADED, figures)


def check_payments() -> Component:
    """Ask what the last calls to payment providers came to, and how long their news waits; no provider is asked.

    Never worse than degraded: what costs nothing, or is paid for on arrival, is booked without them.
    """
    try:
        inbox, found = inbox_figures(), provider_figures()
    except (DatabaseError, InterfaceError, RedisError, OSError) as error:
        return Component(DEGRADED, {"error": type(error).__name__})
    is_moving = found.are_well and inbox.oldest_seconds <= OLDEST_EVENT_SECONDS
    figures = {
        "accounts": found.accounts,
        "last_answer_seconds": found.answered_seconds,
        "not_answering": found.down,
        "refused": found.refused,
        "breakers_open": found.resting,
        "events_waiting": inbox.waiting,
        "events_failing": inbox.failing,
        "oldest_event_seconds": inbox.oldest_seconds,
    }
    return Component(OK if is_moving else DEGRADED, figures)


def audit_ages() -> dict[str, tuple[int, float]]:
    """Return findings and age in seconds of the last audit of each scope."""
    now = database_now()
    return {
        scope: (result.findings, (now - result.at).total_seconds()) for scope, result in redis.ask()["audits"].items()
    }
