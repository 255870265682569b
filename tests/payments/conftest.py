"""A bank of its own, as a process, for all tests of money; and an account at it for each."""

import os
import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import pytest
from pytest_django.fixtures import Settings

from payments.models import ProviderAccount
from payments.signals import dispute_closed, dispute_opened, payment_failed, payment_succeeded, refund_settled
from tests.factories import make_organization
from tests.payments.bank.shop import Shop
from tests.payments.scenes import make_account
from tests.servers import ROOT

SAYS_WHERE = ", at "
TOLD_TO_BOOKINGS = (payment_succeeded, payment_failed, refund_settled, dispute_opened, dispute_closed)


@pytest.fixture(autouse=True)
def nobody_else_hears(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave bookings out: what payments are for here is any id. Bookings' own tests hear everything."""
    for signal in TOLD_TO_BOOKINGS:
        monkeypatch.setattr(signal, "receivers", [])


@pytest.fixture(scope="session")
def bank_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a bank for the length of the session, and say where."""
    command = [sys.executable, "-m", "payments.sandbox", "--folder", str(tmp_path_factory.mktemp("bank"))]
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"DEMO": "on"}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip().rpartition(SAYS_WHERE)[2]
        process.terminate()


@pytest.fixture
def shop(bank_url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Look at an account of one's own at the bank, which behaves well until it is told otherwise."""
    settings.STRIPE_API_BASE = bank_url
    monkeypatch.setenv("STRIPE_API_BASE", bank_url)  # for children
    shop = Shop(bank_url, f"sk_test_{uuid4().hex}")
    shop.faults()
    yield shop
    shop.faults()


@pytest.fixture
def account(shop: Shop, committed_db: None) -> ProviderAccount:
    """Connect an organization to that account."""
    return make_account(make_organization(), shop)
