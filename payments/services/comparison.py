"""A line of the bank's statement beside our rows: where do they differ?"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from django.db.models import Q

from payments.models import Dispute, LedgerTransaction, Payment, PaymentEvent, ProviderAccount, Refund
from payments.providers.base import Movement, MovementKind
from payments.services.refund_outcomes import GAVE_UP

Kind = LedgerTransaction.Kind
MISSING_HERE = "missing_here"  # the bank moved it, we did not know
MISSING_THERE = "missing_there"  # we wrote it, the bank does not know
AMOUNT_DIFFERS = "amount_differs"
CURRENCY_DIFFERS = "currency_differs"
UNKNOWN_CHARGE = "unknown_charge"  # money that belongs to no payment of ours
TOTALS_DIFFER = "totals_differ"  # the ledger does not come to what the same lines of the statement come to
POSTED_AS = {
    MovementKind.DISPUTE_WITHDRAWN: Kind.DISPUTE_WITHDRAWN,
    MovementKind.DISPUTE_REINSTATED: Kind.DISPUTE_REINSTATED,
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs: which, the bank's name for it, ours and theirs in minor units, signed as on a statement.

    Of what somebody does not know there is no amount on their side.
    """

    kind: str
    ref: str
    currency: str
    ours_minor: int | None
    theirs_minor: int | None
    healed: bool = False

    def but_healed(self) -> "Difference":
        """Return it as what was put right meanwhile."""
        return replace(self, healed=True)


class Books:
    """What we know of some lines of one account's statement, read in a few statements."""

    def __init__(self, account: ProviderAccount, lines: Collection[Movement]) -> None:
        """Read it."""
        named = Q(intent_ref__in={line.intent_ref for line in lines} - {""})
        named |= Q(id__in={line.payment_id for line in lines if line.payment_id})
        payments = list(Payment.objects.filter(named, account=account))
        self._by_intent = {payment.intent_ref: payment for payment in payments}
        self._by_id = {payment.id: payment for payment in payments}
        self._refunds = list(Refund.objects.filter(payment__in=payments))
        self._disputes = {row.provider_ref: row for row in Dispute.objects.filter(payment__in=payments)}
        self._dead = _dead_refs(payments)
        self._posted = _posted({row.id for row in self._disputes.values()})

    def payment(self, line: Movement) -> Payment | None:
        """Return the payment whose money it is: by the money's name, else by ours if it has no other."""
        if line.intent_ref and (found := self._by_intent.get(line.intent_ref)):
            return found
        named = self._by_id.get(line.payment_id) if line.payment_id else None
        return None if named and named.intent_ref else named

    def refund(self, line: Movement) -> Refund | None:
        """Return the refund that it is, if we know it by that name."""
        return next((row for row in self._refunds if row.provider_ref == line.source_ref), None)

    def dispute(self, line: Movement) -> Dispute | None:
        """Return the dispute that it belongs to."""
        return self._disputes.get(line.source_ref)

    def is_dead(self, line: Movement) -> bool:
        """Is it of a refund that went out and came back?"""
        return line.source_ref in self._dead

    def has_posted(self, dispute: Dispute, kind: LedgerTransaction.Kind) -> bool:
        """Did we write this movement of a dispute?"""
        return (dispute.id, kind) in self._posted


def difference_of(line: Movement, books: Books) -> Difference | None:
    """Return how a line differs from what we know; None: it does not."""
    return CHECKS[line.kind](line, books)


def _check_payment(line: Movement, books: Books) -> Difference | None:
    payment = books.payment(line)
    if payment is None:
        return _difference(UNKNOWN_CHARGE, line)
    is_here = payment.status == Payment.Status.SUCCEEDED
    return _compare(line, payment.amount_minor, payment.currency, is_here=is_here)


def _check_refund(line: Movement, books: Books) -> Difference | None:
    if books.is_dead(line):
        return None  # and the line on which it comes back is looked at by itself
    if books.payment(line) is None:
        return _difference(UNKNOWN_CHARGE, line)
    refund = books.refund(line)
    if refund is None:
        return _difference(MISSING_HERE, line)
    is_here = refund.status in (Refund.Status.SUBMITTED, Refund.Status.SUCCEEDED)
    return _compare(line, -refund.amount_minor, refund.currency, is_here=is_here)


def _check_returned(line: Movement, books: Books) -> Difference | None:
    if books.payment(line) is None:
        return _difference(UNKNOWN_CHARGE, line)
    return None if books.is_dead(line) else _difference(MISSING_HERE, line)


def _check_dispute(line: Movement, books: Books, *, sign: int) -> Difference | None:
    if books.payment(line) is None:
        return _difference(UNKNOWN_CHARGE, line)
    dispute = books.dispute(line)
    if dispute is None:
        return _difference(MISSING_HERE, line)
    is_here = books.has_posted(dispute, POSTED_AS[line.kind])
    return _compare(line, sign * dispute.amount_minor, dispute.currency, is_here=is_here)


CHECKS: dict[MovementKind, Callable[[Movement, Books], Difference | None]] = {
    MovementKind.PAYMENT: _check_payment,
    MovementKind.REFUND: _check_refund,
    MovementKind.REFUND_RETURNED: _check_returned,
    MovementKind.DISPUTE_WITHDRAWN: partial(_check_dispute, sign=-1),
    MovementKind.DISPUTE_REINSTATED: partial(_check_dispute, sign=1),
}


def _compare(line: Movement, ours_minor: int, currency: str, *, is_here: bool) -> Difference | None:
    if currency != line.currency:
        return _difference(CURRENCY_DIFFERS, line, ours_minor)
    if ours_minor != line.amount_minor:
        return _difference(AMOUNT_DIFFERS, line, ours_minor)
    return None if is_here else _difference(MISSING_HERE, line)


def _difference(kind: str, line: Movement, ours_minor: int | None = None) -> Difference:
    return Difference(kind, line.source_ref or line.ref, line.currency, ours_minor, line.amount_minor)


def _dead_refs(payments: Iterable[Payment]) -> set[str]:
    facts = PaymentEvent.objects.filter(payment__in=payments, kind__in=GAVE_UP).values_list("after", flat=True)
    return {str(told["provider_ref"]) for told in facts} - {""}


def _posted(source_ids: set[UUID]) -> set[tuple[UUID, str]]:
    moved = LedgerTransaction.objects.filter(source_id__in=source_ids, kind__in=POSTED_AS.values())
    return set(moved.values_list("source_id", "kind"))
