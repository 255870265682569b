"""Of sessions, their places, and who teaches where."""

from alerts.services.invariants.base import Invariant, unbroken, whole

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

ACTIVITY_INVARIANTS = [
    whole("scheduling_scheduleevent", head="scheduling_activity", subject="activity"),
    unbroken("scheduling_scheduleevent", head="scheduling_activity", subject="activity"),
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
