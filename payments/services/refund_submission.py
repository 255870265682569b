"""Refunds on their way to the provider: claimed in one transaction, asked for outside any, written down in another.

A definite no makes another attempt, with another key, after a pause. Without an answer nobody knows whether it was
done: the same key is used again, so that the money goes back once. Nothing is given up for want of an answer.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction

from config.kit.clock import database_now
from payments.models import Payment, ProviderAccount, ProviderName, Refund
from payments.providers import provider_of
from payments.providers.base import AccountBroken, ProviderDown, ProviderRefused, RefundOutcome
from payments.services import refund_rows
from payments.services.payment_rows import record_once
from payments.services.refund_outcomes import apply_refund_outcome, dead_refs

logger = logging.getLogger(__name__)

Status = Refund.Status
BATCH = 50
CLAIMED_FOR = timedelta(minutes=2)  # longer than any call takes; who dies meanwhile leaves it to the next
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=15), timedelta(hours=1)  # while there is no answer
KEYS_LAST = timedelta(hours=20)  # Stripe forgets keys after 24 hours; then the statement is asked first
DOUBLINGS = 10
CLOCKS_DIFFER = timedelta(minutes=10)  # at most, ours and the provider's


@dataclass(frozen=True, slots=True)
class _Claimed:
    """What one of us is about to ask the provider."""

    refund: Refund
    payment: Payment
    account: ProviderAccount
    is_old: bool  # was it asked for so long ago that its key may be forgotten?

    @property
    def key(self) -> str:
        """The same for the same attempt, so that the money goes back once however often it is asked."""
        return f"refund-{self.refund.id}-{self.refund.attempt}"


def submit_refund(refund_id: UUID) -> Refund:
    """Ask the provider for a refund that is due, or look what became of it; outside any transaction.

    One that somebody else has claimed, or that is not due, is left as it is. Refuses with NotFound.
    """
    claimed = _claim(refund_id)
    if claimed:
        try:
            outcome = _ask(claimed)
        except ProviderRefused as refused:
            _refused(claimed, refused)
        except ProviderDown as down:
            logger.warning("refund %s: no answer: %s", refund_id, down)
            _postpone(claimed)
        else:
            apply_refund_outcome(claimed.account.id, outcome)
    return Refund.objects.get(id=refund_id)


def submit_due_refunds() -> int:
    """Submit what is due, the longest due first; return how many were looked at. One that breaks stops no other."""
    due = Refund.objects.filter(next_try_at__lte=database_now()).order_by("next_try_at")
    refund_ids = list(due.values_list("id", flat=True)[:BATCH])
    for refund_id in refund_ids:
        try:
            submit_refund(refund_id)
        except Exception:  # its claim runs out, and it comes again
            logger.exception("refund %s could not be submitted", refund_id)
    return len(refund_ids)


@transaction.atomic
def _claim(refund_id: UUID) -> _Claimed | None:
    """Take a due refund for as long as asking may take; None: it is not due."""
    refund = refund_rows.lock_refund(refund_id)
    now = database_now()
    is_due = refund.next_try_at is not None and refund.next_try_at <= now
    if not is_due or refund.payment.provider != ProviderName.STRIPE or refund.payment.account is None:
        return None
    is_old = refund.tries > 0 and refund.created_at < now - KEYS_LAST
    refund_rows.write(refund, tries=refund.tries + 1, next_try_at=now + CLAIMED_FOR)
    return _Claimed(refund, refund.payment, refund.payment.account, is_old)


def _ask(claimed: _Claimed) -> RefundOutcome:
    """Ask the provider; how it is, when it has it already."""
    provider, refund = provider_of(claimed.payment.provider), claimed.refund
    if refund.status == Status.SUBMITTED:
        return provider.look_up_refund(claimed.account, refund.provider_ref)
    if claimed.is_old and (ref := _on_statement(claimed)):
        return provider.look_up_refund(claimed.account, ref)
    return provider.refund(
        claimed.account, refund_id=refund.id, intent_ref=claimed.payment.intent_ref, amount_minor=refund.amount_minor,
        currency=refund.currency, key=claimed.key,
    )  # fmt: skip


def _on_statement(claimed: _Claimed) -> str:
    """Return the provider's name for a refund that it made long ago, and whose answer was lost; or nothing."""
    refund = claimed.refund
    lines = provider_of(claimed.payment.provider).movements(
        claimed.account, since=refund.created_at - CLOCKS_DIFFER, until=database_now() + CLOCKS_DIFFER
    )
    dead = dead_refs(claimed.payment)
    found = (line.source_ref for line in lines if line.refund_id == refund.id and line.source_ref not in dead)
    return next(found, "")


@transaction.atomic
def _refused(claimed: _Claimed, refused: ProviderRefused) -> None:
    """Note a definite no, unless it is about our key for the account, or about a look: neither says it of the money."""
    refund = _still_ours(claimed)
    if refund is None:
        return
    if isinstance(refused, AccountBroken):  # nobody but staff can mend that
        record_once(refund.payment, kind="account_refused", after={"failure_code": refused.code})
    if isinstance(refused, AccountBroken) or refund.status == Status.SUBMITTED:
        logger.error("refund %s: %s", refund.id, refused)
        _wait(refund)
    else:
        refund_rows.decline(refund, refused.code or "refused")


@transaction.atomic
def _postpone(claimed: _Claimed) -> None:
    if refund := _still_ours(claimed):
        _wait(refund)


def _still_ours(claimed: _Claimed) -> Refund | None:
    """Lock the refund again; None when something became of it while the provider was asked."""
    refund = refund_rows.lock_refund(claimed.refund.id)
    is_same = (refund.status, refund.attempt) == (claimed.refund.status, claimed.refund.attempt)
    return refund if is_same else None


def _wait(refund: Refund) -> None:
    """Ask the same again later: the longer it has been, the later, and after a day staff are told."""
    pause = min(FIRST_PAUSE * 2 ** min(refund.tries - 1, DOUBLINGS), LONGEST_PAUSE)
    refund_rows.write(refund, next_try_at=refund_rows.after(pause))
    refund_rows.note_delay(refund)
