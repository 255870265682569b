"""Dated price rules: they begin and end, each with a preview, and are never edited; who has booked keeps the price."""

from datetime import date, time
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from bookings.admin.change_editors import lead_to, signed_in
from bookings.services import schedule_changes
from config.kit.admin import AnyModelForm, ShownAdmin
from config.kit.refusals import Refusal
from config.tenants.scoping import OWNER_FILTER, ByRole
from scheduling.models import Activity, PriceRule, Unit
from scheduling.price_rule_words import conditions_in_words, effect_in_words
from scheduling.schedule_rules import DAY_NAMES
from scheduling.services import price_rules

if TYPE_CHECKING:
    from django.forms import CheckboxSelectMultiple
else:
    from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget as CheckboxSelectMultiple

ASKED = (
    "activity", "unit", "name", "weekdays", "first_date", "last_date", "from_time", "to_time", "lead_minutes_from",
    "lead_minutes_to", "taken_percent_from", "taken_percent_to", "percent", "amount_minor", "price_minor", "position",
)  # fmt: skip


class PriceRuleForm(AnyModelForm):
    """A rule in the words of whoever sets prices; the service says what is wrong with it."""

    weekdays = forms.TypedMultipleChoiceField(
        choices=list(enumerate(DAY_NAMES)), coerce=int, required=False, widget=CheckboxSelectMultiple,
        help_text="None: every day.",
    )  # fmt: skip

    class Meta:
        labels = {
            "unit": "for",
            "first_date": "from date",
            "last_date": "to date",
            "from_time": "from time",
            "to_time": "to time",
            "lead_minutes_from": "booked this many minutes before the start, or more",
            "lead_minutes_to": "booked less than this many minutes before",
            "taken_percent_from": "when this much is taken, in percent, or more",
            "taken_percent_to": "when less than this much is taken, in percent",
            "percent": "changes the price by percent",
            "amount_minor": "adds to the price, in pence or cents",
            "price_minor": "the price instead, in pence or cents",
            "position": "order",
        }
        help_texts = {
            "unit": "Empty: everybody.",
            "name": "What customers read: Weekend.",
            "position": "Rules apply in this order, each on what the one before left.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        unit: Any = self.fields.get("unit")
        if unit is not None:
            unit.queryset = unit.queryset.select_related("activity").order_by("activity__name", "position")
            unit.label_from_instance = lambda row: f"{row.name} ({row.activity})"

    def clean(self) -> dict[str, Any]:
        """Have it read as the service will."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return values
        try:
            price_rules.read_price_rule(activity_id=values["activity"].id, **self.asked())
        except Refusal as refusal:
            for error in refusal.errors:
                self.add_error(error.field if error.field in self.fields else None, error.detail)
        return values

    def asked(self) -> dict[str, Any]:
        """Return the rule's fields as the service takes them."""
        return {name: value for name, value in self.cleaned_data.items() if name in price_rules.FIELDS}

    def parameters(self) -> dict[str, Any]:
        """Return those that were filled in, as a change keeps them."""
        given = {name: value for name, value in self.asked().items() if value not in (None, "", [])}
        return {name: _plain(value) for name, value in given.items()}


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, Unit):
        return str(value.id)
    return value.isoformat() if isinstance(value, (date, time)) else value


class InForce(admin.SimpleListFilter):
    """Those in force, unless the ended ones are asked for: they stay to read."""

    title = "in force"
    parameter_name = "in_force"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Offer the others."""
        return [("ended", "Ended"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        """Say what is shown when nothing is chosen."""
        first, *others = super().choices(changelist)
        return [{**first, "display": "In force"}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        """Keep to them."""
        return queryset if self.value() == "all" else queryset.filter(ended_at__isnull=self.value() != "ended")


@admin.register(PriceRule)
class PriceRuleAdmin(ByRole, ShownAdmin):
    """Rules to look at, to begin and to end."""

    can_add = True
    form = PriceRuleForm
    list_display = ("name", "activity", "organization", "does", "when", "position", "ended_at")
    list_filter = (InForce, OWNER_FILTER)
    list_select_related = ("activity", "organization", "unit")
    search_fields = ("name", "activity__name")
    autocomplete_fields = ("activity",)
    ordering = ("activity__name", "position", "id")
    actions = ("end_price_rules",)

    def get_fields(self, request: HttpRequest, obj: PriceRule | None = None) -> tuple[str, ...]:  # noqa: ARG002
        """Ask for a new one; of one that there is, say what it does."""
        return ("activity", "name", "does", "when", "position", "author", "created_at", "ended_at") if obj else ASKED

    def can_be(self, act: str, row: PriceRule) -> bool:  # noqa: ARG002
        """End what is in force."""
        return row.ended_at is None

    def get_queryset(self, request: HttpRequest) -> QuerySet[PriceRule]:
        """Fetch what a rule is written with."""
        rows: QuerySet[PriceRule] = super().get_queryset(request)
        return rows.select_related("activity", "organization", "unit")

    @admin.display(description="what it does")
    def does(self, rule: PriceRule) -> str:
        """Say what it does to a price."""
        return effect_in_words(rule, rule.activity.currency)

    @admin.display(description="when")
    def when(self, rule: PriceRule) -> str:
        """Say when it applies."""
        return conditions_in_words(rule)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Ask for a rule, and lead to what it would do to each session: it begins there."""
        if request.method == "POST" and self.has_add_permission(request):
            form = self.get_form(request)(request.POST)
            if isinstance(form, PriceRuleForm) and form.is_valid():
                return self._lead_to_preview(request, form.cleaned_data["activity"], {"rule": form.parameters()})
        return super().add_view(request, form_url, extra_context)

    @admin.action(description="End: bookings keep their price")
    def end_price_rules(self, request: HttpRequest, rules: QuerySet[PriceRule]) -> HttpResponse | None:
        """Show what its end would do to each session: it ends there."""
        allowed = [rule for rule in rules if self.may(request, "end_price_rules", rule)]
        if len(allowed) == 1:
            return self._lead_to_preview(request, allowed[0].activity, {"end_rule": str(allowed[0].id)})
        words = "Choose one rule: each end has a preview of its own." if allowed else "Your role does not include this."
        self.message_user(request, words, messages.ERROR)
        return None

    def _lead_to_preview(self, request: HttpRequest, activity: Activity, parameters: dict[str, Any]) -> HttpResponse:
        try:
            change = schedule_changes.rehearse_change(
                kind="price", venue_id=activity.venue_id, activity_id=activity.id, parameters=parameters,
                author=signed_in(request),
            )  # fmt: skip
        except Refusal as refusal:
            self.message_user(request, refusal.detail, messages.ERROR)
            return redirect("admin:scheduling_pricerule_changelist")
        return lead_to(change)
