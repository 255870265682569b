"""Reading parameters one by one, with Stripe's refusals where they are missing, unknown or of the wrong kind."""

import re
from collections.abc import Collection
from typing import Any

from .errors import Problem, bad

LONGEST_TEXT = 5000
METADATA_MOST, METADATA_LONGEST_KEY, METADATA_LONGEST_VALUE = 50, 40, 500
ADDRESS = re.compile(r"https?://[^\s/]+.*")

Json = dict[str, Any]


def only(params: Json, known: Collection[str]) -> None:
    """Refuse a parameter that this call does not know, as Stripe does."""
    for name in params:
        if name not in known:
            raise bad(name, f"Received unknown parameter: {name}", "parameter_unknown")


def text(params: Json, name: str, default: str = "") -> str:
    """Return a text, or the default where there is none; refuses objects and what is too long."""
    value = params.get(name, default)
    if not isinstance(value, str):
        raise bad(name, f"Invalid string: {name}")
    if len(value) > LONGEST_TEXT:
        raise bad(name, f"Invalid {name}: must be at most {LONGEST_TEXT} characters", "parameter_invalid_string")
    return value


def wanted(params: Json, name: str) -> str:
    """Return a text that must be given."""
    if value := text(params, name):
        return value
    raise bad(name, f"Missing required param: {name}.", "parameter_missing")


def whole(params: Json, name: str, default: int | None = None) -> int:
    """Return a whole number; a default makes it optional."""
    value = params.get(name)
    if value in (None, "") and default is not None:
        return default
    if not isinstance(value, str) or not re.fullmatch(r"-?\d{1,18}", value):
        raise bad(name, f"Invalid integer: {name}", "parameter_invalid_integer" if value else "parameter_missing")
    return int(value)


def inner(params: Json, name: str) -> Json:
    """Return an object, empty where there is none."""
    value = params.get(name) or {}
    if not isinstance(value, dict):
        raise bad(name, f"Invalid object: {name}")
    return value


def many(params: Json, name: str) -> list[Any]:
    """Return a list, empty where there is none."""
    value = params.get(name) or []
    if not isinstance(value, list):
        raise bad(name, f"Invalid array: {name}")
    return value


def address(params: Json, name: str) -> str:
    """Return an address that must be given, with its scheme."""
    value = wanted(params, name)
    if not ADDRESS.fullmatch(value):
        raise bad(name, "Not a valid URL", "url_invalid")
    return value


def one_of(params: Json, name: str, choices: Collection[str], default: str = "") -> str:
    """Return one of a few words."""
    value = text(params, name, default)
    if value and value not in choices:
        raise bad(name, f"Invalid {name}: must be one of {', '.join(sorted(choices))}")
    return value


def metadata(params: Json) -> dict[str, str]:
    """Return the notes that the merchant keeps with an object; refuses more or longer ones than Stripe takes."""
    notes = inner(params, "metadata")
    if len(notes) > METADATA_MOST:
        raise bad("metadata", f"You can only have up to {METADATA_MOST} metadata keys.")
    for name, value in notes.items():
        if not isinstance(value, str) or len(name) > METADATA_LONGEST_KEY or len(value) > METADATA_LONGEST_VALUE:
            raise Problem(f"Invalid metadata: {name[:METADATA_LONGEST_KEY]}", param=f"metadata[{name[:40]}]")
    return {name: str(value) for name, value in notes.items()}
