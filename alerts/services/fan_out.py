"""Facts to their consumers: at least once by the sweep, at most once by Handled, so exactly once in this database.

The sweep looks for facts without a Handled row (an anti-join, never a cursor: what commits late is not passed over).
The row stands in the transaction of the effect. Who comes second waits for the first at the unique key. A fact that a
consumer cannot take keeps no other waiting: after some tries it is parked, staff are told, and the hourly sweep alone
tries it again.
"""

import logging
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Exists, Min, OuterRef, QuerySet
from redis.exceptions import RedisError

from alerts.consumers import CONSUMERS, Consumer
from alerts.models import Alert, Handled
from alerts.services.alerts import park_fact, parked_type
from alerts.sources import SOURCES, AnyFact, Source
from config.kit.clock import database_now
from config.kit.ids import first_id, uuid7

logger = logging.getLogger(__name__)

BATCH = 200
RECENT = timedelta(days=2)  # every table of facts is read by (kind, id)
TRIES = 5  # then a fact is parked
TRIED = "fan-out-tried:{consumer}:{fact}"  # in the cache: with Redis wiped it is tried a few times more, no worse
TRIED_IS_KEPT_SECONDS = 24 * 60 * 60
FAN_OUT_RAN = "fan-out-ran"  # in the cache while the sweep is known to run: the auditor judges its promptness only then
WANTED = frozenset[str]().union(*(kinds for consumer in CONSUMERS.values() for kinds in consumer.kinds.values()))


def fan_out_facts(*, parked_too: bool = False) -> int:
    """Hand every fact to each consumer that wants it and has not had it; return how many were handed over.

    Safe twice at once. A fact that its consumer cannot take is logged, left for the next sweep and passed by. What is
    parked, or of before the day before yesterday, is looked at with `parked_too` alone, so that a sweep stays short.
    """
    return sum(
        _fan_out_to(name, consumer, source, parked_too=parked_too) for name, consumer, source in _wanted_of(CONSUMERS)
    )


def unhandled_facts(name: str, consumer: Consumer, source: str) -> "QuerySet[Any]":
    """Return the facts of one table that a consumer wants and has not had, the oldest first."""
    had = Handled.objects.filter(fact_id=OuterRef("id"), consumer=name)
    return SOURCES[source].facts().filter(~Exists(had), kind__in=sorted(consumer.kinds[source])).order_by("id")


def oldest_unhandled() -> timedelta | None:
    """Return the age of the oldest fact that some consumer has not had; None when all were handed over."""
    oldest = [
        unhandled_facts(*wanted).order_by().aggregate(oldest=Min("at"))["oldest"] for wanted in _wanted_of(CONSUMERS)
    ]
    waiting = [at for at in oldest if at]
    return database_now() - min(waiting) if waiting else None


def count_unhandled() -> int:
    """Return how many times a fact still waits for a consumer."""
    return sum(unhandled_facts(*wanted).count() for wanted in _wanted_of(CONSUMERS))


def count_parked() -> int:
    """Return how many times a fact waits for a consumer that has refused it again and again."""
    return sum(_parked(unhandled_facts(*wanted), wanted[0]).count() for wanted in _wanted_of(CONSUMERS))


def _wanted_of(consumers: "Any") -> Iterator[tuple[str, Consumer, str]]:
    """Yield each consumer with each table that it wants facts of."""
    for name, consumer in consumers.items():
        for source in consumer.kinds:
            yield name, consumer, source


def _parked(facts: "QuerySet[Any]", name: str) -> "QuerySet[Any]":
    return facts.filter(Exists(Alert.objects.filter(fact_id=OuterRef("id"), type=parked_type(name))))


def _not_parked(facts: "QuerySet[Any]", name: str) -> "QuerySet[Any]":
    return facts.filter(~Exists(Alert.objects.filter(fact_id=OuterRef("id"), type=parked_type(name))))


def _fan_out_to(name: str, consumer: Consumer, source: str, *, parked_too: bool) -> int:
    facts = unhandled_facts(name, consumer, source)
    waiting = facts if parked_too else _not_parked(facts.filter(id__gte=first_id(database_now() - RECENT)), name)
    return sum(_try_to_hand_over(fact_id, name, consumer, source) for fact_id in _ids(waiting))


def _ids(facts: "QuerySet[Any]") -> Iterator[UUID]:
    """Yield the ids in order, a batch at a time, each once in a sweep."""
    after: UUID | None = None
    while ids := list((facts.filter(id__gt=after) if after else facts).values_list("id", flat=True)[:BATCH]):
        yield from ids
        after = ids[-1]


def _try_to_hand_over(fact_id: UUID, name: str, consumer: Consumer, source: str) -> bool:
    try:
        return hand_over(fact_id, name, consumer, source)
    except Exception as error:
        logger.exception("%s could not take the fact %s", name, fact_id)
        _count_try(fact_id, name, source, error)
        return False


def _count_try(fact_id: UUID, name: str, source: str, error: Exception) -> None:
    """Park the fact once it was tried often enough; with Redis away nobody counts, and it is tried on."""
    key = TRIED.format(consumer=name, fact=fact_id)
    try:
        cache.add(key, 0, timeout=TRIED_IS_KEPT_SECONDS)
        tried = cache.incr(key)
    except (RedisError, OSError, ValueError):
        return
    if tried >= TRIES:
        park_fact(SOURCES[source].facts().get(id=fact_id), source=source, consumer=name, error=type(error).__name__)


@transaction.atomic
def hand_over(fact_id: UUID, name: str, consumer: Consumer, source: str) -> bool:
    """Run the consumer and note it in one transaction; return False when somebody else has done it."""
    fact = _load(SOURCES[source], fact_id)
    if not _note(fact, name):
        return False
    consumer.handle(fact)
    return True


def _load(source: Source, fact_id: UUID) -> AnyFact:
    fact: AnyFact = source.facts().select_related(source.subject).get(id=fact_id)
    return fact


def _note(fact: AnyFact, name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO alerts_handled (id, organization_id, fact_id, consumer) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (fact_id, consumer) DO NOTHING RETURNING id",
            [uuid7(), fact.organization_id, fact.id, name],
        )
        return cursor.fetchone() is not None


def is_wanted(kinds: Iterable[str]) -> bool:
    """Does any consumer want facts of one of these kinds?"""
    return not WANTED.isdisjoint(kinds)
