"""Counts of what visitors do, in Redis, each by one script; with Redis away nobody is stopped by them.

They decide about visitors, never about places or money.
"""

import logging
import time
from collections.abc import Sequence
from functools import cache
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.exceptions import RedisError
from redis.retry import Retry

logger = logging.getLogger(__name__)

AWAY = (RedisError, OSError)
REDIS_SECONDS = 0.2
AWAY_SECONDS = 5.0  # so long nobody asks a Redis again that did not answer


class Away:
    """Until when Redis is not asked: each visitor would wait for it."""

    until = 0.0


def ask_counts(text: str, keys: Sequence[str], values: Sequence[Any]) -> Any:
    """Run a script, or answer None while Redis is away: everybody is let in."""
    if time.monotonic() < Away.until:
        return None
    try:
        return _script(settings.REDIS_URL, text)(keys=list(keys), args=list(values))
    except AWAY:
        Away.until = time.monotonic() + AWAY_SECONDS
        logger.warning("the limits on visitors are off for %.0f s: Redis is away", AWAY_SECONDS)
        return None


def wait_in_words(seconds: int) -> str:
    """Say how long to wait, in minutes."""
    minutes = -(-seconds // 60)
    return "a minute" if minutes == 1 else f"{minutes} minutes"


@cache
def _script(address: str, text: str) -> Script:
    client = redis.Redis.from_url(
        address, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS, retry=Retry(NoBackoff(), 1)
    )
    return client.register_script(text)
