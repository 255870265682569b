"""What the units of activities cost, gathered in three queries however many activities there are.

    lists = price_lists({row["activity_id"] for row in rows})
    lists[row["activity_id"]].default_price(row)

A row is one of `availability.with_availability`: `id`, `starts_at`, `timezone`, `now`, `free`, `capacity_total`,
`schedule_id` and `price_minor` (the session's own price of the default unit, or None).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q

from scheduling.models import PriceRule, Unit, UnitPrice
from scheduling.prices import Applied, Moment, Price, Rule, price_of_one

SessionRow = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PricedUnit:
    """A unit with what one of it costs in one session, and the rules that made it so."""

    unit: Unit
    price_minor: int
    rules: tuple[Applied, ...]


@dataclass(frozen=True, slots=True)
class PriceList:
    """The units of one activity, what they cost where that is not their own price, and the rules in force."""

    units: tuple[Unit, ...] = ()  # in the order in which they are shown
    rules: tuple[Rule, ...] = ()  # in the order in which they are applied
    of_versions: Mapping[tuple[UUID, UUID], int] = field(default_factory=dict)  # (unit, schedule): minor units
    of_sessions: Mapping[tuple[UUID, UUID], int] = field(default_factory=dict)  # (unit, session): minor units

    @property
    def default_unit(self) -> Unit | None:
        """Return what a bare party size is counted in."""
        return next((unit for unit in self.units if unit.is_default), None)

    @property
    def varies(self) -> bool:
        """May a price be another one tomorrow, or once more is taken?"""
        return bool(self.rules)

    def default_price(self, session_row: SessionRow) -> int | None:
        """Return what one of the default unit costs in this session, in minor units; None without such a unit."""
        unit = self.default_unit
        return None if unit is None else self.price_of(unit, session_row).minor

    def unit_prices(self, session_row: SessionRow) -> tuple[PricedUnit, ...]:
        """Return what one of each unit costs in this session, in minor units, and the rules that made it so."""
        prices = ((unit, self.price_of(unit, session_row)) for unit in self.units)
        return tuple(PricedUnit(unit, price.minor, price.rules) for unit, price in prices)

    def price_of(self, unit: Unit, session_row: SessionRow) -> Price:
        """Return what one of a unit costs in this session."""
        return price_of_one(self.base_price(unit, session_row), self.rules, moment_of(session_row), unit=unit.id)

    def base_price(self, unit: Unit, session_row: SessionRow) -> int:
        """Return the price before any rule: the session's own, else its version's, else the unit's."""
        own = session_row["price_minor"] if unit.is_default else self.of_sessions.get((unit.id, session_row["id"]))
        if own is None:
            own = self.of_versions.get((unit.id, session_row["schedule_id"]))
        return unit.price_minor if own is None else int(own)

    # For rehearsals: the list as it would be

    def with_rule(self, rule: PriceRule) -> Self:
        """Return the list with one rule more, which need not be written yet."""
        rules = sorted((*self.rules, rule_of(rule)), key=lambda each: each.position)
        return replace(self, rules=tuple(rules))

    def without_rule(self, rule_id: UUID) -> Self:
        """Return the list without this rule."""
        return replace(self, rules=tuple(rule for rule in self.rules if rule.id != rule_id))


def price_lists(
    activity_ids: Iterable[UUID], *, sessions: Iterable[UUID] = (), units: Iterable[Unit] | None = None
) -> dict[UUID, PriceList]:
    """Return a list for each of the activities.

    Only of `sessions` does it know what units other than the default one cost there: name those that are shown.
    `units` are all units of these activities, in their order, for callers that have them already.
    """
    ids = set(activity_ids)
    own_units, rules = defaultdict(list), defaultdict(list)
    for unit in Unit.objects.filter(activity__in=ids).order_by("position", "id") if units is None else units:
        own_units[unit.activity_id].append(unit)
    for rule in PriceRule.objects.filter(activity__in=ids, ended_at=None).order_by("position", "id"):
        rules[rule.activity_id].append(rule_of(rule))
    of_versions, of_sessions = _own_prices(ids, set(sessions))
    return {
        activity_id: PriceList(
            tuple(own_units[activity_id]), tuple(rules[activity_id]), of_versions[activity_id], of_sessions[activity_id]
        )
        for activity_id in ids
    }


Prices = defaultdict[UUID, dict[tuple[UUID, UUID], int]]


def _own_prices(activity_ids: set[UUID], session_ids: set[UUID]) -> tuple[Prices, Prices]:
    """Return the prices of versions and of sessions, by activity."""
    of_versions: Prices = defaultdict(dict)
    of_sessions: Prices = defaultdict(dict)
    wanted = Q(session=None) | Q(session__in=session_ids) if session_ids else Q(session=None)
    rows = UnitPrice.objects.filter(wanted, unit__activity__in=activity_ids)
    for activity_id, unit_id, schedule_id, session_id, minor in rows.values_list(
        "unit__activity_id", "unit_id", "schedule_id", "session_id", "price_minor"
    ):
        if schedule_id is not None:
            of_versions[activity_id][unit_id, schedule_id] = minor
        elif session_id is not None:
            of_sessions[activity_id][unit_id, session_id] = minor
    return of_versions, of_sessions


def moment_of(session_row: SessionRow) -> Moment:
    """Return what the rules look at; `free` counts what the next buyer may reclaim, as the hold does."""
    return Moment(
        starts_at=session_row["starts_at"].astimezone(ZoneInfo(session_row["timezone"])),
        lead=session_row["starts_at"] - session_row["now"],
        taken=session_row["capacity_total"] - session_row["free"],
        capacity=session_row["capacity_total"],
    )


def rule_of(row: PriceRule) -> Rule:
    """Read a rule from its row."""
    return Rule(
        name=row.name, position=row.position, unit=row.unit_id, weekdays=frozenset(row.weekdays),
        first_date=row.first_date, last_date=row.last_date, from_time=row.from_time, to_time=row.to_time,
        lead_minutes_from=row.lead_minutes_from, lead_minutes_to=row.lead_minutes_to,
        taken_percent_from=row.taken_percent_from, taken_percent_to=row.taken_percent_to, percent=row.percent,
        amount_minor=row.amount_minor, price_minor=row.price_minor, id=row.id,
    )  # fmt: skip
