"""Acts with vouchers, refunds and disputes that a process may die in; each can be sent again."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from uuid import UUID

from django.conf import settings
from django.db import transaction

from bookings.services import lifecycle
from payments.models import Payment
from payments.providers.base import DisputeOutcome, RefundOutcome, State
from payments.services import disputes, refund_outcomes, refund_submission, refunds, vouchers
from payments.services.refunds import RefundTooLarge
from payments.services.vouchers import VoucherEmpty
from tests.crash.acts import STAFF, Scene
from tests.crash.failpoints import EXIT_CODE
from tests.payments.money import give_back


def redeem(scene: Scene) -> None:
    """Pay with the whole voucher; whoever comes again hears that it is spent."""
    with suppress(VoucherEmpty), transaction.atomic():
        lifecycle.lock_booking(UUID(scene["booking"]))
        vouchers.redeem_voucher(
            voucher_id=UUID(scene["voucher"]), reference=UUID(scene["booking"]), amount_minor=1000, actor=STAFF
        )


def end_a_voucher(scene: Scene) -> None:
    vouchers.end_voucher(voucher_id=UUID(scene["voucher"]), actor=STAFF)


def give_back_to_a_voucher(scene: Scene) -> None:
    """Give back what was paid with another voucher; whoever comes again hears that it is back."""
    _request(scene["by_voucher"], 500)


def ask_for_a_refund(scene: Scene) -> None:
    _request(scene["card"], 2000)


def hand_back_at_the_desk(scene: Scene) -> None:
    refunds.hand_back(UUID(scene["desk_refund"]), actor=STAFF)


def hear_of_a_refund(scene: Scene) -> None:
    said = RefundOutcome(State.SUCCEEDED, 700, "GBP", "re_1", refund_id=UUID(scene["refund"]))
    refund_outcomes.apply_refund_outcome(UUID(scene["account"]), said)


def hear_of_a_lost_dispute(scene: Scene) -> None:
    said = DisputeOutcome("dp_1", scene["intent"], 300, "GBP", "lost", is_withdrawn=True)
    disputes.apply_dispute_outcome(UUID(scene["account"]), said)


def submit_and_die_with_the_answer(scene: Scene) -> None:
    """Ask the bank for a refund, and die before anybody can write down what it said."""
    settings.STRIPE_API_BASE = scene["bank"]
    vars(refund_submission)["apply_refund_outcome"] = lambda *_: os._exit(EXIT_CODE)
    refund_submission.submit_refund(UUID(scene["refund"]))


def submit_and_die_before_asking(scene: Scene) -> None:
    """Claim a refund, and die before the bank is asked."""
    vars(refund_submission)["_ask"] = lambda *_: os._exit(EXIT_CODE)
    refund_submission.submit_refund(UUID(scene["refund"]))


def _request(payment_id: str, amount_minor: int) -> None:
    with suppress(RefundTooLarge):
        give_back(Payment.objects.get(id=payment_id), amount_minor)


REFUND_ACTS: Mapping[str, Callable[[Scene], None]] = {
    act.__name__: act
    for act in (
        redeem,
        end_a_voucher,
        give_back_to_a_voucher,
        ask_for_a_refund,
        hand_back_at_the_desk,
        hear_of_a_refund,
        hear_of_a_lost_dispute,
    )
}
SUBMISSIONS: Mapping[str, Callable[[Scene], None]] = {
    act.__name__: act for act in (submit_and_die_with_the_answer, submit_and_die_before_asking)
}
