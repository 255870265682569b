"""Customer tokens: derived, not stored. HMAC-SHA256 over purpose, id and version; a bumped version revokes them all."""

import base64
import hashlib
import hmac
from collections.abc import Iterable
from uuid import UUID

from django.conf import settings

WHOLE = 43  # URL-safe letters of an HMAC-SHA256


def _sign(key: str, *, purpose: str, subject: UUID, version: int) -> str:
    message = f"{purpose}:{subject.hex}:{version}".encode()
    digest = hmac.digest(key.encode(), message, hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def make_token(*, purpose: str, subject: UUID, version: int = 1, letters: int = WHOLE) -> str:
    """Return the token for this purpose and row: URL-safe letters, signed with the first key."""
    return _sign(settings.TOKEN_KEYS[0], purpose=purpose, subject=subject, version=version)[:letters]


def is_valid_token(
    token: str | None, *, purpose: str, subject: UUID, version: int = 1, letters: int = WHOLE
) -> bool:  # fmt: skip
    """Compare in constant time with what each key would sign, so that a key can be rotated without a gap."""
    if not token or not token.isascii():
        return False
    expected: Iterable[str] = [
        _sign(key, purpose=purpose, subject=subject, version=version)[:letters] for key in settings.TOKEN_KEYS
    ]
    return any([hmac.compare_digest(token, candidate) for candidate in expected])  # noqa: C419 every key is compared, so that time tells nothing


def keyed_digest(text: str, *, purpose: str) -> str:
    """Return a digest by which a text is recognised and from which it cannot be guessed, signed with the first key."""
    return hmac.digest(settings.TOKEN_KEYS[0].encode(), f"{purpose}:{text}".encode(), hashlib.sha256).hex()
