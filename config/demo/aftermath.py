"""What became of those who paid online: most simply come, and a few are what staff have to do with money."""

from collections.abc import Callable

from bookings.models import Booking
from bookings.services import cancellation, settlement
from config.demo.bank import Bank
from config.demo.plans import Purchase, Then
from config.demo.sales import (
    CUSTOMER,
    GOOD_CARD,
    SLOW_TO_TAKE_BACK,
    Shop,
    buy,
    come_back,
    leave_for_bank,
    order,
    sell,
    session_for,
)
from config.kit.clock import database_now
from payments.models import Payment, ProviderAccount, Refund
from payments.providers import provider_of
from payments.services.disputes import apply_dispute_outcome
from payments.services.refund_outcomes import apply_refund_outcome
from payments.services.refund_submission import submit_refund
from scheduling.services import reservations

MANY = 12  # more tries than any refund gets
GIVEN_BACK_PERCENT = 25


def tell(shop: Shop, purchase: Purchase) -> None:
    """Let somebody buy, and let that become of it which the plan says."""
    TELL[purchase.then](shop, purchase)


def _come(shop: Shop, purchase: Purchase) -> None:
    buy(shop, purchase)


def _refund_in_part(shop: Shop, purchase: Purchase) -> None:
    """Staff let somebody off a part."""
    booking = buy(shop, purchase)
    settlement.give_back(
        booking_id=booking.id, amount_minor=booking.total_minor * GIVEN_BACK_PERCENT // 100, actor=shop.staff,
        reason_code="late_start",
    )  # fmt: skip
    _return_money(booking)


def _fail_to_refund(shop: Shop, purchase: Purchase) -> None:
    """Somebody cancels, and their card does not take the money back, however often it is tried."""
    booking = buy(shop, purchase, card=SLOW_TO_TAKE_BACK)
    cancellation.cancel_booking(booking_id=booking.id, actor=CUSTOMER, reason_code="illness")
    refund = Refund.objects.get(reference=booking.id)
    for _ in range(MANY):
        if refund.status == Refund.Status.FAILED:
            return
        Refund.objects.filter(id=refund.id).update(next_try_at=database_now())  # half a day goes by
        refund = submit_refund(refund.id)
        if refund.status == Refund.Status.SUBMITTED:
            shop.bank.act("fail_refund", refund.provider_ref)
            answer = provider_of(shop.account.provider).look_up_refund(shop.account, refund.provider_ref)
            apply_refund_outcome(shop.account.id, answer)
        refund.refresh_from_db()


def _dispute(shop: Shop, purchase: Purchase) -> None:
    """The bank of somebody who has paid asks for the money."""
    payment = Payment.objects.get(reference=buy(shop, purchase).id)
    shop.bank.act("open_dispute", payment.provider_ref)
    _hear_of_disputes(shop.bank, shop.account, payment)


def _hear_of_disputes(bank: Bank, account: ProviderAccount, payment: Payment) -> None:
    provider = provider_of(account.provider)
    for dispute_ref in bank.disputes_of(account.account_ref, payment.intent_ref):
        apply_dispute_outcome(account.id, provider.look_up_dispute(account, dispute_ref))


def _come_late(shop: Shop, purchase: Purchase) -> None:
    """Somebody pays when their places were given back and are somebody else's: the money goes back by itself."""
    scene = shop.scenes[purchase.activity]
    session = session_for(scene, purchase)
    booking = order(shop, scene, session, purchase.party)
    payment = leave_for_bank(booking)
    for reservation_id in booking.lines.values_list("reservation_id", flat=True):
        reservations.release_reservation(reservation_id=reservation_id)
    session.refresh_from_db()
    sell(shop, scene, session, {scene.plan.units[0].name: session.capacity_remaining})
    come_back(shop, payment, card=GOOD_CARD)
    _return_money(booking)


def _return_money(booking: Booking) -> None:
    """Have the bank send back what is owed, as the worker would within seconds."""
    for refund in Refund.objects.filter(reference=booking.id, status=Refund.Status.REQUESTED):
        submit_refund(refund.id)


TELL: dict[Then, Callable[[Shop, Purchase], None]] = {
    Then.CAME: _come,
    Then.REFUNDED_IN_PART: _refund_in_part,
    Then.REFUND_FAILED: _fail_to_refund,
    Then.DISPUTED: _dispute,
    Then.LATE: _come_late,
}
