"""What tests of prices begin with: organizations that sell online, codes, vouchers."""

from typing import Any
from uuid import UUID, uuid4

from bookings.models import PromoCode
from bookings.services.promo_code_issue import PromoTerms, create_promo_code
from config.kit.secrets import seal_secret
from config.tenants.models import Organization
from payments.models import ProviderAccount, Voucher
from payments.services import vouchers
from scheduling.models import Activity
from tests.factories import CUSTOMER, make_activity, make_organization, make_venue


def sells_online(organization: Organization | None = None) -> Organization:
    """Return an organization with an account at a provider, which nobody asks anything here."""
    organization = organization or make_organization()
    account = ProviderAccount(organization=organization, provider="stripe", account_ref=f"acct_{uuid4().hex}")
    account.api_key, account.sealed_webhook_secret = "sk_test_1", seal_secret("whsec_1")
    account.save()
    return organization


def online(**overrides: Any) -> Activity:
    """Create an activity that is paid for online alone."""
    return make_activity(make_venue(sells_online()), **{"pay_on_arrival": False, **overrides})


def make_code(organization_id: UUID, activities: tuple[UUID, ...] = (), **terms: Any) -> PromoCode:
    """Make the code SUMMER: ten percent off, unless said otherwise."""
    plain = {"code": "SUMMER"} | ({} if "amount_minor" in terms else {"percent": 10})
    return create_promo_code(
        organization_id=organization_id, terms=PromoTerms(**{**plain, **terms}), activities=activities
    )


def give_voucher(organization: Organization, amount_minor: int) -> Voucher:
    """Issue a voucher in pounds, without an end."""
    return vouchers.issue_voucher(
        organization_id=organization.id, amount_minor=amount_minor, currency="GBP", expires_on=None, note="",
        issued_by=None, actor=CUSTOMER,
    )  # fmt: skip
