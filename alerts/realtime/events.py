"""Server-sent events: `/events/availability/?activity={id}` or `?venue={embed_key}`.

Each event's data is what a socket would get. Its `id:` is a place in the journal (journal.py): a reader who comes
back with Last-Event-ID gets the latest state of each session that changed meanwhile, or, when that is not known any
more (the process or Redis was away), a snapshot. Plain ASGI: a stream for hours needs nothing of Django's request.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from alerts.realtime.visits import Refused, Scope, Visit, admit, header

HEARTBEAT_SECONDS = 15
HEARTBEAT = b": still here\n\n"
RETRY_MS = (2000, 5000)  # between these: not everybody comes back in the same moment

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def availability_events(scope: Scope, receive: Receive, send: Send) -> None:
    """Tell a snapshot, or what was missed, then what changes, until the reader goes."""
    if scope["method"] != "GET":
        await refuse(send, HTTPStatus.METHOD_NOT_ALLOWED)
        return
    try:
        visit = await admit(scope)
    except Refused as refusal:
        await refuse(send, HTTPStatus(refusal.status))
        return
    try:
        await _serve(visit, scope, receive, send)
    finally:
        visit.leave()


async def _serve(visit: Visit, scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": _headers(scope)})
    tasks = {
        asyncio.create_task(_tell(visit, header(scope, b"last-event-id"), send)),
        asyncio.create_task(_reader_gone(receive)),
    }
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    for task in done:
        with contextlib.suppress(OSError):  # the reader has gone
            task.result()


async def _tell(visit: Visit, since: str, send: Send) -> None:
    await _write(send, f"retry: {random.randint(*RETRY_MS)}\n\n".encode())  # noqa: S311 not a secret
    async for letter in visit.letters(since=since, quiet_seconds=HEARTBEAT_SECONDS):
        await _write(send, letter.event if letter else HEARTBEAT)


async def _reader_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _write(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


def _headers(scope: Scope) -> list[tuple[bytes, bytes]]:
    """A page of another origin may read it when it was let in; no cookie is ever asked for."""
    found = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
        (b"vary", b"Origin"),
    ]
    if origin := header(scope, b"origin"):
        found.append((b"access-control-allow-origin", origin.encode("latin-1")))
    return found


async def refuse(send: Send, status: HTTPStatus) -> None:
    """Answer with a status and its name."""
    kind = (b"content-type", b"text/plain; charset=utf-8")
    await send({"type": "http.response.start", "status": status, "headers": [kind]})
    await send({"type": "http.response.body", "body": status.phrase.encode()})
