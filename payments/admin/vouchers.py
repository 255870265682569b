"""Stored value: given, looked at, ended. A code is money, so it is shown to those alone who may read codes."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from config.kit.admin import ShownAdmin, ShownInline
from config.kit.display import change_text, money_text, utc_text
from config.kit.refusals import Refusal
from config.kit.visitors import staff_actor
from config.tenants.scoping import OWNER_FILTER, ByRole, PartByRole
from payments.admin.asking import AmountField, Asks, DayField, MoneyForm, OwnedForm, organizations_for
from payments.models import Voucher, VoucherEntry
from payments.services import vouchers

KIND = "payments.voucher"
OPEN, END, READ = "open_vouchers", "end_vouchers", "read_codes"  # the rights
ENTRY = {
    VoucherEntry.Kind.ISSUED: "Issued",
    VoucherEntry.Kind.REDEEMED: "Paid with",
    VoucherEntry.Kind.RETURNED: "Given back after a refund",
    VoucherEntry.Kind.ENDED: "Ended: the rest was taken off",
}


class VoucherForm(MoneyForm, OwnedForm):
    """What a new voucher is worth, and how long."""

    lead = "The code comes next. Whoever has it can pay with it, so send it to nobody else."
    button = "Issue it"
    field_names = {"amount_minor": "amount"}

    amount = AmountField(label="Worth")
    currency = forms.ChoiceField()
    expires_on = DayField(required=False, label="Last day", help_text="Empty: it does not end by itself.")
    note = forms.CharField(max_length=200, required=False, help_text="For staff: what it was given for.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["currency"].choices = self.currencies()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """The amount is one of its currency, and the currency one that the organization takes."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        cleaned["amount_minor"] = self.minor("amount", cleaned["currency"])
        if cleaned["currency"] not in self.owner().currencies:
            self.add_error("currency", f"{self.owner()} takes {', '.join(self.owner().currencies)}.")
        return cleaned


class EntryInline(PartByRole, ShownInline):
    """What happened to its value."""

    model = VoucherEntry
    verbose_name_plural = "what happened to it"
    fields = ("what", "change", "when")
    ordering = ("at", "id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[VoucherEntry]:
        """Fetch the voucher, whose currency it is in."""
        rows: QuerySet[VoucherEntry] = super().get_queryset(request)
        return rows.select_related("voucher")

    def what(self, entry: VoucherEntry) -> str:
        """Return what happened."""
        return ENTRY[VoucherEntry.Kind(entry.kind)]

    def change(self, entry: VoucherEntry) -> str:
        """Return what it did to the value."""
        return change_text(entry.amount_minor, entry.voucher.currency)

    def when(self, entry: VoucherEntry) -> str:
        """Return when."""
        return utc_text(entry.at)


@admin.register(Voucher)
class VoucherAdmin(Asks, ByRole, ShownAdmin):
    """Issued and ended here; spent by bookings."""

    can_add = True
    inlines = (EntryInline,)
    fields = ("value", "left", "state", "last_day", "note", "given_by", "given", "organization")
    list_display = ("name", "value", "left", "state", "last_day", "organization", "note", "given")
    list_filter = (("ended_at", admin.EmptyFieldListFilter), OWNER_FILTER)
    search_fields = ("note",)
    search_help_text = "Search by the whole code, or by the note"
    ordering = ("-issued_at",)
    actions = (OPEN, END)
    change_form_outer_before_template = "admin/payments/voucher/_code.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Voucher]:
        """Fetch whose it is, and what time it is."""
        rows: QuerySet[Voucher] = super().get_queryset(request)
        return rows.select_related("organization", "issued_by").annotate(looked_at=Now())

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        """Find a voucher by its whole code, however it was typed: part of one finds nothing, so that nobody guesses."""
        code = vouchers.read_code(search_term)
        found = queryset.filter(code=code) if search_term.strip() else queryset
        if search_term.strip() and found.exists():
            return found, False
        return super().get_search_results(request, queryset, search_term)

    def name_of(self, row: Voucher) -> str:
        """Name it by the end of its code."""
        return f"Voucher {row}"

    def can_be(self, act: str, row: Any) -> bool:
        """End what has not ended, or has something on it again; open what has, and cannot be spent."""
        if act == OPEN:
            return bool(row.balance_minor) and self.state(row) != "good"
        return row.ended_at is None or bool(row.balance_minor)

    @admin.display(description="code", ordering="code")
    def name(self, voucher: Voucher) -> str:
        """Return the end of its code: the whole of it stands on its page."""
        return str(voucher)

    @admin.display(description="worth", ordering="issued_minor")
    def value(self, voucher: Voucher) -> str:
        """Return what it was worth when it was issued."""
        return money_text(voucher.issued_minor, voucher.currency)

    @admin.display(description="left on it", ordering="balance_minor")
    def left(self, voucher: Voucher) -> str:
        """Return what can still be paid with it."""
        return money_text(voucher.balance_minor, voucher.currency)

    @admin.display(description="state")
    def state(self, voucher: Any) -> str:
        """Return whether something can be paid with it."""
        if voucher.ended_at:
            return "ended"
        if voucher.expires_on and voucher.expires_on < voucher.looked_at.date():
            return "its last day is over"
        return "good" if voucher.balance_minor else "spent"

    @admin.display(ordering="expires_on")
    def last_day(self, voucher: Voucher) -> str:
        """Return until when it is good."""
        return f"{voucher.expires_on:%d %b %Y}" if voucher.expires_on else "none"

    @admin.display(description="issued by")
    def given_by(self, voucher: Voucher) -> str:
        """Return who issued it."""
        return (voucher.issued_by.name or voucher.issued_by.email) if voucher.issued_by else "a program"

    @admin.display(description="issued", ordering="issued_at")
    def given(self, voucher: Voucher) -> str:
        """Return when."""
        return utc_text(voucher.issued_at)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show the code to those who may read it."""
        voucher: Voucher | None = context["original"]
        if voucher is not None and self.may(request, READ, voucher):
            context["code"] = voucher.code
        return super().render_change_form(request, context, *args, **kwargs)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:  # noqa: ARG002
        """Issue a voucher; its page shows the code."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = VoucherForm(request.POST or None, request=request, organizations=organizations_for(request, KIND, "add"))
        voucher = self._issue(request, form) if form.is_valid() else None
        if voucher:
            self.log_addition(request, voucher, "Issued")
            self.message_user(request, f"Issued: {self.value(voucher)}.", messages.SUCCESS)
            return redirect("admin:payments_voucher_change", voucher.id)
        return self.ask(request, form, title="Issue a voucher", back=reverse("admin:payments_voucher_changelist"))

    @staticmethod
    def _issue(request: HttpRequest, form: VoucherForm) -> Voucher | None:
        """Issue it; or put what is refused on the form, and write nothing."""
        asked = form.cleaned_data
        try:
            return vouchers.issue_voucher(
                organization_id=form.owner().id, amount_minor=asked["amount_minor"], currency=asked["currency"],
                expires_on=asked["expires_on"], note=asked["note"], issued_by=request.user.pk,
                actor=staff_actor(request),
            )  # fmt: skip
        except Refusal as refusal:
            form.put_refusal(refusal)
            return None

    @admin.action(description="Open again: what is left can be spent")
    def open_vouchers(self, request: HttpRequest, chosen: QuerySet[Voucher]) -> None:
        """Let what came back be spent."""

        def act(row: Voucher) -> str:
            opened = vouchers.open_voucher(voucher_id=row.id, actor=staff_actor(request))
            return f"open again; its last day: {self.last_day(opened)}."

        self.act_on_each(request, chosen, act)

    @admin.action(description="End: what is left on it is taken off")
    def end_vouchers(self, request: HttpRequest, chosen: QuerySet[Voucher]) -> None:
        """Let nobody pay with them any more."""

        def act(row: Voucher) -> str:
            vouchers.end_voucher(voucher_id=row.id, actor=staff_actor(request))
            return "ended; nothing can be paid with it any more."

        self.act_on_each(request, chosen, act)
