"""Addresses of the API: /api/v1/…, with and without the trailing slash; every {name} is a UUID."""

import re
from collections.abc import Callable
from functools import wraps
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import URLPattern, re_path

from config.kit.problems import ProblemMiddleware, problem
from config.kit.refusals import NotFound

UUID_FORM = "[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}"


def api_path(address: str, view: Callable[..., HttpResponseBase]) -> URLPattern:
    """Return the route of an address such as "reservations/{reservation_id}/extend"."""

    @wraps(view)
    def with_uuids(request: HttpRequest, **kwargs: str) -> HttpResponseBase:
        return view(request, **{name: UUID(value) for name, value in kwargs.items()})

    pattern = re.sub(r"\{(\w+)\}", rf"(?P<\1>{UUID_FORM})", address)
    return re_path(rf"^{pattern}/?$", with_uuids)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:  # noqa: ARG001 Django's signature
    """Answer an address that nobody knows: a problem for programs, a page for people."""
    if request.path.startswith(ProblemMiddleware.PREFIXES):
        return problem(NotFound())
    return render(request, "404.html", status=404)
