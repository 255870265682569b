"""Who owns and who may act. People who sign in are the superusers' affair; members and keys go by role."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest

from config.kit.admin import KeptAdmin, ShownAdmin
from config.kit.facts import Actor
from config.tenants.history import record_organization_event
from config.tenants.models import ApiKey, Membership, User
from config.tenants.scoping import OWNER_FILTER, ByRole

if TYPE_CHECKING:  # Django's classes take no type arguments when they run, and Unfold has no types
    from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm, UserChangeForm

    AnyUserAdmin = DjangoUserAdmin[User]
    UserCreationForm = AdminUserCreationForm[User]
    UserForm = UserChangeForm[User]
else:
    from unfold.forms import AdminPasswordChangeForm, UserCreationForm
    from unfold.forms import UserChangeForm as UserForm

    AnyUserAdmin = DjangoUserAdmin


admin.site.unregister(Group)  # rights come from memberships; Django's own groups and permissions give none here


class LowercaseEmail:
    """An address is known without case, so it is kept in small letters."""

    cleaned_data: dict[str, Any]

    def clean_email(self) -> str:
        """Write it small."""
        return str(self.cleaned_data["email"]).lower()


class NewUserForm(LowercaseEmail, UserCreationForm):
    """A user is known by e-mail address."""

    class Meta:
        model = User
        fields = ("email", "name")


class KnownUserForm(LowercaseEmail, UserForm):
    """A user is known by e-mail address."""

    class Meta:
        model = User
        fields = "__all__"


@admin.register(User)
class UserAdmin(KeptAdmin, AnyUserAdmin):
    """People who sign in."""

    form = KnownUserForm
    add_form = NewUserForm
    change_password_form = AdminPasswordChangeForm
    add_fieldsets = ((None, {"fields": ("email", "name", "usable_password", "password1", "password2")}),)
    fieldsets = (
        (None, {"fields": ("email", "password", "name")}),
        ("May", {"fields": ("is_active", "is_staff", "is_superuser")}),
        ("Since", {"fields": ("created_at", "last_login")}),
    )
    readonly_fields = ("created_at", "last_login")
    list_display = ("email", "name", "is_active", "is_staff", "is_superuser")
    list_filter = ("is_active", "is_staff", "is_superuser")
    filter_horizontal = ()
    search_fields = ("email", "name")
    ordering = ("email",)


@admin.register(Membership)
class MembershipAdmin(ByRole, KeptAdmin):
    """What a user may do in an organization; only the role changes, and nobody changes their own."""

    fields = ("user", "organization", "role")
    list_display = ("user", "person", "organization", "role")
    list_filter = ("role", OWNER_FILTER)
    list_select_related = ("user", "organization")
    search_fields = ("user__email", "user__name", "organization__name")
    autocomplete_fields = ("user", "organization")
    ordering = ("organization__name", "user__email")

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> tuple[str, ...]:  # noqa: ARG002
        """Who and where stay as they are."""
        return ("user", "organization") if obj else ()

    def record(self, row: Membership, actor: Actor, *, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Write who may act as what."""
        told = {"membership": str(row.id), "user": str(row.user_id), **after}
        kind = "member_changed" if before else "member_added"
        record_organization_event(
            organization_id=row.organization_id, kind=kind, actor=actor, before=before, after=told
        )

    def has_change_permission(self, request: HttpRequest, obj: Membership | None = None) -> bool:
        """Whoever could change their own role could be anything."""
        is_own = obj is not None and obj.user_id == request.user.pk and not request.user.is_superuser
        return super().has_change_permission(request, obj) and not is_own

    @admin.display(description="name", ordering="user__name")
    def person(self, membership: Membership) -> str:
        """Return who it is."""
        return membership.user.name


@admin.register(ApiKey)
class ApiKeyAdmin(ByRole, ShownAdmin):
    """Programs' keys. `create_api_key` makes them: their text is shown once, there."""

    fields = ("organization", "name", "prefix", "scopes", "created_at", "expires_at", "revoked_at")
    list_display = ("name", "organization", "prefix", "created_at", "expires_at", "revoked_at")
    list_select_related = ("organization",)
    search_fields = ("name", "prefix", "organization__name")
    ordering = ("-created_at",)
