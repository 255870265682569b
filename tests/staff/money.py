"""One of everything that has to do with money, for the pages that show it."""

from datetime import timedelta

from bookings.models import Booking
from bookings.services.promo_code_issue import PromoTerms, create_promo_code
from config.kit.clock import database_now
from config.tenants.models import Organization
from payments.models import Payment, ProviderAccount, Reconciliation
from payments.services.disputes import apply_dispute_outcome
from tests.payments.money import STAFF, give_back, make_account, make_voucher, paid, said_of_dispute

DIFFERENCES = [
    {"kind": "missing_here", "ref": "txn_1", "currency": "GBP", "ours_minor": None, "theirs_minor": 4500,
     "healed": True},
    {"kind": "amount_differs", "ref": "txn_2", "currency": "GBP", "ours_minor": 1000, "theirs_minor": 900,
     "healed": False},
]  # fmt: skip


def account_of(organization: Organization) -> ProviderAccount:
    """Return the account that takes its money, connected now if there is none."""
    found = ProviderAccount.objects.filter(organization=organization, ended_at=None).first()
    return found or make_account(organization)


def pay_online(booking: Booking, amount_minor: int | None = None) -> Payment:
    """Have a booking paid at the provider, all of it unless it is said how much."""
    return paid(account_of(booking.organization), amount_minor or booking.total_minor, reference=booking.id)


def make_money(booking: Booking) -> None:
    """Create a payment, a refund, a dispute, a voucher, a promo code and a reconciliation beside a booking."""
    organization, now = booking.organization, database_now()
    payment = pay_online(booking)
    give_back(payment, payment.amount_minor // 2)
    account = account_of(organization)
    apply_dispute_outcome(account.id, said_of_dispute(payment, "open", is_withdrawn=False, amount_minor=100))
    make_voucher(organization.id)
    create_promo_code(
        organization_id=organization.id, terms=PromoTerms(f"SPRING-{booking.number}", percent=10), actor=STAFF
    )
    Reconciliation.objects.create(
        organization=organization, account=account, since=now - timedelta(hours=1), until=now,
        checked=2, differences=DIFFERENCES, open_count=1,
    )  # fmt: skip
