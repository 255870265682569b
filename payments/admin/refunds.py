"""Money on its way back: what failed first, since somebody must look at it."""

from django.contrib import admin
from django.db.models import Case, QuerySet, Value, When
from django.http import HttpRequest
from django.utils.safestring import SafeString

from config.kit.admin import ShownAdmin, ShownInline
from config.kit.display import utc_text
from config.kit.visitors import staff_actor
from config.tenants.scoping import OWNER_FILTER, ByRole, PartByRole
from payments.admin.words import amount_of, link_to, refund_words
from payments.models import ProviderName, Refund
from payments.services import refunds

RETRY, HAND_BACK = "retry_refunds", "hand_back_refunds"  # the rights
FAILED_FIRST = Case(When(status=Refund.Status.FAILED, then=Value(0)), default=Value(1))


class RefundWords:
    """How a refund is shown, in its list and on its payment's page."""

    def amount(self, refund: Refund) -> str:
        """Return how much goes back."""
        return amount_of(refund)

    @admin.display(description="state", ordering="status")
    def state(self, refund: Refund) -> str:
        """Return how far it is."""
        return refund_words(refund)

    @admin.display(description="asked for", ordering="created_at")
    def asked(self, refund: Refund) -> str:
        """Return when it was asked for."""
        return utc_text(refund.created_at)

    @admin.display(description="arrived")
    def arrived(self, refund: Refund) -> str:
        """Return when it was back with the payer."""
        return utc_text(refund.settled_at) if refund.settled_at else ""

    @admin.display(description="what the provider said")
    def said(self, refund: Refund) -> str:
        """Return the code of the last no."""
        return refund.failure_code.replace("_", " ")


class RefundInline(RefundWords, PartByRole, ShownInline):
    """What went back of a payment."""

    model = Refund
    fields = ("amount", "state", "reason", "asked", "arrived", "said")
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Refund]:
        """Fetch the payment, which says where the money goes."""
        rows: QuerySet[Refund] = super().get_queryset(request)
        return rows.select_related("payment")


@admin.register(Refund)
class RefundAdmin(RefundWords, ByRole, ShownAdmin):
    """Asked for by acts; here a failed one is tried again, and desk money is noted as handed back."""

    fields = (
        "state", "amount", "reason", "of_payment", "asked", "arrived", "said", "attempt", "provider_ref",
        "organization",
    )  # fmt: skip
    list_display = ("amount", "state", "reason", "of_payment", "organization", "asked")
    list_filter = ("status", "reason", "payment__provider", OWNER_FILTER)
    list_select_related = ("payment", "organization")
    search_fields = ("provider_ref", "payment__provider_ref", "payment__intent_ref", "payment__payer_email")
    search_help_text = "Search by e-mail address, or by the provider's name for it"
    ordering = (FAILED_FIRST.asc(), "-created_at")
    actions = (RETRY, HAND_BACK)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Refund]:
        """Fetch with each the payment that it is of."""
        rows: QuerySet[Refund] = super().get_queryset(request)
        return rows.select_related("payment", "organization")

    def name_of(self, row: Refund) -> str:
        """Name it by how much."""
        return f"Refund of {amount_of(row)}"

    def can_be(self, act: str, row: Refund) -> bool:
        """Try again what failed at the provider; hand back what was paid at the desk."""
        if act == HAND_BACK:
            return row.payment.provider == ProviderName.ON_ARRIVAL and row.status == Refund.Status.REQUESTED
        return row.payment.provider == ProviderName.STRIPE and row.status == Refund.Status.FAILED

    @admin.display(description="of the payment")
    def of_payment(self, refund: Refund) -> SafeString:
        """Lead to the payment."""
        return link_to(refund.payment, f"{amount_of(refund.payment)}, {refund.payment.get_provider_display()}")

    @admin.action(description="Try again")
    def retry_refunds(self, request: HttpRequest, chosen: QuerySet[Refund]) -> None:
        """Ask the provider once more, from the first attempt on."""

        def act(row: Refund) -> str:
            refunds.retry_refund(row.id, actor=staff_actor(request))
            return "the provider is asked again."

        self.act_on_each(request, chosen, act)

    @admin.action(description="Handed back at the desk")
    def hand_back_refunds(self, request: HttpRequest, chosen: QuerySet[Refund]) -> None:
        """Note that the money was given back by hand."""

        def act(row: Refund) -> str:
            refunds.hand_back(row.id, actor=staff_actor(request))
            return "noted as handed back."

        self.act_on_each(request, chosen, act)
