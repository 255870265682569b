"""Money that a payer's bank asks back: any order, any number of times, one end."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest

from config.kit.facts import ActorKind
from payments.models import Dispute, Payment, PaymentEvent
from payments.providers.base import DisputeOutcome
from payments.providers.shapes import outcome_of_dispute
from payments.services.balances import balance_of
from payments.services.disputes import apply_dispute_outcome
from payments.signals import dispute_closed, dispute_opened
from tests.payments.money import accounts, facts, make_account, paid, said_of_dispute

pytestmark = pytest.mark.django_db

KINDS = ("dispute_opened", "dispute_withdrawn", "dispute_reinstated", "dispute_won", "dispute_lost")
OPENED, WITHDRAWN = ("open", False), ("open", True)
DECIDED_FIRST, WON, LOST = ("won", True), ("won", False), ("lost", True)
BACK_TO_US = {"bookings": -4500, "clearing": 4500}
ENDS = [
    # what is told, how it ends, whether the bank has the money, the ledger, and what is ours
    ([OPENED], "open", False, BACK_TO_US, 4500),
    ([OPENED, WITHDRAWN], "open", True, {"bookings": -4500, "disputed": 4500}, 0),
    ([OPENED, WITHDRAWN, DECIDED_FIRST], "won", True, {"bookings": -4500, "disputed": 4500}, 4500),
    ([OPENED, WITHDRAWN, DECIDED_FIRST, WON], "won", False, BACK_TO_US, 4500),
    ([OPENED, WITHDRAWN, WITHDRAWN, WON], "won", False, BACK_TO_US, 4500),
    ([OPENED, WON], "won", False, BACK_TO_US, 4500),  # an inquiry: no money moved
    ([OPENED, WITHDRAWN, LOST], "lost", True, {"bookings": -4500, "lost": 4500}, 0),
    ([OPENED, LOST], "lost", True, {"bookings": -4500, "lost": 4500}, 0),
]


@pytest.mark.parametrize(
    ("moved", "is_withdrawn"),
    [([], False), ([-4500], True), ([-4500, 4500], False), ([-4500, 4380], False), ([-4380, 4500], False)],
)
def test_money_is_withdrawn_until_it_comes_back_at_whatever_rate(moved: list[int], is_withdrawn: bool) -> None:
    about = {"id": "dp_1", "status": "won", "amount": 4500, "currency": "gbp", "payment_intent": "pi_1"}
    said = outcome_of_dispute(about | {"balance_transactions": [{"amount": amount} for amount in moved]})
    assert said == DisputeOutcome("dp_1", "pi_1", 4500, "GBP", "won", is_withdrawn)


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """Listen to what the apps above hear of disputes."""
    told: list[str] = []

    def hear_opened(dispute_id: object, **_: object) -> None:
        told.append("opened")

    def hear_closed(dispute_id: object, status: str, **_: object) -> None:
        told.append(status)

    dispute_opened.connect(hear_opened)
    dispute_closed.connect(hear_closed)
    yield told
    dispute_opened.disconnect(hear_opened)
    dispute_closed.disconnect(hear_closed)


def tell(payment: Payment, *news: tuple[str, bool]) -> None:
    for status, is_withdrawn in news:
        assert payment.account_id
        assert apply_dispute_outcome(payment.account_id, said_of_dispute(payment, status, is_withdrawn=is_withdrawn))


@pytest.mark.parametrize(("news", "status", "is_withdrawn", "ledger", "ours_minor"), ENDS)
def test_a_dispute_ends_the_same_in_whatever_order_its_news_come_and_however_often(
    news: list[tuple[str, bool]], status: str, is_withdrawn: bool, ledger: dict[str, int], ours_minor: int
) -> None:
    orders = sorted(set(permutations(news)))
    for order in orders:
        payment = paid(make_account())
        before = accounts()
        tell(payment, *order, *order)
        dispute = Dispute.objects.get(payment=payment)
        assert (dispute.status, dispute.is_withdrawn) == (status, is_withdrawn), order
        after = accounts()
        moved = {name: after.get(name, 0) - before.get(name, 0) for name in {*before, *after, *ledger}}
        assert moved == {name: ledger.get(name, 0) - BACK_TO_US.get(name, 0) for name in moved}, order
        assert balance_of(payment.reference).net_minor == ours_minor


def test_a_chargeback_is_a_story_of_facts_and_those_above_hear_its_beginning_and_its_end(heard: list[str]) -> None:
    won, lost = (paid(make_account()) for _ in range(2))
    tell(won, OPENED, WITHDRAWN, WON)
    assert facts(won, *KINDS) == ["dispute_opened", "dispute_withdrawn", "dispute_won", "dispute_reinstated"]
    tell(lost, OPENED, WITHDRAWN, LOST)
    assert facts(lost, *KINDS) == ["dispute_opened", "dispute_withdrawn", "dispute_lost"]
    assert heard == ["opened", "won", "opened", "lost"]
    told = PaymentEvent.objects.get(payment=lost, kind="dispute_lost")
    assert (told.after["amount_minor"], told.after["currency"], told.actor_kind) == (4500, "GBP", ActorKind.SYSTEM)


def test_a_dispute_keeps_what_the_bank_says_about_it() -> None:
    account = make_account()
    payment = paid(account)
    days = [datetime(2031, 3, day, tzinfo=UTC) for day in (9, 12)]
    for day in [days[1], days[0]]:
        news = said_of_dispute(payment, "open", is_withdrawn=True, reason="fraudulent", answer_by=day, amount_minor=900)
        apply_dispute_outcome(account.id, news)
    dispute = Dispute.objects.get()
    assert (dispute.reason, dispute.answer_by, dispute.amount_minor) == ("fraudulent", days[1], 900)
    assert dispute.closed_at is None
    assert balance_of(payment.reference).refundable_minor == 3600


def test_two_disputes_of_one_payment_are_two() -> None:
    account = make_account()
    payment = paid(account)
    for ref, amount in (("dp_1", 1000), ("dp_2", 500)):
        news = said_of_dispute(payment, "lost", is_withdrawn=True, provider_ref=ref, amount_minor=amount)
        apply_dispute_outcome(account.id, news)
    assert balance_of(payment.reference).disputed_minor == 1500


def test_the_news_of_money_that_is_not_ours_waits() -> None:
    account, other = make_account(), make_account()
    payment = paid(account)
    news: dict[str, Any] = {"amount_minor": 1, "currency": "GBP", "status": "open", "is_withdrawn": True}
    assert not apply_dispute_outcome(other.id, DisputeOutcome("dp_1", payment.intent_ref, **news))
    assert not apply_dispute_outcome(account.id, DisputeOutcome("dp_1", "pi_none", **news))
    assert not apply_dispute_outcome(account.id, DisputeOutcome("dp_1", "", **news))
    assert Dispute.objects.count() == 0
