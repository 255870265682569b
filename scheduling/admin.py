"""What can be booked, when, and what is taken, for those who run the site: states and counts are looked at here,
and changed by actions that call the services.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from config.kit.refusals import Refusal
from config.tenants.admin import AnyModelForm, ForSuperusers, KeptAdmin, ShownAdmin, money
from config.tenants.models import Organization
from scheduling.models import Activity, Reservation, ScheduleVersion, Session, Unit, Venue
from scheduling.services import catalogue

if TYPE_CHECKING:  # Django's classes take no type arguments when they run
    UnitTabularInline = admin.TabularInline[Unit, Activity]
    UnitInlineFormSet = forms.BaseInlineFormSet[Unit, Activity, forms.ModelForm[Unit]]
else:
    UnitTabularInline, UnitInlineFormSet = admin.TabularInline, forms.BaseInlineFormSet


@admin.register(Organization)
class OrganizationAdmin(KeptAdmin):
    """Tenants. Their page is here, since what suspends one also takes its sessions off sale."""

    fields = ("name", "slug", "currency", "status", "created_at")
    list_display = ("name", "slug", "currency", "status")
    list_filter = ("status",)
    search_fields = ("name", "slug")
    ordering = ("name",)
    actions = ("activate_organizations", "suspend_organizations")

    def get_readonly_fields(self, request: HttpRequest, obj: Organization | None = None) -> tuple[str, ...]:  # noqa: ARG002
        """The slug stands in addresses that people have kept."""
        return ("status", "created_at", "slug") if obj else ("status", "created_at")

    @admin.action(description="Activate: may sell", permissions=["change"])
    def activate_organizations(self, request: HttpRequest, organizations: QuerySet[Organization]) -> None:
        """Let them sell again."""
        self._set_status(request, organizations, Organization.Status.ACTIVE)

    @admin.action(description="Suspend: sells nothing, bookings stay", permissions=["change"])
    def suspend_organizations(self, request: HttpRequest, organizations: QuerySet[Organization]) -> None:
        """Stop their sale."""
        self._set_status(request, organizations, Organization.Status.SUSPENDED)

    def _set_status(
        self, request: HttpRequest, organizations: QuerySet[Organization], status: Organization.Status
    ) -> None:
        for organization in organizations:
            catalogue.set_organization_status(organization_id=organization.id, status=status)
            self.message_user(request, f"{organization} is {status.value}.", messages.SUCCESS)


@admin.register(Venue)
class VenueAdmin(KeptAdmin):
    """Places with a clock of their own."""

    fields = ("organization", "name", "timezone", "allowed_embed_origins", "embed_key", "generated_on")
    list_display = ("name", "organization", "timezone", "generated_on")
    list_filter = ("organization",)
    list_select_related = ("organization",)
    search_fields = ("name", "organization__name")
    autocomplete_fields = ("organization",)
    ordering = ("organization__name", "name")

    def get_readonly_fields(self, request: HttpRequest, obj: Venue | None = None) -> tuple[str, ...]:  # noqa: ARG002
        """Its sessions stand at times of its zone, and belong to its organization."""
        always = ("embed_key", "generated_on")
        return ("organization", "timezone", *always) if obj else always


class UnitFormSet(UnitInlineFormSet):
    """An activity's units, together."""

    def clean(self) -> None:
        """One unit at most is the default."""
        super().clean()
        defaults = [form for form in self.forms if getattr(form, "cleaned_data", {}).get("is_default")]
        if len(defaults) > 1:
            raise forms.ValidationError("Only one unit can be the default: a bare party size is counted in it.")


class UnitInline(ForSuperusers, UnitTabularInline):
    """What participants pay and the places they take."""

    model = Unit
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
class ActivityAdmin(KeptAdmin):
    """What is sold. Its status is changed by the actions of the list."""

    form = ActivityForm
    inlines = (UnitInline,)
    fields = (
        "venue", "name", "slug", "summary", "kind", "status", "currency", "price_reference", "capacity",
        "hold_minutes", "opens_days_before", "closes_minutes_before", "pay_on_arrival",
    )  # fmt: skip
    list_display = ("name", "organization", "venue", "kind", "status", "currency", "pay_on_arrival")
    list_filter = ("status", "kind", "organization")
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

    def save_formset(self, request: HttpRequest, form: AnyModelForm, formset: Any, change: bool) -> None:  # noqa: ARG002
        """Give the units to the activity's organization."""
        for unit in formset.save(commit=False):
            unit.organization_id = form.instance.organization_id
            unit.save()

    @admin.action(description="Publish: on sale", permissions=["change"])
    def publish_activities(self, request: HttpRequest, activities: QuerySet[Activity]) -> None:
        """Put them on sale."""
        self._set_status(request, activities, Activity.Status.PUBLISHED)

    @admin.action(description="Take back to draft: not shown, bookings stay", permissions=["change"])
    def withdraw_activities(self, request: HttpRequest, activities: QuerySet[Activity]) -> None:
        """Take them out of sight."""
        self._set_status(request, activities, Activity.Status.DRAFT)

    @admin.action(description="Discontinue: no new sale, bookings stay", permissions=["change"])
    def discontinue_activities(self, request: HttpRequest, activities: QuerySet[Activity]) -> None:
        """End their sale."""
        self._set_status(request, activities, Activity.Status.DISCONTINUED)

    def _set_status(self, request: HttpRequest, activities: QuerySet[Activity], status: Activity.Status) -> None:
        for activity in activities:
            try:
                catalogue.set_activity_status(activity_id=activity.id, status=status)
            except Refusal as refusal:
                self.message_user(request, f"{activity}: {refusal.detail}", messages.ERROR)
            else:
                self.message_user(request, f"{activity} is {status.value}.", messages.SUCCESS)


@admin.register(ScheduleVersion)
class ScheduleVersionAdmin(ShownAdmin):
    """Timetables: a version is never edited, only followed by the next."""

    fields = ("activity", "version", "effective_from", "effective_to", "rules", "author", "created_at")
    list_display = ("activity", "organization", "version", "effective_from", "effective_to", "author")
    list_filter = ("organization",)
    list_select_related = ("activity", "organization", "author")
    search_fields = ("activity__name",)
    ordering = ("activity__name", "-version")


@admin.register(Session)
class SessionAdmin(ShownAdmin):
    """Places at a time: services/capacity.py alone writes its counters."""

    fields = (
        "activity", "schedule", "starts_at", "ends_at", "opens_at", "closes_at", "status", "is_legacy", "on_sale",
        "price_minor", "capacity_total", "places_held", "places_booked", "capacity_remaining", "over", "waiting",
        "version",
    )  # fmt: skip
    list_display = (
        "starts", "activity", "organization", "status", "on_sale", "capacity_total", "places_held", "places_booked",
        "capacity_remaining", "over",
    )  # fmt: skip
    list_filter = ("status", "on_sale", "is_legacy", "organization")
    list_select_related = ("activity__venue", "organization")
    search_fields = ("activity__name", "organization__name")
    ordering = ("starts_at", "id")

    @admin.display(description="starts, by the venue's clock", ordering="starts_at")
    def starts(self, session: Session) -> str:
        """Return what the clock on the venue's wall shows."""
        local: datetime = session.starts_at.astimezone(session.activity.venue.zone)
        return f"{local:%a %d %b %Y, %H:%M}"

    @admin.display(description="over by, honoured")
    def over(self, session: Session) -> str:
        """Return how many places are honoured beyond the capacity."""
        return str(session.over_by or "")


@admin.register(Reservation)
class ReservationAdmin(ShownAdmin):
    """The only rows that take places."""

    fields = (
        "session", "basket", "status", "party_size", "places", "email", "amount", "quote", "held_at", "expires_at",
        "extended", "confirmed_at", "ended_at",
    )  # fmt: skip
    list_display = (
        "email",
        "activity",
        "session",
        "organization",
        "status",
        "places",
        "amount",
        "held_at",
        "expires_at",
    )
    list_filter = ("status", "organization")
    list_select_related = ("session__activity", "organization")
    search_fields = ("email",)
    ordering = ("-held_at",)

    @admin.display(ordering="session__activity__name")
    def activity(self, reservation: Reservation) -> str:
        """Return what is reserved."""
        return reservation.session.activity.name

    @admin.display(ordering="amount_minor")
    def amount(self, reservation: Reservation) -> str:
        """Return the price that was quoted."""
        return money(reservation.amount_minor, reservation.currency)
