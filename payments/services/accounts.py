"""An organization's account at a provider: connected, its secret changed without a gap, and ended."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from config.kit.clock import database_now
from config.kit.facts import Actor
from config.kit.refusals import NotFound, Refusal, invalid
from config.kit.secrets import SecretLost, open_secret, seal_secret
from config.tenants.history import record_organization_event
from payments.models import ProviderAccount, ProviderName
from payments.providers import provider_of
from payments.providers.base import AccountBroken, Endpoint, ProviderDown, ProviderRefused

logger = logging.getLogger(__name__)

FORMER_SECRET_LASTS = timedelta(days=1)


class AlreadyConnected(Refusal):
    """There is an account already; it is ended first."""

    code, title = "account_connected", "A payment account is connected already; end that one first"


class RotatedLately(Refusal):
    """The secret before the last is still good: a third would shut out what was signed with it."""

    code, title = "rotated_lately", "The secret was changed lately, and the one before is still good"


class ProviderUnreachable(Refusal):
    """The provider could not be asked; nothing was changed."""

    code, title, status = "provider_unreachable", "The payment provider cannot be reached just now", 503


@dataclass(frozen=True, slots=True)
class AccountCheck:
    """What the provider says when it is asked about an account."""

    account_ref: str
    hears_us: bool  # it sends its events to us


def connect_account(*, organization_id: UUID, api_key: str, actor: Actor) -> ProviderAccount:
    """Keep a key that opens an account at the provider, and have events of it sent to us; outside transactions.

    One that was connected before is that same one again, with this key: its former key may be dead, and what it still
    owes goes back with the new one. Refuses with AlreadyConnected, at the field `api_key` what the provider does not
    accept, with ProviderUnreachable.
    """
    if ProviderAccount.objects.filter(organization_id=organization_id, ended_at=None).exists():
        raise AlreadyConnected
    account = ProviderAccount(organization_id=organization_id, provider=ProviderName.STRIPE)
    account.api_key = api_key.strip()
    provider = provider_of(account.provider)
    with _asked_by_staff():
        account.account_ref = provider.identify(account)
        account = _as_before(account)
        endpoint = provider.listen(account, events_url(account))
    if not _keep(account, endpoint, actor=actor):  # somebody else was quicker
        with _asked_by_staff():
            provider.stop_listening(account, endpoint.ref)
        raise AlreadyConnected
    return _account(account.id)


def _as_before(account: ProviderAccount) -> ProviderAccount:
    """Return the row under which it was connected before, with the key of now; else it is a new one.

    A provider's test money is under the same name, but is another world.
    """
    former = ProviderAccount.objects.filter(
        organization_id=account.organization_id, provider=account.provider, account_ref=account.account_ref
    )
    for before in former.order_by("-created_at"):
        if _is_same_money(before, account):
            before.sealed_key = account.sealed_key
            return before
    return account


def _is_same_money(before: ProviderAccount, account: ProviderAccount) -> bool:
    provider = provider_of(account.provider)
    try:
        return provider.is_live(before) == provider.is_live(account)
    except AccountBroken:  # nobody can read the former key: connecting it again is how that is mended
        return True


def _keep(account: ProviderAccount, endpoint: Endpoint, *, actor: Actor) -> bool:
    """Write a new account, or one that was ended as connected again; False: there is one already."""
    try:
        with transaction.atomic():
            is_kept = _write(account, endpoint)
            if is_kept:
                _record(account, "account_connected", actor)
            return is_kept
    except IntegrityError:
        return False


def _write(account: ProviderAccount, endpoint: Endpoint) -> bool:
    news = {"endpoint_ref": endpoint.ref, "sealed_webhook_secret": seal_secret(endpoint.secret)}
    if account.ended_at:
        ended = ProviderAccount.objects.filter(id=account.id).exclude(ended_at=None)
        former = {"sealed_former_secret": account.sealed_webhook_secret, "former_secret_until": _former_until()}
        return bool(ended.update(sealed_key=account.sealed_key, ended_at=None, **former, **news))
    for name, value in news.items():
        setattr(account, name, value)
    account.save(force_insert=True)
    return True


def _former_until() -> datetime:
    return database_now() + FORMER_SECRET_LASTS


def rotate_webhook_secret(account_id: UUID, *, actor: Actor) -> ProviderAccount:
    """Have events signed with a new secret; the one before is good for another day, so that none is lost.

    Both endpoints get every event until then, and an event is stored once. Outside transactions. Refuses with
    RotatedLately and ProviderUnreachable.
    """
    account = _account(account_id)
    if account.former_secret_until:  # while it is being retired, too: what is registered now would go with it
        raise RotatedLately
    provider = provider_of(account.provider)
    with _asked_by_staff():
        endpoint = provider.listen(account, events_url(account))
    if not _rotate(account, endpoint, actor=actor):  # somebody else was quicker
        with _asked_by_staff():
            provider.stop_listening(account, endpoint.ref)
        raise RotatedLately
    return _account(account_id)


@transaction.atomic
def _rotate(account: ProviderAccount, endpoint: Endpoint, *, actor: Actor) -> bool:
    rotated = ProviderAccount.objects.filter(id=account.id, endpoint_ref=account.endpoint_ref).update(
        endpoint_ref=endpoint.ref, sealed_webhook_secret=seal_secret(endpoint.secret),
        sealed_former_secret=account.sealed_webhook_secret, former_secret_until=_former_until(),
    )  # fmt: skip
    if rotated:
        _record(account, "account_secret_changed", actor)
    return bool(rotated)


def retire_former_secrets() -> int:
    """Forget the secrets whose time is over, and have nothing sent any more that is signed with them."""
    over = ProviderAccount.objects.filter(former_secret_until__lte=database_now())
    return sum(_retire(account) for account in over.order_by("id"))


def _retire(account: ProviderAccount) -> bool:
    provider = provider_of(account.provider)
    try:
        for endpoint in provider.listening(account, events_url(account)):
            if endpoint.ref != account.endpoint_ref:
                provider.stop_listening(account, endpoint.ref)
    except (ProviderDown, ProviderRefused) as error:
        logger.warning("old endpoints of account %s stay for now: %s", account.id, error)
        return False
    same = ProviderAccount.objects.filter(id=account.id, former_secret_until=account.former_secret_until)
    return bool(same.update(sealed_former_secret="", former_secret_until=None))


@transaction.atomic
def end_account(account_id: UUID, *, actor: Actor) -> ProviderAccount:
    """Take no new payments with it; what was paid goes on: refunds, disputes, events."""
    if ProviderAccount.objects.filter(id=account_id, ended_at=None).update(ended_at=database_now()):
        _record(_account(account_id), "account_ended", actor)
    return _account(account_id)


def test_account(account_id: UUID) -> AccountCheck:
    """Ask the provider whether the key opens the account and its events come here; outside transactions.

    Refuses at the field `api_key` what the provider does not accept, and with ProviderUnreachable.
    """
    account = _account(account_id)
    provider = provider_of(account.provider)
    with _asked_by_staff():
        ref = provider.identify(account)
        heard = {endpoint.ref for endpoint in provider.listening(account, events_url(account))}
    return AccountCheck(ref, account.endpoint_ref in heard)


def webhook_secrets(account: ProviderAccount, *, at: datetime) -> list[str]:
    """Return the secrets that events may be signed with at an instant, the newest first."""
    sealed = [account.sealed_webhook_secret]
    if account.sealed_former_secret and account.former_secret_until and account.former_secret_until > at:
        sealed.append(account.sealed_former_secret)
    return [secret for each in sealed for secret in _opened(each)]


def _opened(sealed: str) -> Iterator[str]:
    """Yield a secret; one that was sealed with a key that is gone signs nothing any more."""
    with suppress(SecretLost):
        yield open_secret(sealed)


def events_url(account: ProviderAccount) -> str:
    """Return where the provider sends an account's events."""
    return f"{settings.SITE_URL}/api/v1/payments/webhooks/{account.provider}?account={account.id}"


@contextmanager
def _asked_by_staff() -> Iterator[None]:
    """Say what the provider says in words that staff can use."""
    try:
        yield
    except ProviderDown as down:
        raise ProviderUnreachable from down
    except AccountBroken as broken:
        raise invalid("api_key", "key_refused", "The payment provider does not accept this key.") from broken
    except ProviderRefused as refused:
        words = f"The payment provider refused this: {refused.code}."
        raise invalid("api_key", "provider_refused", words) from refused


def _account(account_id: UUID) -> ProviderAccount:
    account = ProviderAccount.objects.filter(id=account_id).first()
    if account is None:
        raise NotFound
    return account


def _record(account: ProviderAccount, kind: str, actor: Actor) -> None:
    told = {"account": str(account.id), "provider": account.provider, "account_ref": account.account_ref}
    record_organization_event(organization_id=account.organization_id, kind=kind, actor=actor, after=told)
