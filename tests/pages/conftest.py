"""Fixtures of the tests of pages."""

import pytest
from django.core.cache import cache

from payments.models import Payment
from payments.services import charges
from tests.pages.money import Bank


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch) -> Bank:
    """The provider is never asked: this answers for it."""
    cache.clear()
    bank = Bank()
    monkeypatch.setattr(charges, "begin_payment", bank.begin)
    monkeypatch.setattr(charges, "refresh_payment", lambda payment_id: Payment.objects.get(id=payment_id))
    return bank
