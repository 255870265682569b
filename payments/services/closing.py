"""What nobody told us: payments that stay open are looked at, and those whose time is over are closed.

Events and the payer's return are quicker; these sweeps need neither. Each payment is claimed for one worker by the
instant at which it was looked at last, with pauses that double: 15, 30, 60 seconds, each minute in its first hour,
then up to an hour. So a charge of which we heard nothing is found within a minute.
"""

import logging
from collections.abc import Callable
from uuid import UUID

from django.db import connection

from payments.models import Payment
from payments.services import charges
from payments.services.charges import PaymentUnavailable

logger = logging.getLogger(__name__)

AT_ONCE = 100  # of a sweep; the next one comes soon

PAUSE_IS_OVER = """coalesce(looked_at, created_at) + least(15 * power(2, least(looks, 12)),
        CASE WHEN created_at > clock_timestamp() - interval '1 hour' THEN 60 ELSE 3600 END) * interval '1 second'
        <= clock_timestamp()"""
UNHEARD_OF = f"""(expires_at IS NULL OR expires_at > clock_timestamp())
    AND (provider_ref <> '' OR looked_at IS NOT NULL) AND {PAUSE_IS_OVER}"""
LAPSED = f"""expires_at <= clock_timestamp()
    AND (looked_at IS NULL OR looked_at < expires_at OR {PAUSE_IS_OVER})"""
# What no provider was asked about stays so: it is closed without asking.
CLAIM = """UPDATE payments_payment SET looks = least(looks + 1, 30000),
        looked_at = CASE WHEN provider_ref <> '' OR looked_at IS NOT NULL THEN clock_timestamp() END
    WHERE id = (
        SELECT id FROM payments_payment
        WHERE status IN ('created', 'processing') AND provider = 'stripe' AND NOT account_id = ANY(%s) AND {which}
        ORDER BY looked_at NULLS FIRST, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING id, account_id"""


def close_lapsed_payments() -> int:
    """Let what was to be paid by now not be paid any more; return how many were closed, or settled after all."""
    return _sweep(CLAIM.format(which=LAPSED), charges.close_payment)


def reconcile_open_payments() -> int:
    """Ask the provider about payments of which nothing was heard; return of how many it knew the end."""
    return _sweep(CLAIM.format(which=UNHEARD_OF), charges.refresh_payment)


def _sweep(claim: str, act: Callable[[UUID], Payment]) -> int:
    """Act on each that can be claimed, but on none of an account whose provider cannot be asked just now."""
    ended, away = 0, list[UUID]()
    for _ in range(AT_ONCE):
        with connection.cursor() as cursor:
            cursor.execute(claim, [away])
            row = cursor.fetchone()
        if row is None:
            break
        payment_id, account_id = row
        try:
            ended += not act(payment_id).is_open
        except PaymentUnavailable:
            away.append(account_id)
        except Exception:  # what one payment runs into keeps no other waiting
            logger.exception("the payment %s could not be brought up to date", payment_id)
    return ended
