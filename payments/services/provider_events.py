"""The inbox: what providers tell us is stored first, answered at once, and applied by a worker, once.

An event is applied in the transaction that marks it as applied, by the state that it tells, whatever came before it. It
asks nobody: no network while its row is locked. What cannot be applied yet, or fails, is tried again, ever later.

The event's row is locked before the payment's: nobody else locks an event.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Min

from config.kit.clock import database_now
from config.kit.ids import uuid7
from config.kit.refusals import Refusal
from config.kit.retries import retry_on_deadlock
from payments.models import Payment, ProviderAccount, ProviderEvent
from payments.providers import provider_of
from payments.providers.base import Event, News, NotSigned, State
from payments.services import charges, disputes, refund_outcomes
from payments.services.accounts import webhook_secrets

logger = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=2), timedelta(hours=1)
WAITS = 12  # so often, over two hours, a refund or a dispute waits for the payment it is of; then it is not ours
FAILING = 5  # tries after which it counts as failing
AT_ONCE = 200
NOT_OURS, EARLY = "not ours", "waits for its payment"


class EventRefused(Refusal):
    """Not signed by the account's provider, or not within the last minutes; or no event at all. Nothing is kept."""

    code, title, status = "event_refused", "This event is not signed as it should be", 400


class TooEarly(Exception):
    """It tells of a payment that is not settled here yet."""


# Storing ----------------------------------------------------------------------------------------------------------


def store_event(account_id: UUID | None, *, provider: str, body: bytes, signature: str) -> UUID | None:
    """Store an event that is signed with the account's secret; return its row's id, None when it was stored before.

    The secret before the last rotation is good until its end. Refuses with EventRefused what is not signed so.
    """
    account = ProviderAccount.objects.filter(id=account_id, provider=provider).first() if account_id else None
    if account is None:
        raise EventRefused
    try:
        event = provider_of(provider).read_event(body, signature, webhook_secrets(account, at=database_now()))
    except NotSigned as error:
        raise EventRefused from error
    return _store(account, event)


def _store(account: ProviderAccount, event: Event) -> UUID | None:
    row = ProviderEvent(
        id=uuid7(), organization_id=account.organization_id, account=account, event_id=event.event_id,
        kind=event.kind[:80], payload=event.payload, occurred_at=event.occurred_at,
    )  # fmt: skip
    ProviderEvent.objects.bulk_create([row], ignore_conflicts=True)
    return row.id if ProviderEvent.objects.filter(id=row.id).exists() else None


# Applying ---------------------------------------------------------------------------------------------------------


def apply_due_events() -> int:
    """Apply what is due, the oldest first; return how many were. Safe many at once: each event is one worker's."""
    due = ProviderEvent.objects.filter(next_try_at__lte=database_now()).order_by("next_try_at", "id")
    return sum(apply_event(event_id) for event_id in due.values_list("id", flat=True)[:AT_ONCE])


def apply_event(event_id: UUID) -> bool:
    """Apply an event, unless it is applied or somebody is at it; plan another try when that fails."""
    try:
        return _apply(event_id)
    except TooEarly:
        _try_later(event_id, EARLY)
    except Refusal as refusal:
        _try_later(event_id, refusal.code)
    except Exception as error:
        logger.exception("the event %s was not applied", event_id)
        _try_later(event_id, type(error).__name__)
    return False


@retry_on_deadlock
@transaction.atomic
def _apply(event_id: UUID) -> bool:
    rows = ProviderEvent.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
    event = rows.select_related("account").filter(id=event_id, applied_at=None).first()
    if event is None:
        return False
    said = Event(event.event_id, event.kind, event.occurred_at, event.payload)
    news = provider_of(event.account.provider).news_of(said)
    is_ours = _apply_news(event, news)
    ProviderEvent.objects.filter(id=event.id).update(
        applied_at=database_now(), next_try_at=None, last_error="" if is_ours else NOT_OURS
    )
    if news.outcome and news.outcome.state is State.SUCCEEDED:
        _wake(event, news.outcome.intent_ref)
    return True


def _apply_news(event: ProviderEvent, news: News) -> bool:
    """Do what follows; False: it is of something that this account and we have nothing to do with."""
    if news.refund or news.dispute:
        return _apply_to_settled(event, news)
    if news.outcome is None:
        return True  # nothing that concerns us
    payment_id = news.payment_id
    if payment_id is None or not Payment.objects.filter(id=payment_id, account=event.account_id).exists():
        return False
    charges.apply_outcome(payment_id, news.outcome)
    if news.declined:
        attempt, code = news.declined
        charges.note_declined(payment_id, attempt_ref=attempt, failure_code=code)
    return True


def _apply_to_settled(event: ProviderEvent, news: News) -> bool:
    """Apply a refund or a dispute: they name the money, not the payment, and may come before it is known here."""
    done = (news.refund is not None and refund_outcomes.apply_refund_outcome(event.account_id, news.refund)) or (
        news.dispute is not None and disputes.apply_dispute_outcome(event.account_id, news.dispute)
    )
    if not done and event.tries < WAITS:
        raise TooEarly
    return done


def _wake(event: ProviderEvent, intent_ref: str) -> None:
    """Have those events looked at now that waited for this money."""
    waiting = ProviderEvent.objects.filter(account=event.account_id, next_try_at__isnull=False, tries__gt=0)
    waiting.filter(payload__payment_intent=intent_ref).update(next_try_at=database_now())


def _try_later(event_id: UUID, words: str) -> None:
    """Plan the next try: pauses double, up to an hour. An event is never given up: it says what is true."""
    event = ProviderEvent.objects.filter(id=event_id, applied_at=None).first()
    if event is None:
        return
    pause = min(FIRST_PAUSE * 2 ** min(event.tries, 11), LONGEST_PAUSE)
    ProviderEvent.objects.filter(id=event_id, applied_at=None).update(
        tries=event.tries + 1, next_try_at=database_now() + pause, last_error=words
    )


# Figures ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InboxFigures:
    """How the inbox is."""

    waiting: int  # stored and not applied
    oldest_seconds: float  # since the oldest of them came that could be applied
    failing: int  # of them, tried again and again


def inbox_figures() -> InboxFigures:
    """Return how many events wait, since when the oldest does, and how many fail again and again."""
    waiting = ProviderEvent.objects.filter(next_try_at__isnull=False)
    ripe = waiting.exclude(last_error=EARLY)
    oldest = ripe.aggregate(at=Min("received_at"))["at"]
    age = (database_now() - oldest).total_seconds() if oldest else 0.0
    return InboxFigures(waiting.count(), age, ripe.filter(tries__gte=FAILING).count())
