"""A change of prices, as a rehearsal knows it: declared, and seen session by session. Bookings keep their price."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from config.kit.refusals import NotFound, invalid
from config.tenants.models import User
from scheduling.availability import with_availability
from scheduling.effects import REPRICE, Effect, Effects
from scheduling.models import Activity, PriceRule, Session, Unit
from scheduling.price_lists import PriceList, price_lists
from scheduling.services import price_rules
from scheduling.services.session_effects import ALL, choose_sessions

Rows = list[dict[str, Any]]
Write = Callable[[], None]


def declare_prices(
    activity: Activity, asked: Mapping[str, Any], *, author: User | None
) -> tuple[Effects, Write, dict[str, Any]]:
    """Return which sessions to come cost something else, what writes that to sessions, and what the fact says.

    Compared is what one of the default unit costs at this moment. Units' prices and rules are written here; refuses
    what services/price_rules.py refuses.
    """
    rows = _rows(activity)
    before = _prices(activity, rows)
    if "selection" not in asked:
        said = _declare(activity, asked, author)
        return _effects(activity, rows, before, _prices(activity, rows)), _nothing, said
    price_rules.check_price(asked["price_minor"], is_optional=True)
    chosen = {session.id for session in choose_sessions(activity, asked["selection"])}
    priced = [{**row, "price_minor": asked["price_minor"]} if row["id"] in chosen else row for row in rows]

    def write() -> None:
        price_rules.set_session_prices(
            activity_id=activity.id, session_ids=sorted(chosen), price_minor=asked["price_minor"]
        )

    said = {"price_minor": asked["price_minor"], "sessions": len(chosen)}
    return _effects(activity, rows, before, _prices(activity, priced)), write, said


def _rows(activity: Activity) -> Rows:
    chosen = [session.id for session in choose_sessions(activity, ALL)]
    return list(with_availability(Session.objects.filter(id__in=chosen).order_by("starts_at")))


def _prices(activity: Activity, rows: Rows) -> dict[UUID, int | None]:
    listed: PriceList = price_lists([activity.id])[activity.id]
    return {row["id"]: listed.default_price(row) for row in rows}


def _effects(
    activity: Activity, rows: Rows, before: Mapping[UUID, int | None], after: Mapping[UUID, int | None]
) -> Effects:
    changed = [
        Effect(
            REPRICE, row["id"], activity.id, activity.name, row["starts_at"], row["ends_at"], before[row["id"]],
            after[row["id"]], row["places_booked"], row["places_held"] - row["lapsed"],
        )
        for row in rows
        if before[row["id"]] != after[row["id"]]
    ]  # fmt: skip
    return Effects(changed, len(rows) - len(changed))


def _nothing() -> None:
    """Sessions themselves stay as they are."""


def _declare(activity: Activity, asked: Mapping[str, Any], author: User | None) -> dict[str, Any]:
    """Write the units' prices, a rule or its end; return what the fact says of it."""
    if "units" in asked:
        for unit_id, price_minor in _own_units(activity, asked["units"]).items():
            price_rules.set_unit_price(unit_id=unit_id, price_minor=price_minor)
        return {"units": dict(asked["units"])}
    if "rule" in asked:
        rule = price_rules.add_price_rule(activity_id=activity.id, author=author, **asked["rule"])
        return {"rule": str(rule.id)}
    if not PriceRule.objects.filter(id=asked["end_rule"], activity=activity).exists():
        raise NotFound
    price_rules.end_price_rule(rule_id=asked["end_rule"])
    return {"ended_rule": str(asked["end_rule"])}


def _own_units(activity: Activity, prices: Mapping[str, int]) -> dict[UUID, int]:
    own = {str(unit_id): unit_id for unit_id in Unit.objects.filter(activity=activity).values_list("id", flat=True)}
    foreign = sorted(prices.keys() - own.keys())
    if foreign:
        raise invalid(f"units.{foreign[0]}", "unknown_unit", "This activity has no such kind of participant.")
    return {own[unit]: price for unit, price in prices.items()}
