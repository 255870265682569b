"""Where a request comes from, as far as that can be known."""

from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from config.kit.facts import Actor, ActorKind

LONGEST_USER_AGENT = 400
PREFIX_BITS = {4: 24, 6: 48}  # what one household or office usually has
Address = IPv4Address | IPv6Address


def client_address(request: HttpRequest) -> str | None:
    """Return the visitor's address: the socket's, or what our own proxies (TRUSTED_PROXIES) say it is.

    X-Forwarded-For is read from its end, as far as the addresses are ours: the rest anybody may have written.
    """
    address = _address(request.META.get("REMOTE_ADDR", ""))
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")
    while address and forwarded and _is_ours(address, tuple(settings.TRUSTED_PROXIES)):
        before = _address(forwarded.pop())
        if before is None:
            break
        address = before
    return str(address) if address else None


def prefix_of(address: str) -> str:
    """Return the network that an address is counted as: its /24, or its /48."""
    parsed = ip_address(address)
    return str(ip_network((parsed, PREFIX_BITS[parsed.version]), strict=False))


def visit_detail(request: HttpRequest) -> dict[str, Any]:
    """Return what a fact keeps of a visit, in its erasable side row."""
    detail: dict[str, Any] = {"ip_address": client_address(request)}
    if agent := request.headers.get("User-Agent"):
        detail["user_agent"] = agent[:LONGEST_USER_AGENT]
    return detail


def _address(text: str) -> Address | None:
    try:
        parsed = ip_address(text.strip())
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed


@cache
def _networks(proxies: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(ip_network(proxy, strict=False) for proxy in proxies)


def _is_ours(address: Address, proxies: tuple[str, ...]) -> bool:
    return any(address in network for network in _networks(proxies))


def staff_actor(request: HttpRequest, note: str = "") -> Actor:
    """Return who is signed in as facts name them; a note goes beside the fact, where it can be erased."""
    return Actor(kind=ActorKind.STAFF, channel="admin", id=request.user.pk, detail={"note": note} if note else {})
