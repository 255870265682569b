"""Who owns and who may act, for those who run the site; and the kinds of admin page that every app's admin is made of.

These pages show every tenant's rows, so they open for superusers alone.
"""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from babel.numbers import format_currency, get_currency_precision
from django import forms
from django.contrib import admin
from django.contrib.admin.utils import flatten
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.http import HttpRequest

from config.tenants.models import ApiKey, Membership, User

if TYPE_CHECKING:  # Django's admin classes take no type arguments when they run
    AnyModelAdmin = admin.ModelAdmin[Any]
    AnyModelForm = forms.ModelForm[Any]
    AnyTabularInline = admin.TabularInline[Any, Any]
    AnyUserAdmin = DjangoUserAdmin[User]
    UserCreationForm = AdminUserCreationForm[User]
    UserForm = UserChangeForm[User]
else:
    AnyModelAdmin, AnyModelForm, AnyTabularInline = admin.ModelAdmin, forms.ModelForm, admin.TabularInline
    AnyUserAdmin, UserCreationForm, UserForm = DjangoUserAdmin, AdminUserCreationForm, UserChangeForm


# What all pages are made of ---------------------------------------------------------------------------------------


class ForSuperusers:
    """Superusers may see, add and change. Nothing with business meaning is deleted, by nobody."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the app on the first page?"""
        return request.user.is_active and request.user.is_superuser

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Superusers see everything."""
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Superusers add."""
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Superusers change."""
        return self.has_module_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Nobody deletes: there are flags, end dates and versions."""
        return False


class OnlyShown(ForSuperusers):
    """Looked at, not touched: its rows are written by services."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Nobody adds."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Nobody changes."""
        return False


class KeptAdmin(ForSuperusers, AnyModelAdmin):
    """Pages to add and to change."""

    show_full_result_count = False

    def save_model(self, request: HttpRequest, obj: Any, form: AnyModelForm, change: bool) -> None:  # noqa: ARG002
        """Write a new row whole, of an old one what this person changed: the rest may be newer than this page."""
        if not change:
            obj.save()
            return
        columns = {field.name for field in obj._meta.concrete_fields}
        obj.save(update_fields=columns.intersection(form.changed_data))


class ShownAdmin(OnlyShown, AnyModelAdmin):
    """Pages to look at."""

    show_full_result_count = False


class ShownInline(OnlyShown, AnyTabularInline):
    """Rows to look at on another row's page."""

    extra = 0

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:  # noqa: ARG002
        """Show what no form may have, too."""
        return flatten(self.fields or ())


def money(amount_minor: int, currency: str) -> str:
    """Return an amount in minor units as people write it."""
    amount = Decimal(amount_minor).scaleb(-get_currency_precision(currency))
    return format_currency(amount, currency, locale="en_GB")


# The pages --------------------------------------------------------------------------------------------------------


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
    add_fieldsets = ((None, {"fields": ("email", "name", "usable_password", "password1", "password2")}),)
    fieldsets = (
        (None, {"fields": ("email", "password", "name")}),
        ("May", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Since", {"fields": ("created_at", "last_login")}),
    )
    readonly_fields = ("created_at", "last_login")
    list_display = ("email", "name", "is_active", "is_staff", "is_superuser")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("email", "name")
    ordering = ("email",)


@admin.register(Membership)
class MembershipAdmin(KeptAdmin):
    """What a user may do in an organization; only the role changes."""

    list_display = ("user", "organization", "role")
    list_filter = ("role", "organization")
    list_select_related = ("user", "organization")
    search_fields = ("user__email", "user__name", "organization__name")
    autocomplete_fields = ("user", "organization")
    ordering = ("organization__name", "user__email")

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> tuple[str, ...]:  # noqa: ARG002
        """Who and where stay as they are."""
        return ("user", "organization") if obj else ()


@admin.register(ApiKey)
class ApiKeyAdmin(ShownAdmin):
    """Programs' keys. `create_api_key` makes them: their text is shown once, there."""

    fields = ("organization", "name", "prefix", "scopes", "created_at", "expires_at", "revoked_at")
    list_display = ("name", "organization", "prefix", "created_at", "expires_at", "revoked_at")
    list_select_related = ("organization",)
    search_fields = ("name", "prefix", "organization__name")
    ordering = ("-created_at",)
