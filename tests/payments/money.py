"""Money without a bank, and money at a bank of its own: plain factories for the tests of payments.

account = make_account()
payment = paid(account, 4500)               # settled, as if the provider had said so
payment = paid_online(account, shop, 4500)  # paid at the sandbox bank, through everything
"""

from itertools import count
from typing import Any
from uuid import UUID

from django.db import transaction

from config.kit.facts import Actor, ActorKind
from config.kit.ids import uuid7
from config.kit.secrets import seal_secret
from config.tenants.models import Organization
from payments.models import LedgerEntry, Payment, PaymentEvent, ProviderAccount, Refund, Voucher
from payments.providers.base import DisputeOutcome, Outcome, RefundOutcome, State
from payments.services import charges, refund_rows, refunds, vouchers
from payments.services.balances import left_by_payment, lock_payment, lock_payments
from payments.services.refunds import RefundTooLarge
from tests.factories import make_organization
from tests.payments.bank.shop import SUCCEEDS, Shop

STAFF = Actor(kind=ActorKind.STAFF, channel="admin")
GOODWILL = Refund.Reason.GOODWILL
_numbers = count(1)


def make_account(organization: Organization | None = None, **overrides: Any) -> ProviderAccount:
    """Connect an organization to the provider, without asking anybody."""
    number = next(_numbers)
    account = ProviderAccount(
        organization=organization or make_organization(), sealed_webhook_secret=seal_secret(f"whsec_{number}"),
        **{"account_ref": f"acct_{number}", **overrides},
    )  # fmt: skip
    account.api_key = f"sk_test_shop{number}"
    account.save()
    return account


def opened(account: ProviderAccount, amount_minor: int = 4500, *, reference: UUID | None = None) -> Payment:
    """Open a payment, of which the provider does not know yet."""
    with transaction.atomic():
        return charges.open_payment(
            organization_id=account.organization_id, reference=reference or uuid7(), amount_minor=amount_minor,
            currency="GBP", purpose=Payment.Purpose.WHOLE, description="HF-1001", payer_email="anna@example.org",
            language="en", expires_at=None, actor=STAFF,
        )  # fmt: skip


def paid(account: ProviderAccount, amount_minor: int = 4500, *, reference: UUID | None = None) -> Payment:
    """Open a payment, and hear from nobody in particular that it was paid."""
    payment, number = opened(account, amount_minor, reference=reference), next(_numbers)
    outcome = Outcome(
        State.SUCCEEDED, amount_minor, "GBP", intent_ref=f"pi_{number}", provider_ref=f"cs_{number}"
    )  # fmt: skip
    return charges.apply_outcome(payment.id, outcome)


def paid_at_desk(organization_id: UUID, amount_minor: int, *, reference: UUID) -> Payment:
    """Take money at the desk."""
    with transaction.atomic():
        return charges.take_at_desk(
            organization_id=organization_id, reference=reference, amount_minor=amount_minor, currency="GBP",
            actor=STAFF,
        )  # fmt: skip


def make_voucher(organization_id: UUID, amount_minor: int = 1000, **overrides: Any) -> Voucher:
    """Give a voucher in pounds."""
    plain: dict[str, Any] = {"currency": "GBP", "expires_on": None, "note": "", "issued_by": None, "actor": STAFF}
    return vouchers.issue_voucher(
        **{**plain, "organization_id": organization_id, "amount_minor": amount_minor, **overrides}
    )


def redeemed(voucher: Voucher, amount_minor: int, *, reference: UUID | None = None) -> Payment:
    """Pay with a voucher."""
    with transaction.atomic():
        return vouchers.redeem_voucher(
            voucher_id=voucher.id, reference=reference or uuid7(), amount_minor=amount_minor, actor=STAFF
        )


@transaction.atomic
def give_back(payment: Payment, amount_minor: int | None = None, *, actor: Actor = STAFF) -> Refund:
    """Let just this payment go back, whatever else was paid with it: all of it, unless it is said how much."""
    locked, asked = lock_payment(payment.id), amount_minor or payment.amount_minor
    if asked > left_by_payment([locked])[locked.id]:
        raise RefundTooLarge
    return refund_rows.add(locked, asked, reason=GOODWILL, actor=actor)


@transaction.atomic
def request_all(reference: UUID, amount_minor: int, *, reason: Refund.Reason = GOODWILL) -> list[Refund]:
    """Ask that so much of what was paid for a reference goes back, as the acts on it do."""
    lock_payments(reference)
    return refunds.request_refunds(reference=reference, amount_minor=amount_minor, reason=reason, actor=STAFF)


def said_of_refund(payment: Payment, state: State, ref: str, **more: Any) -> RefundOutcome:
    """Return what the provider would say of a refund of a payment."""
    plain = {"amount_minor": payment.amount_minor, "currency": payment.currency, "intent_ref": payment.intent_ref}
    return RefundOutcome(**{**plain, "state": state, "provider_ref": ref, **more})


def said_of_dispute(payment: Payment, status: str, *, is_withdrawn: bool, **more: Any) -> DisputeOutcome:
    """Return what the provider would say of a dispute about a payment."""
    plain = {"amount_minor": payment.amount_minor, "currency": payment.currency, "intent_ref": payment.intent_ref}
    return DisputeOutcome(**{**plain, "provider_ref": "dp_1", "status": status, "is_withdrawn": is_withdrawn, **more})


def accounts() -> dict[str, int]:
    """Return every account of the ledger that does not stand at nought."""
    sums: dict[str, int] = {}
    for account, amount in LedgerEntry.objects.values_list("account", "amount_minor"):
        sums[account] = sums.get(account, 0) + amount
    return {account: amount for account, amount in sorted(sums.items()) if amount}


def facts(payment: Payment, *kinds: str) -> list[str]:
    """Return the kinds of a payment's facts in order: all, or those of these kinds."""
    told = PaymentEvent.objects.filter(payment=payment).order_by("seq").values_list("kind", flat=True)
    return [kind for kind in told if not kinds or kind in kinds]


def make_due(refund: Refund) -> None:
    """Let the pause before a refund's next try be over."""
    Refund.objects.filter(id=refund.id).update(next_try_at=refund.created_at)


def paid_online(
    account: ProviderAccount, shop: Shop, amount_minor: int = 4500, *, card: str = SUCCEEDS,
    reference: UUID | None = None,
) -> Payment:  # fmt: skip
    """Pay at the bank, and look what became of it."""
    pages = {"return_url": "http://shop.test/paid", "back_url": "http://shop.test/"}
    payment = charges.begin_payment(opened(account, amount_minor, reference=reference).id, **pages)
    shop.pay(payment.provider_ref, card)
    return charges.refresh_payment(payment.id)


def lines(shop: Shop) -> list[tuple[str, int]]:
    """Return the bank's statement, the oldest first: kind and amount."""
    return [(line["type"], line["amount"]) for line in shop.ledger()["balance_transactions"]]
