"""Filling the pages: plain files with $names. Whatever is filled in is escaped, unless it is a page's part itself."""

from functools import cache
from html import escape
from pathlib import Path
from string import Template

FOLDER = Path(__file__).with_name("pages")


class Html(str):
    """What is already a page, or a part of one."""

    __slots__ = ()


@cache
def _template(name: str) -> Template:
    return Template((FOLDER / f"{name}.html").read_text())


def part(file: str, /, **values: object) -> Html:
    """Return a filled file of the pages' folder; a $name without a value raises KeyError."""
    filled = {key: value if isinstance(value, Html) else escape(str(value)) for key, value in values.items()}
    return Html(_template(file).substitute(filled))


def joined(parts: list[Html]) -> Html:
    """Return parts one after the other."""
    return Html("".join(parts))


def whole(title: str, main: Html, kind: str = "narrow") -> Html:
    """Return a page: its head, its frame, and what it shows."""
    return part("page", title=title, main=main, kind=kind)
