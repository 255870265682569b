"""Acts and states that the tests of the money pages share; what the provider says is said by the test."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from bookings.models import Booking
from bookings.services import paying
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from payments.models import Payment, Voucher
from payments.providers.base import Outcome, State
from payments.services import charges, vouchers
from scheduling.models import Activity, Session
from tests.bookings.paid import paid, shop
from tests.factories import CUSTOMER, make_session
from tests.pages.test_booking_pages import contact, hold_on_page

DESK = Actor(kind=ActorKind.STAFF, channel="admin", detail={"note": "a gesture"})
PAGE = "https://checkout.stripe.com/c/"


@dataclass
class Bank:
    """The provider, as far as pages notice: it opens a page, or is away."""

    is_away: bool = False
    asked: list[UUID] = field(default_factory=list)

    def begin(self, payment_id: UUID, **_: str) -> Payment:
        self.asked.append(payment_id)
        if self.is_away:
            raise charges.PaymentUnavailable(extra={"retry_after_seconds": 30})
        payment = Payment.objects.get(id=payment_id)
        names = {"provider_ref": f"cs_{payment_id.hex}", "redirect_url": f"{PAGE}{payment_id}"}
        return charges.apply_outcome(payment_id, Outcome(State.OPEN, payment.amount_minor, payment.currency, **names))


def own_page(payment: Payment) -> str:
    return f"/pay/{payment.id}.{payment.token}/"


def come_in(client: Client, booking: Booking) -> str:
    client.get(f"/bookings/{booking.number}.{booking.token}/")
    return f"/bookings/{booking.number}/"


def basket_at(client: Client, session: Session, count: int = 1) -> str:
    return str(hold_on_page(client, session, Adult=count)["Location"])


def voucher_of(session: Session, amount_minor: int) -> Voucher:
    return vouchers.issue_voucher(
        organization_id=session.organization_id, amount_minor=amount_minor, currency="GBP", expires_on=None, note="",
        issued_by=None, actor=DESK,
    )  # fmt: skip


def priced(response: Any, **more: str) -> dict[str, str]:
    """Return a page's form filled in, with what it holds of the price it shows."""
    hidden = dict(re.findall(r'type="hidden" name="(priced_\w+|expected_total|payment_method)" value="([^"]*)"',
                             response.content.decode()))  # fmt: skip
    return {**contact(), **hidden, "promo_code": hidden.get("priced_promo_code", ""),
            "voucher": hidden.get("priced_voucher", ""), **more}  # fmt: skip


def with_deposit() -> Booking:
    """Book at £30.00, of which £9.00 are paid."""
    activity: Activity = shop(deposit_percent=30, balance_days=1)
    return paid(make_session(activity, starts_in=timedelta(days=5)), 3)


def lapsed_balance(booking: Booking, amount_minor: int = 1050) -> Payment:
    """Open a balance payment at the provider, whose hour is over before anybody has paid."""
    payment = paying.open_balance(booking_id=booking.id, actor=CUSTOMER, amount_minor=amount_minor)
    charges.apply_outcome(payment.id, Outcome(State.OPEN, amount_minor, "GBP", redirect_url=PAGE))
    Payment.objects.filter(id=payment.id).update(expires_at=database_now() - timedelta(minutes=1))
    return payment


def close_as(monkeypatch: pytest.MonkeyPatch, state: State) -> None:
    """Have the provider close a payment's page, or say what became of it."""
    monkeypatch.setattr(charges, "close_payment", lambda payment_id: charges.apply_outcome(
        payment_id, Outcome(state, Payment.objects.get(id=payment_id).amount_minor, "GBP")))  # fmt: skip
