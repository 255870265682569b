"""Payments, with the booking that each is for: to look at. Money is written by services alone."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from bookings.models import Booking
from config.kit.admin import ShownAdmin
from config.kit.display import money_text, utc_text
from config.tenants.scoping import OWNER_FILTER, ByRole
from payments.admin.disputes import DisputeInline
from payments.admin.refunds import RefundInline
from payments.admin.words import amount_of, between, moved_words, payment_words
from payments.models import LedgerTransaction, Payment, PaymentEvent, ProviderName
from payments.services import charges
from scheduling.timeline import entries

REFRESH = "refresh_payments"  # the right
UTC = ZoneInfo("UTC")
WORDS: Mapping[str, str] = {
    "payment_opened": "To be paid",
    "payment_begun": "The provider's page was opened",
    "payment_declined": "The bank declined it",
    "payment_mismatched": "Another amount or currency came than was asked for; it does not count",
    "account_refused": "The provider does not take the account's key",
    "payment_succeeded": "Paid",
    "payment_failed": "Failed",
    "payment_cancelled": "Closed, not paid",
    "refund_requested": "Some of it is to go back",
    "refund_submitted": "The provider has taken the refund",
    "refund_succeeded": "The refund arrived",
    "refund_declined": "The refund was declined; it is tried again",
    "refund_returned": "The refund came back",
    "refund_failed": "The refund failed: somebody must look",
    "refund_retried": "The refund is tried again",
    "refund_delayed": "A day later the refund has not arrived; it is tried again",
    "refund_recorded": "A refund was made at the provider",
    "dispute_opened": "The payer's bank asks it back",
    "dispute_withdrawn": "The bank has taken the money",
    "dispute_reinstated": "The bank has put the money back",
    "dispute_won": "The dispute was won",
    "dispute_lost": "The dispute was lost",
}


@admin.register(Payment)
class PaymentAdmin(ByRole, ShownAdmin):
    """One checkout each, or money taken at the desk, or a voucher; what went back stands on its page."""

    inlines = (RefundInline, DisputeInline)
    fields = (
        "state", "amount", "booking", "purpose", "provider", "payer_email", "opened", "paid", "until", "said",
        "movements", "story", "provider_ref", "intent_ref", "taken_by", "organization",
    )  # fmt: skip
    list_display = ("amount", "state", "booking", "provider", "payer_email", "organization", "opened")
    list_filter = ("status", "provider", "purpose", OWNER_FILTER)
    list_select_related = ("organization",)
    search_fields = ("payer_email", "provider_ref", "intent_ref", "description")
    search_help_text = "Search by booking number, e-mail address, or the provider's name for it"
    date_hierarchy = "created_at"
    ordering = ("-created_at", "-id")
    actions = (REFRESH,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Payment]:
        """Fetch with each the number of its booking."""
        rows: QuerySet[Payment] = super().get_queryset(request)
        number = Booking.objects.filter(id=OuterRef("reference")).values("number")[:1]
        return rows.annotate(booking_number=Subquery(number))

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        """Find by the booking's number, too."""
        booking = Booking.objects.filter(number=search_term.strip().upper()).values("id")
        found, distinct = super().get_search_results(request, queryset, search_term)
        return (found | queryset.filter(reference__in=booking) if search_term.strip() else found), distinct

    def name_of(self, row: Payment) -> str:
        """Name it by how much, and how."""
        return f"{amount_of(row)}, {row.get_provider_display()}"

    def can_be(self, act: str, row: Payment) -> bool:  # noqa: ARG002
        """A provider can be asked of what it knows."""
        return row.provider == ProviderName.STRIPE

    # What is shown

    @admin.display(ordering="amount_minor")
    def amount(self, payment: Payment) -> str:
        """Return how much."""
        return amount_of(payment)

    @admin.display(description="state", ordering="status")
    def state(self, payment: Payment) -> str:
        """Return how far it is."""
        return payment_words(payment)

    @admin.display(description="booking")
    def booking(self, payment: Any) -> SafeString | str:
        """Lead to what it is for."""
        if not payment.booking_number:
            return ""
        address = reverse("admin:bookings_booking_change", args=[payment.reference])
        return format_html('<a class="booking-link" href="{}">{}</a>', address, payment.booking_number)

    @admin.display(description="asked for", ordering="created_at")
    def opened(self, payment: Payment) -> str:
        """Return when it was asked for."""
        return utc_text(payment.created_at)

    @admin.display(description="paid", ordering="settled_at")
    def paid(self, payment: Payment) -> str:
        """Return when the money was there."""
        return utc_text(payment.settled_at) if payment.settled_at else ""

    @admin.display(description="can be paid until")
    def until(self, payment: Payment) -> str:
        """Return until when it can be paid, while it can."""
        return utc_text(payment.expires_at) if payment.expires_at and payment.is_open else ""

    @admin.display(description="what the provider said")
    def said(self, payment: Payment) -> str:
        """Return the code of its no."""
        return payment.failure_code.replace("_", " ")

    @admin.display(description="account")
    def taken_by(self, payment: Payment) -> str:
        """Return which account takes it: a name, since not everybody who may look at payments may look at accounts."""
        return str(payment.account) if payment.account else ""

    @admin.display(description="in the ledger")
    def movements(self, payment: Payment) -> SafeString | str:
        """Tell what moved because of it."""
        about = Q(source_id=payment.id)
        about |= Q(source_id__in=payment.refunds.values("id")) | Q(source_id__in=payment.disputes.values("id"))
        rows = LedgerTransaction.objects.filter(about).prefetch_related("entries").order_by("at", "id")
        lines = ((f"{utc_text(row.at)}: {moved_words(row)}, {_moved(row)}, {between(row)}",) for row in rows)
        return format_html_join("", "<p>{}</p>", lines) or "Nothing yet."

    @admin.display(description="what happened")
    def story(self, payment: Payment) -> SafeString:
        """Tell it from its facts."""
        events = list(payment.history.select_related("detail").order_by("seq"))
        html = render_to_string("admin/_timeline.html", {"entries": entries(events, UTC, WORDS, note=_note)})
        return mark_safe(html)  # noqa: S308 a template's own output: it has escaped what it was given

    # What is done

    @admin.action(description="Look at the provider again")
    def refresh_payments(self, request: HttpRequest, chosen: QuerySet[Payment]) -> None:
        """Ask the provider what became of them, and take it over."""

        def act(row: Payment) -> str:
            return f"{payment_words(charges.refresh_payment(row.id))}."

        self.act_on_each(request, chosen, act)


def _moved(row: LedgerTransaction) -> str:
    return money_text(max((entry.amount_minor for entry in row.entries.all()), default=0), row.currency)


def _note(event: PaymentEvent) -> str:
    """Say how much, why, and what whoever did it wrote beside."""
    amount, currency = event.after.get("amount_minor"), event.after.get("currency")
    detail = getattr(event, "detail", None)
    parts = (
        money_text(amount, currency) if isinstance(amount, int) and currency else "",
        str(event.after.get("failure_code") or "").replace("_", " "),
        detail.note if detail else "",
    )
    return " · ".join(part for part in parts if part)
