"""A process dies with -9 around each act with money that goes back: no unit is lost, none goes twice."""

from typing import NamedTuple

import pytest
from django.db.models import Sum

from alerts.services.auditor import check_invariants
from bookings.models import Booking, BookingEvent
from payments.models import Dispute, LedgerTransaction, Payment, PaymentEvent, ProviderAccount, Refund, Voucher
from payments.services import ledger, vouchers
from payments.services.refund_submission import submit_refund
from tests.conftest import RunSql
from tests.crash.acts import STAFF, Scene
from tests.crash.failpoints import EXIT_CODE, FAILPOINTS, NEVER
from tests.crash.refund_acts import REFUND_ACTS
from tests.crash.test_crashes import Die, die, everything, wait_for_the_dead
from tests.factories import book, make_activity, make_organization, make_session, make_venue
from tests.payments.bank.shop import Shop
from tests.payments.conftest import account, bank_url, shop
from tests.payments.money import (
    accounts,
    give_back,
    lines,
    make_account,
    make_due,
    make_voucher,
    paid,
    paid_at_desk,
    paid_online,
    redeemed,
)

__all__ = ["account", "bank_url", "die", "shop"]

pytestmark = pytest.mark.usefixtures("committed_db")


def make_scene() -> dict[str, str]:
    """A booking of £100.00: £35.00 by card, £3.00 at the desk, £5.00 with a voucher; another voucher is whole."""
    organization = make_organization()
    booking = book(make_session(make_activity(make_venue(organization), price_minor=10000)))
    card_account = make_account(organization)
    card = paid(card_account, 3500, reference=booking.id)
    desk = paid_at_desk(organization.id, 300, reference=booking.id)
    by_voucher = redeemed(make_voucher(organization.id, 500), 500, reference=booking.id)
    return {
        "account": str(card_account.id), "booking": str(booking.id), "card": str(card.id), "intent": card.intent_ref,
        "by_voucher": str(by_voucher.id), "voucher": str(make_voucher(organization.id, 1000).id),
        "refund": str(give_back(card, 700).id), "desk_refund": str(give_back(desk).id),
    }  # fmt: skip


class Summary(NamedTuple):
    """All that the acts may change."""

    paid: int = 4300
    on_vouchers: int = 1000
    refunds: tuple[str, ...] = ("requested", "requested")
    lost: int = 0
    ledger: int = 5
    facts: int = 8
    booking_facts: int = 5


def summary() -> Summary:
    """Return how the money stands."""
    return Summary(
        Payment.objects.filter(status="succeeded").aggregate(sum=Sum("amount_minor"))["sum"],
        Voucher.objects.aggregate(sum=Sum("balance_minor"))["sum"],
        tuple(Refund.objects.order_by("id").values_list("status", flat=True)),
        Dispute.objects.filter(status="lost").count(),
        LedgerTransaction.objects.count(),
        PaymentEvent.objects.count(),
        BookingEvent.objects.filter(booking=Booking.objects.get()).count(),
    )


DONE = {
    "redeem": Summary(paid=5300, on_vouchers=0, ledger=6, facts=10, booking_facts=6),
    "end_a_voucher": Summary(on_vouchers=0, ledger=6),
    "give_back_to_a_voucher": Summary(
        on_vouchers=1500, refunds=("requested", "requested", "succeeded"), ledger=6, facts=10, booking_facts=6
    ),
    "ask_for_a_refund": Summary(refunds=("requested", "requested", "requested"), facts=9),
    "hand_back_at_the_desk": Summary(refunds=("requested", "succeeded"), ledger=6, facts=9, booking_facts=6),
    "hear_of_a_refund": Summary(refunds=("succeeded", "requested"), ledger=6, facts=9, booking_facts=6),
    "hear_of_a_lost_dispute": Summary(lost=1, ledger=7, facts=11, booking_facts=7),
}


@pytest.mark.parametrize("failpoint", FAILPOINTS)
@pytest.mark.parametrize("act", REFUND_ACTS)
def test_a_crash_leaves_money_moved_or_not_and_coming_again_moves_it_once(
    die: Die, act: str, failpoint: str, admin_sql: RunSql
) -> None:
    scene: Scene = make_scene()
    assert summary() == Summary()
    before = everything()

    assert die(act, failpoint, scene) == EXIT_CODE

    wait_for_the_dead(admin_sql)
    if failpoint == "after_the_commit":
        assert summary() == DONE[act]
    else:
        assert everything() == before
    assert check_invariants() == []

    REFUND_ACTS[act](scene)  # the client, the provider or the next worker comes again
    assert summary() == DONE[act]
    assert (check_invariants(), sum(accounts().values())) == ([], 0)


@pytest.mark.parametrize(
    ("act", "went"), [("submit_and_die_with_the_answer", [("refund", -700)]), ("submit_and_die_before_asking", [])]
)
def test_a_worker_that_dies_with_a_refund_in_its_hand_leaves_it_to_the_next(
    die: Die, account: ProviderAccount, shop: Shop, act: str, went: list[tuple[str, int]]
) -> None:
    booking = book(make_session(make_activity(make_venue(account.organization), price_minor=10000)))
    payment = paid_online(account, shop, 3500, reference=booking.id)
    refund = give_back(payment, 700)
    scene = {"refund": str(refund.id), "bank": shop.url}

    assert die(act, NEVER, scene) == EXIT_CODE

    assert lines(shop)[1:] == went
    assert submit_refund(refund.id).status == "requested"  # claimed, for a while
    make_due(refund)
    assert submit_refund(refund.id).status == "succeeded"
    assert lines(shop)[1:] == [("refund", -700)]
    assert check_invariants() == []


def test_money_that_moves_without_its_ledger_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: an act that leaves the ledger out ends in another summary."""
    scene = make_scene()
    monkeypatch.setattr(ledger, "post_voucher", lambda *_, **__: None)
    vouchers.end_voucher(voucher_id=Voucher.objects.get(id=scene["voucher"]).id, actor=STAFF)
    assert summary() != DONE["end_a_voucher"]
