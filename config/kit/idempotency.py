"""Idempotency-Key: the same request again has the same result, and one effect.

A key belongs to its caller and route, and is bound to method, path and body. The record stands in the transaction of
its effect, so only successes are kept and none can be stuck; an answer is made anew from the effect's row.
"""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from django.db import OperationalError, connection
from django.http import HttpRequest

from config.kit.refusals import Refusal, invalid

LONGEST_KEY = 255
LOCK_NOT_AVAILABLE = "55P03"


class KeyReused(Refusal):
    """The same key came with another request."""

    code, status = "idempotency_key_reused", 422
    title = "This Idempotency-Key was used for another request; please make a new key"


class StillRunning(Refusal):
    """The first request with this key has not finished within the lock timeout."""

    code, status = "idempotency_still_running", 409
    title = "The first request with this Idempotency-Key is still running; please ask again in a moment"


@dataclass(frozen=True, slots=True)
class Claim:
    """A key as its caller sent it: `id` digests caller, route and key; `fingerprint` digests method, path and body."""

    id: UUID
    fingerprint: UUID

    def effect(self, prior: UUID, fingerprint: UUID) -> UUID:
        """Return the effect of the first request, or raise KeyReused when this is a different one."""
        if fingerprint != self.fingerprint:
            raise KeyReused
        return prior


def _digest(*parts: bytes) -> UUID:
    sized = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return UUID(bytes=hashlib.blake2b(sized, digest_size=16).digest())


def claim_of(request: HttpRequest, *, caller: str, route: str) -> Claim | None:
    """Read the header; None when there is none. The caller is a key's or token's id, or "public"."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise invalid("Idempotency-Key", "malformed_key", f"An Idempotency-Key is 1 to {LONGEST_KEY} ASCII letters.")
    method, path = (request.method or "").encode(), request.path.rstrip("/").encode()
    return Claim(
        id=_digest(caller.encode(), route.encode(), key.encode()), fingerprint=_digest(method, path, request.body)
    )


def prior_effect(claim: Claim | None) -> UUID | None:
    """Return the effect that this claim had already, or None."""
    if claim is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT effect_id, fingerprint FROM kit_idempotencykey WHERE id = %s", [claim.id])
        row = cursor.fetchone()
    return claim.effect(*row) if row else None


def record(claim: Claim | None, *, organization_id: UUID, effect_id: UUID) -> UUID | None:
    """Write the claim with its effect; return the prior effect instead when another request was first.

    Waits while another transaction holds the same key; after its rollback the claim is ours. Call it inside the
    transaction of the effect: first, so that a double waits before it decides, or last, under the session's lock.
    """
    if claim is None:
        return None
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO kit_idempotencykey (id, organization_id, fingerprint, effect_id, created_at)"
                " VALUES (%s, %s, %s, %s, clock_timestamp()) ON CONFLICT (id) DO NOTHING RETURNING id",
                [claim.id, organization_id, claim.fingerprint, effect_id],
            )
            if cursor.fetchone():
                return None
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") == LOCK_NOT_AVAILABLE:
            raise StillRunning from error
        raise
    return prior_effect(claim)


KEPT_FOR = "1 day"
FORGET_BATCH = 5_000


def forget_old_keys() -> int:
    """Delete the records that no client will retry any more, a few at a time; return how many."""
    forgotten = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM kit_idempotencykey WHERE id = ANY(ARRAY(SELECT id FROM kit_idempotencykey"
                " WHERE created_at < (SELECT clock_timestamp()) - %s::interval LIMIT %s))",
                [KEPT_FOR, FORGET_BATCH],
            )
            batch: int = cursor.rowcount
        forgotten += batch
        if batch < FORGET_BATCH:
            return forgotten
