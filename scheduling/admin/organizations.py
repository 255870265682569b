"""Tenants. Their page is here, since what suspends one also takes its sessions off sale."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from config.kit.admin import KeptAdmin
from config.tenants.models import Organization
from config.tenants.scoping import ByRole
from scheduling.services import catalogue


@admin.register(Organization)
class OrganizationAdmin(ByRole, KeptAdmin):
    """Whether it may sell is the site's word, not its own: no role includes the two actions."""

    fields = ("name", "slug", "currency", "status", "created_at")
    list_display = ("name", "slug", "currency", "status")
    list_filter = ("status",)
    search_fields = ("name", "slug")
    ordering = ("name",)
    actions = ("activate_organizations", "suspend_organizations")

    def get_readonly_fields(self, request: HttpRequest, obj: Organization | None = None) -> tuple[str, ...]:  # noqa: ARG002
        """The slug stands in addresses that people have kept."""
        return ("status", "created_at", "slug") if obj else ("status", "created_at")

    def can_be(self, act: str, row: Organization) -> bool:
        """Suspend what may sell, and the other way about."""
        return row.is_active == (act == "suspend_organizations")

    @admin.action(description="Activate: may sell")
    def activate_organizations(self, request: HttpRequest, organizations: QuerySet[Organization]) -> None:
        """Let them sell again."""
        self._set_status(request, organizations, Organization.Status.ACTIVE)

    @admin.action(description="Suspend: sells nothing, bookings stay")
    def suspend_organizations(self, request: HttpRequest, organizations: QuerySet[Organization]) -> None:
        """Stop their sale."""
        self._set_status(request, organizations, Organization.Status.SUSPENDED)

    def _set_status(
        self, request: HttpRequest, organizations: QuerySet[Organization], status: Organization.Status
    ) -> None:
        def act(organization: Organization) -> str:
            catalogue.set_organization_status(organization_id=organization.id, status=status)
            return f"{status.value}."

        self.act_on_each(request, organizations, act)
