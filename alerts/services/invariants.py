"""What must hold in the database at any moment, as SQL: each statement returns the offenders' ids, and what is wrong.

Independent of the code that it judges: it reads tables, and shares with the product the transition tables and the list
of columns that a fact's hash covers. `%(ids)s` is a batch of sessions, or of bookings.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps
from django.db import models

from alerts.consumers import CONSUMERS
from bookings.models import Booking
from config.kit.facts import hash_expression


@dataclass(frozen=True, slots=True)
class Invariant:
    """A statement and what its rows break."""

    code: str
    broken: str
    sql: str


def _legal_steps() -> str:
    return ", ".join(f"('{before}', '{after}')" for before, after in Booking.TRANSITIONS.pairs())


SUMS = """SELECT s.id, s.capacity_total, s.honoured_capacity, s.places_held, s.places_booked, s.waiting,
        s.capacity_remaining, coalesce(sum(r.places) FILTER (WHERE r.status = 'held'), 0) AS held,
        coalesce(sum(r.places) FILTER (WHERE r.status = 'confirmed'), 0) AS booked
    FROM scheduling_session s
    LEFT JOIN scheduling_reservation r ON r.session_id = s.id AND r.status IN ('held', 'confirmed')
    WHERE s.id = ANY(%(ids)s) GROUP BY s.id"""

SESSION_INVARIANTS = [
    Invariant(
        "I01",
        "more places are taken than there are, or were honoured",
        f"""SELECT id, held + booked || ' of ' || capacity_total FROM ({SUMS}) t
        WHERE held + booked > greatest(capacity_total, honoured_capacity)""",
    ),
    Invariant(
        "I02",
        "the counters are not the sums of the reservations",
        f"""SELECT id, 'held ' || places_held || ' is ' || held || ', booked ' || places_booked || ' is ' || booked
        FROM ({SUMS}) t WHERE places_held <> held OR places_booked <> booked""",
    ),
    Invariant(
        "I18",
        "a confirmed reservation without exactly one live line of a confirmed booking",
        """SELECT r.id, count(l.id) || ' live lines' FROM scheduling_reservation r
        LEFT JOIN bookings_line l ON l.reservation_id = r.id AND l.status = 'live'
            AND EXISTS (SELECT FROM bookings_booking b WHERE b.id = l.booking_id AND b.status = 'confirmed')
        WHERE r.session_id = ANY(%(ids)s) AND r.status = 'confirmed' GROUP BY r.id HAVING count(l.id) <> 1""",
    ),
    Invariant(
        "I23",
        "what the row says of room and waiters is not so",
        f"""SELECT id, 'remaining ' || capacity_remaining || ', waiting ' || waiting FROM ({SUMS}) t
        WHERE capacity_remaining <> greatest(capacity_total - held - booked, 0) OR waiting <> 0""",
    ),
    Invariant(
        "I25",
        "on sale, though its activity or organization is not",
        """SELECT s.id, 'activity ' || a.status || ', organization ' || o.status FROM scheduling_session s
        JOIN scheduling_activity a ON a.id = s.activity_id JOIN tenants_organization o ON o.id = s.organization_id
        WHERE s.id = ANY(%(ids)s) AND s.on_sale AND s.ends_at > (SELECT clock_timestamp())
            AND NOT (a.status = 'published' AND o.status = 'active')""",
    ),
]

# Judged only while the sweep is known to run: with it stopped, a lapsed hold waits for the next buyer, by design.
LIVENESS = Invariant(
    "I03",
    "held more than two minutes after its end, though the sweep runs",
    """SELECT id, 'until ' || expires_at FROM scheduling_reservation
    WHERE status = 'held' AND expires_at < (SELECT clock_timestamp()) - interval '2 minutes'""",
)


def _wanted() -> str:
    pairs = [(name, kind) for name, consumer in CONSUMERS.items() for kind in sorted(consumer.kinds)]
    return ", ".join(f"('{name}', '{kind}')" for name, kind in pairs)


FANNED_OUT = Invariant(
    "I17",
    "a fact that a consumer has not had after five minutes, though the fan-out runs",
    f"""SELECT e.id, w.consumer || ', ' || e.kind || ' at ' || e.at
    FROM (VALUES {_wanted()}) w (consumer, kind) JOIN bookings_bookingevent e ON e.kind = w.kind
    WHERE e.at < (SELECT clock_timestamp()) - interval '5 minutes' AND NOT EXISTS (
        SELECT FROM alerts_handled h WHERE h.fact_id = e.id AND h.consumer = w.consumer)""",
)

BOOKING_INVARIANTS = [
    Invariant(
        "I10",
        "the facts have a gap, or end in another state than the booking's",
        """SELECT b.id, 'head ' || b.event_seq || ', ' || count(e.id) || ' facts to ' || coalesce(max(e.seq), 0)
            || ', last ' || coalesce((array_agg(e.to_status ORDER BY e.seq DESC))[1], 'nothing') || ' is ' || b.status
        FROM bookings_booking b LEFT JOIN bookings_bookingevent e ON e.booking_id = b.id
        WHERE b.id = ANY(%(ids)s) GROUP BY b.id
        HAVING count(e.id) <> b.event_seq OR coalesce(max(e.seq), 0) <> b.event_seq
            OR (array_agg(e.to_status ORDER BY e.seq DESC))[1] IS DISTINCT FROM b.status""",
    ),
    Invariant(
        "I11",
        "a step between facts that is not legal, or not continuous",
        f"""SELECT id, from_status || ' to ' || to_status FROM (
            SELECT id, booking_id, from_status, to_status,
                lag(to_status, 1, '') OVER (PARTITION BY booking_id ORDER BY seq) AS was
            FROM bookings_bookingevent WHERE booking_id = ANY(%(ids)s)) e
        WHERE CASE WHEN was = '' THEN from_status <> '' OR to_status <> 'pending'
            WHEN from_status = '' THEN to_status <> was
            ELSE from_status <> was OR (from_status, to_status) NOT IN ({_legal_steps()}) END""",
    ),
    Invariant(
        "I12",
        "the chain of hashes is broken",
        f"""SELECT booking_id, 'fact ' || seq FROM (
            SELECT e.booking_id, e.seq, e.hash, e.previous_hash, b.event_hash, b.event_seq,
                {hash_expression("e", "booking")} AS computed,
                lag(e.hash, 1, '') OVER (PARTITION BY e.booking_id ORDER BY e.seq) AS linked
            FROM bookings_bookingevent e JOIN bookings_booking b ON b.id = e.booking_id WHERE b.id = ANY(%(ids)s)) f
        WHERE hash <> computed OR previous_hash <> linked OR (seq = event_seq AND hash <> event_hash)""",
    ),
    Invariant(
        "I17",
        "confirmed without the fact that says so",
        """SELECT b.id, 'no booking_confirmed' FROM bookings_booking b
        WHERE b.id = ANY(%(ids)s) AND b.status = 'confirmed' AND NOT EXISTS (
            SELECT FROM bookings_bookingevent e WHERE e.booking_id = b.id AND e.kind = 'booking_confirmed')""",
    ),
    Invariant(
        "I18",
        "a live line of a confirmed booking without its confirmed reservation",
        """SELECT l.id, 'reservation ' || r.status FROM bookings_line l JOIN bookings_booking b ON b.id = l.booking_id
        JOIN scheduling_reservation r ON r.id = l.reservation_id
        WHERE b.id = ANY(%(ids)s) AND b.status = 'confirmed' AND l.status = 'live'
            AND (r.status <> 'confirmed' OR r.session_id <> l.session_id)""",
    ),
]

IDEMPOTENCY = Invariant(
    "I15",
    "an idempotency key without its one effect",
    """SELECT k.id, 'effect ' || k.effect_id FROM kit_idempotencykey k
    WHERE NOT EXISTS (
            SELECT FROM scheduling_reservation r WHERE r.id = k.effect_id AND r.organization_id = k.organization_id)
        AND NOT EXISTS (
            SELECT FROM bookings_booking b WHERE b.id = k.effect_id AND b.organization_id = k.organization_id)""",
)


DUPLICATES = Invariant(
    "I20",
    "the same people are in the same session twice, and nobody said that it is meant",
    """SELECT l.id, t.n || ' live lines' FROM (
        SELECT duplicate_key, count(*) AS n FROM bookings_line
        WHERE status = 'live' AND duplicate_override_of_id IS NULL AND duplicate_key <> ''
        GROUP BY duplicate_key HAVING count(*) > 1) t
    JOIN bookings_line l ON l.duplicate_key = t.duplicate_key AND l.status = 'live'
        AND l.duplicate_override_of_id IS NULL""",
)


def tenant_invariants() -> Iterator[Invariant]:
    """Yield a statement for every foreign key between tenants' rows, and for every row's own organization."""
    for model in apps.get_models(include_auto_created=True):
        owned = _organization_of(model)
        if owned is None:
            continue
        yield _coherence(model, "organization_id", "tenants_organization", "p.id IS NULL")
        for key in model._meta.concrete_fields:
            if isinstance(key, models.ForeignKey) and key is not owned and _organization_of(key.related_model):
                parent = key.related_model._meta.db_table
                yield _coherence(model, key.column, parent, "p.id IS NULL OR p.organization_id <> c.organization_id")


def _organization_of(model: type[models.Model]) -> "models.Field[object, object] | None":
    return next((field for field in model._meta.concrete_fields if field.attname == "organization_id"), None)


def _coherence(model: type[models.Model], column: str, parent: str, broken: str) -> Invariant:
    table = model._meta.db_table
    return Invariant(
        "I14",
        f"{table}.{column} leads to another organization, or nowhere",
        f"""SELECT c.id, '{table}.{column}' FROM {table} c LEFT JOIN {parent} p ON p.id = c.{column}
        WHERE c.{column} IS NOT NULL AND ({broken})""",
    )
