"""Stored value: given, spent in parts, given back, ended. The one writer of vouchers, their balances and entries.

A balance is moved by one conditional UPDATE, so that the last pound is spent once; a voucher's row is the last lock
that an act takes.
"""

import secrets
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from config.kit.clock import database_now
from config.kit.display import money_text
from config.kit.facts import SYSTEM, Actor
from config.kit.ids import CROCKFORD
from config.kit.refusals import FieldError, NotFound, Refusal, invalid
from config.tenants.history import record_organization_event
from config.tenants.models import OrganizationEvent
from payments.models import LedgerTransaction, Payment, ProviderName, Refund, Voucher, VoucherEntry
from payments.services import ledger, payment_rows
from payments.services.balances import require_transaction

LETTERS = 16  # of 32: 80 bits, nobody guesses one
GROUP = 4
MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1"})  # letters that no code has, for the digits they look like
FIELD = "voucher"
RETURNED_LASTS = timedelta(days=90)  # what came back can be spent for so long at least


class VoucherRefused(Refusal):
    """The base of what a voucher is refused for; the form's field is named."""

    def __init__(self, detail: str = "", **extra: object) -> None:
        words = detail or self.title
        super().__init__(words, errors=[FieldError(FIELD, self.code, words)], extra=extra)


class UnknownVoucher(VoucherRefused):
    """No such code here; another organization's is as unknown as one that never was."""

    code, title = "unknown_voucher", "We know no voucher with this code"


class VoucherExpired(VoucherRefused):
    """Its last day is over, or staff ended it."""

    code, title = "voucher_expired", "This voucher is no longer valid"


class VoucherOtherCurrency(VoucherRefused):
    """It is worth another currency than what is paid for."""

    code, title = "voucher_other_currency", "This voucher is in another currency"


class VoucherEmpty(VoucherRefused):
    """Nothing is left on it, or not as much as was asked."""

    code, title = "voucher_empty", "There is not enough left on this voucher"


def read_code(text: str) -> str:
    """Return a code as it is stored, whatever a person typed: any case, O for 0, I or L for 1, any hyphens."""
    letters = "".join(letter for letter in text.upper() if letter.isalnum()).translate(MISREAD)
    return "-".join(letters[start : start + GROUP] for start in range(0, len(letters), GROUP))


@transaction.atomic
def issue_voucher(
    *, organization_id: UUID, amount_minor: int, currency: str, expires_on: date | None, note: str,
    issued_by: UUID | None, actor: Actor,
) -> Voucher:  # fmt: skip
    """Give a voucher with a code that nobody can guess. `expires_on` is its last day, by UTC.

    Refuses an amount of nought or less, and a last day that is over, at their fields.
    """
    if amount_minor < 1:
        raise invalid("amount_minor", "not_positive", "A voucher has to be worth something.")
    if expires_on and expires_on < _today():
        raise invalid("expires_on", "in_the_past", "The last day has to be today or later.")
    code = read_code("".join(secrets.choice(CROCKFORD) for _ in range(LETTERS)))
    voucher = Voucher.objects.create(
        organization_id=organization_id, code=code, currency=currency, issued_minor=amount_minor,
        balance_minor=amount_minor, expires_on=expires_on, note=note, issued_by_id=issued_by,
    )  # fmt: skip
    _enter(voucher, VoucherEntry.Kind.ISSUED, amount_minor, voucher.id)
    ledger.post_voucher(voucher, LedgerTransaction.Kind.VOUCHER_ISSUED, amount_minor=amount_minor)
    _record(voucher, "voucher_issued", actor, amount_minor=amount_minor, expires_on=str(expires_on or ""))
    return voucher


def require_voucher(*, organization_id: UUID, code: str, currency: str, at: datetime) -> Voucher:
    """Return the voucher with this code, however it was typed, if something of this currency can be paid with it.

    Refuses with UnknownVoucher, also for another organization's; VoucherExpired; VoucherOtherCurrency; VoucherEmpty.
    """
    voucher = Voucher.objects.filter(organization=organization_id, code=read_code(code)).first()
    if voucher is None:
        raise UnknownVoucher
    if voucher.ended_at or (voucher.expires_on and voucher.expires_on < at.astimezone(UTC).date()):
        raise VoucherExpired
    if voucher.currency != currency:
        raise VoucherOtherCurrency(f"This voucher is worth {voucher.currency}, and this is paid for in {currency}.")
    if not voucher.balance_minor:
        raise VoucherEmpty("Nothing is left on this voucher.", balance_minor=0)
    return voucher


def redeem_voucher(
    *, voucher_id: UUID, reference: UUID, amount_minor: int, actor: Actor,
    purpose: Payment.Purpose = Payment.Purpose.WHOLE,
) -> Payment:  # fmt: skip
    """Pay so much (minor units) with a voucher, in the caller's transaction: a payment that succeeds at once.

    The voucher is the last lock of an act: whoever calls holds the booking, its sessions and reservations already.
    Refuses with VoucherEmpty when less is left by now, VoucherExpired, NotFound, and an amount of nought or less.
    """
    require_transaction()
    if amount_minor < 1:
        raise invalid("amount_minor", "not_positive", "There is nothing to pay with the voucher.")
    if not _take(voucher_id, amount_minor):
        raise _why_not(voucher_id, amount_minor)
    voucher = Voucher.objects.get(id=voucher_id)
    payment = payment_rows.create_payment(
        organization_id=voucher.organization_id, provider=ProviderName.VOUCHER, voucher=voucher, reference=reference,
        amount_minor=amount_minor, currency=voucher.currency, purpose=purpose, actor=actor,
    )  # fmt: skip
    _enter(voucher, VoucherEntry.Kind.REDEEMED, -amount_minor, payment.id)
    payment_rows.settle(payment, actor=actor)
    return payment


def return_to_voucher(refund: Refund) -> None:
    """Put a refund's money back onto the voucher it came from; the caller writes the refund, its fact and ledger."""
    require_transaction()
    voucher = refund.payment.voucher
    if voucher is None:
        raise ValueError(f"refund {refund.id} is not of a voucher")
    Voucher.objects.filter(id=voucher.id).update(balance_minor=F("balance_minor") + refund.amount_minor)
    _enter(voucher, VoucherEntry.Kind.RETURNED, refund.amount_minor, refund.id)
    _prolong(voucher)


@transaction.atomic
def end_voucher(*, voucher_id: UUID, actor: Actor) -> Voucher:
    """Take what is left off a voucher; also what came back since it was ended. Refuses with NotFound.

    Where nothing is left to take off, again is harmless.
    """
    voucher = _lock(voucher_id)
    if voucher.ended_at and not voucher.balance_minor:
        return voucher
    left, voucher.balance_minor, voucher.ended_at = voucher.balance_minor, 0, database_now()
    voucher.save(update_fields=["balance_minor", "ended_at"])
    fact = _record(voucher, "voucher_ended", actor, amount_minor=left)
    if left:
        _enter(voucher, VoucherEntry.Kind.ENDED, -left, fact.id)
        ledger.post_voucher(voucher, LedgerTransaction.Kind.VOUCHER_ENDED, amount_minor=left)
    return voucher


@transaction.atomic
def open_voucher(*, voucher_id: UUID, actor: Actor) -> Voucher:
    """Let what came back to a voucher that had ended, or whose last day is over, be spent for a while.

    Of one that can be spent it changes nothing. Refuses with NotFound, and with VoucherEmpty where nothing is left.
    """
    voucher = _lock(voucher_id)
    is_over = voucher.expires_on is not None and voucher.expires_on < _today()
    if not voucher.balance_minor:
        raise VoucherEmpty("Nothing is left on this voucher.", balance_minor=0)
    if voucher.ended_at or is_over:
        voucher.ended_at = None
        if is_over:
            voucher.expires_on = _today() + RETURNED_LASTS
        voucher.save(update_fields=["ended_at", "expires_on"])
        _record(voucher, "voucher_opened", actor, expires_on=str(voucher.expires_on or ""))
    return voucher


def _lock(voucher_id: UUID) -> Voucher:
    voucher = Voucher.objects.select_for_update(no_key=True).filter(id=voucher_id).first()
    if voucher is None:
        raise NotFound
    return voucher


def _prolong(voucher: Voucher) -> None:
    """Give whoever has money back on a voucher the time to spend it. What staff ended stays so until they open it."""
    until = _today() + RETURNED_LASTS
    if Voucher.objects.filter(id=voucher.id, ended_at=None, expires_on__lt=until).update(expires_on=until):
        _record(voucher, "voucher_prolonged", SYSTEM, expires_on=str(until))


def _take(voucher_id: UUID, amount_minor: int) -> bool:
    """Take so much off the balance if it is there. The conditions are on the row itself, so they hold after a wait."""
    usable = Q(expires_on=None) | Q(expires_on__gte=_today())
    enough = Voucher.objects.filter(usable, id=voucher_id, ended_at=None, balance_minor__gte=amount_minor)
    return enough.update(balance_minor=F("balance_minor") - amount_minor) == 1


def _why_not(voucher_id: UUID, amount_minor: int) -> Refusal:
    """Read, in a statement after the one that took nothing, why not."""
    voucher = Voucher.objects.filter(id=voucher_id).first()
    if voucher is None:
        return NotFound()
    if voucher.ended_at or (voucher.expires_on and voucher.expires_on < _today()):
        return VoucherExpired()
    left, asked = (money_text(amount, voucher.currency) for amount in (voucher.balance_minor, amount_minor))
    return VoucherEmpty(f"{left} is left on this voucher; {asked} was asked.", balance_minor=voucher.balance_minor)


def _today() -> date:
    return database_now().astimezone(UTC).date()


def _record(voucher: Voucher, kind: str, actor: Actor, **after: Any) -> OrganizationEvent:
    told = {"voucher": str(voucher.id), "currency": voucher.currency, **after}
    return record_organization_event(organization_id=voucher.organization_id, kind=kind, actor=actor, after=told)


def _enter(voucher: Voucher, kind: VoucherEntry.Kind, amount_minor: int, source_id: UUID) -> None:
    VoucherEntry.objects.create(
        organization_id=voucher.organization_id, voucher=voucher, kind=kind, amount_minor=amount_minor,
        source_id=source_id,
    )  # fmt: skip
