"""Refusals: answers that name what is wrong, all at once, in words a customer understands; nothing is changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong: where (a dotted path into the request), a stable code, and words for a person."""

    field: str
    code: str
    detail: str


class Refusal(Exception):
    """The base of every refusal: a stable code, a title, and the HTTP status it is answered with."""

    code: ClassVar[str] = "refused"
    title: ClassVar[str] = "This cannot be done"
    status: ClassVar[int] = 409

    def __init__(
        self, detail: str = "", *, errors: Sequence[FieldError] = (), extra: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = list(errors)
        self.extra = dict(extra or {})


class NotFound(Refusal):
    """No such thing, or not yours to see: the same answer for both."""

    code, title, status = "not_found", "There is nothing here under this address", 404


class InvalidRequest(Refusal):
    """The request itself is wrong; `errors` names each field."""

    code, title, status = "invalid_request", "Something in the request needs to be put right", 422


def invalid(field: str, code: str, detail: str) -> InvalidRequest:
    """Return the refusal of one field."""
    return InvalidRequest(detail, errors=[FieldError(field, code, detail)])
