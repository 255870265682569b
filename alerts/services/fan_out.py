"""Facts to their consumers: at least once by the sweep, at most once by Handled, so exactly once in this database.

The sweep looks for facts without a Handled row (an anti-join, never a cursor: what commits late is not passed over).
The row stands in the transaction of the effect. Who comes second waits for the first at the unique key.
"""

import logging
from collections.abc import Iterable, Iterator
from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, Min, OuterRef, QuerySet

from alerts.consumers import CONSUMERS, Consumer
from alerts.models import Handled
from bookings.models import BookingEvent
from config.kit.clock import database_now
from config.kit.ids import uuid7

logger = logging.getLogger(__name__)

BATCH = 200
FAN_OUT_RAN = "fan-out-ran"  # in the cache while the sweep is known to run: the auditor judges its promptness only then
WANTED = frozenset[str]().union(*(consumer.kinds for consumer in CONSUMERS.values()))


def fan_out_facts() -> int:
    """Hand every fact to each consumer that wants it and has not had it; return how many were handed over.

    Safe twice at once. A fact that its consumer cannot take is logged, left for the next sweep and passed by.
    """
    return sum(_fan_out_to(name, consumer) for name, consumer in CONSUMERS.items())


def unhandled_facts(name: str, consumer: Consumer) -> "QuerySet[BookingEvent]":
    """Return the facts that a consumer wants and has not had, the oldest first."""
    had = Handled.objects.filter(fact_id=OuterRef("id"), consumer=name)
    return BookingEvent.objects.filter(~Exists(had), kind__in=sorted(consumer.kinds)).order_by("id")


def oldest_unhandled() -> timedelta | None:
    """Return the age of the oldest fact that some consumer has not had; None when all were handed over."""
    oldest = [
        unhandled_facts(name, consumer).order_by().aggregate(at=Min("at"))["at"] for name, consumer in CONSUMERS.items()
    ]
    waiting = [at for at in oldest if at]
    return database_now() - min(waiting) if waiting else None


def count_unhandled() -> int:
    """Return how many times a fact still waits for a consumer."""
    return sum(unhandled_facts(name, consumer).count() for name, consumer in CONSUMERS.items())


def _fan_out_to(name: str, consumer: Consumer) -> int:
    return sum(_try_to_hand_over(fact_id, name, consumer) for fact_id in _ids(unhandled_facts(name, consumer)))


def _ids(facts: "QuerySet[BookingEvent]") -> Iterator[UUID]:
    """Yield the ids in order, a batch at a time, each once in a sweep."""
    after: UUID | None = None
    while ids := list((facts.filter(id__gt=after) if after else facts).values_list("id", flat=True)[:BATCH]):
        yield from ids
        after = ids[-1]


def _try_to_hand_over(fact_id: UUID, name: str, consumer: Consumer) -> bool:
    try:
        return hand_over(fact_id, name, consumer)
    except Exception:
        logger.exception("%s could not take the fact %s", name, fact_id)
        return False


@transaction.atomic
def hand_over(fact_id: UUID, name: str, consumer: Consumer) -> bool:
    """Run the consumer and note it in one transaction; return False when somebody else has done it."""
    fact = BookingEvent.objects.select_related("booking").get(id=fact_id)
    if not _note(fact, name):
        return False
    consumer.handle(fact)
    return True


def _note(fact: BookingEvent, name: str) -> bool:
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
