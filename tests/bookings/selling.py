"""What tests of prices begin with: organizations that sell online, and codes."""

from typing import Any
from uuid import UUID

from bookings.models import PromoCode
from bookings.services.promo_code_issue import PromoTerms, create_promo_code
from config.tenants.models import Organization
from tests.factories import STAFF, make_account, make_organization


def sells_online(organization: Organization | None = None) -> Organization:
    """Return an organization with an account at a provider, which nobody asks anything here."""
    organization = organization or make_organization()
    make_account(organization)
    return organization


def make_code(organization_id: UUID, activities: tuple[UUID, ...] = (), **terms: Any) -> PromoCode:
    """Make the code SUMMER: ten percent off, unless said otherwise."""
    plain = {"code": "SUMMER"} | ({} if "amount_minor" in terms else {"percent": 10})
    return create_promo_code(
        organization_id=organization_id,
        terms=PromoTerms(**{**plain, **terms}),
        activities=activities,
        actor=STAFF,
    )
