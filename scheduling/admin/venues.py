"""Places with a clock of their own, and who may show their widget."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from config.kit.admin import AnyModelForm, KeptAdmin
from config.kit.facts import Actor
from config.kit.visitors import staff_actor
from config.tenants.history import record_organization_event
from config.tenants.scoping import OWNER_FILTER, ByRole
from scheduling.feeds import feed_path
from scheduling.models import Venue
from scheduling.services import catalogue

if TYPE_CHECKING:
    from django.forms import Textarea as WideTextarea
else:
    from unfold.widgets import UnfoldAdminTextareaWidget as WideTextarea

HOST = r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
ORIGIN = re.compile(rf"https?://{HOST}(?::[1-9][0-9]{{0,4}})?")


class OriginsField(forms.CharField):
    """Sites, one a line: scheme, host and perhaps a port. They go into a header, so nothing else may."""

    widget = WideTextarea(attrs={"rows": 4})

    def prepare_value(self, value: Any) -> Any:
        """Show one a line."""
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """Return the origins in small letters, each once."""
        return list(dict.fromkeys(re.split(r"[\s,]+", (value or "").strip().lower()))) if value else []

    def validate(self, value: Any) -> None:
        """Refuse each that is no origin, by name."""
        super().validate(value)
        wrong = [origin for origin in value if not ORIGIN.fullmatch(origin)]
        if wrong:
            raise forms.ValidationError(
                [
                    f"“{origin}” is not a site's address: write https://www.example.com, without a path."
                    for origin in wrong
                ]
            )

    def run_validators(self, value: Any) -> None:
        """Lengths are the column's affair."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare what they mean."""
        return bool((initial or []) != self.to_python(data))


class VenueForm(AnyModelForm):
    """A venue, with the sites that may frame its widget."""

    allowed_embed_origins = OriginsField(
        required=False,
        label="Sites that may show its widget",
        help_text="One a line, such as https://www.example.com. Any other site gets no frame.",
    )


@admin.register(Venue)
class VenueAdmin(ByRole, KeptAdmin):
    """Its page has the lines to copy into a site and into a calendar program."""

    form = VenueForm
    fields = ("organization", "name", "timezone", "allowed_embed_origins", "embed_key", "generated_on")
    list_display = ("name", "organization", "timezone", "generated_on")
    list_filter = (OWNER_FILTER,)
    list_select_related = ("organization",)
    search_fields = ("name", "organization__name")
    autocomplete_fields = ("organization",)
    ordering = ("organization__name", "name")
    actions = ("renew_feed_addresses",)
    change_form_outer_after_template = "admin/scheduling/venue/_snippet.html"

    def get_readonly_fields(self, request: HttpRequest, obj: Venue | None = None) -> tuple[str, ...]:  # noqa: ARG002
        """Its sessions stand at times of its zone, and belong to its organization."""
        always = ("embed_key", "generated_on")
        return ("organization", "timezone", *always) if obj else always

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show what to put into the venue's own site, and into a calendar program."""
        venue = context["original"]
        if venue is not None:
            script = request.build_absolute_uri(f"{settings.STATIC_URL}embed/embed.js")
            context["snippet"] = f'<script src="{script}" data-key="{venue.embed_key}"></script>'
            context["feed"] = request.build_absolute_uri(feed_path(venue))
        return super().render_change_form(request, context, *args, **kwargs)

    def record(self, row: Venue, actor: Actor, *, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Write what became of it: where its widget may be shown, what it is called."""
        kind = "venue_changed" if before else "venue_added"
        told = {"venue": str(row.id), **after}
        record_organization_event(
            organization_id=row.organization_id, kind=kind, actor=actor, before=before, after=told
        )

    @admin.action(description="New calendar address: the old one ends")
    def renew_feed_addresses(self, request: HttpRequest, venues: QuerySet[Venue]) -> None:
        """End the addresses that somebody has who should not."""

        def act(venue: Venue) -> str:
            catalogue.renew_feed_address(venue_id=venue.id, actor=staff_actor(request))
            return "its calendar has a new address; the old one has ended."

        self.act_on_each(request, venues, act)
