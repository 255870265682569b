"""The demo's money, beside a bank: every state of it, and two sets of books that agree to the unit."""

from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest
from django.db.models import F, Sum
from pytest_django import Settings

from alerts.services import auditor
from bookings.models import Booking, BookingEvent, PromoCode
from bookings.services.expiry import REMIND_BEFORE
from config.kit.clock import database_now
from config.tenants.models import Organization
from payments.models import Dispute, Payment, ProviderAccount, Reconciliation, Refund, Voucher
from payments.services import charges
from payments.services.balances import balance_of
from payments.services.reconciliation import reconcile_accounts
from scheduling.models import Activity
from tests.demo.conftest import SLUGS, run_demo
from tests.payments.bank.shop import ask

pytestmark = pytest.mark.usefixtures("paid_demo_output")  # committed: a bank is asked outside transactions alone


def story_of(booking_id: UUID) -> list[str]:
    """Return the kinds of a booking's facts, in their order."""
    return list(BookingEvent.objects.filter(booking=booking_id).order_by("seq").values_list("kind", flat=True))


def test_every_organization_is_paid_online_and_at_the_desk() -> None:
    organizations = Organization.objects.in_bulk()
    assert all(charges.can_pay_online(organization_id) for organization_id in organizations)
    paid = Payment.objects.filter(status="succeeded").values_list("organization__slug", "provider")
    assert set(paid) - {("lantern-yard", "voucher")} == {
        (slug, provider) for slug in SLUGS for provider in ("stripe", "on_arrival")
    }


def test_what_could_not_be_booked_without_a_bank_is_booked_now() -> None:
    priced = Activity.objects.on_sale().filter(pay_on_arrival=False, units__price_minor__gt=0)
    booked = Booking.objects.filter(status="confirmed", payment_method="online")
    slugs = set(booked.values_list("lines__session__activity__slug", flat=True))
    assert slugs >= set(priced.values_list("slug", flat=True)) >= {"climbing-wall", "home-match"}
    assert "laser-tag" in slugs  # which can be paid on arrival as well


def test_no_payment_hangs_and_no_checkout_waits() -> None:
    assert set(Payment.objects.values_list("status", flat=True)) == {"succeeded"}
    assert set(Booking.objects.values_list("status", flat=True)) == {"confirmed", "cancelled", "expired"}


def test_a_deposit_is_paid_and_what_is_left_is_due_soon() -> None:
    terms = Activity.objects.exclude(deposit_percent=None).values_list("organization__slug", "deposit_percent")
    assert set(terms) == {("beacon-first-aid", 30)}
    booking = Booking.objects.exclude(balance_due_at=None).earliest("balance_due_at")
    assert booking.balance_due_at
    assert booking.balance_due_at < database_now() + REMIND_BEFORE + timedelta(days=3)
    assert (booking.deposit_minor, balance_of(booking.id).net_minor) == (2550, 2550)
    assert booking.total_minor == 8500


def test_one_organization_takes_euros_besides() -> None:
    others = Organization.objects.exclude(other_currencies=[]).values_list("slug", "currency", "other_currencies")
    assert list(others) == [("silberhorn-ski-school", "CHF", ["EUR"])]
    online = Payment.objects.filter(organization__slug="silberhorn-ski-school", provider="stripe")
    assert set(online.values_list("currency", flat=True)) == {"CHF", "EUR"}


def test_codes_are_used_and_a_voucher_is_spent_in_part(paid_demo_output: str) -> None:
    assert dict(PromoCode.objects.values_list("code", "uses")) == {"WELCOME10": 1, "MATCHDAY5": 1}
    left = Voucher.objects.order_by("-issued_minor").values_list("issued_minor", "balance_minor")
    assert list(left) == [(10000, 3600), (5000, 5000), (2500, 2500)]
    for code in [*PromoCode.objects.values_list("code", flat=True), *Voucher.objects.values_list("code", flat=True)]:
        assert code in paid_demo_output


def test_a_partial_refund_has_gone_back() -> None:
    refund = Refund.objects.get(reason=Refund.Reason.GOODWILL)
    booking = Booking.objects.get(id=refund.reference)
    assert (refund.status, booking.status, booking.rebate_minor) == ("succeeded", "confirmed", refund.amount_minor)
    assert balance_of(booking.id).net_minor == booking.total_minor == 3 * refund.amount_minor
    assert story_of(booking.id)[-2:] == ["rebate_given", "payment_returned"]


def test_a_refund_has_failed_after_every_try() -> None:
    refund = Refund.objects.get(status=Refund.Status.FAILED)
    assert (refund.attempt, refund.failure_code, refund.next_try_at) == (6, "lost_or_stolen_card", None)
    assert story_of(refund.reference)[-1] == "refund_failed"


def test_a_late_payment_has_gone_back() -> None:
    refund = Refund.objects.get(reason=Refund.Reason.LATE)
    booking = Booking.objects.get(id=refund.reference)
    assert (refund.status, booking.status, balance_of(booking.id).net_minor) == ("succeeded", "expired", 0)
    assert BookingEvent.objects.get(booking=booking, kind="late_payment_returned").reason_code == "places_gone"


def test_a_dispute_is_open() -> None:
    dispute = Dispute.objects.select_related("payment").get()
    booking = Booking.objects.get(id=dispute.payment.reference)
    assert (dispute.status, dispute.is_withdrawn, booking.status) == ("open", True, "confirmed")
    assert story_of(booking.id)[-1] == "payment_disputed"


def test_the_banks_books_and_ours_agree(settings: Settings) -> None:
    for account in ProviderAccount.objects.all():
        totals = ask(f"{settings.STRIPE_API_BASE}/sandbox/ledger?account={account.account_ref}")["totals"]
        assert {currency.upper(): figures["balance"] for currency, figures in totals.items()} == cleared(account)
    assert reconcile_accounts() == 0
    assert set(Reconciliation.objects.values_list("open_count", flat=True)) == {0}
    assert [row.differences for row in Reconciliation.objects.all()] == [[]] * len(SLUGS)


def cleared(account: ProviderAccount) -> dict[str, int]:
    """Return by currency what payments, refunds and disputes come to at the bank, by our rows."""
    sums: Counter[str] = Counter()
    paid = Payment.objects.filter(account=account, status="succeeded")
    back = Refund.objects.filter(payment__account=account, status="succeeded")
    gone = Dispute.objects.filter(payment__account=account, is_withdrawn=True)
    for rows, sign in ((paid, 1), (back, -1), (gone, -1)):
        for currency, amount in rows.values_list("currency").annotate(sum=Sum("amount_minor")):
            sums[currency] += sign * amount
    return dict(sums)


def test_nothing_is_broken() -> None:
    assert auditor.check_invariants() == []
    assert not Voucher.objects.filter(balance_minor__gt=F("issued_minor")).exists()


def test_again_changes_nothing() -> None:
    before = how_much()
    assert "nothing was changed" in run_demo()
    assert how_much() == before


def how_much() -> list[int]:
    """Return how many rows of money there are."""
    return [model._default_manager.count() for model in (Payment, Refund, Voucher, PromoCode, ProviderAccount)]
