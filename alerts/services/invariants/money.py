"""Of money: payments, refunds, disputes, ledger and vouchers, and that bookings and payments agree.

What was paid for a booking, less what goes back, is never less than what confirmed it, and never more than it owes for
long. A refund that failed is money that staff have an alert about; it is not called lost.
"""

from alerts.services.invariants.base import Invariant, unbroken, whole

TOO_LONG = "interval '15 minutes'"  # news of a payment may take that long, and no longer

# What came for a booking and what went back, beside what the booking owes. A refund made at the provider by hand leaves
# a debt, not a fault. Disputed money counts as paid until somebody decides.
SUMS = """SELECT b.id, b.status, b.payment_method, b.currency, b.organization_id,
        CASE WHEN b.status = 'expired' THEN 0 ELSE b.total_minor END AS owed,
        least(coalesce(b.deposit_minor, b.total_minor), b.total_minor) AS wanted,
        coalesce(p.paid, 0) AS paid, coalesce(p.back, 0) AS back, coalesce(p.by_hand, 0) AS by_hand,
        coalesce(p.failed, 0) AS failed, coalesce(p.disputed, 0) AS disputed, p.newest
    FROM bookings_booking b LEFT JOIN LATERAL (
        SELECT sum(p.amount_minor) AS paid, sum(r.back) AS back, sum(r.by_hand) AS by_hand, sum(r.failed) AS failed,
            sum(d.disputed) AS disputed, max(p.settled_at) AS newest
        FROM payments_payment p
        CROSS JOIN LATERAL (SELECT sum(amount_minor) FILTER (WHERE status <> 'failed') AS back,
            sum(amount_minor) FILTER (WHERE status <> 'failed' AND reason = 'at_provider') AS by_hand,
            sum(amount_minor) FILTER (WHERE status = 'failed') AS failed
            FROM payments_refund WHERE payment_id = p.id) r
        CROSS JOIN LATERAL (SELECT sum(amount_minor) AS disputed
            FROM payments_dispute WHERE payment_id = p.id AND is_withdrawn AND status <> 'won') d
        WHERE p.reference = b.id AND p.status = 'succeeded') p ON true
    WHERE b.id = ANY(%(ids)s)"""
KEPT = "paid - back - failed - disputed"  # beyond what is on its way back, in dispute, or known to have failed

OVER = SUMS.replace("b.id = ANY(%(ids)s)", "b.id = q.reference AND b.status NOT IN ('pending', 'confirmed')")

# By bookings.
PAID_BOOKINGS = [
    Invariant(
        "I04",
        "confirmed without the money that it was to be paid with",
        f"""SELECT id, paid - back || ' of ' || wanted FROM ({SUMS}) t
        WHERE status = 'confirmed' AND payment_method = 'online' AND paid - back + by_hand < wanted""",
    ),
    Invariant(
        "I06",
        "more is kept than is owed",
        f"""SELECT id, {KEPT} || ' kept, ' || owed || ' owed' FROM ({SUMS}) t
        WHERE {KEPT} > owed AND newest < (SELECT clock_timestamp()) - {TOO_LONG}""",
    ),
    Invariant(
        "I19",
        "the total is not what its lines, discounts, fees and rebate come to",
        """SELECT b.id, b.total_minor || ' is ' || t.total FROM bookings_booking b CROSS JOIN LATERAL (
            SELECT greatest(coalesce(sum(CASE WHEN l.status = 'live' THEN l.amount_minor - l.discount_minor
                ELSE l.fee_minor END), 0) + b.fee_minor - b.rebate_minor, 0) AS total
            FROM bookings_line l WHERE l.booking_id = b.id) t
        WHERE b.id = ANY(%(ids)s) AND (b.total_minor <> t.total OR b.payment_method = 'free' AND b.total_minor <> 0)""",
    ),
    Invariant(
        "I19",
        "a discount beyond the price, or without the code that gave it",
        """SELECT l.id, l.discount_minor || ' off ' || l.amount_minor FROM bookings_line l
        WHERE l.booking_id = ANY(%(ids)s) AND (l.discount_minor > l.amount_minor
            OR l.discount_minor > 0 AND NOT EXISTS (
                SELECT FROM bookings_promouse u WHERE u.booking_id = l.booking_id))""",
    ),
    Invariant(
        "I27",
        "booking and payment do not agree on whose it is, in which currency, or that it was received",
        """SELECT p.id, p.amount_minor || ' ' || p.currency || ' for a booking in ' || b.currency
        FROM bookings_booking b JOIN payments_payment p ON p.reference = b.id
        WHERE b.id = ANY(%(ids)s) AND (p.currency <> b.currency OR p.organization_id <> b.organization_id
            OR p.status = 'succeeded' AND NOT EXISTS (SELECT FROM bookings_bookingevent e WHERE e.booking_id = b.id
                AND e.kind = 'payment_received' AND e.after ->> 'payment' = p.id::text))""",
    ),
]

# What a ledger transaction moved on the account where money of this kind is.
_CLEARED = """SELECT coalesce(sum(e.amount_minor), 0) FROM payments_ledgertransaction t
    JOIN payments_ledgerentry e ON e.transaction_id = t.id AND e.account IN ('clearing', 'till', 'vouchers')
    WHERE t.kind <> 'voucher_issued' AND t.kind <> 'voucher_ended' AND t.source_id = """

# By payments.
PAYMENT_INVARIANTS = [
    Invariant(
        "I05",
        "money was taken, and there is neither a live booking for it nor a refund",
        f"""SELECT q.id, q.amount_minor || ' for ' || coalesce('a booking that is ' || b.status, 'no booking')
        FROM payments_payment q LEFT JOIN bookings_booking b ON b.id = q.reference
        LEFT JOIN LATERAL ({OVER}) t ON true
        WHERE q.id = ANY(%(ids)s) AND q.status = 'succeeded' AND q.settled_at < (SELECT clock_timestamp()) - {TOO_LONG}
            AND (b.id IS NULL OR {KEPT} > owed)""",
    ),
    Invariant(
        "I07",
        "more goes back than was paid, or of what was never paid",
        """SELECT p.id, r.back || ' of ' || p.amount_minor || ', ' || p.status
        FROM payments_payment p CROSS JOIN LATERAL (
            SELECT sum(amount_minor) FILTER (WHERE status <> 'failed') AS back,
                bool_or(currency <> p.currency OR reference <> p.reference) AS is_other
            FROM payments_refund WHERE payment_id = p.id) r
        WHERE p.id = ANY(%(ids)s) AND r.back IS NOT NULL
            AND (r.back > p.amount_minor OR p.status <> 'succeeded' OR r.is_other)""",
    ),
    # Of each payment, refund and dispute by itself: so it is true of their sums, and the one that differs is named.
    Invariant(
        "I09",
        "the ledger does not say what became of a payment",
        f"""SELECT p.id, t.moved || ' moved, ' || p.status || ' ' || p.amount_minor
        FROM payments_payment p CROSS JOIN LATERAL ({_CLEARED} p.id) t (moved)
        WHERE p.id = ANY(%(ids)s) AND t.moved <> CASE WHEN p.status = 'succeeded' THEN p.amount_minor ELSE 0 END""",
    ),
    Invariant(
        "I09",
        "the ledger does not say what became of a refund",
        f"""SELECT r.id, t.moved || ' moved, ' || r.status || ' ' || r.amount_minor
        FROM payments_refund r CROSS JOIN LATERAL ({_CLEARED} r.id) t (moved)
        WHERE r.payment_id = ANY(%(ids)s)
            AND t.moved <> CASE WHEN r.status = 'succeeded' THEN -r.amount_minor ELSE 0 END""",
    ),
    Invariant(
        "I09",
        "the ledger does not say what became of a dispute",
        f"""SELECT d.id, t.moved || ' moved, ' || d.status || ' ' || d.amount_minor
        FROM payments_dispute d CROSS JOIN LATERAL ({_CLEARED} d.id) t (moved)
        WHERE d.payment_id = ANY(%(ids)s) AND t.moved <> CASE WHEN d.is_withdrawn THEN -d.amount_minor ELSE 0 END""",
    ),
    whole("payments_paymentevent", head="payments_payment", subject="payment", ends="h.status"),
    unbroken("payments_paymentevent", head="payments_payment", subject="payment"),
]

# By transactions of the ledger.
LEDGER_INVARIANTS = [
    Invariant(
        "I08",
        "the sides of a movement do not come to nought",
        """SELECT t.id, coalesce(sum(e.amount_minor), 0) || ' in ' || count(e.id) || ' entries'
        FROM payments_ledgertransaction t LEFT JOIN payments_ledgerentry e ON e.transaction_id = t.id
        WHERE t.id = ANY(%(ids)s) GROUP BY t.id HAVING coalesce(sum(e.amount_minor), 0) <> 0 OR count(e.id) < 2""",
    ),
    Invariant(
        "I09",
        "a movement of nothing that we know, or in another currency",
        """SELECT t.id, t.kind || ' of ' || t.source_id || ' in ' || t.currency FROM payments_ledgertransaction t
        WHERE t.id = ANY(%(ids)s) AND t.currency IS DISTINCT FROM CASE
            WHEN t.kind LIKE 'payment%%' THEN (SELECT currency FROM payments_payment WHERE id = t.source_id)
            WHEN t.kind LIKE 'refund%%' THEN (SELECT currency FROM payments_refund WHERE id = t.source_id)
            WHEN t.kind LIKE 'dispute%%' THEN (SELECT currency FROM payments_dispute WHERE id = t.source_id)
            ELSE (SELECT currency FROM payments_voucher WHERE id = t.source_id) END""",
    ),
]

# By vouchers.
VOUCHER_INVARIANTS = [
    Invariant(
        "I24",
        "the balance of a voucher is not what was given, spent and returned, or beyond what was given",
        """SELECT v.id, v.balance_minor || ' of ' || v.issued_minor || ', entries ' || coalesce(e.total, 0)
        FROM payments_voucher v LEFT JOIN LATERAL (
            SELECT sum(amount_minor) AS total FROM payments_voucherentry WHERE voucher_id = v.id) e ON true
        WHERE v.id = ANY(%(ids)s) AND (v.balance_minor IS DISTINCT FROM e.total
            OR v.balance_minor NOT BETWEEN 0 AND v.issued_minor)""",
    ),
    Invariant(
        "I24",
        "the ledger does not say what is owed on a voucher",
        """SELECT v.id, v.balance_minor || ' left, ' || t.owed || ' owed' FROM payments_voucher v CROSS JOIN LATERAL (
            SELECT coalesce(-sum(e.amount_minor), 0) AS owed
            FROM (SELECT v.id AS source_id UNION ALL SELECT id FROM payments_payment WHERE voucher_id = v.id UNION ALL
                SELECT r.id FROM payments_refund r JOIN payments_payment p ON p.id = r.payment_id
                WHERE p.voucher_id = v.id) s
            JOIN payments_ledgertransaction t ON t.source_id = s.source_id
            JOIN payments_ledgerentry e ON e.transaction_id = t.id AND e.account = 'vouchers') t
        WHERE v.id = ANY(%(ids)s) AND v.balance_minor <> t.owed""",
    ),
]

# By promo codes.
PROMO_CODE_INVARIANTS = [
    Invariant(
        "I24",
        "the count of a promo code's uses is not the number of bookings that use it",
        """SELECT c.id, c.uses || ' counted, ' || u.live || ' live' FROM bookings_promocode c CROSS JOIN LATERAL (
            SELECT count(*) AS live FROM bookings_promouse WHERE promo_code_id = c.id AND released_at IS NULL) u
        WHERE c.id = ANY(%(ids)s) AND c.uses <> u.live""",
    ),
]

# Judged only while beat is known to run. What is applied waits for nothing, so an index has the few that are not. What
# tells of money that is not known here, or not yet, waits by design, and is laid aside after some hours.
INBOX = Invariant(
    "I16",
    "what a provider told was not applied in time, though the clock's work is done",
    """SELECT id, kind || ' ' || event_id || ', tried ' || tries || ' times' FROM payments_providerevent
    WHERE next_try_at IS NOT NULL AND received_at < (SELECT clock_timestamp())
        - CASE WHEN last_error = 'waits for its payment' THEN interval '6 hours' ELSE interval '5 minutes' END""",
)
