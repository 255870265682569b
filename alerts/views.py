"""For whoever watches the system. Parse, one call, answer."""

import hmac
from typing import Any

from django.conf import settings
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from alerts import health, metrics
from config.kit.api import answer
from config.tenants.authentication import SCHEME, api_key_of
from config.tenants.models import ApiKey

LOOPBACK = ("127.0.0.1", "::1")
PROXIED = ("X-Forwarded-For", "X-Forwarded-Proto", "Forwarded")


@require_safe
@never_cache
def livez(_: HttpRequest) -> HttpResponse:
    """GET /livez: this process answers; nothing else is asked."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@never_cache
def readyz(_: HttpRequest) -> HttpResponse:
    """GET /readyz: 200 while the database answers, else 503; within two seconds."""
    ready = health.is_ready()
    return HttpResponse("ok\n" if ready else "no database\n", status=200 if ready else 503, content_type="text/plain")


@require_safe
def show_health(request: HttpRequest) -> HttpResponse:
    """GET /health: 200 or 503 by the database alone; what is wrong is told to staff and programs."""
    found = health.check_health()
    body: dict[str, Any] = {"status": found.status}
    if _may_see_details(request, can_ask=found.can_serve):
        body["components"] = {
            name: {"status": component.status, **component.figures} for name, component in found.components.items()
        }
    return answer(body, status=200 if found.can_serve else 503)


@require_safe
@never_cache
def show_metrics(request: HttpRequest) -> HttpResponse:
    """GET /metrics: for a program on this machine, or one that brings METRICS_TOKEN."""
    if not (_has_metrics_token(request) or _is_local(request)):
        return HttpResponse("Send METRICS_TOKEN as a bearer token.\n", status=403, content_type="text/plain")
    return HttpResponse(metrics.metrics_text(), content_type=CONTENT_TYPE_LATEST)


def _may_see_details(request: HttpRequest, *, can_ask: bool) -> bool:
    """Staff, an API key or METRICS_TOKEN; the first two only while the database can say who they are."""
    if _has_metrics_token(request):
        return True
    if not can_ask:
        return False
    try:
        return api_key_of(request, scope=ApiKey.Scope.HEALTH) is not None or (
            request.user.is_active and request.user.is_staff
        )
    except Error:  # the database went away meanwhile
        return False


def _has_metrics_token(request: HttpRequest) -> bool:
    sent = request.headers.get("Authorization", "").removeprefix(SCHEME).encode()
    return bool(settings.METRICS_TOKEN) and hmac.compare_digest(sent, settings.METRICS_TOKEN.encode())


def _is_local(request: HttpRequest) -> bool:
    """From this machine itself, not through a proxy that stands on it."""
    return request.META.get("REMOTE_ADDR") in LOOPBACK and not any(name in request.headers for name in PROXIED)
