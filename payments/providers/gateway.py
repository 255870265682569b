"""The one door to a provider's network: never inside a transaction, few at a time, and not while it is down.

1. Inside a transaction it raises: a slow provider must not hold locks. Outside one, Django's connection is idle: no
   transaction is open for the length of the call. The connection itself is kept, since a new one costs
   about a hundred times a query; behind a transaction pooler an idle connection has no server of its own.
2. A bulkhead: at most two threads of a process wait for a provider; who comes then is told to come later, at once. So
   a slow provider never takes all the threads that serve everything else.
3. A breaker per account, shared by all processes through Redis: after five failures in a row nobody asks for half a
   minute. With Redis away each process has its own.
4. Workers are patient: they ask again by themselves, with pauses that grow and are partly drawn by chance, with the
   same key. People are not kept waiting: one try, and they are told.
"""

import functools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

import redis
import stamina
from django.conf import settings
from django.db import connection
from pybreaker import (
    STATE_CLOSED,
    STATE_OPEN,
    CircuitBreaker,
    CircuitBreakerError,
    CircuitBreakerStorage,
    CircuitMemoryStorage,
    CircuitRedisStorage,
)

from payments.providers.base import ProviderBusy, ProviderDown, ProviderRefused
from payments.signals import provider_asked

P = ParamSpec("P")
R = TypeVar("R")

FAILURES = 5  # in a row, then nobody asks
REST_SECONDS = 30  # for so long; then one tries
SEATS = 2  # threads of a process that may wait for a provider at once: half of those that serve people
PATIENCE_SECONDS = 1  # for which a worker waits for a seat: it has other things to do
REDIS_SECONDS = 0.5
TRIES, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, JITTER_SECONDS = 4, 0.2, 3.0, 0.3

_patient: ContextVar[bool] = ContextVar("patient", default=False)
_seats = threading.BoundedSemaphore(SEATS)
_memory: dict[str, CircuitMemoryStorage] = {}  # of each account, while Redis is away


class InsideTransaction(RuntimeError):
    """A provider was asked inside a transaction: its locks would be held for as long as the provider likes."""


class NobodyAsks(ProviderDown):
    """The breaker is open, or everybody waits already: it was not asked."""


def patient(act: Callable[P, R]) -> Callable[P, R]:
    """Let a worker's task ask again by itself, where a person would be told to come later."""

    @functools.wraps(act)
    def patiently(*args: P.args, **kwargs: P.kwargs) -> R:
        token = _patient.set(True)
        try:
            return act(*args, **kwargs)
        finally:
            _patient.reset(token)

    return patiently


def ask(account: str, question: Callable[[], R]) -> R:
    """Ask a provider about an account; raises what the question raises, and NobodyAsks when it is not put at all.

    `account` names whose breaker it is. The question must be safe to put twice: with a key, or a mere look.
    """
    if connection.in_atomic_block:
        raise InsideTransaction("A provider is asked outside transactions alone.")
    tries = stamina.retry_context(
        on=_is_worth_another_try,
        attempts=TRIES,
        wait_initial=FIRST_PAUSE_SECONDS,
        wait_max=LONGEST_PAUSE_SECONDS,
        wait_jitter=JITTER_SECONDS,
    )
    for one in tries:
        with one:
            return _ask_once(account, question)
    raise AssertionError  # the last try returns or raises


def _is_worth_another_try(error: Exception) -> bool:
    """Is it for a worker to try again; or does another of our own requests have the key, and will be done at once?"""
    if isinstance(error, NobodyAsks):
        return False
    return isinstance(error, ProviderBusy) or (isinstance(error, ProviderDown) and _patient.get())


def is_resting(account: str) -> bool:
    """Does nobody ask about this account for the moment? Answered without asking anybody."""
    return _storage(account).state == STATE_OPEN


def _ask_once(account: str, question: Callable[[], R]) -> R:
    with _told(account), _seat():
        try:
            return _breaker(account).call(question)
        except CircuitBreakerError as error:
            raise NobodyAsks("It did not answer lately.", retry_after_seconds=REST_SECONDS) from error


@contextmanager
def _told(account: str) -> Iterator[None]:
    """Tell how a try ended, and how long it took: for figures, and for whoever watches."""
    began = time.perf_counter()
    try:
        yield
    except Exception as error:
        provider_asked.send_robust(None, account=account, seconds=time.perf_counter() - began, error=error)
        raise
    provider_asked.send_robust(None, account=account, seconds=time.perf_counter() - began, error=None)


@contextmanager
def _seat() -> Iterator[None]:
    taken = _seats.acquire(timeout=PATIENCE_SECONDS) if _patient.get() else _seats.acquire(blocking=False)
    if not taken:
        raise NobodyAsks("Others wait for it already.")
    try:
        yield
    finally:
        _seats.release()


def _breaker(account: str) -> CircuitBreaker:
    """Return a breaker for one call; what it knows is in its storage.

    One of its own, because a breaker holds a lock for the length of a call: a shared one would let them in singly. The
    failure that trips it is reported as itself.
    """
    return CircuitBreaker(
        fail_max=FAILURES, reset_timeout=REST_SECONDS, exclude=[ProviderRefused, ProviderBusy],
        state_storage=_storage(account), throw_new_error_on_trip=False,
    )  # fmt: skip


def _storage(account: str) -> CircuitBreakerStorage:
    try:
        return CircuitRedisStorage(STATE_CLOSED, _redis(), namespace=f"provider:{account}")
    except redis.RedisError:
        return _memory.setdefault(account, CircuitMemoryStorage(STATE_CLOSED))


@functools.cache
def _redis() -> "redis.Redis":
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS)
