"""Tenants. Their page is here, since what suspends one also takes its sessions off sale."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from config.kit.admin import AnyModelForm, KeptAdmin
from config.kit.facts import Actor
from config.kit.money import is_currency
from config.kit.visitors import staff_actor
from config.tenants.history import record_organization_event
from config.tenants.models import Organization
from config.tenants.scoping import ByRole
from scheduling.models import Activity
from scheduling.organization_timeline import timeline_of_organization
from scheduling.services import catalogue

if TYPE_CHECKING:
    from django.forms import TextInput as WideInput
else:
    from unfold.widgets import UnfoldAdminTextInputWidget as WideInput


SHORTEST_RETENTION = 30  # the constraint's


class CurrenciesField(forms.CharField):
    """Codes of currencies, with commas or spaces between."""

    widget = WideInput

    def prepare_value(self, value: Any) -> Any:
        """Show them in a line."""
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """Return them in capital letters, each once."""
        return list(dict.fromkeys(re.split(r"[\s,;]+", value.strip().upper()))) if value and value.strip() else []

    def validate(self, value: Any) -> None:
        """Refuse each that the world does not know, by name."""
        super().validate(value)
        unknown = [code for code in value if not is_currency(code)]
        if unknown:
            raise forms.ValidationError([f"{code} is not a currency that we know." for code in unknown])

    def run_validators(self, value: Any) -> None:
        """Lengths are the column's affair."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare what they mean."""
        return bool((initial or []) != self.to_python(data))


class OrganizationForm(AnyModelForm):
    """An organization, with the currencies that it takes besides its own."""

    other_currencies = CurrenciesField(
        required=False, label="Other currencies it takes",
        help_text="Such as EUR, CHF. An activity is sold in one of them; nothing is converted.",
    )  # fmt: skip

    class Meta:
        labels = {
            "language": "Language of letters",
            "reminder_hours": "Reminder, in hours before the start",
            "consent_under_age": "Consent of an adult is asked for below the age of",
            "retention_days": "Personal data is kept for, in days after the last session",
            "outcome_policy": "Of whom nobody has said anything",
        }
        help_texts = {
            "reminder_hours": "0: no reminder.",
            "consent_under_age": "Empty: nobody is asked.",
            "retention_days": "30 or more. Then names and addresses are erased by themselves; bookings and sums stay.",
            "outcome_policy": "Switched on by you, and told so in each booking's story.",
        }

    def clean_retention_days(self) -> int:
        """Not so short that a refund could not be told to anybody."""
        days = int(self.cleaned_data["retention_days"])
        if days < SHORTEST_RETENTION:
            raise forms.ValidationError(f"Keep it for {SHORTEST_RETENTION} days at least.", code="too_short")
        return days

    def clean_currency(self) -> str:
        """It is one that the world knows: ISO 4217."""
        currency = str(self.cleaned_data["currency"]).upper()
        if not is_currency(currency):
            raise forms.ValidationError(f"{currency} is not a currency that we know.", code="unknown_currency")
        return currency

    def clean(self) -> dict[str, Any]:
        """What is on sale stays in a currency that it takes."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if {"currency", "other_currencies"} <= values.keys() and not self.instance._state.adding:
            kept = {values["currency"], *values["other_currencies"]}
            sold = Activity.objects.filter(organization=self.instance.pk).exclude(status=Activity.Status.DISCONTINUED)
            missing = set(sold.values_list("currency", flat=True)) - kept
            if missing and self.has_changed():
                self.add_error("other_currencies", f"Activities are sold in {', '.join(sorted(missing))}: keep that.")
        return values


@admin.register(Organization)
class OrganizationAdmin(ByRole, KeptAdmin):
    """Whether it may sell is the site's word, not its own: no role includes the two actions."""

    form = OrganizationForm
    fieldsets = (
        (None, {"fields": ("name", "slug", "status", "created_at")}),
        ("Money", {"fields": ("currency", "other_currencies")}),
        ("Customers", {"fields": ("language", "reminder_hours", "consent_under_age", "retention_days")}),
        ("At a session's end", {"fields": ("outcome_policy",)}),
        ("What happened", {"description": "Times in UTC.", "fields": ("story",)}),
    )
    list_display = ("name", "slug", "currency", "status")
    list_filter = ("status",)
    search_fields = ("name", "slug")
    ordering = ("name",)
    actions = ("activate_organizations", "suspend_organizations")

    def get_readonly_fields(self, request: HttpRequest, obj: Organization | None = None) -> tuple[str, ...]:  # noqa: ARG002
        """The slug stands in addresses that people have kept."""
        return ("status", "created_at", "story", *(("slug",) if obj else ()))

    def get_fieldsets(self, request: HttpRequest, obj: Organization | None = None) -> Any:
        """Nothing has happened yet to a new one."""
        every = super().get_fieldsets(request, obj)
        return every if obj else every[:-1]

    @admin.display(description="")
    def story(self, organization: Organization) -> SafeString:
        """Tell it from the facts."""
        html = render_to_string("admin/_timeline.html", {"entries": timeline_of_organization(organization)})
        return mark_safe(html)  # noqa: S308 a template's own output: it has escaped all

    def record(self, row: Organization, actor: Actor, *, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Write its new settings: among them those by which policies act."""
        kind = "organization_changed" if before else "organization_added"
        record_organization_event(organization_id=row.id, kind=kind, actor=actor, before=before, after=after)

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
            actor = staff_actor(request)
            catalogue.set_organization_status(organization_id=organization.id, status=status, actor=actor)
            return f"{status.value}."

        self.act_on_each(request, organizations, act)
