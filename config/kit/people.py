"""Middleware for people's pages alone: programs bring keys and tokens, never cookies, and pass them by."""

from collections.abc import Callable
from typing import Any

from csp.middleware import CSPMiddleware, PolicyParts
from csp.utils import default_config
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from whitenoise.middleware import WhiteNoiseMiddleware

from config.kit.problems import ProblemMiddleware


class PeopleOnly:
    """Mixed in before a middleware: a program's request goes on to the next. Costs a tenth of a hold otherwise."""

    get_response: Callable[[HttpRequest], Any]

    def __call__(self, request: HttpRequest) -> Any:
        """Pass on, or do what the middleware does."""
        if request.path_info.startswith(ProblemMiddleware.PREFIXES):
            return self.get_response(request)
        return super().__call__(request)  # type: ignore[misc]  # the middleware that it is mixed into


class StaticFiles(PeopleOnly, WhiteNoiseMiddleware):  # type: ignore[misc]
    """Serve what is under STATIC_URL."""


class Sessions(PeopleOnly, SessionMiddleware):
    """Know a browser again."""


class Csrf(PeopleOnly, CsrfViewMiddleware):
    """Refuse forms that are not ours."""


class Authentication(PeopleOnly, AuthenticationMiddleware):
    """Know who signed in."""


class Messages(PeopleOnly, MessageMiddleware):
    """Say something on the next page."""


class Framing(PeopleOnly, XFrameOptionsMiddleware):
    """Refuse to be framed."""


class ContentPolicy(PeopleOnly, CSPMiddleware):
    """Say what a page may load: the admin has a policy of its own, every other page the strict one."""

    ADMIN = "/admin/"

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        """Replace the strict policy under /admin/, and nowhere else."""
        parts = super().get_policy_parts(request, response, report_only)
        if parts.config is None and not report_only and request.path_info.startswith(self.ADMIN):
            parts.config = default_config(settings.ADMIN_CONTENT_SECURITY_POLICY["DIRECTIVES"])
        return parts
