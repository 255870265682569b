"""The demo's mailbox: what customers were sent, as they saw it. Parse, one call, answer.

On the demo nothing reaches anybody, so this is where its messages are read. Elsewhere the pages do not exist: there the
links in messages are the customers' own, and staff read messages in the admin.
"""

from collections.abc import Callable
from functools import wraps
from uuid import UUID

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from alerts.message_words import kind_words
from alerts.models import Notification
from alerts.transports.email import calendar_files
from config.tenants.scoping import may, within

PAGE_LENGTH = 50
KIND = "alerts.notification"
MAIL_POLICY = {
    "default-src": ["'none'"], "script-src": ["'none'"], "style-src": ["'unsafe-inline'"], "img-src": ["'none'"],
    "font-src": ["'none'"], "connect-src": ["'none'"], "form-action": ["'none'"], "frame-ancestors": ["'self'"],
    "sandbox": ["allow-popups"],
}  # fmt: skip
View = Callable[..., HttpResponse]


def for_demo_staff(view: View) -> View:
    """Show a page to signed-in staff of the demo alone."""

    @wraps(view)
    def look(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if not settings.DEMO:
            raise Http404
        if not may(request, KIND, "view"):
            return redirect_to_login(request.get_full_path(), reverse("admin:login"))
        return view(request, *args, **kwargs)

    return never_cache(require_safe(look))


def _sent(request: HttpRequest) -> "QuerySet[Notification]":
    rows = Notification.objects.filter(status=Notification.Status.SENT).select_related("organization")
    return within(request, rows, KIND, "view")


def _message(request: HttpRequest, message_id: UUID) -> Notification:
    return get_object_or_404(_sent(request), id=message_id)


@for_demo_staff
def show_mailbox(request: HttpRequest) -> HttpResponse:
    """GET /staff/mail/: what was sent, the newest first."""
    rows = _sent(request).order_by("-sent_at", "-id").defer("text", "html", "calendar")
    page = Paginator(rows, PAGE_LENGTH).get_page(request.GET.get("page"))
    for row in page:
        row.words = kind_words(row.kind)  # type: ignore[attr-defined]  # for the page
    return render(request, "alerts/mailbox.html", {"page": page})


@for_demo_staff
def show_message(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """GET /staff/mail/{id}/: one message, as text and in a frame as HTML."""
    row = _message(request, message_id)
    calendars = range(1, len(calendar_files(row.calendar)) + 1)
    context = {"row": row, "words": kind_words(row.kind), "calendars": calendars}
    response = render(request, "alerts/message.html", context)
    response._csp_update = {"frame-src": ["'self'"]}  # type: ignore[attr-defined]  # noqa: SLF001 as csp's decorators do
    return response


@for_demo_staff
def show_message_html(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """GET /staff/mail/{id}/html/: the HTML part, for the frame; nothing in it runs."""
    response = HttpResponse(_message(request, message_id).html)
    response._csp_replace = MAIL_POLICY  # type: ignore[attr-defined]  # noqa: SLF001
    response["X-Frame-Options"] = "SAMEORIGIN"
    return response


@for_demo_staff
def download_message_calendar(request: HttpRequest, message_id: UUID, number: int) -> HttpResponse:
    """GET /staff/mail/{id}/{number}.ics: a calendar file that was attached."""
    files = calendar_files(_message(request, message_id).calendar)
    if not 1 <= number <= len(files):
        raise Http404
    response = HttpResponse(files[number - 1], content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="booking-{number}.ics"'
    return response
