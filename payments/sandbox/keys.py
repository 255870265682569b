"""Who asks, and whether they have asked before: secret keys, and idempotency keys."""

import base64
import binascii
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from . import clock
from .bank import Json
from .errors import Problem
from .store import Store

KEYS_ARE_KEPT_SECONDS = 24 * 60 * 60
LONGEST_KEY = 255


def account_of(authorization: str) -> str:
    """Return the account that a secret key opens: every `sk_test_…` has one of its own, and sees no other."""
    scheme, _, given = authorization.strip().partition(" ")
    key = _from_basic(given) if scheme.lower() == "basic" else given.strip() if scheme.lower() == "bearer" else ""
    if not key:
        words = "You did not provide an API key. Use HTTP Bearer auth: 'Authorization: Bearer YOUR_SECRET_KEY'."
        raise Problem(words, status=401)
    if not key.startswith("sk_test_") or key == "sk_test_":
        shown = f"{key[:8]}****" if key.startswith(("sk_", "rk_", "pk_")) else "****"
        raise Problem(f"Invalid API Key provided: {shown}", status=401, code="invalid_api_key")
    return f"acct_{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def _from_basic(given: str) -> str:
    try:
        return base64.b64decode(given, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def fingerprint_of(path: str, params: Json) -> str:
    """Return what tells one request from another."""
    return hashlib.sha256(json.dumps([path, params], sort_keys=True).encode()).hexdigest()


class IdempotencyKeys:
    """What was answered to each key; and which keys are being worked on, which a crash forgets, as it should."""

    def __init__(self, store: Store) -> None:
        """Work on the bank's books."""
        self._store = store
        self._busy: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    @contextmanager
    def alone(self, account: str, key: str) -> Iterator[None]:
        """Be the only one with a key; 409 to a second one meanwhile."""
        if len(key) > LONGEST_KEY:
            raise Problem(
                f"Idempotency keys may only be up to {LONGEST_KEY} characters long.", kind="idempotency_error"
            )
        with self._lock:
            if (account, key) in self._busy:
                message = f"There is currently another in-progress request using this Idempotency Key: {key}."
                raise Problem(message, status=409, code="idempotency_key_in_use")
            self._busy.add((account, key))
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard((account, key))

    def recall(self, account: str, key: str, fingerprint: str) -> tuple[int, Json] | None:
        """Return what was answered to a key within a day; refuses the key with another request."""
        found = self._store.rows(
            "SELECT fingerprint, status, body FROM keys WHERE account = ? AND key = ? AND created > ?",
            (account, key, clock.now() - KEYS_ARE_KEPT_SECONDS),
        )
        if not found:
            return None
        known, status, body = found[0]
        if known != fingerprint:
            message = (
                "Keys for idempotent requests can only be used with the same parameters they were first used with."
            )
            raise Problem(f"{message} Try using a key other than '{key}'.", kind="idempotency_error")
        return status, json.loads(body)

    def remember(self, account: str, key: str, fingerprint: str, status: int, body: Json) -> None:
        """Keep what is answered, in the transaction of the act itself."""
        self._store.execute(
            "INSERT OR REPLACE INTO keys (account, key, fingerprint, created, status, body) VALUES (?, ?, ?, ?, ?, ?)",
            (account, key, fingerprint, clock.now(), status, json.dumps(body)),
        )
