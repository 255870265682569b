"""The one door: every write that takes or frees places is in this module.

A session's row is the lock on its places. Its counters are sums over its reservations, and this module writes both:

    places_held = sum(held reservations)    places_booked = sum(confirmed ones)
    honoured_capacity = what is taken when that is more than the capacity, else 0    (a CHECK holds it so)

The plain hold is one statement in autocommit. Everything else locks the sessions first (ascending id, NO KEY UPDATE),
and decides in a later statement: a statement's own snapshot is older than the lock for which it waited.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from django.db import DataError, IntegrityError, connection, transaction
from psycopg.errors import NotNullViolation, UniqueViolation

from config.kit.idempotency import Claim
from config.kit.refusals import NotFound, invalid
from scheduling.models import Reservation, Session
from scheduling.signals import availability_changed, places_freed

MOST_PLACES = 1_000_000  # far above any venue, far below the database's integer

# True while a fresh customer may take places of the locked or updated row `s`; the room itself is asked beside it.
OPEN_FOR_SALE = """s.status = 'published' AND NOT s.is_legacy AND s.on_sale
        AND s.opens_at <= clock_timestamp() AND s.closes_at > clock_timestamp()"""

SETTLED = """CASE WHEN {taken} > {capacity} THEN {taken} ELSE 0 END"""

HELD_COLUMNS = (
    "id", "organization_id", "session_id", "basket", "party_size", "places", "currency", "amount_minor", "quote",
    "held_at", "expires_at",
)  # fmt: skip

# What only the slow path can price or refuse (`plain_hold`, kept by catalogue.py) takes nothing here.
# RETURNING is evaluated after the wait for the row, so `at` is fresh. When booking closed during the wait, or the
# activity has no default unit, a NULL breaks the statement: nothing is taken, and the slow path says why.
PLAIN_HOLD = f"""
WITH taken AS (
    UPDATE scheduling_session s SET places_held = places_held + %(places)s::int, version = version + 1
    WHERE s.id = %(session)s AND (%(organization)s::uuid IS NULL OR s.organization_id = %(organization)s)
        AND {OPEN_FOR_SALE} AND s.waiting = 0
        AND s.capacity_total - s.places_held - s.places_booked >= %(places)s
        AND (SELECT a.plain_hold FROM scheduling_activity a WHERE a.id = s.activity_id)
    RETURNING s.id, s.organization_id, s.activity_id, s.price_minor, s.closes_at, clock_timestamp() AS at
), key AS (
    INSERT INTO kit_idempotencykey (id, organization_id, fingerprint, effect_id, created_at)
    SELECT %(key)s::uuid, organization_id, %(fingerprint)s::uuid, %(reservation)s::uuid, at
    FROM taken WHERE %(key)s IS NOT NULL
), held AS (
    INSERT INTO scheduling_reservation (id, organization_id, session_id, basket, status, party_size, places, email,
        currency, amount_minor, quote, held_at, expires_at, extended, token_version)
    SELECT %(reservation)s, t.organization_id, t.id, %(basket)s::uuid, 'held', %(places)s, %(places)s, %(email)s::text,
        a.currency, p.minor * %(places)s,
        json_build_array(json_build_object('unit', u.id, 'name', u.name, 'count', %(places)s, 'amount_minor',
            p.minor * %(places)s, 'why', %(places)s || ' x ' || u.name || ' at ' || p.minor)),
        t.at, CASE WHEN t.at < t.closes_at THEN t.at + a.hold_minutes * interval '1 minute' END, false, 1
    FROM taken t
    LEFT JOIN scheduling_activity a ON a.id = t.activity_id
    LEFT JOIN scheduling_unit u ON u.activity_id = t.activity_id AND u.is_default
    CROSS JOIN LATERAL (SELECT coalesce(t.price_minor, u.price_minor) AS minor) p
    RETURNING {", ".join(HELD_COLUMNS)}
)
SELECT taken.activity_id, held.*, why.*
FROM (SELECT) one LEFT JOIN taken ON true LEFT JOIN held ON true
LEFT JOIN LATERAL (
    SELECT s.id AS seen, k.effect_id, k.fingerprint, {OPEN_FOR_SALE} AS open, s.waiting,
        s.capacity_total - s.places_held - s.places_booked AS room,
        (SELECT coalesce(sum(r.places), 0)::int FROM scheduling_reservation r
            WHERE r.session_id = s.id AND r.status = 'held' AND r.expires_at <= (SELECT clock_timestamp())) AS lapsed,
        (SELECT r.expires_at FROM scheduling_reservation r
            WHERE r.session_id = s.id AND r.status = 'held' ORDER BY r.expires_at LIMIT 1) AS earliest_lapse,
        (SELECT a.plain_hold FROM scheduling_activity a WHERE a.id = s.activity_id) AS plain
    FROM scheduling_session s LEFT JOIN kit_idempotencykey k ON k.id = %(key)s
    WHERE s.id = CASE WHEN taken.id IS NULL THEN %(session)s END
        AND (%(organization)s IS NULL OR s.organization_id = %(organization)s)
) why ON true
"""


class Seen(NamedTuple):
    """What the plain hold saw when it took nothing: a snapshot, good for an answer, not for a decision to take."""

    session: UUID | None  # None: no such session
    prior: UUID | None  # the effect of an earlier request with the same key
    fingerprint: UUID | None
    is_open: bool
    waiting: int
    room: int
    lapsed: int
    earliest_lapse: datetime | None
    is_plain: bool = True  # no dated price, and no limit on the party: the numbers alone decide


class SlowPath(Exception):
    """The plain statement cannot tell: a lapsed hold, a waiter, a race lost, or booking that closed meanwhile."""


class KeyTaken(Exception):
    """Another request with the same Idempotency-Key was first; this one took nothing."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What an act adds to a session's counters; negative when it takes away."""

    held: int = 0
    booked: int = 0


@dataclass(frozen=True, slots=True)
class Drift:
    """Counters as they stood, and as the reservations say."""

    places_held: int
    places_booked: int
    counted_held: int
    counted_booked: int

    @property
    def is_clean(self) -> bool:
        """Was there nothing to repair?"""
        return (self.places_held, self.places_booked) == (self.counted_held, self.counted_booked)


# The plain hold ---------------------------------------------------------------------------------------------------


def hold_places(
    *, session_id: UUID, places: int, email: str, reservation_id: UUID, basket: UUID,
    organization_id: UUID | None = None, claim: Claim | None = None,
) -> Reservation | Seen:  # fmt: skip
    """Hold places of one session in its default unit, in one statement; or return what was seen instead.

    Raises SlowPath when the statement broke on a change during its wait, KeyTaken when the claim lost a race.
    """
    values: dict[str, Any] = {
        "session": session_id,
        "places": places,
        "email": email,
        "reservation": reservation_id,
        "basket": basket,
        "organization": organization_id,
        "key": claim and claim.id,
        "fingerprint": claim and claim.fingerprint,
    }
    try:
        # Autocommit is the hot path; inside a caller's transaction a savepoint lets it go on after a broken statement.
        with transaction.atomic() if connection.in_atomic_block else nullcontext(), connection.cursor() as cursor:
            cursor.execute(PLAIN_HOLD, values)
            row = cursor.fetchone()
    except DataError as error:  # more money than a column holds
        raise SlowPath from error
    except IntegrityError as error:
        if isinstance(error.__cause__, UniqueViolation):
            raise KeyTaken from error
        if isinstance(error.__cause__, NotNullViolation):
            raise SlowPath from error
        raise
    activity_id, held = row[0], row[1 : 1 + len(HELD_COLUMNS)]
    if activity_id is None:
        return Seen(*row[1 + len(HELD_COLUMNS) :])
    announce([session_id], [activity_id])
    fields = dict(zip(HELD_COLUMNS, held, strict=True))
    fields["quote"] = json.loads(fields["quote"])  # Django leaves JSON as text for its own field to read
    return Reservation(email=email, status=Reservation.Status.HELD, **fields)


# Locks ------------------------------------------------------------------------------------------------------------


def require_transaction() -> None:
    """Refuse to touch places outside a transaction: a lock that ends with its statement guards nothing."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("Places are locked and changed inside a transaction only.")


def lock_sessions(session_ids: Iterable[UUID], *, skip_locked: bool = False) -> dict[UUID, Session]:
    """Lock the sessions in ascending id order and return them; those that do not exist are missing.

    With `skip_locked` those that somebody else has locked are missing, too: nobody waits, so the order is no matter.
    """
    require_transaction()
    rows = Session.objects.filter(id__in=set(session_ids)).order_by("id")
    rows = rows.select_for_update(no_key=True, skip_locked=skip_locked)
    return {session.id: session for session in rows}


def lock_reservations(reservation_ids: Iterable[UUID]) -> list[Reservation]:
    """Lock the reservations, after their sessions, in ascending id order."""
    require_transaction()
    rows = Reservation.objects.filter(id__in=set(reservation_ids)).order_by("id").select_for_update(no_key=True)
    return list(rows)


# Acts under the lock ----------------------------------------------------------------------------------------------


def take_places(*, session_id: UUID, places: int, for_waiter: bool = False) -> bool:
    """Add held places to a locked session if it is open, nobody waits and they fit; say whether it did.

    Whoever's turn it is among those who wait takes them `for_waiter`.
    """
    require_transaction()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""UPDATE scheduling_session s SET places_held = places_held + %(places)s, version = version + 1
            WHERE s.id = %(session)s AND {OPEN_FOR_SALE} AND (s.waiting = 0 OR %(for_waiter)s)
                AND s.capacity_total - s.places_held - s.places_booked >= %(places)s RETURNING s.activity_id""",
            {"session": session_id, "places": places, "for_waiter": for_waiter},
        )
        row = cursor.fetchone()
    if row is not None:
        announce([session_id], [row[0]])
    return row is not None


def reclaim_lapsed(session_ids: Iterable[UUID]) -> int:
    """Expire the lapsed holds of locked sessions and give their places back; return how many places came back."""
    require_transaction()
    return sum(_reclaim(list(session_ids), order="FOR NO KEY UPDATE").values())


@transaction.atomic
def hand_on(session_ids: Iterable[UUID]) -> None:
    """Give back what has lapsed and let those who wait be asked, now, in a transaction that nobody rolls back."""
    ids = sorted(lock_sessions(session_ids))
    reclaim_lapsed(ids)
    tell_freed(ids)


def set_waiters(waiting: Mapping[UUID, int]) -> None:
    """Set how many parties wait for each of these locked sessions; the caller has counted them under the locks."""
    require_transaction()
    ids = sorted(waiting)
    if ids:
        _update(
            """waiting = d.waiting, version = s.version + 1 FROM unnest(%(ids)s::uuid[], %(waiting)s::int[])
                AS d(id, waiting) WHERE s.id = d.id AND s.waiting <> d.waiting""",
            {"ids": ids, "waiting": [waiting[i] for i in ids]},
        )


def confirm_places(reservations: Sequence[Reservation], *, at: datetime) -> None:
    """Turn locked held reservations into booked places."""
    deltas = _sum(reservations, lambda n: Delta(held=-n, booked=n))
    _end(reservations, status=Reservation.Status.CONFIRMED, confirmed_at=at)
    _apply(deltas)


def release_places(reservations: Sequence[Reservation], *, at: datetime) -> None:
    """Give the places of locked reservations back, held or booked ones."""
    held = [r for r in reservations if r.status == Reservation.Status.HELD]
    booked = [r for r in reservations if r.status == Reservation.Status.CONFIRMED]
    deltas = _sum(held, lambda n: Delta(held=-n))
    for session_id, delta in _sum(booked, lambda n: Delta(booked=-n)).items():
        deltas[session_id] = Delta(held=deltas.get(session_id, Delta()).held, booked=delta.booked)
    _end([*held, *booked], status=Reservation.Status.RELEASED, ended_at=at)
    _apply(deltas)


def resize_reservation(
    reservation: Reservation, *, places: int, party_size: int, amount_minor: int, quote: list[dict[str, Any]]
) -> bool:
    """Make a locked booked reservation of a locked session larger or smaller; say whether what it adds fitted.

    What is added is taken as any buyer's places are: the session open, nobody waiting, and room for it.
    """
    more = places - reservation.places
    if more > 0 and not take_places(session_id=reservation.session_id, places=more):
        return False
    fields = {"places": places, "party_size": party_size, "amount_minor": amount_minor, "quote": quote}
    Reservation.objects.filter(id=reservation.id).update(**fields)
    for name, value in fields.items():
        setattr(reservation, name, value)
    if more:
        _apply({reservation.session_id: Delta(held=-max(more, 0), booked=more)})
    return True


def overbook_places(*, session_id: UUID, places: int) -> None:
    """Add held places beyond the capacity, honoured: for a permitted person, who gives a reason to the caller."""
    _apply({session_id: Delta(held=places)})


@transaction.atomic
def set_capacity(*, session_id: UUID, capacity: int) -> Session:
    """Change one session's capacity, as staff do. A cut is honoured: nobody loses a place."""
    check_capacity(capacity)
    _lock_one(session_id)
    reclaim_lapsed([session_id])
    set_capacities({session_id: capacity}, by_staff=True)
    return Session.objects.get(id=session_id)


def check_capacity(capacity: int) -> None:
    """Refuse a capacity that no session can have."""
    if not 0 <= capacity <= MOST_PLACES:
        raise invalid("capacity", "out_of_range", f"A capacity is 0 to {MOST_PLACES} places.")


def set_capacities(capacities: Mapping[UUID, int], *, by_staff: bool) -> None:
    """Change the capacities of locked sessions. A cut is honoured, and nothing is sold until all fit again.

    What staff set is the session's own from then on: no timetable changes it any more.
    """
    require_transaction()
    ids = sorted(capacities)
    settled = SETTLED.format(taken="s.places_held + s.places_booked", capacity="d.capacity")
    _update(
        f"""capacity_total = d.capacity, honoured_capacity = {settled}, version = s.version + 1,
            own_capacity = s.own_capacity OR %(by_staff)s
        FROM unnest(%(ids)s::uuid[], %(capacities)s::int[]) AS d(id, capacity) WHERE s.id = d.id""",
        {"ids": ids, "capacities": [capacities[i] for i in ids], "by_staff": by_staff},
    )
    tell_freed(ids)


@transaction.atomic
def recount(*, session_id: UUID) -> Drift:
    """Set the counters to what the reservations say, and return what they said before."""
    session = _lock_one(session_id)
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT coalesce(sum(places) FILTER (WHERE status = 'held'), 0)::int,
                coalesce(sum(places) FILTER (WHERE status = 'confirmed'), 0)::int
            FROM scheduling_reservation WHERE session_id = %s AND (status = 'held' OR status = 'confirmed')""",
            [session_id],
        )
        held, booked = cursor.fetchone()
    drift = Drift(session.places_held, session.places_booked, held, booked)
    if not drift.is_clean:
        _apply({session_id: Delta(held=held - drift.places_held, booked=booked - drift.places_booked)})
    return drift


# The sweep --------------------------------------------------------------------------------------------------------

SWEEP_BATCH = 2  # sessions a transaction: no lock is held long enough for a buyer to notice


def sweep_lapsed(*, after: UUID | None = None) -> tuple[int, UUID | None]:
    """Reclaim the next few sessions that have lapsed holds; skip those that somebody has locked.

    Returns the places that came back, and the last session looked at (None: there was none left).
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT DISTINCT session_id FROM scheduling_reservation
            WHERE status = 'held' AND expires_at <= (SELECT clock_timestamp())
                AND (%(after)s::uuid IS NULL OR session_id > %(after)s) ORDER BY session_id LIMIT %(batch)s""",
            {"after": after, "batch": SWEEP_BATCH},
        )
        session_ids = [row[0] for row in cursor.fetchall()]
    if not session_ids:
        return 0, None
    with transaction.atomic():  # so that what comes free goes to those who wait before anybody else sees it
        freed = _reclaim(session_ids, order="FOR NO KEY UPDATE SKIP LOCKED")
    return sum(freed.values()), session_ids[-1]


def _lock_one(session_id: UUID) -> Session:
    """Lock a session, or raise NotFound."""
    session = lock_sessions([session_id]).get(session_id)
    if session is None:
        raise NotFound
    return session


# Leaves -----------------------------------------------------------------------------------------------------------


def _reclaim(session_ids: list[UUID], *, order: str) -> dict[UUID, int]:
    """Lock, read the clock, expire, give back. It only gives back, so one statement is safe."""
    settled = SETTLED.format(taken="s.places_held + s.places_booked - f.n", capacity="s.capacity_total")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""WITH locked AS MATERIALIZED (
                SELECT id FROM scheduling_session WHERE id = ANY(%s) ORDER BY id {order}
            ), at AS MATERIALIZED (SELECT id, clock_timestamp() AS now FROM locked
            ), gone AS (
                UPDATE scheduling_reservation r SET status = 'expired', ended_at = at.now FROM at
                WHERE r.session_id = at.id AND r.status = 'held' AND r.expires_at <= at.now
                RETURNING r.session_id, r.places
            ), f AS MATERIALIZED (SELECT session_id, sum(places)::int AS n FROM gone GROUP BY session_id)
            UPDATE scheduling_session s
            SET places_held = s.places_held - f.n, version = s.version + 1, honoured_capacity = {settled}
            FROM f WHERE s.id = f.session_id RETURNING s.id, s.activity_id, f.n""",
            [session_ids],
        )
        rows = cursor.fetchall()
    if rows:
        announce([row[0] for row in rows], [row[1] for row in rows])
        tell_freed([row[0] for row in rows])
    return {row[0]: row[2] for row in rows}


def _sum(reservations: Sequence[Reservation], delta: Any) -> dict[UUID, Delta]:
    """Add up, session by session."""
    places: dict[UUID, int] = {}
    for reservation in reservations:
        places[reservation.session_id] = places.get(reservation.session_id, 0) + reservation.places
    return {session_id: delta(n) for session_id, n in places.items()}


def _end(reservations: Sequence[Reservation], *, status: Reservation.Status, **fields: Any) -> None:
    """Write the reservations' new state, to the rows and to the objects in hand."""
    require_transaction()
    Reservation.objects.filter(id__in=[r.id for r in reservations]).update(status=status, **fields)
    for reservation in reservations:
        reservation.status = status
        for name, value in fields.items():
            setattr(reservation, name, value)


def _apply(deltas: Mapping[UUID, Delta]) -> None:
    """Write the counters of locked sessions, one UPDATE per row, and what is honoured with them."""
    require_transaction()
    taken = "s.places_held + d.held + s.places_booked + d.booked"
    ids = sorted(deltas)
    _update(
        f"""places_held = s.places_held + d.held, places_booked = s.places_booked + d.booked, version = s.version + 1,
            honoured_capacity = {SETTLED.format(taken=taken, capacity="s.capacity_total")}
        FROM unnest(%(ids)s::uuid[], %(held)s::int[], %(booked)s::int[]) AS d(id, held, booked) WHERE s.id = d.id""",
        {"ids": ids, "held": [deltas[i].held for i in ids], "booked": [deltas[i].booked for i in ids]},
    )
    tell_freed([i for i in ids if deltas[i].held + deltas[i].booked < 0])


def _update(assignments: str, values: Mapping[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE scheduling_session s SET {assignments} RETURNING s.id, s.activity_id",
            values,
        )
        rows = cursor.fetchall()
    announce([row[0] for row in rows], [row[1] for row in rows])


def tell_freed(session_ids: list[UUID]) -> None:
    """Let those who wait be asked, in this transaction and under its locks: nobody else sees the places free."""
    if session_ids:
        places_freed.send(None, session_ids=session_ids)


def announce(sessions: list[UUID], activities: list[UUID]) -> None:
    """Tell the displays, after commit: a nudge, which may be lost."""
    transaction.on_commit(partial(availability_changed.send, None, sessions=sessions, activities=activities))
