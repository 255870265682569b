"""The report on cancellations: a span of days, four tables."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from bookings.reports import CancellationReport, Figures, report_cancellations
from config.kit.admin import AskingMay, ShownAdmin
from config.kit.display import money_text
from config.tenants.models import Organization
from config.tenants.scoping import may, within
from scheduling.today import latest_today

KIND, RIGHT = "bookings.booking", "view_cancellations"
USUAL = timedelta(days=29)  # with today, thirty days
LONGEST = timedelta(days=731)

if TYPE_CHECKING:

    class Page(ShownAdmin):
        """What it is mixed into."""

else:
    Page = AskingMay


class SpanForm(forms.Form):
    """Whose cancellations, and of which days."""

    organization = forms.TypedChoiceField(
        coerce=UUID, error_messages={"invalid_choice": "Choose one of these organizations."}
    )
    since = forms.DateField(
        label="From", widget=forms.DateInput(attrs={"type": "date"}), error_messages={"required": "Choose a day."}
    )
    until = forms.DateField(
        label="To", widget=forms.DateInput(attrs={"type": "date"}), error_messages={"required": "Choose a day."}
    )

    def __init__(self, asked: Mapping[str, Any], *, organizations: Sequence[Organization], today: date) -> None:
        usual = {"organization": str(organizations[0].id), "since": str(today - USUAL), "until": str(today)}
        super().__init__({**usual, **asked})
        self.fields["organization"].choices = [(str(row.id), row.name) for row in organizations]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """The days are in order, and not more than a page can say."""
        cleaned: dict[str, Any] = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            self.add_error("until", "The last day is before the first.")
        elif since and until and until - since > LONGEST:
            self.add_error("until", "Choose two years at most.")
        return cleaned


class CancellationPages(Page):
    """Mixed in before the booking's page."""

    def get_urls(self) -> list[URLPattern]:
        """Add the report."""
        view = self.admin_site.admin_view(self.show_cancellations)
        return [path("cancellations/", view, name="bookings_booking_cancellations"), *super().get_urls()]

    def show_cancellations(self, request: HttpRequest) -> HttpResponse:
        """GET cancellations/?organization=&since=&until=: the last thirty days, unless said otherwise."""
        if not may(request, KIND, RIGHT):
            raise PermissionDenied
        organizations = list(within(request, Organization.objects.order_by("name", "id"), KIND, RIGHT))
        form, report = None, None
        if organizations:
            form = SpanForm(request.GET.dict(), organizations=organizations, today=latest_today(organizations))
        if form and form.is_valid():
            span = form.cleaned_data
            report = report_cancellations(
                organization_id=span["organization"], since=span["since"], until=span["until"]
            )
        context = {
            **self.admin_site.each_context(request), "title": "Cancellations", "opts": self.opts, "form": form,
            "report": report, "total": report and _row(report, report.total), "tables": report and _tables(report),
        }  # fmt: skip
        return TemplateResponse(request, "admin/bookings/booking/cancellations.html", context)


def _tables(report: CancellationReport) -> list[dict[str, Any]]:
    parts: tuple[tuple[str, str, Iterable[Figures]], ...] = (
        ("How long before the start", "Before the start", report.by_lead),
        ("Who cancelled", "By", report.by_actor),
        ("Why", "Reason code", report.by_reason),
        ("What was cancelled", "Activity", report.by_activity),
    )
    return [
        {"title": title, "of": of, "rows": [_row(report, figures) for figures in found]} for title, of, found in parts
    ]


def _row(report: CancellationReport, figures: Figures) -> dict[str, Any]:
    """Return figures in words."""
    percent = report.percent(figures)
    money = [money_text(amount, currency) for currency, amount in sorted(figures.given_up_minor.items())]
    return {
        "label": figures.label,
        "lines": figures.lines,
        "places": figures.places,
        "given_up": ", ".join(money),
        "share": "" if percent is None else f"{percent:.1f} %",
    }
