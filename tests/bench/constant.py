"""A WSGI application that answers the same bytes always: what the server itself can do, without the product."""

import os
from collections.abc import Callable, Iterable
from typing import Any

BODY = b"x" * int(os.environ["BENCH_BODY_BYTES"])
HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))]


def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer."""
    start_response("200 OK", HEADERS)
    return [BODY]
