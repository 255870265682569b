"""Secrets at rest: sealed with keys that are made from ours, opened with any of them, so that a key can be changed."""

import base64
from collections.abc import Iterator

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class SecretLost(RuntimeError):
    """None of our keys opens it: it was sealed with one that is gone."""


def seal_secret(text: str) -> str:
    """Encrypt and sign; what comes out is ASCII, and another one each time."""
    return _keys().encrypt(text.encode()).decode()


def open_secret(sealed: str) -> str:
    """Return what was sealed, or raise SecretLost."""
    try:
        return _keys().decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise SecretLost("A stored secret cannot be opened with any of TOKEN_KEYS.") from error


def _keys() -> MultiFernet:
    """Return the keys, the newest first: it seals, all of them open."""
    return MultiFernet(list(_fernets()))


def _fernets() -> Iterator[Fernet]:
    for key in settings.TOKEN_KEYS:
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"holdfast sealed secrets").derive(key.encode())
        yield Fernet(base64.urlsafe_b64encode(derived))
