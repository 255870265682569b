"""Real threads on connections of their own: they start together, and every outcome is kept."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from queue import Empty, SimpleQueue
from typing import NamedTuple, TypeVar
from uuid import UUID

import psycopg
from django.db import connection, connections, transaction
from django.db.models import F

from config.kit.clock import database_now
from config.kit.idempotency import Claim
from scheduling.models import Reservation, Session
from scheduling.services import capacity

T = TypeVar("T")


def race(acts: Sequence[Callable[[], T]], *, at_once: int | None = None) -> list[T | Exception]:
    """Run the acts in threads that start together; return each one's result or exception, in their order."""
    outcomes: dict[int, T | Exception] = {}
    waiting: SimpleQueue[tuple[int, Callable[[], T]]] = SimpleQueue()
    for numbered in enumerate(acts):
        waiting.put(numbered)
    number = min(at_once or len(acts), len(acts))
    start = threading.Barrier(number, timeout=20)

    def work() -> None:
        try:
            connection.ensure_connection()
            start.wait()
            while True:
                number, act = waiting.get_nowait()
                outcomes[number] = outcome_of(act)
        except Empty:
            pass
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [outcomes[number] for number in range(len(acts))]


def outcome_of(act: Callable[[], T]) -> T | Exception:
    """Return what the act returns or raises."""
    try:
        return act()
    except Exception as error:  # noqa: BLE001 every outcome counts, errors above all
        return error


def tally(outcomes: Sequence[object]) -> dict[str, int]:
    """Count outcomes by the name of what came back."""
    return dict(Counter(type(outcome).__name__ for outcome in outcomes))


class Background(threading.Thread):
    """One act in a thread of its own, with its outcome once it is over."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self._act = act
        self._outcome: object = None
        self.start()

    def run(self) -> None:
        try:
            self._outcome = outcome_of(self._act)
        finally:
            connections.close_all()

    def outcome(self) -> object:
        """Wait for the end, and return what came of it."""
        self.join(timeout=30)
        assert not self.is_alive(), "the act is still waiting"
        return self._outcome


class Places(NamedTuple):
    """A session's counters, and what its reservations add up to."""

    held: int
    booked: int
    remaining: int
    honoured: int = 0
    held_by_rows: int | None = None  # None: the same as the counter
    booked_by_rows: int | None = None


def places_of(session: Session) -> Places:
    """Read the counters of one session and count its reservations, in one snapshot; equal sums are left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT s.places_held, s.places_booked, s.capacity_remaining, s.honoured_capacity,
                nullif(coalesce(sum(r.places) FILTER (WHERE r.status = 'held'), 0)::int, s.places_held),
                nullif(coalesce(sum(r.places) FILTER (WHERE r.status = 'confirmed'), 0)::int, s.places_booked)
            FROM scheduling_session s LEFT JOIN scheduling_reservation r ON r.session_id = s.id
            WHERE s.id = %s GROUP BY s.id""",
            [session.id],
        )
        return Places(*cursor.fetchone())


@contextmanager
def somebody_elses_transaction() -> Iterator[psycopg.Connection]:
    """Open a transaction on a connection past the application; it ends with the block."""
    with psycopg.connect(os.environ["DATABASE_ADMIN_URL"]) as other:
        yield other


def wait_until_blocked(backends: int = 1) -> None:
    """Return once so many of the database's connections wait for a lock."""
    with psycopg.connect(os.environ["DATABASE_ADMIN_URL"], autocommit=True) as watcher:
        for _ in range(3000):
            row = watcher.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ).fetchone()
            if row and row[0] >= backends:
                return
            time.sleep(0.01)
    raise AssertionError("nobody waits for a lock")


def naive_hold(
    *,
    session_id: UUID,
    places: int,
    email: str,
    reservation_id: UUID,
    basket: UUID,
    organization_id: UUID | None = None,
    claim: Claim | None = None,
) -> Reservation | capacity.Seen:
    """Read, decide, write: the hold with its guard left out, for the controls."""
    session = Session.objects.get(id=session_id)
    room = session.capacity_total - session.places_held - session.places_booked
    if room < places:
        return capacity.Seen(session_id, None, None, is_open=True, waiting=0, room=room, lapsed=0, earliest_lapse=None)
    time.sleep(0.002)  # what any real program does between reading and writing
    at = database_now()
    with transaction.atomic():
        Session.objects.filter(id=session_id).update(places_held=F("places_held") + places)
        return Reservation.objects.create(
            id=reservation_id,
            organization_id=session.organization_id,
            session=session,
            basket=basket,
            party_size=places,
            places=places,
            email=email,
            currency="GBP",
            amount_minor=0,
            quote=[],
            held_at=at,
            expires_at=at + timedelta(minutes=10),
        )


def look_at_sessions(session_ids: Iterable[UUID]) -> dict[UUID, Session]:
    """Read the sessions and lock nothing, for the controls."""
    return {session.id: session for session in Session.objects.filter(id__in=session_ids)}


def reclaim_nothing(_: Iterable[UUID]) -> int:
    """Leave lapsed holds alone, and lock nothing, for the controls."""
    return 0
