"""What must hold in the database at any moment, as SQL: each statement returns the offenders' ids, and what is wrong.

Independent of the code that it judges: it reads tables, and shares with the product the transition tables and the list
of columns that a fact's hash covers. `%(ids)s` is a batch of sessions, of bookings, or of activities.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps
from django.db import models

from alerts.consumers import CONSUMERS
from alerts.sources import SOURCES
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
    LEFT JOIN scheduling_reservation r ON r.session_id = s.id AND (r.status = 'held' OR r.status = 'confirmed')
    WHERE s.id = ANY(%(ids)s) GROUP BY s.id"""

# Each state by its own partial index.
LIVE_RESERVATIONS = """JOIN LATERAL (
            SELECT id, quote FROM scheduling_reservation WHERE session_id = s.id AND status = 'held' UNION ALL
            SELECT id, quote FROM scheduling_reservation WHERE session_id = s.id AND status = 'confirmed') r ON true"""
QUOTED_EXTRA = "jsonb_build_object('extra', x.extra_id, 'count', x.count, 'amount_minor', x.amount_minor)"

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
        "I22",
        "cancelled, though somebody is booked in it",
        """SELECT s.id, count(l.id) || ' live lines' FROM scheduling_session s
        JOIN bookings_line l ON l.session_id = s.id AND l.status = 'live'
        JOIN bookings_booking b ON b.id = l.booking_id AND b.status IN ('pending', 'confirmed')
        WHERE s.id = ANY(%(ids)s) AND s.status = 'cancelled' GROUP BY s.id""",
    ),
    Invariant(
        "I23",
        "what the row says of its room is not so",
        f"""SELECT id, 'remaining ' || capacity_remaining FROM ({SUMS}) t
        WHERE capacity_remaining <> greatest(capacity_total - held - booked, 0)""",
    ),
    # Too few never. Too many only by those who were offered places of another session lately, while this one was locked
    # by somebody else: the sweep counts anew.
    Invariant(
        "I23",
        "what the row says of its waiters is not so",
        """SELECT s.id, 'waiting ' || s.waiting || ', counted ' || w.waiting
        FROM scheduling_session s CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE e.status = 'waiting') AS waiting,
                count(*) FILTER (WHERE e.offered_at > (SELECT clock_timestamp()) - interval '1 day'
                    AND r.session_id <> c.session_id) AS elsewhere
            FROM bookings_waitlistchoice c JOIN bookings_waitlistentry e ON e.id = c.entry_id
            LEFT JOIN scheduling_reservation r ON r.id = e.reservation_id WHERE c.session_id = s.id) w
        WHERE s.id = ANY(%(ids)s) AND s.waiting NOT BETWEEN w.waiting AND w.waiting + w.elsewhere""",
    ),
    Invariant(
        "I25",
        "on sale, though its activity or organization is not",
        """SELECT s.id, 'activity ' || a.status || ', organization ' || o.status FROM scheduling_session s
        JOIN scheduling_activity a ON a.id = s.activity_id JOIN tenants_organization o ON o.id = s.organization_id
        WHERE s.id = ANY(%(ids)s) AND s.on_sale AND s.ends_at > (SELECT clock_timestamp())
            AND NOT (a.status = 'published' AND o.status = 'active')""",
    ),
    # When a session was closed by hand no row says, so a closed one cannot be judged. A legacy one became so by the
    # last applied change that names it, whose time was read under the session's lock. Few are legacy and held at once.
    Invariant(
        "I25",
        "held after it was taken off sale as legacy",
        """SELECT r.id, 'held at ' || r.held_at || ', legacy since ' || c.applied_at FROM scheduling_session s
        JOIN scheduling_reservation r ON r.session_id = s.id AND r.status = 'held' AND NOT r.overbooked
        JOIN scheduling_activity a ON a.id = s.activity_id
        CROSS JOIN LATERAL (
            SELECT max(c.applied_at) AS applied_at FROM scheduling_schedulechange c
            WHERE c.status = 'applied' AND c.venue_id = a.venue_id AND c.effects @> jsonb_build_object('sessions',
                jsonb_build_array(jsonb_build_object('session', s.id, 'effect', 'legacy')))) c
        WHERE s.id = ANY(%(ids)s) AND s.is_legacy AND s.places_held > 0
            AND r.held_at > c.applied_at""",
    ),
    # Whether extras are within their stock cannot be judged afterwards: a cut of the stock is honoured, and no row says
    # when it was. The trigger refuses what is too much as it is taken; here is what a row must agree with for good.
    Invariant(
        "I19",
        "an extra that its quote or its session's activity does not know",
        f"""SELECT x.id, x.count || ' of ' || x.extra_id || ' for ' || x.amount_minor FROM scheduling_session s
        {LIVE_RESERVATIONS}
        JOIN scheduling_reservationextra x ON x.reservation_id = r.id JOIN scheduling_extra e ON e.id = x.extra_id
        WHERE s.id = ANY(%(ids)s)
            AND (e.activity_id <> s.activity_id OR NOT r.quote @> jsonb_build_array({QUOTED_EXTRA}))""",
    ),
    Invariant(
        "I19",
        "a quote with an extra that is not there",
        f"""SELECT r.id, line ->> 'extra' FROM scheduling_session s
        {LIVE_RESERVATIONS} AND r.quote @? '$[*].extra'
        CROSS JOIN LATERAL jsonb_array_elements(r.quote) line
        WHERE s.id = ANY(%(ids)s) AND line ? 'extra' AND NOT EXISTS (
            SELECT FROM scheduling_reservationextra x WHERE x.reservation_id = r.id AND line @> {QUOTED_EXTRA})""",
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
    wanted = [
        (name, source, kind)
        for name, consumer in CONSUMERS.items()
        for source, kinds in consumer.kinds.items()
        for kind in sorted(kinds)
    ]
    return ", ".join(f"('{name}', '{source}', '{kind}')" for name, source, kind in wanted)


def _facts() -> str:
    parts = (f"SELECT '{name}' AS source, f.* FROM ({source.select_kinds()}) f" for name, source in SOURCES.items())
    return " UNION ALL ".join(parts)


FANNED_OUT = Invariant(
    "I17",
    "a fact that a consumer has not had after five minutes, though the fan-out runs",
    f"""SELECT e.id, w.consumer || ', ' || e.kind || ' at ' || e.at
    FROM (VALUES {_wanted()}) w (consumer, source, kind) JOIN ({_facts()}) e ON e.source = w.source AND e.kind = w.kind
    WHERE e.at < (SELECT clock_timestamp()) - interval '5 minutes' AND NOT EXISTS (
        SELECT FROM alerts_handled h WHERE h.fact_id = e.id AND h.consumer = w.consumer)""",
)


def _unbroken(facts: str, *, head: str, subject: str) -> Invariant:
    """Return the statement that follows the chain of hashes in one table of facts."""
    return Invariant(
        "I12",
        "the chain of hashes is broken",
        f"""SELECT {subject}_id, 'fact ' || seq FROM (
            SELECT e.{subject}_id, e.seq, e.hash, e.previous_hash, h.event_hash, h.event_seq,
                {hash_expression("e", subject)} AS computed,
                lag(e.hash, 1, '') OVER (PARTITION BY e.{subject}_id ORDER BY e.seq) AS linked
            FROM {facts} e JOIN {head} h ON h.id = e.{subject}_id WHERE h.id = ANY(%(ids)s)) f
        WHERE hash <> computed OR previous_hash <> linked OR (seq = event_seq AND hash <> event_hash)""",
    )


def _whole(facts: str, *, head: str, subject: str, ends: str = "''") -> Invariant:
    """Return the statement that counts the facts of one table; `ends` is the state that the last one led to."""
    last = "coalesce((array_agg(e.to_status ORDER BY e.seq DESC))[1], '')"
    return Invariant(
        "I10",
        "the facts have a gap, or end in another state than the row's",
        f"""SELECT h.id, 'head ' || h.event_seq || ', ' || count(e.id) || ' facts to ' || coalesce(max(e.seq), 0)
            || ', last "' || {last} || '" is "' || {ends} || '"'
        FROM {head} h LEFT JOIN {facts} e ON e.{subject}_id = h.id
        WHERE h.id = ANY(%(ids)s) GROUP BY h.id
        HAVING count(e.id) <> h.event_seq OR coalesce(max(e.seq), 0) <> h.event_seq
            OR {last} <> {ends}""",
    )


BOOKING_INVARIANTS = [
    _whole("bookings_bookingevent", head="bookings_booking", subject="booking", ends="h.status"),
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
    _unbroken("bookings_bookingevent", head="bookings_booking", subject="booking"),
    Invariant(
        "I17",
        "confirmed without the fact that says so",
        """SELECT b.id, 'no booking_confirmed' FROM bookings_booking b
        WHERE b.id = ANY(%(ids)s) AND b.status = 'confirmed' AND NOT EXISTS (
            SELECT FROM bookings_bookingevent e WHERE e.booking_id = b.id AND e.kind = 'booking_confirmed')""",
    ),
    # What was over before anybody could be told is told to nobody, and so is who was forgotten.
    Invariant(
        "I17",
        "a confirmed booking whose customer was never to be told",
        """SELECT e.booking_id, 'no message of fact ' || e.seq FROM bookings_bookingevent e
        JOIN alerts_handled h ON h.fact_id = e.id AND h.consumer = 'messages'
        JOIN bookings_booking b ON b.id = e.booking_id JOIN bookings_customer c ON c.id = b.customer_id
        WHERE b.id = ANY(%(ids)s) AND e.kind = 'booking_confirmed' AND c.erased_at IS NULL
            AND EXISTS (SELECT FROM bookings_line l JOIN scheduling_session s ON s.id = l.session_id
                WHERE l.booking_id = b.id AND s.ends_at > h.at)
            AND NOT EXISTS (SELECT FROM alerts_notification n WHERE n.fact_id = e.id AND n.kind = e.kind)""",
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

ACTIVITY_INVARIANTS = [
    _whole("scheduling_scheduleevent", head="scheduling_activity", subject="activity"),
    _unbroken("scheduling_scheduleevent", head="scheduling_activity", subject="activity"),
    Invariant(
        "I26",
        "sold by the one-statement hold, though its price or the size of a party needs a look",
        """SELECT a.id, concat_ws(', ',
            CASE WHEN t.ruled THEN 'price rules' END, CASE WHEN t.priced THEN 'own prices' END,
            CASE WHEN t.sized THEN 'party sizes' END, CASE WHEN t.limited THEN 'limits of its unit' END)
        FROM scheduling_activity a CROSS JOIN LATERAL (SELECT
            EXISTS (SELECT FROM scheduling_pricerule p WHERE p.activity_id = a.id AND p.ended_at IS NULL) AS ruled,
            EXISTS (SELECT FROM scheduling_unit u JOIN scheduling_unitprice p ON p.unit_id = u.id
                LEFT JOIN scheduling_session s ON s.id = p.session_id AND s.ends_at > (SELECT clock_timestamp())
                WHERE u.activity_id = a.id AND u.is_default
                    AND (p.schedule_id IS NOT NULL OR s.price_minor IS DISTINCT FROM p.price_minor AND s.id IS NOT NULL)
                ) AS priced,
            a.smallest_party > 1 OR a.largest_party IS NOT NULL AS sized,
            EXISTS (SELECT FROM scheduling_unit u WHERE u.activity_id = a.id AND u.is_default AND (u.minimum_count > 1
                OR u.maximum_count IS NOT NULL OR u.needs_accompaniment)) AS limited) t
        WHERE a.id = ANY(%(ids)s) AND a.plain_hold AND (t.ruled OR t.priced OR t.sized OR t.limited)""",
    ),
]

# Of uses that are over nothing is said: a resource may be cut once it is no longer needed.
SCHOOL_INVARIANTS = [
    Invariant(
        "I13",
        "an instructor is in two places at once",
        """SELECT id, 'from ' || starts_at || ', busy until ' || busy_until FROM (
            SELECT id, starts_at, max(ends_at) OVER (PARTITION BY instructor_id ORDER BY starts_at, id
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS busy_until
            FROM scheduling_assignment WHERE status = 'active') a
        WHERE starts_at < busy_until""",
    ),
    Invariant(
        "I13",
        "more of a resource is in use at a moment than there is",
        """SELECT r.id, max(t.used) || ' of ' || r.quantity || ' from ' || min(t.at) FROM (
            SELECT u.resource_id, m.at, sum(m.change) OVER (PARTITION BY u.resource_id ORDER BY m.at, m.change) AS used
            FROM scheduling_resourceuse u
            CROSS JOIN LATERAL (VALUES (u.starts_at, u.quantity), (u.ends_at, -u.quantity)) m (at, change)
            WHERE u.status = 'active' AND u.ends_at > (SELECT clock_timestamp())) t
        JOIN scheduling_resource r ON r.id = t.resource_id WHERE t.used > r.quantity GROUP BY r.id""",
    ),
]

IDEMPOTENCY = Invariant(
    "I15",
    "an idempotency key without its one effect",
    """SELECT k.id, 'effect ' || k.effect_id FROM kit_idempotencykey k
    WHERE NOT EXISTS (
            SELECT FROM scheduling_reservation r WHERE r.id = k.effect_id AND r.organization_id = k.organization_id)
        AND NOT EXISTS (
            SELECT FROM bookings_booking b WHERE b.id = k.effect_id AND b.organization_id = k.organization_id)
        AND NOT EXISTS (
            SELECT FROM bookings_bookingevent e WHERE e.id = k.effect_id AND e.organization_id = k.organization_id)
        AND NOT EXISTS (
            SELECT FROM bookings_waitlistentry w WHERE w.id = k.effect_id AND w.organization_id = k.organization_id)""",
)


WAITLIST_INVARIANTS = [
    Invariant(
        "I21",
        "offered places without a live reservation of its size, or booked without a booking",
        """SELECT e.id, e.status || ' ' || e.places || ', reservation ' || coalesce(r.status || ' ' || r.places, 'none')
        FROM bookings_waitlistentry e LEFT JOIN scheduling_reservation r ON r.id = e.reservation_id
        WHERE e.id = ANY(%(ids)s) AND (e.status = 'converted' AND e.booking_id IS NULL OR e.status = 'offered' AND (
            r.id IS NULL OR r.status <> 'held' OR r.places <> e.places OR NOT EXISTS (
                SELECT FROM bookings_waitlistchoice c WHERE c.entry_id = e.id AND c.session_id = r.session_id)))""",
    ),
    _whole("bookings_waitlistevent", head="bookings_waitlistentry", subject="entry", ends="h.status"),
    _unbroken("bookings_waitlistevent", head="bookings_waitlistentry", subject="entry"),
]


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
