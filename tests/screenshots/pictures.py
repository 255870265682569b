"""What a picture to take is."""

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page

Open = Callable[[Page], object]


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture to take."""

    name: str
    open: Open


def go(path: str) -> Open:
    """Open an address."""
    return lambda page: page.goto(path)
