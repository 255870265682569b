"""How the payment providers are, by what became of the calls that were made anyway; nobody is asked for this.

What is remembered is in the cache: with Redis wiped it is learned anew from the next call.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.core.cache import cache
from redis.exceptions import RedisError

from alerts.services.alerts import raise_provider_alert
from config.kit.clock import database_now
from payments.models import ProviderAccount
from payments.providers import gateway
from payments.providers.base import AccountBroken, ProviderDown

logger = logging.getLogger(__name__)

SEEN = "provider-seen:{account}"
SEEN_IS_KEPT_SECONDS = 7 * 24 * 60 * 60
TOO_LONG = timedelta(minutes=5)  # without an answer, then staff are told
STILL = timedelta(minutes=10)  # who failed longer ago than this may be well again: nobody has asked since


@dataclass(frozen=True, slots=True)
class Seen:
    """What the calls about one account came to."""

    answered_at: datetime | None = None  # the last answer, a refusal among them
    down_since: datetime | None = None  # the first call since then that had none
    failed_at: datetime | None = None  # the last one
    is_refused: bool = False  # it answers that the account's key is dead


@dataclass(frozen=True, slots=True)
class Figures:
    """How the accounts are."""

    accounts: int
    answered_seconds: float | None  # since the last answer about any; None: none is remembered
    down: int  # without an answer for too long
    refused: int  # whose key is dead
    resting: int  # about which nobody asks for the moment

    @property
    def are_well(self) -> bool:
        """Can money be taken everywhere?"""
        return not (self.down or self.refused or self.resting)


def note_call(account: str, error: BaseException | None) -> None:
    """Remember how a call about an account ended. With Redis away, and for what is no account, nothing is kept."""
    key = _key(account)
    if key is None:
        return
    try:
        cache.set(key, _after(cache.get(key, Seen()), error, database_now()), timeout=SEEN_IS_KEPT_SECONDS)
    except (RedisError, OSError):
        logger.warning("the cache is away: how a call to a provider ended is in the figures alone")


def _key(account: str) -> str | None:
    try:
        return SEEN.format(account=UUID(account))
    except ValueError:  # a key that is tried before there is an account
        return None


def _after(seen: Seen, error: BaseException | None, now: datetime) -> Seen:
    if isinstance(error, gateway.NobodyAsks):  # the provider was not asked, so nothing is learned
        return seen
    if isinstance(error, ProviderDown):
        return replace(seen, down_since=seen.down_since or now, failed_at=now)
    return Seen(answered_at=now, is_refused=isinstance(error, AccountBroken))


def seen_of(accounts: Collection[UUID]) -> Mapping[UUID, Seen]:
    """Return what is remembered of each account; raises when Redis is away."""
    keys = {account: SEEN.format(account=account) for account in accounts}
    found = cache.get_many(keys.values())
    return {account: found[key] for account, key in keys.items() if key in found}


def provider_figures() -> Figures:
    """Return how the live accounts are; raises when Redis is away."""
    accounts, now = _live_accounts(), database_now()
    seen = seen_of(accounts)
    answers = [each.answered_at for each in seen.values() if each.answered_at]
    return Figures(
        accounts=len(accounts),
        answered_seconds=(now - max(answers)).total_seconds() if answers else None,
        down=sum(_is_down(each, now) for each in seen.values()),
        refused=sum(each.is_refused for each in seen.values()),
        resting=sum(gateway.is_resting(str(account)) for account, each in seen.items() if each.down_since),
    )


def watch_providers() -> int:
    """Tell staff of each account whose provider has not answered for five minutes, or refuses its key.

    At most one alert of each kind is open per organization. Returns how many accounts are in trouble.
    """
    now = database_now()
    trouble = 0
    for account_id, seen in seen_of(_live_accounts()).items():
        since = seen.down_since if _is_down(seen, now) else None
        if since or seen.is_refused:
            raise_provider_alert(account_id, down_since=since)
            trouble += 1
    return trouble


def _is_down(seen: Seen, now: datetime) -> bool:
    if seen.down_since is None or seen.failed_at is None:
        return False
    return now - seen.down_since >= TOO_LONG and now - seen.failed_at <= STILL


def _live_accounts() -> list[UUID]:
    return list(ProviderAccount.objects.filter(ended_at=None).order_by("id").values_list("id", flat=True))
