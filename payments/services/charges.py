"""Money in.

A payment is a row first, in the transaction of the act that needs it. The provider is asked afterwards, outside any
transaction, with the payment's id as its key: so asking twice opens one checkout. What became of it is applied as a
state, whoever brings it: an event, the payer's return, a look at the provider, the statement.
"""

from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import transaction

from config.kit.clock import database_now
from config.kit.facts import SYSTEM, Actor
from config.kit.refusals import NotFound, Refusal, invalid
from config.kit.retries import retry_on_deadlock
from payments.models import Payment, PaymentEvent, ProviderAccount, ProviderName
from payments.providers import provider_of
from payments.providers.base import AccountBroken, Order, Outcome, ProviderDown, ProviderRefused, State
from payments.services import payment_rows
from payments.services.balances import lock_payment, require_transaction
from payments.signals import payments_lapsed

Status = Payment.Status
OPEN = (Status.CREATED, Status.PROCESSING)
ENDS = {State.FAILED: Status.FAILED, State.CANCELLED: Status.CANCELLED}
# The provider keeps its page open for a while longer than we do (Stripe: 30 minutes at least): we close it ourselves.
PAGE_OUTLIVES_US = timedelta(minutes=31)
LONGEST_PAGE = timedelta(hours=22)  # Stripe closes it after a day by itself
LATER_SECONDS = 30


class OnlinePaymentsOff(Refusal):
    """The organization has no account with a provider."""

    code, title = "online_payments_off", "Nothing can be paid online here at the moment"


class PaymentUnavailable(Refusal):
    """The provider is down, slow, or asked too much. Nothing is lost: the payment can be begun again."""

    code, status = "payment_unavailable", 503
    title = "The payment page cannot be reached just now. Nothing was charged; please try again in a moment"


class PaymentRefused(Refusal):
    """The provider will not take this payment, today or tomorrow."""

    code, title = "payment_refused", "The payment provider does not take this payment. Nothing was charged"


class PaymentOver(Refusal):
    """The time in which it could be paid is over."""

    code, title = "payment_over", "The time to pay for this is over. Nothing was charged"


# Opening ----------------------------------------------------------------------------------------------------------


def can_pay_online(organization_id: UUID) -> bool:
    """Has the organization an account at a provider?"""
    return _live_account(organization_id) is not None


def open_payment(
    *, organization_id: UUID, reference: UUID, amount_minor: int, currency: str, purpose: Payment.Purpose,
    description: str, payer_email: str, language: str, expires_at: datetime | None, actor: Actor,
) -> Payment:  # fmt: skip
    """Write that so much (minor units) is to be paid online for a reference, until `expires_at` at most.

    In the caller's transaction; the provider hears of it by begin_payment. Refuses with OnlinePaymentsOff, and, at the
    field `amount_minor`, what is nothing or cannot be charged in that currency.
    """
    account = _live_account(organization_id)
    if account is None:
        raise OnlinePaymentsOff
    _require_positive(amount_minor)
    provider_of(account.provider).require_chargeable(amount_minor, currency)
    return payment_rows.create_payment(
        organization_id=organization_id, reference=reference, provider=ProviderName(account.provider),
        amount_minor=amount_minor, currency=currency, purpose=purpose, actor=actor, account=account,
        description=description[:200], payer_email=payer_email, language=language, expires_at=expires_at,
    )  # fmt: skip


def take_at_desk(
    *, organization_id: UUID, reference: UUID, amount_minor: int, currency: str, actor: Actor,
    purpose: Payment.Purpose = Payment.Purpose.BALANCE,
) -> Payment:  # fmt: skip
    """Write that staff took money at the desk, in the caller's transaction. Refuses an amount of nought or less."""
    _require_positive(amount_minor)
    payment = payment_rows.create_payment(
        organization_id=organization_id, reference=reference, provider=ProviderName.ON_ARRIVAL,
        amount_minor=amount_minor, currency=currency, purpose=purpose, actor=actor,
    )  # fmt: skip
    payment_rows.settle(payment, actor=actor)
    return payment


def let_go(reference: UUID) -> None:
    """Let nobody pay for a reference any more: what is open ends now. In the caller's transaction, payments locked.

    The provider closes its pages soon after the commit; what is paid until then is there, and goes back.
    """
    require_transaction()
    now = database_now()
    let_go_of = Payment.objects.filter(reference=reference, provider=ProviderName.STRIPE, status__in=OPEN)
    if let_go_of.exclude(expires_at__lte=now).update(expires_at=now):
        transaction.on_commit(partial(payments_lapsed.send, None, reference=reference), robust=True)


def _live_account(organization_id: UUID) -> ProviderAccount | None:
    return ProviderAccount.objects.filter(organization_id=organization_id, ended_at=None).first()


def _require_positive(amount_minor: int) -> None:
    if amount_minor < 1:
        raise invalid("amount_minor", "not_positive", "There is nothing to pay.")


# Asking the provider ----------------------------------------------------------------------------------------------


def begin_payment(payment_id: UUID, *, return_url: str, back_url: str) -> Payment:
    """Have the provider open its page for a payment, once; outside transactions. What has begun stays as it is.

    Refuses with PaymentUnavailable when the provider cannot be asked: begin again later, nothing is charged twice.
    Refuses with PaymentRefused what the provider will never take, with PaymentOver what may not be paid any more.
    """
    payment = _payment(payment_id)
    if payment.redirect_url or not payment.is_open or payment.account is None:
        return payment
    if payment.expires_at and payment.expires_at <= database_now():
        raise PaymentOver
    if not _note_asked(payment):  # somebody has ended it meanwhile
        return _payment(payment_id)
    try:
        checkout = _open_checkout(payment, payment.account, _order(payment, return_url=return_url, back_url=back_url))
    except (ProviderDown, AccountBroken) as error:
        raise _cannot_ask(payment, error) from error
    except ProviderRefused as refused:
        apply_outcome(payment.id, _nothing(payment, State.FAILED, failure_code=refused.code))
        raise PaymentRefused from refused
    payment = apply_outcome(payment.id, checkout)
    if not payment.is_open and checkout.state is State.OPEN:  # given up while the provider was asked: nobody shall pay
        return close_payment(payment.id)
    return payment


def _open_checkout(payment: Payment, account: ProviderAccount, order: Order) -> Outcome:
    """Open the checkout, or find the one that an earlier try opened with other words under the same key."""
    provider = provider_of(payment.provider)
    if payment.provider_ref:  # its name came with an event; the answer that had its page was lost
        return provider.look_up(account, payment.provider_ref)
    try:
        return provider.begin(account, order)
    except ProviderRefused as refused:
        is_used = refused.code == "idempotency_error"
        found = provider.find(account, payment.id, since=payment.created_at) if is_used else None
        if found is None:
            raise
        return found


def refresh_payment(payment_id: UUID) -> Payment:
    """Ask the provider what became of a payment, and write it; outside transactions.

    So an answer or an event that was lost is made up for, without charging anybody again; of one that has ended here,
    too, which then ends there. Refuses with PaymentUnavailable when the provider cannot be asked.
    """
    payment = _payment(payment_id)
    if payment.status == Status.SUCCEEDED or payment.account is None or not _was_asked(payment):
        return payment
    return _ask(payment, payment.account, close=not payment.is_open)


def close_payment(payment_id: UUID) -> Payment:
    """Let a payment not be paid any more; outside transactions. One that was paid meanwhile is settled instead.

    What is on its way by a slow method stays open until the provider knows. Refuses with PaymentUnavailable.
    """
    payment = _payment(payment_id)
    if payment.account is None or payment.status == Status.SUCCEEDED:
        return payment
    if not _was_asked(payment):
        return _cancel_unasked(payment)
    return _ask(payment, payment.account, close=True) if payment.is_open or payment.provider_ref else payment


def _ask(payment: Payment, account: ProviderAccount, *, close: bool) -> Payment:
    try:
        outcome = _look(payment, account, close=close)
    except (ProviderDown, ProviderRefused) as error:
        raise _cannot_ask(payment, error) from error
    if outcome is None and close:
        outcome = _nothing(payment, State.CANCELLED)
    return apply_outcome(payment.id, outcome) if outcome else payment


def _look(payment: Payment, account: ProviderAccount, *, close: bool) -> Outcome | None:
    provider, ref = provider_of(payment.provider), payment.provider_ref
    if not ref:
        found = provider.find(account, payment.id, since=payment.created_at)
        if found is None or not close:
            return found
        ref = found.provider_ref
    return provider.close(account, ref) if close else provider.look_up(account, ref)


def _cannot_ask(payment: Payment, error: ProviderDown | ProviderRefused) -> PaymentUnavailable:
    """Return the refusal. That the account's key is dead, or is another account's, is a fact: staff must mend it."""
    if isinstance(error, ProviderRefused):
        with transaction.atomic():
            locked = lock_payment(payment.id)
            payment_rows.record_once(locked, kind="account_refused", after={"failure_code": error.code})
    seconds = error.retry_after_seconds if isinstance(error, ProviderDown) else LATER_SECONDS
    return PaymentUnavailable(extra={"retry_after_seconds": seconds})


def _order(payment: Payment, *, return_url: str, back_url: str) -> Order:
    """Return what the provider is asked for: of the payment's own fields alone, so that it is the same every time."""
    ends_at = payment.expires_at
    if ends_at and ends_at - payment.created_at > LONGEST_PAGE:
        ends_at = None
    return Order(
        payment_id=payment.id, amount_minor=payment.amount_minor, currency=payment.currency,
        description=payment.description or "Booking", payer_email=payment.payer_email, language=payment.language,
        expires_at=ends_at + PAGE_OUTLIVES_US if ends_at else None, return_url=return_url, back_url=back_url,
    )  # fmt: skip


def _note_asked(payment: Payment) -> bool:
    """Write, before asking, that the provider may know of it from now on; False: it has ended meanwhile."""
    return bool(Payment.objects.filter(id=payment.id, status__in=OPEN).update(looked_at=database_now()))


def _was_asked(payment: Payment) -> bool:
    return bool(payment.looked_at or payment.provider_ref)


def _nothing(payment: Payment, state: State, *, failure_code: str = "") -> Outcome:
    return Outcome(state, payment.amount_minor, payment.currency, failure_code=failure_code)


def _payment(payment_id: UUID) -> Payment:
    payment = Payment.objects.select_related("account").filter(id=payment_id).first()
    if payment is None:
        raise NotFound
    return payment


# What became of it ------------------------------------------------------------------------------------------------


@retry_on_deadlock
@transaction.atomic
def apply_outcome(payment_id: UUID, outcome: Outcome, *, actor: Actor = SYSTEM) -> Payment:
    """Bring a payment on to what the provider says, never back; any number of times, in any order: the same end.

    Money that came after all is there, whatever we thought. Another amount or currency than was asked for settles
    nothing: it is a fact, of which staff are told.
    """
    payment = lock_payment(payment_id)
    payment_rows.learn(
        payment, provider_ref=outcome.provider_ref, intent_ref=outcome.intent_ref, redirect_url=outcome.redirect_url
    )
    if outcome.state is State.SUCCEEDED:
        _take(payment, outcome, actor=actor)
    elif outcome.state is State.OPEN:
        payment_rows.note_begun(payment, actor=actor)
    elif payment.is_open:
        payment_rows.end(payment, ENDS[outcome.state], failure_code=outcome.failure_code, actor=actor)
    return payment


def _take(payment: Payment, outcome: Outcome, *, actor: Actor) -> None:
    asked = payment_rows.money_of(payment)
    paid = {"amount_minor": outcome.amount_minor, "currency": outcome.currency}
    if paid != asked:
        payment_rows.record_once(payment, kind="payment_mismatched", before=asked, after=paid)
    elif payment.status != Status.SUCCEEDED:
        payment_rows.settle(payment, actor=actor)


@transaction.atomic
def note_declined(payment_id: UUID, *, attempt_ref: str, failure_code: str) -> None:
    """Write that one attempt to pay was declined, once per attempt; the payment stays as it is."""
    payment = lock_payment(payment_id)
    declined = PaymentEvent.objects.filter(payment=payment, kind="payment_declined", after__attempt=attempt_ref)
    if attempt_ref and not declined.exists():
        after = {"attempt": attempt_ref, "failure_code": failure_code}
        payment_rows.record_payment_event(payment, kind="payment_declined", actor=SYSTEM, after=after)


@transaction.atomic
def _cancel_unasked(payment: Payment) -> Payment:
    """Cancel what no provider has heard of; whoever asked it meanwhile wins."""
    locked = lock_payment(payment.id)
    if locked.is_open and not _was_asked(locked):
        payment_rows.end(locked, Status.CANCELLED, failure_code="", actor=SYSTEM)
    return locked
