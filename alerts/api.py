"""REST: an organization's alerts, for its programs. Parse, one call, answer."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alerts.models import Alert
from alerts.serializers import AlertFilterSerializer
from alerts.services import alerts
from config.kit.api import CursorPages, answer, api_view, checked, instant
from config.tenants.authentication import require_api_key
from config.tenants.models import ApiKey


class AlertList(APIView):
    """GET alerts?status=&severity=: the newest first."""

    def get(self, request: Request) -> Response:
        """Answer a page of the key's own organization."""
        key = require_api_key(request, scope=ApiKey.Scope.ALERTS)
        asked = checked(AlertFilterSerializer, request.query_params.dict())
        asked.pop("cursor", None)
        pages = CursorPages()
        pages.ordering = "-id"
        rows = Alert.objects.filter(organization=key.organization_id, **asked)
        page = pages.paginate_queryset(rows, request, view=self)
        return pages.get_paginated_response([alert_json(alert) for alert in page or []])


def _acknowledge(request: HttpRequest, alert_id: UUID) -> HttpResponse:
    """POST alerts/{id}/acknowledge: somebody has seen it; again is harmless."""
    key = require_api_key(request, scope=ApiKey.Scope.ALERTS)
    return answer(
        alert_json(alerts.acknowledge_alert(alert_id=alert_id, organization_id=key.organization_id, api_key_id=key.id))
    )


def alert_json(alert: Alert) -> dict[str, Any]:
    """Write an alert."""
    return {
        "id": alert.id,
        "type": alert.type,
        "severity": alert.severity,
        "title": alert.title,
        "description": alert.description,
        "metadata": alert.metadata,
        "status": alert.status,
        "created_at": instant(alert.created_at),
        "acknowledged_at": instant(alert.acknowledged_at) if alert.acknowledged_at else None,
        "acknowledged_by": alert.acknowledged_by_id or alert.acknowledged_by_key_id,
    }


alert_acknowledge = api_view(POST=_acknowledge)
