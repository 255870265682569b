"""A provider that is slow, down or unsure: nothing is held meanwhile, nobody is kept waiting, nothing happens twice."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from time import sleep

import pytest
import redis
from django.db import transaction
from pybreaker import CircuitRedisStorage
from pytest_django.fixtures import Settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from payments.models import Payment, ProviderAccount
from payments.providers import gateway
from payments.providers.base import ProviderBusy, ProviderDown, ProviderRefused
from payments.providers.gateway import InsideTransaction, NobodyAsks, ask, patient
from payments.services import charges, closing
from payments.services.charges import PaymentUnavailable
from tests.concurrency.races import Background
from tests.conftest import RunSql
from tests.payments.bank.shop import Shop, until
from tests.payments.scenes import begin, begun_payment, end_time, open_payment, sessions_at, status_of, story_of


@pytest.fixture(autouse=True)
def new_breakers(committed_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin with nothing known of any provider, here and in Redis, and with every seat free."""
    monkeypatch.setattr(gateway, "_memory", {})


class Counted:
    """A question that fails so often, and then is answered; it counts how often it was put."""

    def __init__(self, error: Exception, times: int = 1000) -> None:
        self.error, self.times, self.put = error, times, 0

    def __call__(self) -> str:
        self.put += 1
        if self.put <= self.times:
            raise self.error
        return "answer"


def put(question: Callable[[], str], times: int, account: str = "one") -> list[str]:
    """Put a question so often; return what came back, by the name of its kind."""
    outcomes = []
    for _ in range(times):
        try:
            outcomes.append(ask(account, question))
        except Exception as error:  # noqa: BLE001 every outcome counts
            outcomes.append(type(error).__name__)
    return outcomes


# The breaker ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["with Redis", "with Redis away"])
def wherever(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what is known in Redis, or, when that does not answer, in the process."""
    if request.param == "with Redis away":
        monkeypatch.setattr(gateway, "_redis", lambda: redis.Redis(port=1, retry=Retry(NoBackoff(), 0)))


@pytest.mark.usefixtures("wherever")
def test_after_five_failures_nobody_asks_for_half_a_minute() -> None:
    question = Counted(ProviderDown("away"))
    assert put(question, 8) == ["ProviderDown"] * 5 + ["NobodyAsks"] * 3
    assert question.put == 5
    assert put(Counted(ProviderDown("away"), times=0), 1, account="another") == ["answer"]


@pytest.mark.usefixtures("wherever")
def test_one_tries_when_the_rest_is_over_and_its_answer_lets_everybody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    question = Counted(ProviderDown("away"), times=6)
    put(question, 6)
    let_rest_pass()
    assert put(question, 1) == ["ProviderDown"], "the one that tries"
    assert put(question, 1) == ["NobodyAsks"]
    let_rest_pass()
    assert put(question, 3) == ["answer"] * 3


def let_rest_pass() -> None:
    """Let the breaker have opened long ago."""
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    storage = gateway._storage("one")
    if isinstance(storage, CircuitRedisStorage):
        gateway._redis().set("provider:one:pybreaker:opened_at", int(long_ago.timestamp()))
    else:
        storage.opened_at = long_ago


def test_a_definite_no_is_an_answer() -> None:
    assert put(Counted(ProviderRefused("no", code="card_declined")), 8) == ["ProviderRefused"] * 8


def test_the_fifth_failure_opens_it_for_every_process() -> None:
    put(Counted(ProviderDown("away")), 5)
    assert gateway.is_resting("one")
    assert not gateway.is_resting("another")


# The bulkhead -----------------------------------------------------------------------------------------------------


@pytest.fixture
def crowd() -> Iterator[Callable[[], None]]:
    """Let two threads wait for the provider until the end of the test."""
    with ExitStack() as stack:
        go_on = threading.Event()
        stack.callback(go_on.set)

        def wait() -> None:
            entered = threading.Barrier(3, timeout=10)

            def question() -> str:
                entered.wait()
                go_on.wait(20)
                return "answer"

            for _ in range(gateway.SEATS):
                stack.callback(Background(lambda: ask("one", question)).outcome)
            stack.callback(go_on.set)
            entered.wait()

        yield wait


def test_two_may_wait_and_who_comes_then_is_told_at_once(crowd: Callable[[], None]) -> None:
    crowd()  # two at a time: one breaker for all would let them in singly, and this would never come to be
    question = Counted(ProviderDown("away"), times=0)
    assert put(question, 2, account="another") == ["NobodyAsks", "NobodyAsks"]
    assert question.put == 0


def test_a_seat_is_free_again_after_a_failure() -> None:
    assert put(Counted(ProviderDown("away"), times=4), 5) == ["ProviderDown"] * 4 + ["answer"]


# Patience ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the pauses between tries out."""
    for name in ("FIRST_PAUSE_SECONDS", "LONGEST_PAUSE_SECONDS", "JITTER_SECONDS"):
        monkeypatch.setattr(gateway, name, 0.001)


@pytest.mark.usefixtures("at_once")
def test_a_worker_asks_again_and_a_person_is_told() -> None:
    hurried = Counted(ProviderDown("away"), times=2)
    assert put(hurried, 1) == ["ProviderDown"]
    worker = Counted(ProviderDown("away"), times=2)
    assert patient(put)(worker, 1, account="another") == ["answer"]
    assert (hurried.put, worker.put) == (1, 3)


@pytest.mark.usefixtures("at_once")
def test_a_worker_asks_again_neither_after_a_no_nor_for_ever() -> None:
    refused, away = Counted(ProviderRefused("no")), Counted(ProviderDown("away"))
    assert patient(put)(refused, 1) == ["ProviderRefused"]
    assert patient(put)(away, 1) == ["ProviderDown"]
    assert (refused.put, away.put) == (1, gateway.TRIES)


@pytest.mark.usefixtures("at_once")
def test_who_is_told_that_the_same_is_being_done_asks_again() -> None:
    assert put(Counted(ProviderBusy("busy"), times=3), 1) == ["answer"]


# Nothing is held --------------------------------------------------------------------------------------------------


def test_a_provider_is_never_asked_inside_a_transaction(account: ProviderAccount) -> None:
    payment = open_payment(account)
    with pytest.raises(InsideTransaction), transaction.atomic():
        begin(payment)
    assert status_of(payment) == "created"


def test_while_a_slow_bank_is_asked_nothing_is_open_and_nothing_is_locked(
    account: ProviderAccount, shop: Shop, admin_sql: RunSql
) -> None:
    payment = open_payment(account)
    shop.faults(slow_seconds=30)
    asking = Background(lambda: begin(payment))
    until(lambda: Payment.objects.get(id=payment.id).looked_at)
    sleep(0.1)
    open_now = admin_sql(
        "SELECT state, query FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND (state LIKE 'idle in transaction%%' OR xact_start IS NOT NULL) AND backend_type = 'client backend'"
    )
    with transaction.atomic():
        Payment.objects.select_for_update(nowait=True).get(id=payment.id)
    shop.faults()
    begun = asking.outcome()
    assert open_now == []
    assert isinstance(begun, Payment)
    assert (begun.status, len(sessions_at(shop))) == ("processing", 1)


def test_a_bank_that_is_too_slow_is_told_to_the_customer_and_nothing_is_charged_twice(
    account: ProviderAccount, shop: Shop, settings: Settings
) -> None:
    usual, settings.PAYMENT_TIMEOUT_SECONDS = settings.PAYMENT_TIMEOUT_SECONDS, 0.3
    payment = open_payment(account)
    shop.faults(slow_seconds=1)
    with pytest.raises(PaymentUnavailable):
        begin(payment)
    shop.faults()
    settings.PAYMENT_TIMEOUT_SECONDS = usual
    until(lambda: sessions_at(shop))  # the bank has done it, after all
    payment = begin(payment)
    assert sessions_at(shop) == [payment.provider_ref]


def test_while_the_bank_is_down_the_checkout_says_so_and_goes_on_afterwards(
    account: ProviderAccount, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = open_payment(account)
    shop.faults(down=True)
    for _ in range(gateway.FAILURES):
        with pytest.raises(PaymentUnavailable):
            begin(payment)
    shop.faults()
    with pytest.raises(PaymentUnavailable) as refused:
        begin(payment)
    assert isinstance(refused.value.__cause__, NobodyAsks), "it is back, and nobody asks yet"
    assert refused.value.extra == {"retry_after_seconds": gateway.REST_SECONDS}
    assert (status_of(payment), sessions_at(shop)) == ("created", [])

    monkeypatch.setattr(gateway, "REST_SECONDS", 0)
    payment = begin(payment)
    shop.pay(payment.provider_ref)
    assert charges.refresh_payment(payment.id).status == "succeeded"
    assert sessions_at(shop) == [payment.provider_ref]


def test_a_bank_that_is_asked_too_much_says_when_to_come_again(account: ProviderAccount, shop: Shop) -> None:
    payment = open_payment(account)
    shop.faults(rate_limited=1)
    with pytest.raises(PaymentUnavailable):
        begin(payment)
    assert begin(payment).status == "processing"


def test_the_sweeps_go_on_when_the_bank_is_back(account: ProviderAccount, shop: Shop) -> None:
    payment = begun_payment(account)
    end_time(payment)
    shop.faults(down=True)
    assert closing.close_lapsed_payments() == 0
    shop.faults()
    Payment.objects.filter(id=payment.id).update(looked_at=None)
    assert closing.close_lapsed_payments() == 1
    assert story_of(payment).status == "cancelled"
