"""Who books, and who comes along; their data handed out, and erased."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from bookings.data_links import LASTS_DAYS, data_token
from bookings.models import Customer, Participant
from bookings.services.personal_data import export_customer
from bookings.services.privacy import erase_customer
from bookings.views.privacy import data_file
from config.kit.admin import ShownAdmin, ShownInline
from config.kit.clock import database_now
from config.kit.display import utc_text
from config.kit.refusals import Refusal
from config.kit.visitors import staff_actor
from config.tenants.scoping import OWNER_FILTER, ByRole, PartByRole

EXPORT, ERASE = "export_customers", "erase_customers"


class ParticipantInline(PartByRole, ShownInline):
    """Who has come along."""

    model = Participant
    fields = ("name", "birth_date", "level", "languages", "notes", "consent_by", "consent_at")


@admin.register(Customer)
class CustomerAdmin(ByRole, ShownAdmin):
    """Known by e-mail address, in one organization."""

    inlines = (ParticipantInline,)
    list_display = ("name", "email", "phone", "organization", "known_since")
    list_filter = (OWNER_FILTER, ("erased_at", admin.EmptyFieldListFilter))
    list_select_related = ("organization",)
    search_fields = ("name", "email", "phone")
    search_help_text = "Search by name, e-mail address or phone"
    ordering = ("name",)
    actions = (EXPORT, ERASE)

    def get_fields(self, request: HttpRequest, obj: Customer | None = None) -> tuple[str, ...]:
        """Show the link to those alone who may hand data out."""
        shown = ("name", "email", "phone", "language", "organization", "known_since", "erased")
        return (*shown, "data_link") if obj and not obj.erased_at and self.may(request, EXPORT, obj) else shown

    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> tuple[str, ...]:
        """Nothing is written here."""
        return self.get_fields(request, obj)

    def can_be(self, act: str, row: Customer) -> bool:
        """What is erased cannot be erased."""
        return act != ERASE or row.erased_at is None

    @admin.display(ordering="created_at")
    def known_since(self, customer: Customer) -> str:
        """Return when they booked or waited first."""
        return utc_text(customer.created_at)

    @admin.display(description="erased")
    def erased(self, customer: Customer) -> str:
        """Return when their data was erased, if it was."""
        return utc_text(customer.erased_at) if customer.erased_at else ""

    @admin.display(description="link to their own data")
    def data_link(self, customer: Customer) -> SafeString:
        """Return what to send to the customer, once it is sure who asks."""
        token = data_token(customer, at=database_now())
        address = reverse("your-data", kwargs={"customer_id": customer.id, "token": token})
        return format_html('<a href="{}">For them to have or erase it</a>, for {} days', address, LASTS_DAYS)

    # What is done

    @admin.action(description="Hand out all data (JSON)")
    def export_customers(self, request: HttpRequest, chosen: QuerySet[Customer]) -> HttpResponse:
        """Return everything that is kept of these customers as one file."""
        allowed = [row for row in chosen.order_by("id") if self.may(request, EXPORT, row)]
        for row in allowed:
            self.log_change(request, row, "Handed out all data")
        return data_file([export_customer(customer_id=row.id) for row in allowed])

    @admin.action(description="Erase personal data")
    def erase_customers(self, request: HttpRequest, chosen: QuerySet[Customer]) -> HttpResponse | None:
        """Lead to the page that asks whether that is meant: of one customer."""
        rows = list(chosen[:2])
        if len(rows) != 1:
            self.message_user(request, "Erase one customer at a time.", messages.WARNING)
            return None
        return redirect("admin:bookings_customer_erase", rows[0].id)

    def get_urls(self) -> list[URLPattern]:
        """Add the page that asks."""
        view = self.admin_site.admin_view(self.erase_view)
        return [path("<uuid:customer_id>/erase/", view, name="bookings_customer_erase"), *super().get_urls()]

    def erase_view(self, request: HttpRequest, customer_id: UUID) -> HttpResponse:
        """Say what goes and what stays; then erase."""
        customer = self.get_queryset(request).filter(id=customer_id).first()
        if customer is None:
            raise Http404
        if not self.may(request, ERASE, customer):
            raise PermissionDenied
        refusal: Refusal | None = None
        if request.method == "POST":
            try:
                return self._erase(request, customer)
            except Refusal as refused:
                refusal = refused
        context: dict[str, Any] = {
            **self.admin_site.each_context(request), "title": "Erase personal data", "opts": self.opts,
            "customer": customer, "refusal": refusal, "bookings": customer.bookings.count(),
        }  # fmt: skip
        status = refusal.status if refusal else 200
        return TemplateResponse(request, "admin/bookings/customer/erase.html", context, status=status)

    def _erase(self, request: HttpRequest, customer: Customer) -> HttpResponse:
        actor = staff_actor(request)
        erased = erase_customer(customer_id=customer.id, actor=actor)
        self.log_change(request, erased, "Erased personal data")
        self.message_user(request, "Erased. Bookings and sums are still there, without the person.", messages.SUCCESS)
        return redirect("admin:bookings_customer_change", customer.id)
