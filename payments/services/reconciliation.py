"""Our rows beside the bank's statement, line by line and in sum; what we did not know is asked for and written.

The bank is read before our rows are, and nothing is open while it is read. What we wrote in the last minutes is looked
at next time: the bank's clock may differ from ours.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q, Sum

from config.kit.clock import database_now
from config.kit.refusals import NotFound
from payments.models import Dispute, LedgerEntry, LedgerTransaction, Payment, ProviderAccount, Reconciliation, Refund
from payments.providers import provider_of
from payments.providers.base import Movement, MovementKind, ProviderDown, ProviderRefused
from payments.services import charges
from payments.services.comparison import (
    MISSING_THERE,
    POSTED_AS,
    TOTALS_DIFFER,
    UNKNOWN_CHARGE,
    Books,
    Difference,
    difference_of,
)
from payments.services.disputes import apply_dispute_outcome
from payments.services.refund_outcomes import apply_refund_outcome

logger = logging.getLogger(__name__)

Kind = LedgerTransaction.Kind
CLOCKS_DIFFER = timedelta(minutes=10)  # at most, ours and the bank's


def reconcile(account_id: UUID, *, since: datetime | None = None) -> Reconciliation:
    """Compare an account's statement with our rows, from where it was last read to, or from `since`.

    What the bank knows and we did not is asked for and written, and listed as healed; whatever differs beyond that is
    counted open. Outside transactions. Refuses with NotFound; raises ProviderDown and AccountBroken when the bank
    cannot be read: nothing is noted then, and the next time begins where this one did.
    """
    account = ProviderAccount.objects.filter(id=account_id).first()
    if account is None:
        raise NotFound
    since, until = since or account.reconciled_until or account.created_at, database_now()
    lines = _read(account, since - CLOCKS_DIFFER, until + CLOCKS_DIFFER)
    differences = [*_heal(account, lines), *_missing_there(account, lines, since, until), *_totals(account, lines)]
    return _note(account, since, until, lines, differences)


def reconcile_accounts() -> int:
    """Reconcile every account, ended ones too; return how many differences are open. One that breaks stops no other."""
    still_open = 0
    for account_id in ProviderAccount.objects.order_by("id").values_list("id", flat=True):
        try:
            still_open += reconcile(account_id).open_count
        except (ProviderDown, ProviderRefused) as error:
            logger.warning("account %s could not be reconciled: %s", account_id, error)
        except Exception:
            logger.exception("account %s could not be reconciled", account_id)
    return still_open


def _read(account: ProviderAccount, since: datetime, until: datetime) -> list[Movement]:
    """Read the lines that are between a payer and this account, the oldest first: money comes before it goes back."""
    lines = provider_of(account.provider).movements(account, since=since, until=until)
    between_us = [line for line in lines if line.kind != MovementKind.OTHER][::-1]
    others = _of_others(account, between_us)
    return [line for line in between_us if not {line.intent_ref, line.payment_id} & others]


def _of_others(account: ProviderAccount, lines: Sequence[Movement]) -> set[str | UUID]:
    """Return the names of money that another organization here took with the same account at the provider."""
    named = Q(intent_ref__in={line.intent_ref for line in lines} - {""})
    named |= Q(id__in={line.payment_id for line in lines if line.payment_id})
    others = Payment.objects.filter(named, account__account_ref=account.account_ref).exclude(account=account)
    return {name for row in others.values_list("id", "intent_ref") for name in row if name}


@transaction.atomic
def _note(
    account: ProviderAccount, since: datetime, until: datetime, lines: Sequence[Movement],
    differences: Sequence[Difference],
) -> Reconciliation:  # fmt: skip
    if since <= (account.reconciled_until or account.created_at):  # else what lies between was not read yet
        ProviderAccount.objects.filter(id=account.id).update(reconciled_until=until)
    return Reconciliation.objects.create(
        organization_id=account.organization_id, account=account, since=since, until=until, checked=len(lines),
        differences=[asdict(each) for each in differences], open_count=sum(not each.healed for each in differences),
    )  # fmt: skip


# The bank knows, and we do not ------------------------------------------------------------------------------------


def _heal(account: ProviderAccount, lines: Sequence[Movement]) -> Iterator[Difference]:
    """Yield how lines differ from our rows, each put right before it is told if asking the bank does it."""
    books = Books(account, lines)
    for line in lines:
        difference = difference_of(line, books)
        if difference:
            _ask_and_apply(account, line, difference)
            books = Books(account, lines)
            yield difference if difference_of(line, books) else difference.but_healed()


def _ask_and_apply(account: ProviderAccount, line: Movement, difference: Difference) -> None:
    """Ask the bank about what a line is of, and write the answer as if it had come by itself."""
    provider = provider_of(account.provider)
    try:
        if line.kind == MovementKind.PAYMENT:
            payment_id, outcome = provider.look_up_intent(account, line.intent_ref)
            if payment_id and Payment.objects.filter(id=payment_id, account=account).exists():
                charges.apply_outcome(payment_id, outcome)
        elif line.kind in POSTED_AS:
            apply_dispute_outcome(account.id, provider.look_up_dispute(account, line.source_ref))
        elif difference.kind != UNKNOWN_CHARGE:
            apply_refund_outcome(account.id, provider.look_up_refund(account, line.source_ref))
    except ProviderDown:
        raise
    except Exception:  # it stays different, and is told of
        logger.exception("line %s of the statement of %s cannot be put right", line.ref, account.id)


# We know, and the bank does not -----------------------------------------------------------------------------------


def _missing_there(
    account: ProviderAccount, lines: Sequence[Movement], since: datetime, until: datetime
) -> list[Difference]:
    """Return what we wrote as moved and no line is about, however far back it may stand."""
    ours = _written(account, since - CLOCKS_DIFFER, until - CLOCKS_DIFFER)
    found = {_name(line) for line in lines}
    missing = [row for row in ours if row[0] not in found]
    if missing:
        earliest = min(began_at for *_, began_at in missing)
        found |= {_name(line) for line in _read(account, earliest - CLOCKS_DIFFER, since - CLOCKS_DIFFER)}
    return [
        Difference(MISSING_THERE, ref, currency, amount, None)
        for (kind, ref), currency, amount, _ in missing
        if (kind, ref) not in found
    ]


def _name(line: Movement) -> tuple[MovementKind, str]:
    return line.kind, line.intent_ref if line.kind == MovementKind.PAYMENT else line.source_ref


Written = tuple[tuple[MovementKind, str], str, int, datetime]  # (kind, ref), currency, amount in minor units, begun


def _written(account: ProviderAccount, since: datetime, until: datetime) -> list[Written]:
    """Return what we wrote as moved at the bank in a time."""
    settled = {"settled_at__gte": since, "settled_at__lt": until}
    payments = Payment.objects.filter(account=account, status=Payment.Status.SUCCEEDED, **settled)
    refunds = Refund.objects.filter(payment__account=account, status=Refund.Status.SUCCEEDED, **settled)
    return [
        *(_row(MovementKind.PAYMENT, row.intent_ref, row.amount_minor, row) for row in payments),
        *(
            _row(MovementKind.REFUND, row.provider_ref, -row.amount_minor, row.payment)
            for row in refunds.select_related("payment")
        ),
        *_written_of_disputes(account, since, until),
    ]


def _written_of_disputes(account: ProviderAccount, since: datetime, until: datetime) -> Iterator[Written]:
    disputes = Dispute.objects.filter(payment__account=account).select_related("payment")
    moved = LedgerTransaction.objects.filter(
        organization=account.organization_id, source_id__in=disputes.values("id"), kind__in=POSTED_AS.values(),
        at__gte=since, at__lt=until,
    )  # fmt: skip
    kinds = {posted: kind for kind, posted in POSTED_AS.items()}
    of = disputes.in_bulk([each.source_id for each in moved])
    for each in moved:
        kind, dispute = kinds[Kind(each.kind)], of[each.source_id]
        sign = -1 if kind == MovementKind.DISPUTE_WITHDRAWN else 1
        yield _row(kind, dispute.provider_ref, sign * dispute.amount_minor, dispute.payment)


def _row(kind: MovementKind, ref: str, amount_minor: int, payment: Payment) -> Written:
    return (kind, ref), payment.currency, amount_minor, payment.created_at


# In sum -----------------------------------------------------------------------------------------------------------


def _totals(account: ProviderAccount, lines: Sequence[Movement]) -> list[Difference]:
    """Return by currency where the ledger comes to something else than the lines that agree with our rows do."""
    books = Books(account, lines)
    theirs: Counter[str] = Counter()
    sources: set[tuple[UUID, str]] = set()
    for line in lines:
        if keys := _posted_for(line, books):
            theirs[line.currency] += line.amount_minor
            sources |= keys
    ours = _cleared(sources)
    return [
        Difference(TOTALS_DIFFER, currency, currency, ours[currency], theirs[currency])
        for currency in sorted({*ours, *theirs})
        if ours[currency] != theirs[currency]
    ]


def _posted_for(line: Movement, books: Books) -> set[tuple[UUID, str]]:
    """Return what the ledger should have for a line that agrees: sources and kinds. Of one that does not: nothing.

    A refund that came back has two lines there and two movements here, and comes to nought: it is left out, and so is
    one that is on its way.
    """
    payment, refund, dispute = books.payment(line), books.refund(line), books.dispute(line)
    if difference_of(line, books) or books.is_dead(line):
        return set()
    if line.kind == MovementKind.PAYMENT and payment:
        return {(payment.id, Kind.PAYMENT_SETTLED)}
    if line.kind == MovementKind.REFUND and refund and refund.status == Refund.Status.SUCCEEDED:
        return {(refund.id, Kind.REFUND_SETTLED), (refund.id, Kind.REFUND_RETURNED)}
    return {(dispute.id, POSTED_AS[line.kind])} if dispute and line.kind in POSTED_AS else set()


def _cleared(sources: set[tuple[UUID, str]]) -> Counter[str]:
    """Return what these movements did to the money at the bank, by currency."""
    sums = (
        LedgerEntry.objects.filter(
            account=LedgerEntry.Account.CLEARING, transaction__source_id__in={source for source, _ in sources},
            transaction__kind__in={kind for _, kind in sources},
        )
        .values_list("transaction__source_id", "transaction__kind", "transaction__currency")
        .annotate(sum=Sum("amount_minor"))
    )  # fmt: skip
    totals: Counter[str] = Counter()
    for source, kind, currency, amount in sums:
        if (source, kind) in sources:
            totals[currency] += amount
    return totals
