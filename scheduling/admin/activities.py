"""What is sold, and to whom."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from config.kit.admin import AnyModelForm, KeptAdmin, KeptInline, told_of
from config.kit.facts import Actor
from config.kit.money import is_currency
from config.kit.visitors import staff_actor
from config.tenants.scoping import OWNER_FILTER, ByRole, PartByRole
from scheduling.models import Activity, Extra, Reservation, Unit
from scheduling.services import catalogue, events

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


class LenientForm(AnyModelForm):
    """A field that is left empty has the model's own default."""

    defaulted: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.defaulted:
            if name in self.fields:
                self.fields[name].required = False

    def clean(self) -> dict[str, Any]:
        """Put the defaults in."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        for name in self.defaulted:
            if name in values and values[name] is None:
                values[name] = self._meta.model._meta.get_field(name).default
        return values


class UnitForm(LenientForm):
    """A unit in the words of whoever sets prices."""

    defaulted = ("minimum_count",)

    def clean(self) -> dict[str, Any]:
        """Counts are in order, and nobody is both company and in need of it."""
        values = super().clean()
        fewest, most = values.get("minimum_count"), values.get("maximum_count")
        if fewest is not None and most is not None and most < fewest:
            self.add_error("maximum_count", "The most are fewer than the fewest.")
        if values.get("needs_accompaniment") and values.get("can_accompany"):
            self.add_error("can_accompany", "Who needs company cannot be company.")
        return values

    class Meta:
        labels = {
            "price_minor": "price, in pence or cents",
            "minimum_age": "from age",
            "maximum_age": "to age",
            "minimum_count": "fewest, of a party that has any",
            "maximum_count": "most in a party",
            "needs_accompaniment": "only with company",
            "can_accompany": "is company",
            "is_default": "default",
        }


class UnitInline(PartByRole, KeptInline):
    """What participants pay and the places they take."""

    model = Unit
    form = UnitForm
    formset = UnitFormSet
    extra = 1
    fields = (
        "name", "price_minor", "places", "minimum_age", "maximum_age", "minimum_count", "maximum_count",
        "needs_accompaniment", "can_accompany", "is_default", "position",
    )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Activity | None = None) -> tuple[str, ...]:  # noqa: ARG002
        """While it is on sale, an activity keeps the unit that it is priced by."""
        return ("is_default",) if obj and obj.status == Activity.Status.PUBLISHED else ()


class ExtraForm(AnyModelForm):
    """An extra in the words of whoever sets prices."""

    class Meta:
        labels = {
            "price_minor": "price, in pence or cents",
            "stock_per_session": "how many a session has",
            "maximum_per_party": "most for a party",
            "is_offered": "offered",
        }


class ExtraInline(PartByRole, KeptInline):
    """What participants may have beside their places; taken off the list, it stays with those who have it."""

    model = Extra
    form = ExtraForm
    fields = ("name", "summary", "price_minor", "stock_per_session", "maximum_per_party", "is_offered", "position")


WHOLE = 100
A_DAY = "1440 is a day."
LONGEST_OFFER = 1440  # minutes
KIND_STAYS = "The kind stays once an activity was published. Add another activity for another kind."


def _was_on_sale(activity: Activity) -> bool:
    """Is it published, or was it: discontinued, or a draft again of which somebody has taken places?"""
    taken = Reservation.objects.filter(session__activity=activity)
    return activity.status != Activity.Status.DRAFT or taken.exists()


class ActivityForm(LenientForm):
    """An activity belongs to the organization of its venue."""

    defaulted = (
        "smallest_party", "notice_days", "balance_days", "change_until_minutes", "change_fee_minor",
        "cancel_until_minutes", "cancel_fee_percent", "late_cancel_fee_percent", "offer_minutes",
    )  # fmt: skip

    class Meta:
        labels = {
            "deposit_percent": "Deposit, in percent",
            "balance_days": "The rest is due so many days before",
            "customers_may_change": "Customers may change the time, and how many come",
            "change_until_minutes": "Until so many minutes before the start",
            "change_fee_minor": "Fee for another time, in pence or cents",
            "customers_may_transfer": "Customers may hand a booking over",
            "customers_may_cancel": "Customers may cancel",
            "cancel_until_minutes": "In good time: so many minutes before the start",
            "cancel_fee_percent": "Kept of the price in good time, in percent",
            "late_cancel_fee_percent": "Kept of the price later, in percent",
            "waitlist_open": "Waiting list",
            "offer_minutes": "A free place is kept for whoever's turn it is, in minutes",
        }
        help_texts = {
            "deposit_percent": "Of the price, to be paid online at once. Empty: all of it.",
            "change_until_minutes": A_DAY,
            "cancel_until_minutes": A_DAY,
            "cancel_fee_percent": "0: all of it goes back.",
            "late_cancel_fee_percent": "100: nothing goes back.",
        }

    def clean_currency(self) -> str:
        """It is one that the world knows: ISO 4217."""
        currency = str(self.cleaned_data["currency"]).upper()
        if not is_currency(currency):
            raise forms.ValidationError(f"{currency} is not a currency that we know.", code="unknown_currency")
        return currency

    def clean_kind(self) -> str:
        """It stays what it is once it was on sale: timetables, prices and bookings were made for that kind."""
        kind, row = str(self.cleaned_data["kind"]), self.instance
        if not row._state.adding and kind != row.kind and _was_on_sale(row):
            raise forms.ValidationError(KIND_STAYS, code="kind_stays")
        return kind

    def clean(self) -> dict[str, Any]:
        """Its slug is its organization's only one."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        venue, slug = values.get("venue") or getattr(self.instance, "venue", None), values.get("slug")
        same = Activity.objects.filter(organization=venue and venue.organization_id, slug=slug)
        if same.exclude(id=self.instance.id).exists():
            self.add_error("slug", "This organization has an activity of this slug already.")
        owner = venue.organization if venue else None
        taken = owner.currencies if owner else []
        is_new = self.instance._state.adding or "currency" in self.changed_data
        if taken and is_new and values.get("currency", taken[0]) not in taken:
            self.add_error("currency", f"{owner} takes {' and '.join(taken)}.")
        percent = values.get("deposit_percent")
        if percent is not None and not 1 <= percent < WHOLE:
            self.add_error("deposit_percent", "A deposit is 1 to 99 percent; leave it empty for all.")
        self._check_terms(values)
        smallest, largest = values.get("smallest_party"), values.get("largest_party")
        if smallest is not None and smallest < 1:
            self.add_error("smallest_party", "A party is 1 person or more.")
        elif smallest is not None and largest is not None and largest < smallest:
            self.add_error("largest_party", "The largest party is smaller than the smallest.")
        return values

    def _check_terms(self, values: Mapping[str, Any]) -> None:
        """Who cancels late keeps no more than who cancels in good time."""
        early, late = values.get("cancel_fee_percent"), values.get("late_cancel_fee_percent")
        if late is not None and late > WHOLE:
            self.add_error("late_cancel_fee_percent", "At most 100 percent can be kept.")
        elif early is not None and late is not None and early > late:
            self.add_error("cancel_fee_percent", "That is more than is kept of who cancels later.")
        minutes = values.get("offer_minutes")
        if minutes is not None and not 1 <= minutes <= LONGEST_OFFER:
            self.add_error("offer_minutes", "1 minute to 1440, which is a day.")


@admin.register(Activity)
class ActivityAdmin(ByRole, KeptAdmin):
    """Its status is changed by the actions."""

    form = ActivityForm
    inlines = (UnitInline, ExtraInline)
    fieldsets = (
        (None, {"fields": ("venue", "name", "slug", "summary", "kind", "status")}),
        ("Places", {"fields": ("capacity", "smallest_party", "largest_party")}),
        ("When it can be booked", {"fields": (
            "opens_days_before", "closes_minutes_before", "notice_days", "hold_minutes",
        )}),
        ("Money", {"fields": ("currency", "price_reference", "pay_on_arrival", "deposit_percent", "balance_days")}),
        ("Changing and cancelling", {
            "description": "For bookings from now on. Who has booked keeps the terms of that day.",
            "fields": (
                "customers_may_cancel", "cancel_until_minutes", "cancel_fee_percent", "late_cancel_fee_percent",
                "customers_may_change", "change_until_minutes", "change_fee_minor", "customers_may_transfer",
            ),
        }),
        ("When it is full", {"fields": ("waitlist_open", "offer_minutes")}),
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

    def record(self, row: Activity, actor: Actor, *, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Write what is sold, and on what terms, from now on."""
        events.record_schedule_event(
            organization_id=row.organization_id, activity_id=row.id, actor=actor, before=before, after=after,
            kind="activity_changed" if before else "activity_added",
        )  # fmt: skip

    def save_related(self, request: HttpRequest, form: AnyModelForm, formsets: Any, change: bool) -> None:
        """Save units and extras, then tell the displays: a price may have changed, or what is asked of a party."""
        super().save_related(request, form, formsets, change)
        catalogue.refresh_plain_hold(activity_id=form.instance.id)
        catalogue.announce_activity(activity_id=form.instance.id)

    def save_formset(self, request: HttpRequest, form: AnyModelForm, formset: Any, change: bool) -> None:  # noqa: ARG002
        """Give units and extras to the activity's organization, and say what is new about them."""
        activity, actor = form.instance, staff_actor(request)
        for row in formset.save(commit=False):
            row.organization_id = activity.organization_id
            row.save()
        for each in formset.forms:
            if not each.has_changed():
                continue
            kind, is_new = each.instance._meta.model_name, each.instance in formset.new_objects
            before, after = told_of(each)
            events.record_schedule_event(
                organization_id=activity.organization_id, activity_id=activity.id, actor=actor,
                kind=f"{kind}_added" if is_new else f"{kind}_changed", before={} if is_new else before,
                after={kind: str(each.instance.pk), **after},
            )  # fmt: skip

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
            catalogue.set_activity_status(activity_id=activity.id, status=status, actor=staff_actor(request))
            return f"{status.value}."

        self.act_on_each(request, activities, act)
