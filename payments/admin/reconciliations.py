"""Our ledger beside the bank's statement: each comparison, and what differed, in words."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from config.kit.admin import ShownAdmin
from config.kit.display import money_text, utc_text
from config.tenants.scoping import OWNER_FILTER, ByRole
from payments.models import Reconciliation
from payments.services import comparison

WORDS: Mapping[str, str] = {
    comparison.MISSING_HERE: "The bank moved it, and we did not know",
    comparison.MISSING_THERE: "We wrote it down, and the bank does not know it",
    comparison.AMOUNT_DIFFERS: "The amounts differ",
    comparison.CURRENCY_DIFFERS: "The currencies differ",
    comparison.UNKNOWN_CHARGE: "It belongs to no payment of ours",
    comparison.TOTALS_DIFFER: "The sums differ",
}


class Differing(admin.SimpleListFilter):
    """Runs after which somebody must look."""

    title = "differences"
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Offer the ones that matter."""
        return [("yes", "Somebody must look")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:  # noqa: ARG002
        """Keep to them."""
        return queryset.filter(open_count__gt=0) if self.value() == "yes" else queryset


@admin.register(Reconciliation)
class ReconciliationAdmin(ByRole, ShownAdmin):
    """Run every hour, and from an account's page at once."""

    fields = ("outcome", "told", "checked", "span", "account", "run", "organization")
    list_display = ("run", "outcome", "checked", "account", "organization", "span")
    list_filter = (Differing, OWNER_FILTER)
    list_select_related = ("account", "organization")
    ordering = ("-created_at",)
    list_before_template = "admin/payments/reconciliation/_about.html"

    def name_of(self, row: Reconciliation) -> str:
        """Name it by when it was."""
        return f"Reconciliation of {utc_text(row.created_at)}"

    @admin.display(description="when", ordering="created_at")
    def run(self, row: Reconciliation) -> str:
        """Return when it was run."""
        return utc_text(row.created_at)

    @admin.display(description="found", ordering="open_count")
    def outcome(self, row: Reconciliation) -> str:
        """Say whether somebody must look."""
        return outcome_of(row)

    @admin.display(description="movements from, until")
    def span(self, row: Reconciliation) -> str:
        """Return what was compared."""
        return f"{utc_text(row.since)} to {utc_text(row.until)}"

    @admin.display(description="differences")
    def told(self, row: Reconciliation) -> SafeString | str:
        """Tell each difference."""
        return format_html_join("", "<p>{}</p>", ((sentence(each),) for each in row.differences)) or "None."


def outcome_of(row: Reconciliation) -> str:
    """Say what a run found."""
    healed = len(row.differences) - row.open_count
    if row.open_count:
        return f"{row.open_count} of {len(row.differences)} differences are for somebody to look at"
    return f"agrees; {healed} put right by itself" if healed else "agrees"


def sentence(told: Mapping[str, Any]) -> str:
    """Return a difference as a person says it."""
    ours, theirs = (_amount(told[side], told["currency"]) for side in ("ours_minor", "theirs_minor"))
    what = WORDS.get(told["kind"], str(told["kind"]).replace("_", " "))
    after = " It was put right." if told.get("healed") else " Somebody must look."
    return f"{what}: {told['ref'] or told['currency']}, ours {ours}, the bank's {theirs}.{after}"


def _amount(minor: int | None, currency: str) -> str:
    return "nothing" if minor is None else money_text(minor, currency)
