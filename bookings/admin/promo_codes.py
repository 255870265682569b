"""Promo codes: made with terms that stay as they are, and ended; with who used them."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from bookings.models import PromoCode, PromoUse
from bookings.services.promo_code_issue import PromoTerms, create_promo_code, end_promo_code
from config.kit.admin import ShownAdmin, ShownInline
from config.kit.display import money_text, utc_text
from config.kit.refusals import Refusal
from config.kit.visitors import staff_actor
from config.tenants.scoping import OWNER_FILTER, ByRole, PartByRole, within
from payments.admin.asking import AmountField, Asks, DayField, MoneyForm, OwnedForm, organizations_for
from scheduling.models import Activity

KIND = "bookings.promocode"
END = "end_promo_codes"  # the right


class PromoCodeForm(MoneyForm, OwnedForm):
    """What a code gives, for what, when and how often."""

    lead = "What a code gives stays as it is: whoever has read of it can count on it. It can be ended at any time."
    button = "Make it"
    field_names = {
        "amount_minor": "amount", "minimum_minor": "minimum", "starts_at": "first_day", "ends_at": "last_day",
    }  # fmt: skip

    code = forms.CharField(
        max_length=40, help_text="3 to 40 letters, digits and hyphens; typed in any case.",
        error_messages={"required": "Choose a code."},
    )  # fmt: skip
    percent = forms.IntegerField(min_value=1, max_value=100, required=False, label="Percent off")
    amount = AmountField(required=False, label="Or so much off", help_text="One of the two; never more than it costs.")
    currency = forms.ChoiceField(help_text="Of the amount, and of the least.")
    minimum = AmountField(required=False, label="From so much on")
    first_day = DayField(required=False, label="First day", help_text="By UTC. Empty: at once.")
    last_day = DayField(required=False, label="Last day", help_text="By UTC. Empty: until it is ended.")
    most_uses = forms.IntegerField(min_value=1, required=False, label="Most bookings in all")
    most_uses_each = forms.IntegerField(min_value=1, required=False, label="Most bookings of one customer")
    activities = forms.ModelMultipleChoiceField(
        Activity.objects.none(), required=False, widget=forms.CheckboxSelectMultiple, label="For",
        help_text="Tick none, and it is for all.",
    )  # fmt: skip
    note = forms.CharField(max_length=200, required=False, help_text="For staff: what it was made for.")

    def __init__(self, *args: Any, activities: QuerySet[Activity], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["currency"].choices = self.currencies()  # type: ignore[attr-defined]
        self.fields["activities"].queryset = activities  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Amounts are of the currency."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name in ("amount", "minimum") if "currency" in cleaned else ():
            cleaned[f"{name}_minor"] = self.minor(name, cleaned["currency"])
        return cleaned

    def terms(self) -> PromoTerms:
        """Return them as the service takes them."""
        asked, last = self.cleaned_data, self.cleaned_data["last_day"]
        return PromoTerms(
            code=asked["code"], percent=asked["percent"], amount_minor=asked["amount_minor"],
            currency=asked["currency"], starts_at=_begins(asked["first_day"]),
            ends_at=_begins(last + timedelta(days=1)) if last else None, minimum_minor=asked["minimum_minor"] or 0,
            most_uses=asked["most_uses"], most_uses_each=asked["most_uses_each"], note=asked["note"],
        )  # fmt: skip

    def chosen(self) -> list[UUID]:
        """Return the activities that it is for; none: all."""
        return [activity.id for activity in self.cleaned_data["activities"]]


def _begins(day: date | None) -> datetime | None:
    return datetime.combine(day, time(), UTC) if day else None


class UseInline(PartByRole, ShownInline):
    """Who used it."""

    model = PromoUse
    verbose_name_plural = "bookings that used it"
    fields = ("booking_number", "took_off", "when", "counts")
    ordering = ("-at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PromoUse]:
        """Fetch the bookings."""
        rows: QuerySet[PromoUse] = super().get_queryset(request)
        return rows.select_related("booking")

    @admin.display(description="booking")
    def booking_number(self, use: PromoUse) -> SafeString:
        """Lead to the booking."""
        address = reverse("admin:bookings_booking_change", args=[use.booking_id])
        return format_html('<a class="booking-link" href="{}">{}</a>', address, use.booking.number)

    def took_off(self, use: PromoUse) -> str:
        """Return what it took off."""
        return money_text(use.amount_minor, use.booking.currency)

    def when(self, use: PromoUse) -> str:
        """Return when."""
        return utc_text(use.at)

    def counts(self, use: PromoUse) -> str:
        """Say whether it counts among the uses."""
        return "no, given back: the booking came to nothing" if use.released_at else "yes"


@admin.register(PromoCode)
class PromoCodeAdmin(Asks, ByRole, ShownAdmin):
    """Made and ended here; used by bookings."""

    can_add = True
    inlines = (UseInline,)
    fields = ("gives", "state", "is_for", "window", "used", "each", "note", "made", "organization")
    list_display = ("code", "gives", "state", "used", "is_for", "window", "organization", "note")
    list_filter = (("ended_at", admin.EmptyFieldListFilter), OWNER_FILTER)
    search_fields = ("code", "note")
    ordering = ("-created_at",)
    actions = (END,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PromoCode]:
        """Fetch with each what it is for."""
        rows: QuerySet[PromoCode] = super().get_queryset(request)
        return rows.select_related("organization").prefetch_related("links__activity").annotate(looked_at=Now())

    def name_of(self, row: PromoCode) -> str:
        """Name it by itself."""
        return f"Promo code {row.code}"

    def can_be(self, act: str, row: PromoCode) -> bool:  # noqa: ARG002
        """End what has not ended."""
        return row.ended_at is None

    def gives(self, promo: PromoCode) -> str:
        """Return what it takes off, and from when on."""
        off = (
            f"{promo.percent} % off" if promo.percent else f"{money_text(promo.amount_minor or 0, promo.currency)} off"
        )
        least = money_text(promo.minimum_minor, promo.currency)
        return f"{off}, from {least} on" if promo.minimum_minor else off

    def state(self, promo: Any) -> str:
        """Say whether it can be used now."""
        now = promo.looked_at
        if promo.ended_at:
            return "ended"
        if promo.ends_at and promo.ends_at <= now:
            return "its last day is over"
        if promo.starts_at and now < promo.starts_at:
            return "begins later"
        return "used up" if promo.most_uses is not None and promo.uses >= promo.most_uses else "can be used"

    @admin.display(description="for")
    def is_for(self, promo: PromoCode) -> str:
        """Return what it is for."""
        return ", ".join(link.activity.name for link in promo.links.all()) or "everything"

    @admin.display(description="days, by UTC", ordering="ends_at")
    def window(self, promo: PromoCode) -> str:
        """Return from when until when."""
        first = f"from {promo.starts_at:%d %b %Y}" if promo.starts_at else ""
        last = f"until {promo.ends_at - timedelta(days=1):%d %b %Y}" if promo.ends_at else ""
        return " ".join(part for part in (first, last) if part) or "any"

    @admin.display(description="bookings", ordering="uses")
    def used(self, promo: PromoCode) -> str:
        """Return how often it was used."""
        return f"{promo.uses} of {promo.most_uses}" if promo.most_uses is not None else str(promo.uses)

    @admin.display(description="of one customer")
    def each(self, promo: PromoCode) -> str:
        """Return how often one customer may."""
        return "any number" if promo.most_uses_each is None else f"{promo.most_uses_each} at most"

    @admin.display(ordering="created_at")
    def made(self, promo: PromoCode) -> str:
        """Return when."""
        return utc_text(promo.created_at)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:  # noqa: ARG002
        """Make a code."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        activities = within(request, Activity.objects.select_related("organization", "venue"), KIND, "add")
        form = PromoCodeForm(
            request.POST or None, request=request, organizations=organizations_for(request, KIND, "add"),
            activities=activities.order_by("organization__name", "name"),
        )  # fmt: skip
        promo = self._make(request, form) if form.is_valid() else None
        if promo:
            self.log_addition(request, promo, "Made")
            self.message_user(request, f"Made: {promo.code}, {self.gives(promo)}.", messages.SUCCESS)
            return redirect("admin:bookings_promocode_change", promo.id)
        return self.ask(request, form, title="Make a promo code", back=reverse("admin:bookings_promocode_changelist"))

    @staticmethod
    def _make(request: HttpRequest, form: PromoCodeForm) -> PromoCode | None:
        """Make it; or put what is refused on the form, and write nothing."""
        try:
            return create_promo_code(
                organization_id=form.owner().id, terms=form.terms(), actor=staff_actor(request),
                activities=form.chosen(),
            )  # fmt: skip
        except Refusal as refusal:
            form.put_refusal(refusal)
            return None

    @admin.action(description="End: bookings that used it keep their price")
    def end_promo_codes(self, request: HttpRequest, chosen: QuerySet[PromoCode]) -> None:
        """Let nobody use them any more."""

        def act(row: PromoCode) -> str:
            end_promo_code(promo_code_id=row.id, actor=staff_actor(request))
            return "ended; bookings that used it keep their price."

        self.act_on_each(request, chosen, act)
