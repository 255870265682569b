"""The addresses of the realtime process; there is nothing else here."""

from http import HTTPStatus
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter  # type: ignore[import-untyped]
from django.urls import URLPattern, path, re_path

from alerts.realtime.consumers import AvailabilityConsumer
from alerts.realtime.events import Receive, Send, availability_events, refuse
from alerts.realtime.hub import listening
from alerts.realtime.visits import Scope


async def nothing_here(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 ASGI's signature
    """Answer an address that nobody knows."""
    await refuse(send, HTTPStatus.NOT_FOUND)


async def no_socket_here(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 ASGI's signature
    """Refuse a socket to an address that nobody knows."""
    await send({"type": "websocket.close"})


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 ASGI's signature
    """Listen while the process serves."""
    await receive()  # lifespan.startup
    async with listening():
        await send({"type": "lifespan.startup.complete"})
        await receive()  # lifespan.shutdown
    await send({"type": "lifespan.shutdown.complete"})


def route(address: str, application: Any) -> URLPattern:
    """Return the route of an ASGI application; the address is whole, and "" is whatever is left."""
    found: URLPattern = path(address, application) if address else re_path("", application)
    return found


application = ProtocolTypeRouter(
    {
        "http": URLRouter([route("events/availability/", availability_events), route("", nothing_here)]),
        "websocket": URLRouter([route("ws/availability/", AvailabilityConsumer.as_asgi()), route("", no_socket_here)]),
        "lifespan": lifespan,
    }
)
