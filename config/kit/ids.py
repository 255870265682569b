"""Identifiers: UUIDv7 for rows, eight Crockford letters for people."""

import secrets
from datetime import datetime
from uuid import UUID

import uuid_utils.compat

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # no I, L, O, U: nothing to misread over a telephone


def uuid7() -> UUID:
    """Return a UUIDv7 (RFC 9562): in order of time, 74 random bits."""
    return uuid_utils.compat.uuid7()


def first_id(at: datetime) -> UUID:
    """Return the least UUIDv7 of a moment: its first 48 bits are milliseconds."""
    return UUID(int=int(at.timestamp() * 1000) << 80)


def booking_number() -> str:
    """Return eight Crockford letters: 32^8 = 1.1e12 numbers, unguessable; unique by the table's constraint."""
    return "".join(secrets.choice(CROCKFORD) for _ in range(8))
