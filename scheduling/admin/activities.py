"""What is sold, and to whom."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from config.kit.admin import AnyModelForm, KeptAdmin, KeptInline
from config.tenants.scoping import OWNER_FILTER, ByRole, PartByRole
from scheduling.models import Activity, Unit
from scheduling.services import catalogue

if TYPE_CHECKING:  # Django's classes take no type arguments when they run
    UnitInlineFormSet = forms.BaseInlineFormSet[Unit, Activity, forms.ModelForm[Unit]]
else:
    from unfold.forms import PaginationInlineFormSet as UnitInlineFormSet


TARGETS = {
    "publish_activities": Activity.Status.PUBLISHED,
    "withdraw_activities": Activity.Status.DRAFT,
    "discontinue_activities": Activity.Status.DISCONTINUED,
}


class UnitFormSet(UnitInlineFormSet):
    """An activity's units, together."""

    def clean(self) -> None:
        """One unit at most is the default."""
        super().clean()
        defaults = [form for form in self.forms if getattr(form, "cleaned_data", {}).get("is_default")]
        if len(defaults) > 1:
            raise forms.ValidationError("Only one unit can be the default: a bare party size is counted in it.")


class UnitForm(AnyModelForm):
    """A unit in the words of whoever sets prices."""

    class Meta:
        labels = {
            "price_minor": "price, in pence or cents",
            "minimum_age": "from age",
            "maximum_age": "to age",
            "is_default": "default",
        }


class UnitInline(PartByRole, KeptInline):
    """What participants pay and the places they take."""

    model = Unit
    form = UnitForm
    formset = UnitFormSet
    extra = 1
    fields = ("name", "price_minor", "places", "minimum_age", "maximum_age", "is_default", "position")

    def get_readonly_fields(self, request: HttpRequest, obj: Activity | None = None) -> tuple[str, ...]:  # noqa: ARG002
        """While it is on sale, an activity keeps the unit that it is priced by."""
        return ("is_default",) if obj and obj.status == Activity.Status.PUBLISHED else ()


class ActivityForm(AnyModelForm):
    """An activity belongs to the organization of its venue."""

    def clean(self) -> dict[str, Any]:
        """Its slug is its organization's only one."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        venue, slug = values.get("venue") or getattr(self.instance, "venue", None), values.get("slug")
        same = Activity.objects.filter(organization=venue and venue.organization_id, slug=slug)
        if same.exclude(id=self.instance.id).exists():
            self.add_error("slug", "This organization has an activity of this slug already.")
        return values


@admin.register(Activity)
class ActivityAdmin(ByRole, KeptAdmin):
    """Its status is changed by the actions."""

    form = ActivityForm
    inlines = (UnitInline,)
    fields = (
        "venue", "name", "slug", "summary", "kind", "status", "currency", "price_reference", "capacity",
        "hold_minutes", "opens_days_before", "closes_minutes_before", "pay_on_arrival",
    )  # fmt: skip
    list_display = ("name", "organization", "venue", "kind", "status", "currency", "pay_on_arrival")
    list_filter = ("status", "kind", OWNER_FILTER)
    list_select_related = ("organization", "venue")
    search_fields = ("name", "slug", "organization__name")
    autocomplete_fields = ("venue",)
    ordering = ("organization__name", "name")
    actions = ("publish_activities", "withdraw_activities", "discontinue_activities")

    def get_readonly_fields(self, request: HttpRequest, obj: Activity | None = None) -> tuple[str, ...]:  # noqa: ARG002
        """It stays with its venue."""
        return ("status", "venue") if obj else ("status",)

    def save_model(self, request: HttpRequest, obj: Any, form: AnyModelForm, change: bool) -> None:
        """Give a new one to its venue's organization."""
        obj.organization_id = obj.venue.organization_id
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: AnyModelForm, formsets: Any, change: bool) -> None:
        """Save the units, then tell the displays: a price may have changed."""
        super().save_related(request, form, formsets, change)
        catalogue.announce_activity(activity_id=form.instance.id)

    def save_formset(self, request: HttpRequest, form: AnyModelForm, formset: Any, change: bool) -> None:  # noqa: ARG002
        """Give the units to the activity's organization."""
        for unit in formset.save(commit=False):
            unit.organization_id = form.instance.organization_id
            unit.save()

    def can_be(self, act: str, row: Activity) -> bool:
        """Offer the moves that its transition table knows."""
        return Activity.TRANSITIONS.allows(row.status, TARGETS[act])

    @admin.action(description="Publish: on sale")
    def publish_activities(self, request: HttpRequest, activities: QuerySet[Activity]) -> None:
        """Put them on sale."""
        self._set_status(request, activities, TARGETS["publish_activities"])

    @admin.action(description="Take back to draft: not shown, bookings stay")
    def withdraw_activities(self, request: HttpRequest, activities: QuerySet[Activity]) -> None:
        """Take them out of sight."""
        self._set_status(request, activities, TARGETS["withdraw_activities"])

    @admin.action(description="Discontinue: no new sale, bookings stay")
    def discontinue_activities(self, request: HttpRequest, activities: QuerySet[Activity]) -> None:
        """End their sale."""
        self._set_status(request, activities, TARGETS["discontinue_activities"])

    def _set_status(self, request: HttpRequest, activities: QuerySet[Activity], status: Activity.Status) -> None:
        def act(activity: Activity) -> str:
            catalogue.set_activity_status(activity_id=activity.id, status=status)
            return f"{status.value}."

        self.act_on_each(request, activities, act)
