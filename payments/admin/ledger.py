"""The ledger: what moved between which accounts; a month of an organization as a statement, and as a file."""

import io
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from config.kit.admin import ShownAdmin
from config.kit.clock import database_now
from config.kit.display import money_text, utc_text
from config.tenants.scoping import OWNER_FILTER, ByRole
from payments.admin.asking import OwnedForm, organizations_for
from payments.admin.words import MOVED, between, moved_words
from payments.models import LedgerEntry, LedgerTransaction
from payments.services.ledger import AccountTotals, LedgerLine, Statement, statement, write_csv

KIND = "payments.ledgertransaction"
LAST_MONTH = 12


class MonthForm(OwnedForm):
    """Whose statement, in which currency, of which month by UTC."""

    currency = forms.ChoiceField()
    month = forms.CharField(
        widget=forms.DateInput(attrs={"type": "month", "pattern": "[0-9]{4}-[0-9]{2}", "placeholder": "2026-12"}),
        error_messages={"required": "Choose a month."},
    )

    def __init__(self, asked: Mapping[str, Any], **kwargs: Any) -> None:
        owners = list(kwargs["organizations"].order_by("name"))
        usual = {"month": f"{database_now():%Y-%m}"}
        if owners:
            usual |= {"organization": str(owners[0].id), "currency": owners[0].currency}
        super().__init__({**usual, **asked}, **kwargs)
        self.fields["currency"].choices = self.currencies()  # type: ignore[attr-defined]

    def clean_month(self) -> date:
        """It is a year and a month."""
        try:
            return date.fromisoformat(f"{self.cleaned_data['month']}-01")
        except ValueError:
            raise forms.ValidationError("Write the month as year-month, such as 2026-12.") from None

    def read(self) -> Statement:
        """Return the statement that is asked for."""
        first: date = self.cleaned_data["month"]
        after = first.replace(year=first.year + 1, month=1) if first.month == LAST_MONTH else None
        until = after or first.replace(month=first.month + 1)
        begins, ends = (datetime(day.year, day.month, 1, tzinfo=UTC) for day in (first, until))
        owner: UUID = self.owner().id
        return statement(owner, self.cleaned_data["currency"], begins, ends)


@admin.register(LedgerTransaction)
class LedgerTransactionAdmin(ByRole, ShownAdmin):
    """Movements, the newest first; nothing is written here, and nothing ever changes."""

    fields = ("what", "accounts", "amount", "when", "source_id", "reference", "organization")
    list_display = ("when", "what", "amount", "accounts", "organization")
    list_filter = ("kind", OWNER_FILTER)
    list_select_related = ("organization",)
    search_fields = ("=source_id", "=reference")
    ordering = ("-at", "-id")
    date_hierarchy = "at"
    list_before_template = "admin/payments/ledgertransaction/_statement_link.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerTransaction]:
        """Fetch both sides with each."""
        rows: QuerySet[LedgerTransaction] = super().get_queryset(request)
        return rows.prefetch_related("entries")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:  # noqa: ARG002
        """Find what belongs to a payment, a refund, a dispute or a booking, by its id."""
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            wanted = UUID(term)
        except ValueError:
            return queryset.none(), False
        return queryset.filter(source_id=wanted) | queryset.filter(reference=wanted), False

    def name_of(self, row: LedgerTransaction) -> str:
        """Name it by what moved."""
        return f"{moved_words(row)}, {self.amount(row)}"

    @admin.display(ordering="at")
    def when(self, moved: LedgerTransaction) -> str:
        """Return when."""
        return utc_text(moved.at)

    @admin.display(ordering="kind")
    def what(self, moved: LedgerTransaction) -> str:
        """Return what moved."""
        return moved_words(moved)

    def amount(self, moved: LedgerTransaction) -> str:
        """Return how much."""
        return money_text(max((entry.amount_minor for entry in moved.entries.all()), default=0), moved.currency)

    @admin.display(description="from → to")
    def accounts(self, moved: LedgerTransaction) -> str:
        """Return between which accounts."""
        return between(moved)

    # The statement

    def get_urls(self) -> list[URLPattern]:
        """Have an address for the page and for the file."""
        return [
            path("statement/", self.admin_site.admin_view(self.statement_view), name="payments_statement"),
            path("statement.csv", self.admin_site.admin_view(self.file_view), name="payments_statement_csv"),
            *super().get_urls(),
        ]

    def statement_view(self, request: HttpRequest) -> HttpResponse:
        """GET statement/?organization=&currency=&month=: this month, unless said otherwise."""
        form = self._asked(request)
        read = form.read() if form.organizations and form.is_valid() else None
        context = {
            **self.admin_site.each_context(request), "title": "Statement", "opts": self.opts, "form": form,
            "read": read, "totals": [_total(read, each) for each in read.totals] if read else (),
            "lines": [_line(read, each) for each in read.lines] if read else (), "asked": request.GET.urlencode(),
        }  # fmt: skip
        wrong = form.organizations and form.errors
        template = "admin/payments/ledgertransaction/statement.html"
        return TemplateResponse(request, template, context, status=422 if wrong else 200)

    def file_view(self, request: HttpRequest) -> HttpResponse:
        """GET statement.csv with the same arguments: the same numbers; of what cannot be read the page says why."""
        form = self._asked(request)
        if not (form.organizations and form.is_valid()):
            return self.statement_view(request)
        read, out = form.read(), io.StringIO()
        write_csv(read, out)
        name = f"statement-{form.owner().slug}-{read.currency}-{read.since:%Y-%m}.csv"
        answer = HttpResponse(out.getvalue(), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer

    def _asked(self, request: HttpRequest) -> MonthForm:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return MonthForm(request.GET.dict(), organizations=organizations_for(request, KIND, "view"))


def _total(read: Statement, total: AccountTotals) -> dict[str, str]:
    """Return an account in words: debits are what went in, credits what went out."""
    amounts = {
        "opening": total.opening_minor, "in": total.debit_minor, "out": total.credit_minor,
        "closing": total.closing_minor,
    }  # fmt: skip
    return {"label": total.label, **{name: money_text(minor, read.currency) for name, minor in amounts.items()}}


def _line(read: Statement, line: LedgerLine) -> dict[str, Any]:
    return {
        "when": utc_text(line.at), "what": MOVED[line.kind], "account": str(LedgerEntry.Account(line.account).label),
        "amount": money_text(line.amount_minor, read.currency),
        "balance": money_text(line.balance_minor, read.currency),
    }  # fmt: skip
