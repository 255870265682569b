"""Middleware for people's pages alone: programs bring keys and tokens, never cookies, and pass them by."""

from collections.abc import Callable
from typing import Any

from csp.middleware import CSPMiddleware
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
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
    """Say what a page may load."""
