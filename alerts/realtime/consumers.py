"""WebSocket: `/ws/availability/?activity={id}` or `?venue={embed_key}`."""

import asyncio
import contextlib

from channels.generic.websocket import AsyncWebsocketConsumer  # type: ignore[import-untyped]
from django.db import DatabaseError

from alerts.realtime.visits import AWAY, FORBIDDEN, Refused, Visit, admit

CLOSE_CODES = 4000  # and the status of HTTP: a page can read the code of a close, but not the answer to a handshake


class AvailabilityConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """A snapshot, then what changes. A foreign page is refused in the handshake, the rest by a close (4404, 4503)."""

    visit: Visit | None = None
    teller: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Let the visitor in and begin to tell, beside the reading of what the visitor sends."""
        try:
            self.visit = await admit(self.scope)
        except Refused as refusal:
            if refusal.status != FORBIDDEN:
                await self.accept()
            await self._refuse(refusal.status)
            return
        await self.accept()
        self.teller = asyncio.create_task(self._tell(self.visit))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Visitors have nothing to say."""

    async def disconnect(self, code: int) -> None:  # noqa: ARG002 Channels' signature
        """Forget the visitor."""
        if self.teller is not None:
            self.teller.cancel()
        if self.visit is not None:
            self.visit.leave()

    async def _refuse(self, status: int) -> None:
        await self.close(code=CLOSE_CODES + status)

    async def _tell(self, visit: Visit) -> None:
        try:
            async for letter in visit.letters():
                if letter is not None:
                    await self.send(text_data=letter.text)
        except OSError:  # the visitor has gone; `disconnect` follows
            return
        except DatabaseError:
            with contextlib.suppress(OSError):
                await self._refuse(AWAY)
