"""A bank, a shop, and an ear."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from payments.sandbox.server import BankServer
from tests.payments.bank.shop import Ear, Shop, listening, open_bank


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[BankServer]:
    """Serve a bank."""
    with open_bank(tmp_path / "bank") as server:
        yield server


@pytest.fixture
def shop(bank: BankServer) -> Shop:
    """Use it."""
    return Shop(bank.url)


@pytest.fixture
def ear() -> Iterator[Ear]:
    """Listen."""
    with listening() as ear:
        yield ear
