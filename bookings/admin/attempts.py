"""Every submitted checkout, refused ones too: what for, and what came of it."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from bookings.models import Attempt
from config.kit.admin import ShownAdmin
from config.kit.display import utc_text
from config.tenants.scoping import OWNER_FILTER, ByRole
from scheduling.services.assessing import NotEnoughPlaces

TOLD = 8  # letters of a digest: enough to see that two are the same


@admin.register(Attempt)
class AttemptAdmin(ByRole, ShownAdmin):
    """To look at. People are digests here: whoever shares one is the same mailbox, or the same network."""

    list_display = ("when", "outcome", "why", "people", "channel", "mailbox", "network", "booking", "organization")
    list_filter = ("outcome", "channel", OWNER_FILTER)
    search_fields = ("codes__contains",)
    search_help_text = f"Search by a code: {NotEnoughPlaces.code}"
    ordering = ("-at",)
    date_hierarchy = "at"
    fields = ("when", "outcome", "why", "people", "sessions", "channel", "actor_kind", "mailbox", "network", "booking")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:  # noqa: ARG002
        """Find a code among those of an attempt."""
        term = search_term.strip()
        return (queryset.filter(codes__contains=[term]) if term else queryset), False

    @admin.display(ordering="at")
    def when(self, attempt: Attempt) -> str:
        """Return when it was."""
        return utc_text(attempt.at)

    def why(self, attempt: Attempt) -> str:
        """Return what was wrong."""
        return ", ".join(attempt.codes)

    @admin.display(ordering="party_size")
    def people(self, attempt: Attempt) -> int:
        """Return how many were to come, over all lines."""
        return attempt.party_size

    def mailbox(self, attempt: Attempt) -> str:
        """Return the beginning of the mailbox's digest."""
        return attempt.email_digest[:TOLD]

    def network(self, attempt: Attempt) -> str:
        """Return the beginning of the network's digest."""
        return attempt.address_digest[:TOLD]

    def booking(self, attempt: Attempt) -> SafeString | str:
        """Lead to the booking that it became."""
        if attempt.booking_id is None:
            return ""
        return format_html(
            '<a href="{}">Booking</a>', reverse("admin:bookings_booking_change", args=[attempt.booking_id])
        )
