"""A chargeback as the bank tells of it: to our address, signed, in any order, some of it twice."""

import random

import pytest

from payments.models import Dispute, ProviderAccount
from payments.services.balances import balance_of
from tests.payments.bank.shop import Shop
from tests.payments.money import accounts, facts, paid_online
from tests.payments.scenes import apply_all, deliver, told

pytestmark = pytest.mark.usefixtures("committed_db")

STORY = ("dispute_opened", "dispute_withdrawn", "dispute_reinstated", "dispute_won", "dispute_lost")
BACK_TO_US, LOST = {"bookings": -4500, "clearing": 4500}, {"bookings": -4500, "lost": 4500}


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
@pytest.mark.parametrize(
    ("act", "end"),
    [
        ("", ("open", {"bookings": -4500, "disputed": 4500}, 0)),
        ("win_dispute", ("won", BACK_TO_US, 4500)),
        ("lose_dispute", ("lost", LOST, 0)),
    ],
)
def test_a_chargeback_is_written_down_with_its_amount_from_its_opening_to_its_end(
    account: ProviderAccount, shop: Shop, seed: int | None, act: str, end: tuple[str, dict[str, int], int]
) -> None:  # fmt: skip
    status, ledger, ours_minor = end
    payment = paid_online(account, shop)
    shop.act("open_dispute", payment.provider_ref)
    if act:
        shop.act(act, shop.ledger()["disputes"][0]["id"])
    news = told(shop)
    if seed:
        news = news + news
        random.Random(seed).shuffle(news)
    deliver(account, *news)
    apply_all()
    dispute = Dispute.objects.get()
    assert (dispute.status, dispute.amount_minor, dispute.currency) == (status, 4500, "GBP")
    assert (accounts(), balance_of(payment.reference).net_minor) == (ledger, ours_minor)
    ends = {"open": set(), "won": {"dispute_won", "dispute_reinstated"}, "lost": {"dispute_lost"}}
    assert sorted(facts(payment, *STORY)) == sorted({"dispute_opened", "dispute_withdrawn", *ends[status]})
