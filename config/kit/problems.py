"""RFC 9457 answers: every refusal, and every failure, as application/problem+json."""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from django.db import DatabaseError, DataError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from rest_framework import exceptions
from rest_framework.views import set_rollback

from config.kit.refusals import FieldError, InvalidRequest, NotFound, Refusal

logger = logging.getLogger(__name__)

REFUSAL_CODE = "refusal_code"  # the attribute of a response that is a refusal: whoever counts them reads it

RETRY_AFTER_SECONDS = 1
LATER = frozenset({429, 503})
# PostgreSQL: lock_not_available, query_canceled, deadlock_detected, serialization_failure, too_many_connections
BUSY = frozenset({"55P03", "57014", "40P01", "40001", "53300"})


class Busy(Refusal):
    """The database is busy or away; nothing was written."""

    code, title, status = "busy", "We are very busy just now. Nothing was changed; please send this again", 503


class MalformedJson(Refusal):
    """The body is not JSON."""

    code, title, status = "malformed_json", "The body is not JSON that we can read", 400


class TooLarge(Refusal):
    """The body is larger than any honest request."""

    code, title, status = "too_large", "The body is larger than 64 kB", 413


class MethodNotAllowed(Refusal):
    """The address exists, the verb does not."""

    code, title, status = "method_not_allowed", "This address does not take that method", 405


class Unexpected(Refusal):
    """Our fault. The log has the trace."""

    code, title, status = "unexpected", "Something went wrong on our side. Nothing was changed by this request", 500


def problem(refusal: Refusal) -> JsonResponse:
    """Render a refusal: type, title, status, detail, code, errors, and what else it says."""
    body: dict[str, Any] = {
        "type": f"urn:holdfast:problem:{refusal.code}",
        "title": refusal.title,
        "status": refusal.status,
        "detail": refusal.detail,
        "code": refusal.code,
        "errors": [{"field": e.field, "code": e.code, "detail": e.detail} for e in refusal.errors],
        **refusal.extra,
    }
    response = JsonResponse(body, status=refusal.status, content_type="application/problem+json")
    setattr(response, REFUSAL_CODE, refusal.code)
    say_when(response, refusal)
    return response


def say_when(response: HttpResponse, refusal: Refusal | None) -> None:
    """Tell whoever was refused for the moment when to come again."""
    if refusal and refusal.status in LATER:
        response["Retry-After"] = str(refusal.extra.get("retry_after_seconds", RETRY_AFTER_SECONDS))


def page(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """Render a refusal for people: what is wrong, and how to go on."""
    template = "404.html" if isinstance(refusal, NotFound) else "refusal.html"
    response = render(request, template, {"refusal": refusal}, status=refusal.status)
    setattr(response, REFUSAL_CODE, refusal.code)
    say_when(response, refusal)
    return response


def refusal_of(error: Exception) -> Refusal | None:
    """Return the refusal that answers this exception, or None when nobody foresaw it."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, DataError):  # a NUL in a text, a number out of range: what no validation asked about
        return InvalidRequest("Something in the request cannot be read.")
    if isinstance(error, (OperationalError, InterfaceError)):
        return Busy()
    if isinstance(error, DatabaseError) and getattr(error.__cause__, "sqlstate", "") in BUSY:
        return Busy()
    if isinstance(error, exceptions.APIException):
        return _from_rest_framework(error)
    return None


class _RestRefusal(Refusal):
    """A refusal of the REST framework's own, with its code and status."""

    code: ClassVar[str] = "refused"


def _from_rest_framework(error: exceptions.APIException) -> Refusal:
    if isinstance(error, exceptions.ValidationError):
        return InvalidRequest(errors=list(field_errors(error.detail)))
    if isinstance(error, exceptions.ParseError):
        return MalformedJson()
    if isinstance(error, exceptions.NotFound):
        return NotFound()
    if isinstance(error, exceptions.MethodNotAllowed):
        return MethodNotAllowed()
    refusal = _RestRefusal(str(error.detail))
    refusal.__dict__.update(code=error.default_code, title=str(error.default_detail), status=error.status_code)
    return refusal


def field_errors(detail: Any, path: str = "") -> Iterator[FieldError]:
    """Flatten the REST framework's nest of errors into dotted paths: lines.0.party_size."""
    if isinstance(detail, Mapping):
        for key, inner in detail.items():
            yield from field_errors(inner, path if key == "non_field_errors" else f"{path}.{key}".lstrip("."))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, (Mapping, list))
            yield from field_errors(inner, f"{path}.{index}".lstrip(".") if nested else path)
    else:
        yield FieldError(path, detail.code, str(detail))


def answer_exception(error: Exception, _context: Mapping[str, Any]) -> HttpResponse | None:
    """Answer for the REST framework's views (its EXCEPTION_HANDLER)."""
    refusal = refusal_of(error)
    if refusal is None:
        return None
    set_rollback()
    return problem(refusal)


class ProblemMiddleware:
    """Answer what plain views raise, and what nobody foresaw, in the API's own form."""

    PREFIXES = ("/api/", "/octo/")

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Turn an exception into a problem for programs, and a refusal into a page for people."""
        refusal = refusal_of(error)
        if not request.path.startswith(self.PREFIXES):
            return page(request, refusal) if refusal else None
        if refusal is None:
            logger.exception("unexpected failure at %s %s", request.method, request.path)
            refusal = Unexpected()
        return problem(refusal)
