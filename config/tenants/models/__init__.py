"""Who owns and who may act: users, organizations, memberships, API keys; and what happened to them."""

from config.tenants.models.access import ApiKey, Membership, digest_of
from config.tenants.models.event import OrganizationEvent, OrganizationEventDetail
from config.tenants.models.organization import RESERVED_SLUGS, Language, Organization, TenantModel
from config.tenants.models.user import User, UserManager

__all__ = [
    "RESERVED_SLUGS", "ApiKey", "Language", "Membership", "Organization", "OrganizationEvent",
    "OrganizationEventDetail", "TenantModel", "User", "UserManager", "digest_of",
]  # fmt: skip
