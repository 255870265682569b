"""Pages inside other sites' frames: no cookie is set or read; who may frame them is the venue's own list.

A form proves by a signed token of an hour that it came from such a page, and the browser's own headers must agree.
"""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, cast
from uuid import UUID

from csp.decorators import csp_replace
from django.core.signing import BadSignature, TimestampSigner
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.csrf import csrf_exempt

from config.kit.refusals import Refusal

FIELD = "embed_token"
SECONDS = 60 * 60
View = Callable[..., HttpResponse]


class ForeignForm(Refusal):
    """The form did not come from one of our own pages, or lay open for more than an hour."""

    code, title, status = "foreign_form", "This page lay open for too long. Please load it again", 403


def embed_field(venue_id: UUID) -> SafeString:
    """Return the hidden field that an embedded form carries."""
    token = TimestampSigner(salt="embed").sign(venue_id.hex)
    return format_html('<input type="hidden" name="{}" value="{}">', FIELD, token)


def embedded(view: View) -> View:
    """Let a view answer without cookies, inside frames; its response names the frames by `allow_frames`."""

    @csrf_exempt
    @xframe_options_exempt
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        request.COOKIES.clear()
        if request.method == "POST":
            _require_own_form(request)
        response = view(request, *args, **kwargs)
        response["Referrer-Policy"] = "same-origin"
        return response

    return answer


def _require_own_form(request: HttpRequest) -> None:
    """Refuse a POST from anywhere but a page of ours, as far as the browser says, and without a fresh token."""
    own = f"{request.scheme}://{request.get_host()}"
    if (
        request.headers.get("Origin", own) != own
        or request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin"
    ):
        raise ForeignForm
    try:
        TimestampSigner(salt="embed").unsign(request.POST.get(FIELD, ""), max_age=SECONDS)
    except BadSignature as error:
        raise ForeignForm from error


def allow_frames(response: HttpResponse, origins: Iterable[str]) -> HttpResponse:
    """Name the sites that may show this page in a frame; nobody, when the venue names none."""
    replace = csp_replace({"frame-ancestors": list(origins) or ["'none'"]})
    return cast("HttpResponse", replace(lambda _: response)(HttpRequest()))
