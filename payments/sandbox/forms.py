"""Stripe's form encoding: `line_items[0][price_data][currency]=gbp`, `expand[]=payment_intent`, to dicts and lists."""

import re
from typing import Any
from urllib.parse import parse_qsl

from .errors import Problem

NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
STEP = re.compile(r"\[([^\[\]]*)\]")
DEEPEST = 8
MOST_FIELDS = 1000


def decode(encoded: str) -> dict[str, Any]:
    """Return the parameters of a body or a query; refuses names that are not well-formed, and far too many."""
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise Problem("The request's parameters cannot be read.") from error
    found: dict[str, Any] = {}
    for name, value in pairs:
        _put(found, _path(name), value)
    return {name: _with_lists(value) for name, value in found.items()}


def _path(name: str) -> list[str]:
    match = NAME.fullmatch(name)
    path = [match[1], *STEP.findall(match[2])] if match else []
    if not path or len(path) > DEEPEST:
        raise Problem(f"Invalid parameter name: {name[:100]}", param=name[:100])
    return path


def _put(into: dict[str, Any], path: list[str], value: str) -> None:
    for step in path[:-1]:
        into = into.setdefault(step or str(len(into)), {})
        if not isinstance(into, dict):
            raise Problem(f"Invalid parameter: {path[0]} is given both as a value and as an object.", param=path[0])
    last = path[-1] or str(len(into))
    if isinstance(into.get(last), dict):
        raise Problem(f"Invalid parameter: {path[0]} is given both as a value and as an object.", param=path[0])
    into[last] = value


def _with_lists(value: Any) -> Any:
    """Turn what is numbered from nought into lists, at every depth."""
    if not isinstance(value, dict):
        return value
    inner = {name: _with_lists(each) for name, each in value.items()}
    return list(inner.values()) if list(inner) == [str(number) for number in range(len(inner))] else inner
