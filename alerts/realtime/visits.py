"""Who may follow what: the arguments, the Origin, and what is then told, the same for sockets and events."""

from collections.abc import AsyncIterator, Collection
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError
from django.http.request import split_domain_port, validate_host

from alerts.realtime.hub import Hub, hub
from alerts.realtime.mailbox import Letter, Mailbox
from alerts.realtime.states import Topic

Scope = dict[str, Any]

FORBIDDEN, NOT_FOUND, AWAY = 403, 404, 503
EMBED_KEY_DIGITS = 32


class Refused(Exception):
    """The visitor gets nothing; `status` is HTTP's."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Visit:
    """One visitor on one topic, from `admit` to `leave`."""

    __slots__ = ("_hub", "_mailbox", "topic")

    def __init__(self, hub: Hub, topic: Topic) -> None:
        """Follow the topic, before anything is read: what changes from now on is in the mailbox."""
        self._hub = hub
        self._mailbox: Mailbox = hub.join(topic)
        self.topic = topic

    def leave(self) -> None:
        """Go; safe to repeat."""
        self._hub.leave(self.topic, self._mailbox)

    async def letters(self, *, since: str = "", quiet_seconds: float | None = None) -> AsyncIterator[Letter | None]:
        """Yield a snapshot, or what was missed since a mark, then what changes; None when it is quiet for so long."""
        missed = self._hub.missed(self.topic, since) if since else None
        if missed is None:
            self._mailbox.has_overflowed = True
        for letter in missed or ():
            yield letter
        while True:
            if self._mailbox.has_overflowed:
                self._mailbox.has_overflowed = False
                yield await self._snapshot()
            while waiting := self._mailbox.take():
                yield waiting
            try:
                await self._mailbox.wait(seconds=quiet_seconds)
            except TimeoutError:
                yield None

    async def _snapshot(self) -> Letter | None:
        look = await self._hub.look(self.topic)
        return look.letter if look else None


async def admit(scope: Scope) -> Visit:
    """Let a visitor in, or raise Refused: unknown and draft things do not exist, a foreign page is turned away."""
    topic = topic_of(scope["query_string"])
    if topic is None:
        raise Refused(NOT_FOUND)
    visit = Visit(hub, topic)
    try:
        await _check(visit, header(scope, b"origin"))
    except BaseException:
        visit.leave()
        raise
    return visit


async def _check(visit: Visit, origin: str) -> None:
    try:
        look = await hub.look(visit.topic)
    except DatabaseError as error:
        raise Refused(AWAY) from error
    if look is None:
        raise Refused(NOT_FOUND)
    if not is_welcome(origin, look.origins):
        raise Refused(FORBIDDEN)


def topic_of(query: bytes) -> Topic | None:
    """Read `activity=id` or `venue=embed key`, exactly one of them."""
    arguments = parse_qs(query.decode("ascii", errors="replace"))
    activity, venue = arguments.get("activity", []), arguments.get("venue", [])
    if len(activity) + len(venue) != 1:
        return None
    if venue:
        return Topic("venue", venue[0]) if len(venue[0]) == EMBED_KEY_DIGITS and venue[0].isalnum() else None
    try:
        return Topic("activity", str(UUID(activity[0])))
    except ValueError:
        return None


def is_welcome(origin: str, origins_of_venue: Collection[str]) -> bool:
    """Answer whether a page of this origin may follow: ours, or one that the venue allows.

    Only browsers send an Origin, so this protects their users; programs without one read what is public anyway.
    """
    if not origin or origin.lower() in {allowed.rstrip("/").lower() for allowed in origins_of_venue}:
        return True
    scheme, _, rest = origin.partition("://")
    if scheme not in ({"https"} if settings.SECURE_PROXY else {"http", "https"}):
        return False
    host, _port = split_domain_port(rest)
    return validate_host(host, settings.ALLOWED_HOSTS)


def header(scope: Scope, name: bytes) -> str:
    """Return a header, or nothing."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
