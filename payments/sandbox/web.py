"""What comes in over HTTP and what goes out, apart from sockets."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Nothing but the page and its own style sheet; a payment may lead back to any shop.
PAGE_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none';"
    " form-action 'self' http: https:",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Request:
    """One request; its path is without the query, the names of its headers are Written-Like-This."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True)
class Answer:
    """One answer; `cut` means that it never arrives."""

    status: int
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


def json_answer(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer for programs."""
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})})


def page_answer(status: int, html: str) -> Answer:
    """Return an answer for people."""
    return Answer(status, html.encode(), PAGE_HEADERS)


def see_other(where: str) -> Answer:
    """Send a browser on."""
    return Answer(303, b"", {"Location": where, "Cache-Control": "no-store"})
