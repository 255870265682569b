"""The double-entry ledger: each movement of money is one transaction of two sides that come to nought.

A debit is positive. Money in: at the provider (clearing), at the desk (till), or off what is owed on vouchers; against
what was paid for bookings. Append-only, and written in the transaction of what it tells of.
"""

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO
from uuid import UUID

from django.db import connection

from config.kit.money import amount_of
from payments.models import Dispute, LedgerEntry, LedgerTransaction, Payment, ProviderName, Refund, Voucher

Account = LedgerEntry.Account
Kind = LedgerTransaction.Kind

WHERE_IT_IS = {
    ProviderName.STRIPE: Account.CLEARING,
    ProviderName.ON_ARRIVAL: Account.TILL,
    ProviderName.VOUCHER: Account.VOUCHERS,
}
# What a dispute does: which account is debited, which credited.
DISPUTE_SIDES = {
    Kind.DISPUTE_WITHDRAWN: (Account.DISPUTED, Account.CLEARING),
    Kind.DISPUTE_REINSTATED: (Account.CLEARING, Account.DISPUTED),
    Kind.DISPUTE_LOST: (Account.LOST, Account.DISPUTED),
}
VOUCHER_SIDES = {
    Kind.VOUCHER_ISSUED: (Account.GIVEN, Account.VOUCHERS),
    Kind.VOUCHER_ENDED: (Account.VOUCHERS, Account.GIVEN),
}
OPENING = """SELECT e.account, coalesce(sum(e.amount_minor) FILTER (WHERE t.at < %(since)s), 0)::bigint AS opening,
        coalesce(sum(e.amount_minor) FILTER (WHERE t.at >= %(since)s AND e.amount_minor > 0), 0)::bigint AS debits,
        coalesce(-sum(e.amount_minor) FILTER (WHERE t.at >= %(since)s AND e.amount_minor < 0), 0)::bigint AS credits
    FROM payments_ledgertransaction t JOIN payments_ledgerentry e ON e.transaction_id = t.id
    WHERE t.organization_id = %(organization)s AND t.currency = %(currency)s AND t.at < %(until)s GROUP BY e.account"""
MOVEMENTS = f"""SELECT t.at, t.kind, e.account, t.reference, t.source_id, e.amount_minor,
        (o.opening + sum(e.amount_minor) OVER (PARTITION BY e.account ORDER BY t.at, t.id))::bigint
    FROM payments_ledgertransaction t JOIN payments_ledgerentry e ON e.transaction_id = t.id
    JOIN ({OPENING}) o ON o.account = e.account
    WHERE t.organization_id = %(organization)s AND t.currency = %(currency)s AND t.at >= %(since)s AND t.at < %(until)s
    ORDER BY t.at, t.id, e.amount_minor DESC"""
COLUMNS = ("at", "account", "kind", "reference", "source", "currency", "debit", "credit", "balance")
FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # with which a spreadsheet takes a text for a formula


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One side of one movement, and the account's balance after it; minor units, a debit is positive."""

    at: datetime
    kind: str
    account: str
    reference: UUID | None
    source_id: UUID
    amount_minor: int
    balance_minor: int


@dataclass(frozen=True, slots=True)
class AccountTotals:
    """An account over a time: what it began with, what went in and out, and what it ends with."""

    account: str
    opening_minor: int
    debit_minor: int
    credit_minor: int

    @property
    def closing_minor(self) -> int:
        """What it ends with."""
        return self.opening_minor + self.debit_minor - self.credit_minor

    @property
    def label(self) -> str:
        """Its name, for people."""
        return str(Account(self.account).label)


@dataclass(frozen=True, slots=True)
class Statement:
    """An organization's accounts in one currency from `since` to before `until`; their balances add up to nought."""

    currency: str
    since: datetime
    until: datetime
    totals: list[AccountTotals]
    lines: list[LedgerLine]


def statement(organization_id: UUID, currency: str, since: datetime, until: datetime) -> Statement:
    """Read the accounts of a time, in two statements; what moved in it has the balance after it."""
    asked: dict[str, UUID | str | datetime] = {
        "organization": organization_id,
        "currency": currency,
        "since": since,
        "until": until,
    }
    with connection.cursor() as cursor:
        cursor.execute(f"{OPENING} ORDER BY e.account", asked)
        totals = [AccountTotals(*row) for row in cursor.fetchall()]
        cursor.execute(MOVEMENTS, asked)
        lines = [LedgerLine(*row) for row in cursor.fetchall()]
    return Statement(currency, since, until, totals, lines)


def write_csv(read: Statement, out: TextIO) -> None:
    """Write a statement: each account's opening balance, what moved, each account's closing balance; times in UTC."""
    rows = csv.writer(out)
    rows.writerow(COLUMNS)
    for total in read.totals:
        rows.writerow(_balance_row(read, total.account, "opening", read.since, total.opening_minor))
    for line in read.lines:
        sides = [_decimal(max(sign * line.amount_minor, 0), read.currency) for sign in (1, -1)]
        rows.writerow([
            _when(line.at), text_cell(line.account), text_cell(line.kind), line.reference or "", line.source_id,
            text_cell(read.currency), *sides, _decimal(line.balance_minor, read.currency),
        ])  # fmt: skip
    for total in read.totals:
        rows.writerow(_balance_row(read, total.account, "closing", read.until, total.closing_minor))


def text_cell(text: str) -> str:
    """Return a text so that no spreadsheet runs it as a formula."""
    return f"'{text}" if text.startswith(FORMULAS) else text


def _balance_row(read: Statement, account: str, what: str, at: datetime, balance_minor: int) -> list[str]:
    balance = _decimal(balance_minor, read.currency)
    return [_when(at), text_cell(account), what, "", "", text_cell(read.currency), "", "", balance]


def _when(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def _decimal(amount_minor: int, currency: str) -> str:
    return f"{amount_of(amount_minor, currency):f}"


def post_payment(payment: Payment) -> LedgerTransaction:
    """Write that a payment was settled; a second time is refused by the database."""
    return _post(
        payment, Kind.PAYMENT_SETTLED, debit=WHERE_IT_IS[ProviderName(payment.provider)], credit=Account.BOOKINGS,
        amount_minor=payment.amount_minor, reference=payment.reference,
    )  # fmt: skip


def post_refund(refund: Refund, *, returned: bool = False) -> LedgerTransaction:
    """Write that a refund went out or, `returned`, that the bank sent it back. Both can happen several times."""
    where = WHERE_IT_IS[ProviderName(refund.payment.provider)]
    kind = Kind.REFUND_RETURNED if returned else Kind.REFUND_SETTLED
    debit, credit = (where, Account.BOOKINGS) if returned else (Account.BOOKINGS, where)
    return _post(
        refund, kind, debit=debit, credit=credit, amount_minor=refund.amount_minor, reference=refund.reference,
        occurrence=_times(refund.id, kind) + 1,
    )  # fmt: skip


def post_dispute(dispute: Dispute, kind: Kind) -> LedgerTransaction:
    """Write that disputed money was withdrawn, came back, or is lost."""
    debit, credit = DISPUTE_SIDES[kind]
    return _post(
        dispute, kind, debit=debit, credit=credit, amount_minor=dispute.amount_minor,
        reference=dispute.payment.reference,
    )  # fmt: skip


def post_voucher(voucher: Voucher, kind: Kind, *, amount_minor: int) -> LedgerTransaction:
    """Write that a voucher was given, or that what was left of it has ended."""
    debit, credit = VOUCHER_SIDES[kind]
    occurrence = _times(voucher.id, kind) + 1
    return _post(voucher, kind, debit=debit, credit=credit, amount_minor=amount_minor, occurrence=occurrence)


def has_posted(source_id: UUID, kind: Kind) -> bool:
    """Was this movement written already?"""
    return _times(source_id, kind) > 0


def _times(source_id: UUID, kind: Kind) -> int:
    return LedgerTransaction.objects.filter(source_id=source_id, kind=kind).count()


def _post(
    source: Payment | Refund | Dispute | Voucher, kind: Kind, *, debit: Account, credit: Account, amount_minor: int,
    reference: UUID | None = None, occurrence: int = 1,
) -> LedgerTransaction:  # fmt: skip
    moved = LedgerTransaction.objects.create(
        organization_id=source.organization_id, kind=kind, currency=source.currency, source_id=source.id,
        occurrence=occurrence, reference=reference,
    )  # fmt: skip
    LedgerEntry.objects.bulk_create(
        LedgerEntry(organization_id=source.organization_id, transaction=moved, account=account, amount_minor=amount)
        for account, amount in ((debit, amount_minor), (credit, -amount_minor))
    )
    return moved
