"""Money that a payer's bank asks back: what must be answered first stands first."""

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from config.kit.admin import ShownAdmin, ShownInline
from config.kit.display import utc_text
from config.tenants.scoping import OWNER_FILTER, ByRole, PartByRole
from payments.admin.words import amount_of, dispute_words, link_to
from payments.models import Dispute

WHAT_TO_DO = (
    "Answer it in the provider's own pages, with what proves that they came or agreed: the booking, its history, your "
    "terms. Until it is decided the bank keeps the money. The booking stays as it is, unless you cancel it."
)
DECIDED = "Nothing: it is decided."


class DisputeWords:
    """How a dispute is shown, in its list and on its payment's page."""

    def amount(self, dispute: Dispute) -> str:
        """Return how much is asked back."""
        return amount_of(dispute)

    @admin.display(description="state", ordering="status")
    def state(self, dispute: Dispute) -> str:
        """Return how it is."""
        return dispute_words(dispute)

    @admin.display(description="the bank's word for it")
    def why(self, dispute: Dispute) -> str:
        """Return why, in the bank's word."""
        return dispute.reason.replace("_", " ")

    @admin.display(description="answer by", ordering="answer_by")
    def until(self, dispute: Dispute) -> str:
        """Return until when the bank takes an answer; nothing once it is decided."""
        return utc_text(dispute.answer_by) if dispute.answer_by and not dispute.closed_at else ""

    @admin.display(description="the money")
    def money(self, dispute: Dispute) -> str:
        """Say who has it for the time being."""
        return "the bank has it" if dispute.is_withdrawn else "with us"


class DisputeInline(DisputeWords, PartByRole, ShownInline):
    """Disputes about a payment."""

    model = Dispute
    fields = ("amount", "state", "why", "until", "money")
    show_change_link = True


@admin.register(Dispute)
class DisputeAdmin(DisputeWords, ByRole, ShownAdmin):
    """To look at: it is answered at the provider, whose events say how it ends."""

    fields = (
        "state", "what_to_do", "until", "amount", "money", "why", "of_payment", "opened", "closed", "provider_ref",
        "organization",
    )  # fmt: skip
    list_display = ("until", "amount", "state", "why", "of_payment", "organization", "opened")
    list_display_links = ("amount",)
    list_filter = ("status", OWNER_FILTER)
    search_fields = ("provider_ref", "payment__provider_ref", "payment__intent_ref", "payment__payer_email")
    search_help_text = "Search by e-mail address, or by the provider's name for it"
    # Decided ones last; of the others, whose day comes first.
    ordering = (F("closed_at").asc(nulls_first=True), F("answer_by").asc(nulls_last=True), "-opened_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Dispute]:
        """Fetch with each the payment that it is about."""
        rows: QuerySet[Dispute] = super().get_queryset(request)
        return rows.select_related("payment", "organization")

    def name_of(self, row: Dispute) -> str:
        """Name it by how much."""
        return f"{amount_of(row)} disputed"

    @admin.display(description="what to do")
    def what_to_do(self, dispute: Dispute) -> str:
        """Say what somebody should do now."""
        return DECIDED if dispute.closed_at else WHAT_TO_DO

    @admin.display(description="payment")
    def of_payment(self, dispute: Dispute) -> SafeString:
        """Lead to the payment, and from there to the booking."""
        return link_to(dispute.payment, f"{amount_of(dispute.payment)}, {dispute.payment.payer_email}".rstrip(", "))

    @admin.display(ordering="opened_at")
    def opened(self, dispute: Dispute) -> str:
        """Return since when."""
        return utc_text(dispute.opened_at)

    def closed(self, dispute: Dispute) -> str:
        """Return when it was decided."""
        return utc_text(dispute.closed_at) if dispute.closed_at else ""
