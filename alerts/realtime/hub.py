"""One subscription to Redis in the process, fanned out in memory to everybody who follows a topic.

Up: what is published reaches every mailbox of its topics. Away (Redis does not answer): everybody is told so once, and
their pages poll; the moment the subscription stands again everybody gets a fresh snapshot, because what was published
meanwhile is lost.
"""

import asyncio
import contextlib
import json
import logging
import random
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from alerts.realtime.journal import Journal
from alerts.realtime.mailbox import Letter, Mailbox
from alerts.realtime.spacing import Change, Spacing
from alerts.realtime.states import CHANNEL, Topic, View, view_of

logger = logging.getLogger(__name__)

AWAY = Letter.write('{"push":"away"}')
DATABASE_THREADS = 2
LOOK_SECONDS = 1.0  # newcomers within this share one look at the database
CONNECT_SECONDS = 2.0
QUIET_SECONDS = 5.0  # after so long without a word Redis is asked whether it lives; twice that and it does not
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0

_threads = ThreadPoolExecutor(DATABASE_THREADS, thread_name_prefix="look")


class Look:
    """A view of a topic, and from where in the journal it may be followed."""

    __slots__ = ("letter", "origins")

    def __init__(self, view: View, mark: str) -> None:
        """Write the snapshot, once for all who asked."""
        self.origins = view.origins
        self.letter = Letter.write(to_json({"snapshot": view.messages}), mark=mark)


class Hub:
    """Who follows what, and how they hear of it. Lives on one event loop; nothing here waits while it changes."""

    def __init__(self, redis_url: str) -> None:
        """Begin with nobody; `run` listens."""
        self.redis_url = redis_url
        self.up = asyncio.Event()
        self._journal = Journal()
        self._spacing = Spacing(self._tell)
        self._boxes: dict[Topic, set[Mailbox]] = {}
        self._away: set[Mailbox] = set()  # who was told to poll, and is owed a snapshot
        self._looks: dict[Topic, asyncio.Task[Look | None]] = {}

    # Visitors -----------------------------------------------------------------------------------------------------

    def join(self, topic: Topic) -> Mailbox:
        """Follow a topic from this moment on."""
        mailbox = Mailbox()
        self._boxes.setdefault(topic, set()).add(mailbox)
        if not self.up.is_set():
            self._send_away(mailbox)
        return mailbox

    def leave(self, topic: Topic, mailbox: Mailbox) -> None:
        """Follow it no longer; safe to repeat."""
        self._away.discard(mailbox)
        boxes = self._boxes.get(topic, set())
        boxes.discard(mailbox)
        if not boxes:
            self._boxes.pop(topic, None)

    def missed(self, topic: Topic, mark: str) -> list[Letter] | None:
        """Return what a reader missed since a mark; None when only a snapshot can say."""
        return self._journal.missed(topic, mark) if self.up.is_set() else None

    async def look(self, topic: Topic) -> Look | None:
        """Return the snapshot of a topic; None when nothing is on sale there.

        Shared by all who ask within a moment, until the topic changes: who joins after the change needs a newer look.
        """
        task = self._looks.get(topic)
        if task is None:
            task = self._looks[topic] = asyncio.create_task(self._look(topic, self._journal.mark))
            asyncio.get_running_loop().call_later(LOOK_SECONDS, self._forget_look, topic, task)
        return await asyncio.shield(task)

    async def _look(self, topic: Topic, mark: str) -> Look | None:
        view = await sync_to_async(read_view, thread_sensitive=False, executor=_threads)(topic)
        return Look(view, mark) if view else None

    def _forget_look(self, topic: Topic, task: asyncio.Task[Look | None]) -> None:
        if self._looks.get(topic) is task:
            del self._looks[topic]

    # What is published --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Listen for ever; when Redis goes, say so and come back to it with growing pauses."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._listen()
            except Exception as error:  # noqa: BLE001 whatever it is: the process has nothing else to live for
                logger.warning("live numbers are away: %s", error)
            if self.up.is_set():
                pause = FIRST_PAUSE_SECONDS
                self._go_away()
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 not a secret
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _listen(self) -> None:
        """Subscribe, tell everybody afresh, then pass on what comes; a redis client must not reconnect unseen."""
        client = Redis.from_url(
            self.redis_url, socket_connect_timeout=CONNECT_SECONDS, socket_keepalive=True, retry=Retry(NoBackoff(), 0)
        )
        async with client, client.pubsub() as pubsub:
            await pubsub.subscribe(CHANNEL)
            await hear(pubsub)  # the confirmation
            await self._come_back()
            while True:
                self._receive(await hear(pubsub))

    def _receive(self, data: bytes) -> None:
        """Take an envelope of changes; nothing that it says may end the process."""
        try:
            envelope = json.loads(data)
            topics = (Topic("activity", envelope["activity"]), Topic("venue", envelope["venue"]))
            messages = [(message.get("session") or message["activity"], message) for message in envelope["messages"]]
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        for topic in topics:
            self._looks.pop(topic, None)
        for subject, message in messages:
            self._spacing.offer(Change(subject, topics, message))

    def _tell(self, change: Change) -> None:
        letter = self._journal.write(change.subject, change.topics, to_json(change.message))
        for topic in change.topics:
            for mailbox in self._boxes.get(topic, ()):
                mailbox.put(change.subject, letter)

    def _go_away(self) -> None:
        self.up.clear()
        for boxes in self._boxes.values():
            for mailbox in boxes:
                self._send_away(mailbox)

    def _send_away(self, mailbox: Mailbox) -> None:
        self._away.add(mailbox)
        mailbox.put("push", AWAY)

    async def _come_back(self) -> None:
        """Begin a journal, and give a snapshot to everybody who was told to poll, newcomers meanwhile included."""
        self._journal = Journal()
        self._looks.clear()
        while topics := [topic for topic, boxes in self._boxes.items() if not boxes.isdisjoint(self._away)]:
            for topic in topics:
                look = await self.look(topic)
                for mailbox in self._boxes.get(topic, set()) & self._away:
                    self._away.discard(mailbox)
                    if look is not None:
                        mailbox.start_over(look.letter)
        self.up.set()  # nothing waited since the last look at who is away


async def hear(pubsub: PubSub) -> bytes:
    """Return the next message's data; raise ConnectionError when Redis does not even answer a ping."""
    is_asked = False
    while True:
        message = await pubsub.get_message(timeout=QUIET_SECONDS)
        if message is not None and message["type"] != "pong":
            return message["data"] if isinstance(message["data"], bytes) else b""
        if message is None and is_asked:
            raise ConnectionError("Redis has gone quiet")
        is_asked = message is None
        if is_asked:
            await pubsub.ping()


def read_view(topic: Topic) -> View | None:
    """Read in a thread, and hold no connection afterwards."""
    try:
        return view_of(topic)
    finally:
        connections.close_all()


def to_json(message: object) -> str:
    """Write it short."""
    return json.dumps(message, separators=(",", ":"))


hub = Hub(settings.REDIS_URL)


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[None]:
    """Keep the hub listening during the block; wait a moment for Redis, but serve without it too."""
    task = asyncio.create_task(hub.run())
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(hub.up.wait(), CONNECT_SECONDS)
    try:
        yield
    finally:
        task.cancel()
