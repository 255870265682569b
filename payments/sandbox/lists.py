"""Lists, newest first, a page at a time; and putting whole objects where only their ids stand."""

from collections.abc import Iterable
from typing import Any

from . import params
from .bank import Call, Json
from .errors import Problem, bad

PAGING = ("limit", "starting_after", "ending_before", "created", "expand")
LARGEST_PAGE, USUAL_PAGE = 100, 10
COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def page(call: Call, kind: str, url: str, filters: Iterable[str] = ()) -> Json:
    """Return one page of an account's objects; `filters` name the fields that may be asked for."""
    fields = tuple(filters)
    params.only(call.params, (*PAGING, *fields, *(["types"] if kind == "event" else [])))
    limit = params.whole(call.params, "limit", USUAL_PAGE)
    if not 1 <= limit <= LARGEST_PAGE:
        raise bad("limit", f"This value must be between 1 and {LARGEST_PAGE}.", "parameter_invalid_integer")
    conditions = [*_fields(call.params, fields), *_created(call.params), *_types(call.params, kind), *_from(call, kind)]
    order = "ASC" if "ending_before" in call.params else "DESC"
    more = "".join(f" AND {sql}" for sql, _ in conditions) + f" ORDER BY seq {order} LIMIT {limit + 1}"
    found = call.store.select(call.account, kind, more, [value for _, values in conditions for value in values])
    data = found[:limit] if order == "DESC" else found[:limit][::-1]
    return {"object": "list", "url": url, "has_more": len(found) > limit, "data": data}


def _fields(given: Json, fields: Iterable[str]) -> list[tuple[str, list[Any]]]:
    wanted = {name: params.text(given, name) for name in fields if given.get(name)}
    found = [(f"json_extract(body, '$.{name}') = ?", [value]) for name, value in wanted.items() if name != "type"]
    if "type" in wanted:  # an event's may end in a star: charge.*
        found.append(("json_extract(body, '$.type') GLOB ?", [wanted["type"]]))
    return found


def _created(given: Json) -> list[tuple[str, list[Any]]]:
    if not (created := given.get("created")):
        return []
    if isinstance(created, str):
        return [("created = ?", [params.whole(given, "created")])]
    asked = params.inner(given, "created")
    params.only(asked, COMPARISONS)
    return [(f"created {COMPARISONS[name]} ?", [params.whole(asked, name)]) for name in asked]


def _types(given: Json, kind: str) -> list[tuple[str, list[Any]]]:
    types = params.many(given, "types") if kind == "event" else []
    if not types:
        return []
    if not all(isinstance(each, str) for each in types):
        raise bad("types", "Invalid array: types")
    return [(f"json_extract(body, '$.type') IN ({', '.join('?' * len(types))})", types)]


def _from(call: Call, kind: str) -> list[tuple[str, list[Any]]]:
    found: list[tuple[str, list[Any]]] = []
    for name, comparison in (("starting_after", "<"), ("ending_before", ">")):
        if object_id := params.text(call.params, name):
            call.find(kind, object_id, name)
            found.append((f"seq {comparison} (SELECT seq FROM objects WHERE id = ?)", [object_id]))
    return found


def expand(call: Call, answer: Json, paths: Iterable[Any]) -> Json:
    """Return an answer with the objects in it whose paths were asked for; refuses what is no id."""
    for path in paths:
        if not isinstance(path, str):
            raise Problem("Invalid array: expand", param="expand")
        _expand(call, answer, path.split("."), path)
    return answer


def _expand(call: Call, inside: Any, steps: list[str], path: str) -> None:
    if isinstance(inside, list):
        for each in inside:
            _expand(call, each, steps, path)
        return
    if not steps or inside is None:
        return
    step, *rest = steps
    if not isinstance(inside, dict) or step not in inside:
        raise Problem(f"This property cannot be expanded ({path}).", param="expand")
    if isinstance(inside[step], str):
        inside[step] = call.store.get(call.account, inside[step]) or inside[step]
    _expand(call, inside[step], rest, path)
