"""Of bookings, waiting parties, duplicates and idempotency keys."""

from alerts.services.invariants.base import Invariant, unbroken, whole
from bookings.models import Booking


def _legal_steps() -> str:
    return ", ".join(f"('{before}', '{after}')" for before, after in Booking.TRANSITIONS.pairs())


BOOKING_INVARIANTS = [
    whole("bookings_bookingevent", head="bookings_booking", subject="booking", ends="h.status"),
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
    unbroken("bookings_bookingevent", head="bookings_booking", subject="booking"),
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
            SELECT FROM bookings_waitlistentry w WHERE w.id = k.effect_id AND w.organization_id = k.organization_id)
        AND NOT EXISTS (
            SELECT FROM payments_payment p WHERE p.id = k.effect_id AND p.organization_id = k.organization_id)
        AND NOT EXISTS (
            SELECT FROM payments_refund r WHERE r.id = k.effect_id AND r.organization_id = k.organization_id)""",
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
    whole("bookings_waitlistevent", head="bookings_waitlistentry", subject="entry", ends="h.status"),
    unbroken("bookings_waitlistevent", head="bookings_waitlistentry", subject="entry"),
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
