"""A front before the application: whole answers of the displays that most people look at, given again for a moment.

Only what a view allows (config/kit/keepable.py), only GET, and never to somebody who brings a key, a cookie, an Origin
or asks for what is fresh. An answer is given for a second at most, and not any more once the version of one of its
activities has moved: this process is told, of the others' changes it asks Redis every quarter of a second. Nothing is
decided by it, and it needs no thread. With Redis away an answer still ends with its second.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Any
from uuid import UUID

from config.kit.keepable import KEEP, Keepable, wants_fresh

SECONDS = 1.0
CHECK_SECONDS = 0.25
MOST_BYTES = 32 * 1024 * 1024
MOST_MAKINGS = 1024
CREDENTIALS = ("HTTP_AUTHORIZATION", "HTTP_COOKIE", "HTTP_ORIGIN")
BODY_HEADERS = frozenset({"content-type", "content-length"})
AGES = ("0", "1")  # whole seconds, as the header has them

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]
Headers = list[tuple[str, str]]
Key = tuple[object, ...]


@dataclass(slots=True)
class Answer:
    """A whole answer, with what it depends on."""

    headers: Headers
    bare_headers: Headers  # of a 304
    etag: str
    body: bytes
    keepable: Keepable
    made_at: float  # by the monotonic clock
    checked_at: float


class FastReads:
    """A WSGI application around another one."""

    def __init__(
        self,
        application: Application,
        *,
        versions_of: Callable[[Iterable[UUID]], Mapping[str, str] | None],
        count: Callable[[Keepable, int, float], None],
    ) -> None:
        """Take the application, how versions are asked for, and who counts what is answered here (status, seconds)."""
        self._application = application
        self._versions_of = versions_of
        self._count = count
        self._lock = Lock()
        self._kept: OrderedDict[Key, Answer] = OrderedDict()  # the oldest first: what is dropped when there are many
        self._bytes = 0
        self._making: dict[Key, Lock] = {}  # of what has been kept before

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer from what is kept, else by the application."""
        if environ["REQUEST_METHOD"] != "GET" or any(name in environ for name in CREDENTIALS):
            return self._application(environ, start_response)
        began = monotonic()
        key = (
            environ["PATH_INFO"], environ.get("QUERY_STRING"), environ.get("HTTP_HOST"), environ.get("wsgi.url_scheme"),
            environ.get("HTTP_X_FORWARDED_PROTO"),
        )  # fmt: skip
        if wants_fresh(environ):
            self._drop(key)
            return self._ask(key, environ, start_response)
        answer = self._find(key, began)
        if answer is not None:
            return self._give(answer, environ, start_response, began)
        making = self._making.get(key)
        if making is None:
            return self._ask(key, environ, start_response)
        return self._wait_or_ask(making, key, environ, start_response)

    def forget(self, activities: set[UUID]) -> None:
        """Drop every answer that tells of one of these activities."""
        with self._lock:
            kept = list(self._kept.items())
        for key, answer in kept:
            if not activities.isdisjoint(answer.keepable.activities):
                self._drop(key)

    def _find(self, key: Key, now: float) -> Answer | None:
        """Return what is kept and still true, as far as anybody has said."""
        answer = self._kept.get(key)
        if answer is None:
            return None
        if now - answer.made_at >= SECONDS or not self._is_current(answer, now):
            self._drop(key)
            return None
        return answer

    def _is_current(self, answer: Answer, now: float) -> bool:
        if now - answer.checked_at < CHECK_SECONDS:
            return True
        answer.checked_at = now  # before asking: the others need not ask too
        versions = self._versions_of(answer.keepable.activities)
        return versions is None or versions == answer.keepable.versions

    def _give(self, answer: Answer, environ: Environ, start_response: StartResponse, began: float) -> Iterable[bytes]:
        age = ("Age", AGES[began - answer.made_at >= 1])
        tags = environ.get("HTTP_IF_NONE_MATCH")
        is_known = tags is not None and answer.etag in tags  # one of a list, or a weak one, is the same tag
        if is_known:
            start_response("304 Not Modified", [*answer.bare_headers, age])
        else:
            start_response("200 OK", [*answer.headers, age])
        self._count(answer.keepable, 304 if is_known else 200, monotonic() - began)
        return [b"" if is_known else answer.body]  # one part: the server sends it at once

    def _wait_or_ask(self, making: Lock, key: Key, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Let one reader at a time have an answer made that many ask for; the others take what he got."""
        is_mine = making.acquire(timeout=SECONDS)
        try:
            now = monotonic()
            answer = self._find(key, now)
            if answer is not None:
                return self._give(answer, environ, start_response, now)
            return self._ask(key, environ, start_response)
        finally:
            if is_mine:
                making.release()

    def _ask(self, key: Key, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Let the application answer, and keep the answer if its view allows it."""
        begun: list[tuple[str, Headers]] = []

        def start(status: str, headers: Headers, *more: Any) -> Any:
            begun.append((status, headers))
            return start_response(status, headers, *more)

        result = self._application(environ, start)
        keepable = environ.get(KEEP)
        if keepable is None or not begun or not begun[0][0].startswith("200"):
            return result
        body = b"".join(result)
        close = getattr(result, "close", None)
        if close:
            close()
        self._keep(key, keepable, begun[0][1], body)
        return [body]

    def _keep(self, key: Key, keepable: Keepable, headers: Headers, body: bytes) -> None:
        etag = next((value for name, value in headers if name.lower() == "etag"), "")
        if not etag:
            return
        bare = [(name, value) for name, value in headers if name.lower() not in BODY_HEADERS]
        now = monotonic()
        self._drop(key)
        if len(self._making) >= MOST_MAKINGS:
            self._making = {}
        self._making.setdefault(key, Lock())
        with self._lock:  # a version may have moved while it was made: the first reader asks
            self._kept[key] = Answer(headers, bare, etag, body, keepable, made_at=now, checked_at=now - CHECK_SECONDS)
            self._bytes += len(body)
            while self._bytes > MOST_BYTES:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= len(oldest.body)

    def _drop(self, key: Key) -> None:
        with self._lock:
            answer = self._kept.pop(key, None)
            if answer is not None:
                self._bytes -= len(answer.body)
