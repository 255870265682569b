"""Answers that may be given again for a moment, past the application: a view says which (config/fast_reads.py)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.urls import ResolverMatch

KEEP = "holdfast.keep"  # in the request's environ: a Keepable, put there by the view


@dataclass(frozen=True, slots=True)
class Keepable:
    """Of which activities an answer tells, under which of their versions it was made, and by which route."""

    activities: Sequence[UUID]
    versions: Mapping[str, str] | None  # None: nobody could say
    match: ResolverMatch | None


def allow_keeping(request: HttpRequest, *, activities: Sequence[UUID], versions: Mapping[str, str] | None) -> None:
    """Let this answer, the same for everybody who brings no credentials, be given again for a moment."""
    request.META[KEEP] = Keepable(activities, versions, request.resolver_match)


def wants_fresh(environ: Mapping[str, Any]) -> bool:
    """Does the caller ask past every cache, as one does who has just written?"""
    return "no-cache" in environ.get("HTTP_CACHE_CONTROL", "").lower()
