"""What every REST view shares: strict serializers, money and time as the API writes them, pages by cursor."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import serializers
from rest_framework.pagination import CursorPagination
from rest_framework.response import Response

from config.kit.problems import MalformedJson, MethodNotAllowed, TooLarge

View = Callable[..., HttpResponse]


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses what it does not know: a misspelt field is a mistake to name, not to ignore."""

    default_error_messages = {
        "unknown_field": "This field is not known here.",
        "not_an_object": "Send a JSON object.",
    }

    def to_internal_value(self, data: Any) -> Any:
        """Name every unknown field together with every other error."""
        if not isinstance(data, dict):
            words = str(self.error_messages["not_an_object"])
            raise serializers.ValidationError({"non_field_errors": [serializers.ErrorDetail(words, "not_an_object")]})
        unknown = {
            name: [serializers.ErrorDetail(str(self.error_messages["unknown_field"]), code="unknown_field")]
            for name in data
            if name not in self.fields
        }
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            named: Any = error.detail  # a serializer of fields names them
            raise serializers.ValidationError({**named, **unknown}) from error
        if unknown:
            raise serializers.ValidationError(unknown)
        return value


class WholeNumberField(serializers.IntegerField):
    """A JSON whole number: neither a string of digits, nor 2.0, nor true."""

    default_error_messages = {
        "invalid": "Send a whole number.",
        "min_value": "This must be at least {min_value}.",
        "max_value": "This must be at most {max_value}.",
    }

    def to_internal_value(self, data: Any) -> int:
        """Refuse look-alikes."""
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class EmailField(serializers.EmailField):
    """An e-mail address, kept without case."""

    def to_internal_value(self, data: Any) -> str:
        """Lower it: A@x and a@x are one customer."""
        return str(super().to_internal_value(data)).lower()


def read_json(request: HttpRequest) -> Any:
    """Return the body, or raise TooLarge or MalformedJson."""
    try:
        body = request.body
    except RequestDataTooBig as error:
        raise TooLarge from error
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedJson from error


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def checked(serializer: type[serializers.Serializer[Any]], data: Any) -> dict[str, Any]:
    """Return the data as the serializer reads it, or raise with all that is wrong."""
    bound = serializer(data=data)
    bound.is_valid(raise_exception=True)
    validated: dict[str, Any] = bound.validated_data
    return validated


def api_view(**by_method: View) -> View:
    """Dispatch a plain view by method, outside CSRF: programs bring keys and tokens, never cookies."""

    @csrf_exempt
    @wraps(next(iter(by_method.values())))
    def dispatch(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        view = by_method.get(request.method or "")
        if view is None:
            raise MethodNotAllowed
        return view(request, **kwargs)

    return dispatch


def answer(body: Any, status: int = 200) -> JsonResponse:
    """Return JSON, not to be kept by anybody in between."""
    response = JsonResponse(body, status=status, safe=False)
    response["Cache-Control"] = "no-store"
    return response


def money(amount_minor: int, currency: str) -> dict[str, Any]:
    """Write money: minor units and ISO 4217."""
    return {"amount_minor": amount_minor, "currency": currency}


def instant(at: datetime) -> str:
    """Write an instant: RFC 3339, UTC."""
    return (
        at.astimezone(UTC)
        .isoformat(timespec="seconds" if at.microsecond == 0 else "milliseconds")
        .replace("+00:00", "Z")
    )


def local_time(at: datetime, timezone: str) -> str:
    """Write what the venue's own clock says, with its offset."""
    return at.astimezone(ZoneInfo(timezone)).isoformat(timespec="seconds")


class CursorPages(CursorPagination):
    """Pages that neither skip nor repeat a row when others come in between."""

    page_size = 100

    def get_paginated_response(self, data: Any) -> Response:
        """Return {"results", "next"}."""
        return Response({"results": data, "next": self.get_next_link()})
