"""Who books, and who comes along."""

from django.contrib import admin

from bookings.models import Customer, Participant
from config.kit.admin import ShownAdmin, ShownInline
from config.tenants.scoping import OWNER_FILTER, ByRole, PartByRole


class ParticipantInline(PartByRole, ShownInline):
    """Who has come along."""

    model = Participant
    fields = ("name", "birth_date")


@admin.register(Customer)
class CustomerAdmin(ByRole, ShownAdmin):
    """Known by e-mail address, in one organization."""

    inlines = (ParticipantInline,)
    fields = ("name", "email", "phone", "organization", "created_at")
    list_display = ("name", "email", "phone", "organization", "created_at")
    list_filter = (OWNER_FILTER,)
    list_select_related = ("organization",)
    search_fields = ("name", "email", "phone")
    search_help_text = "Search by name, e-mail address or phone"
    ordering = ("name",)
