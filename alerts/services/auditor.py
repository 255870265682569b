"""Compare, all the time, what the database says with what must hold.

Batches keep every statement short: an open snapshot slows a busy session down.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.db import connection, models
from redis.exceptions import RedisError

from alerts.services.fan_out import FAN_OUT_RAN
from alerts.services.invariants.base import Invariant
from alerts.services.invariants.bookings import BOOKING_INVARIANTS, DUPLICATES, IDEMPOTENCY, WAITLIST_INVARIANTS
from alerts.services.invariants.facts import FANNED_OUT
from alerts.services.invariants.money import (
    INBOX,
    LEDGER_INVARIANTS,
    PAID_BOOKINGS,
    PAYMENT_INVARIANTS,
    PROMO_CODE_INVARIANTS,
    VOUCHER_INVARIANTS,
)
from alerts.services.invariants.places import ACTIVITY_INVARIANTS, LIVENESS, SCHOOL_INVARIANTS, SESSION_INVARIANTS
from alerts.services.invariants.tenants import ORGANIZATION_INVARIANTS, tenant_invariants
from bookings.models import Booking, PromoCode, WaitlistEntry
from config.kit.clock import database_now
from config.tenants.models import Organization
from payments.models import LedgerTransaction, Payment, Voucher
from scheduling.models import Activity, Session
from scheduling.tasks import SWEEP_RAN

logger = logging.getLogger(__name__)

RESULT = "audit-result:{scope}"  # in the cache: what the last audit of a scope found, and when
RESULT_IS_KEPT_SECONDS = 2 * 60 * 60
SCOPES = ("sessions", "everything")

BATCH = 1_000  # rows of which one statement sees all that belongs to them
LONG_STORIES = 100  # of rows that gather facts for years, one statement takes fewer


@dataclass(frozen=True, slots=True)
class Finding:
    """One offender: which rule, which row, and what is wrong."""

    code: str
    id: UUID
    broken: str
    detail: str

    def __str__(self) -> str:
        return f"{self.code} {self.id}: {self.broken} ({self.detail})"


@dataclass(frozen=True, slots=True)
class Result:
    """How an audit ended."""

    at: datetime
    findings: int


def remember_result(scope: str, *, findings: int) -> None:
    """Keep how the last audit ended, for the health page and the metrics; with Redis away it is forgotten."""
    try:
        cache.set(RESULT.format(scope=scope), Result(database_now(), findings), timeout=RESULT_IS_KEPT_SECONDS)
    except (RedisError, OSError):
        logger.warning("the cache is away: the audit's result is only in the log")


def last_results() -> dict[str, Result]:
    """Return the last result of each scope that is remembered; raises when Redis is away."""
    found = cache.get_many([RESULT.format(scope=scope) for scope in SCOPES])
    return {scope: found[key] for scope in SCOPES if (key := RESULT.format(scope=scope)) in found}


def check_invariants() -> list[Finding]:
    """Return every offender in the database; an empty list is good."""
    return [*check_sessions(Session.objects.all()), *check_liveness(), *_check_the_rest()]


def check_recent_sessions() -> list[Finding]:
    """Return the offenders among the sessions from yesterday onward: corruption there is found within a minute."""
    recent = Session.objects.filter(starts_at__gte=database_now() - timedelta(days=1))
    return [*check_sessions(recent), *check_liveness()]


def check_sessions(sessions: "models.QuerySet[Session]") -> Iterator[Finding]:
    """Yield the offenders among these sessions."""
    for ids in _batches(sessions):
        for invariant in SESSION_INVARIANTS:
            yield from _offenders(invariant, ids)


def check_liveness() -> Iterator[Finding]:
    """Yield what a sweep ought to have done; nothing while it is not known to run."""
    try:
        running = cache.get_many([SWEEP_RAN, FAN_OUT_RAN])
    except (RedisError, OSError):
        return
    if SWEEP_RAN in running:
        yield from _offenders(LIVENESS)
    if FAN_OUT_RAN in running:
        yield from _offenders(FANNED_OUT)
        yield from _offenders(INBOX)


def _check_the_rest() -> Iterator[Finding]:
    for rows, invariants, size in _subjects():
        for ids in _batches(rows, size=size):
            for invariant in invariants:
                yield from _offenders(invariant, ids)
    for invariant in (IDEMPOTENCY, DUPLICATES, *SCHOOL_INVARIANTS, *tenant_invariants()):
        yield from _offenders(invariant)


def _subjects() -> "Iterator[tuple[models.QuerySet[Any], Sequence[Invariant], int]]":
    """Yield what is audited beside sessions, by what, and how many at a time."""
    yield Booking.objects.all(), [*BOOKING_INVARIANTS, *PAID_BOOKINGS], BATCH
    yield WaitlistEntry.objects.all(), WAITLIST_INVARIANTS, BATCH
    yield Payment.objects.all(), PAYMENT_INVARIANTS, BATCH
    yield LedgerTransaction.objects.all(), LEDGER_INVARIANTS, BATCH
    yield Voucher.objects.all(), VOUCHER_INVARIANTS, BATCH
    yield PromoCode.objects.all(), PROMO_CODE_INVARIANTS, LONG_STORIES
    yield Activity.objects.all(), ACTIVITY_INVARIANTS, LONG_STORIES
    yield Organization.objects.all(), ORGANIZATION_INVARIANTS, LONG_STORIES


def _batches(rows: "models.QuerySet[Any]", *, size: int = BATCH) -> Iterator[list[UUID]]:
    """Yield the rows' ids in order, a batch at a time, without an open snapshot in between."""
    after: UUID | None = None
    while True:
        page = rows.filter(id__gt=after) if after else rows
        ids = list(page.order_by("id").values_list("id", flat=True)[:size])
        if ids:
            yield ids
        if len(ids) < size:
            return
        after = ids[-1]


def _offenders(invariant: Invariant, ids: Iterable[UUID] = ()) -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(invariant.sql, {"ids": list(ids)} if ids else None)
        rows = cursor.fetchall()
    for row_id, detail in rows:
        yield Finding(invariant.code, row_id, invariant.broken, detail)
