"""REST for the door: a line is checked in, that is taken back, or its outcome is noted. Parse, one call, answer."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from rest_framework import serializers

from bookings.models import Line
from bookings.services import attendance
from config.kit.api import StrictSerializer, answer, api_view, checked, read_json
from config.kit.facts import Actor, ActorKind
from config.kit.idempotency import Claim, claim_of
from config.kit.refusals import NotFound
from config.tenants.authentication import require_api_key
from config.tenants.models import ApiKey

LONGEST_REASON = 40


class NothingSerializer(StrictSerializer):
    """No fields: the address says it all."""


class CheckInSerializer(StrictSerializer):
    """Why, when this corrects an outcome."""

    reason = serializers.RegexField(r"^[a-z0-9_]+$", max_length=LONGEST_REASON, required=False, default="")


class OutcomeSerializer(CheckInSerializer):
    """Whether they came."""

    outcome = serializers.ChoiceField([(outcome.value, outcome.label) for outcome in attendance.OUTCOMES])


def _check_in(request: HttpRequest, line_id: UUID) -> HttpResponse:
    """POST lines/{id}/check-in {reason?}"""
    actor, claim = _door(request, line_id)
    data = checked(CheckInSerializer, _body(request))
    line = attendance.check_in_line(line_id=line_id, actor=actor, reason_code=data["reason"], claim=claim)
    return answer(_line_json(line))


def _undo(request: HttpRequest, line_id: UUID) -> HttpResponse:
    """POST lines/{id}/undo-check-in"""
    actor, claim = _door(request, line_id)
    checked(NothingSerializer, _body(request))
    return answer(_line_json(attendance.undo_check_in(line_id=line_id, actor=actor, claim=claim)))


def _set_outcome(request: HttpRequest, line_id: UUID) -> HttpResponse:
    """POST lines/{id}/outcome {outcome: completed or no_show, reason?}"""
    actor, claim = _door(request, line_id)
    data = checked(OutcomeSerializer, _body(request))
    line = attendance.set_outcome(
        line_id=line_id, outcome=data["outcome"], actor=actor, reason_code=data["reason"], claim=claim
    )
    return answer(_line_json(line))


def _body(request: HttpRequest) -> Any:
    return read_json(request) if request.body else {}


def _door(request: HttpRequest, line_id: UUID) -> tuple[Actor, Claim | None]:
    """Return which program asks, and by which request; a line of another organization does not exist for it."""
    key = require_api_key(request, scope=ApiKey.Scope.BOOKINGS)
    if not Line.objects.filter(id=line_id, organization=key.organization_id).exists():
        raise NotFound
    return Actor(kind=ActorKind.API_KEY, id=key.id, channel="api"), claim_of(
        request, caller=str(key.id), route="POST attendance"
    )


def _line_json(line: Line) -> dict[str, Any]:
    return {
        "id": line.id,
        "booking": line.booking_id,
        "number": line.booking.number,
        "status": line.status,
        "attendance": line.attendance,
        "party_size": line.party_size,
        "version": line.booking.version,
    }


line_check_in = api_view(POST=_check_in)
line_undo_check_in = api_view(POST=_undo)
line_outcome = api_view(POST=_set_outcome)
