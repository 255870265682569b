"""A process dies with -9 around each act with money that comes in: it is there, with its booking, or not at all."""

from datetime import timedelta
from typing import NamedTuple

import pytest

from alerts.services.auditor import check_invariants
from bookings.models import Booking
from config.kit.clock import database_now
from payments.models import LedgerTransaction, Payment, ProviderEvent
from payments.signals import payment_succeeded
from tests.conftest import RunSql
from tests.crash.acts import Scene
from tests.crash.failpoints import EXIT_CODE, FAILPOINTS, NEVER
from tests.crash.payment_acts import PAYMENT_ACTS
from tests.crash.test_crashes import Die, die, everything, wait_for_the_dead
from tests.factories import book_online, make_activity, make_organization, make_session, make_venue, open_payment_of
from tests.payments.bank.shop import Shop
from tests.payments.conftest import bank_url, shop
from tests.payments.scenes import begin, deliver, make_account, told

__all__ = ["bank_url", "die", "shop"]

pytestmark = pytest.mark.usefixtures("committed_db")


def make_scene(act: str, shop: Shop) -> dict[str, str]:
    """A booking that waits for its money: not begun, paid at the bank, or over, as the act needs it."""
    organization = make_organization()
    account = make_account(organization, shop)
    booking = book_online(make_session(make_activity(make_venue(organization), price_minor=4500)))
    payment = open_payment_of(booking)
    scene = {"bank": shop.url, "booking": str(booking.id), "payment": str(payment.id)}
    if act.startswith("begin"):
        return scene
    payment = begin(payment)
    if act.startswith("close"):
        Payment.objects.filter(id=payment.id).update(expires_at=database_now())
        return scene
    shop.pay(payment.provider_ref)
    deliver(account, next(each for each in told(shop) if each["type"] == "checkout.session.completed"))
    let_pauses_pass()
    return scene | {"event": str(ProviderEvent.objects.get().id)}


def let_pauses_pass() -> None:
    """Let the last look at the bank be five minutes ago."""
    Payment.objects.exclude(looked_at=None).update(looked_at=database_now() - timedelta(minutes=5))


class Summary(NamedTuple):
    """How the money stands, here and at the bank, and the booking with it."""

    payment: str
    booking: str
    ledger: int
    checkouts: tuple[str, ...]


def summary(scene: Scene, shop: Shop) -> Summary:
    """Return how it all stands."""
    return Summary(
        Payment.objects.get(id=scene["payment"]).status, Booking.objects.get(id=scene["booking"]).status,
        LedgerTransaction.objects.count(),
        tuple(str(session.status) for session in shop.client.v1.checkout.sessions.list().data),
    )  # fmt: skip


DONE = {
    "begin_a_payment": Summary("processing", "pending", 0, ("open",)),
    "hear_that_it_was_paid": Summary("succeeded", "confirmed", 1, ("complete",)),
    "look_for_what_was_paid": Summary("succeeded", "confirmed", 1, ("complete",)),
    "close_what_is_over": Summary("cancelled", "pending", 0, ("expired",)),
}


@pytest.mark.parametrize("failpoint", FAILPOINTS)
@pytest.mark.parametrize("act", PAYMENT_ACTS)
def test_a_crash_leaves_an_act_with_money_that_comes_done_or_to_be_done_again(
    die: Die, act: str, failpoint: str, admin_sql: RunSql, shop: Shop
) -> None:
    scene = make_scene(act, shop)
    before = everything()

    assert die(act, failpoint, scene) == EXIT_CODE

    wait_for_the_dead(admin_sql)
    if failpoint != "after_the_commit":
        assert everything() == before
    elif act == "hear_that_it_was_paid":
        assert summary(scene, shop) == DONE[act]
    assert check_invariants() == []

    let_pauses_pass()
    PAYMENT_ACTS[act](scene)  # the client, or the next worker, comes again
    assert summary(scene, shop) == DONE[act]
    assert check_invariants() == []


@pytest.mark.parametrize(
    ("dies", "act"),
    [
        ("begin_and_die_with_the_answer", "begin_a_payment"),
        ("begin_and_die_with_the_answer", "close_what_is_over"),
        ("close_and_die_with_the_answer", "close_what_is_over"),
    ],
)
def test_an_answer_of_the_bank_that_dies_with_its_process_is_found_and_nothing_happens_twice(
    die: Die, dies: str, act: str, admin_sql: RunSql, shop: Shop
) -> None:
    scene = make_scene(dies, shop)
    assert die(dies, NEVER, scene) == EXIT_CODE
    wait_for_the_dead(admin_sql)
    assert len(summary(scene, shop).checkouts) == 1

    let_pauses_pass()
    if act == "close_what_is_over":
        Payment.objects.filter(id=scene["payment"]).update(expires_at=database_now())
    PAYMENT_ACTS[act](scene)
    assert summary(scene, shop) == DONE[act]


def test_money_that_is_not_settled_with_its_booking_would_be_seen(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: whoever settles and does not tell is refused by the database, at the commit."""
    scene = make_scene("hear_that_it_was_paid", shop)
    before = summary(scene, shop)
    monkeypatch.setattr(payment_succeeded, "receivers", [])
    PAYMENT_ACTS["hear_that_it_was_paid"](scene)
    assert summary(scene, shop) == before != DONE["hear_that_it_was_paid"]
    assert ProviderEvent.objects.exclude(last_error="").get().last_error == "IntegrityError"
