"""What things cost from now on. A rule is never edited: it is ended, and another begins; bookings keep their price."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from config.kit.clock import database_now
from config.kit.refusals import FieldError, InvalidRequest, NotFound, Refusal, invalid
from config.tenants.models import User
from scheduling.models import Activity, PriceRule, ScheduleVersion, Session, Unit, UnitPrice
from scheduling.services import capacity, catalogue

MOST_MINOR = 100_000_000  # of one: far above any price, far below the database's integer
EFFECTS = ("percent", "amount_minor", "price_minor")
PAIRS = (
    ("first_date", "last_date", "The last date is before the first."),
    ("from_time", "to_time", "The time to is before the time from."),
    ("lead_minutes_from", "lead_minutes_to", "The minutes to are fewer than the minutes from."),
    ("taken_percent_from", "taken_percent_to", "The percentage to is less than the percentage from."),
)
FIELDS = frozenset({"name", "unit", "position", "weekdays", *EFFECTS, *(name for pair in PAIRS for name in pair[:2])})
WEEKDAYS = range(7)  # 0 = Monday
LOWEST_PERCENT, HIGHEST_PERCENT = -100, 1000
HIGHEST_TAKEN = 100  # percent


class PriceRuleEnded(Refusal):
    """It has ended already, and begins no more."""

    code, title = "price_rule_ended", "This price rule has ended already"


# Rules ------------------------------------------------------------------------------------------------------------


@transaction.atomic
def add_price_rule(*, activity_id: UUID, author: User | None = None, **fields: Any) -> PriceRule:
    """Begin a dated rule, at once; fields as `read_price_rule` reads them. Displays are told after the commit."""
    rule = read_price_rule(activity_id=activity_id, author=author, **fields)
    _lock_activity(activity_id)
    rule.save(force_insert=True)
    _prices_changed(activity_id)
    return rule


@transaction.atomic
def end_price_rule(*, rule_id: UUID | str, activity_id: UUID | None = None) -> PriceRule:
    """End a rule at once: what is held or booked keeps its price.

    Raises PriceRuleEnded, and NotFound when there is no such rule, or (with `activity_id`) not of this activity.
    """
    owner = _owner_of_rule(rule_id)
    if owner is None or activity_id not in (None, owner):
        raise NotFound
    _lock_activity(owner)
    rule = PriceRule.objects.get(id=rule_id)
    if rule.ended_at is not None:
        raise PriceRuleEnded
    rule.ended_at = database_now()
    rule.save(update_fields=["ended_at"])
    _prices_changed(owner)
    return rule


def _owner_of_rule(rule_id: UUID | str) -> UUID | None:
    try:
        return PriceRule.objects.filter(id=rule_id).values_list("activity_id", flat=True).first()
    except ValidationError:  # an id that is none
        return None


def read_price_rule(*, activity_id: UUID, author: User | None = None, **fields: Any) -> PriceRule:
    """Return a rule that is not written yet, from the fields of PriceRule; dates, times and ids may be text.

    Refuses with every field that is wrong: unknown ones, an empty name, a weekday that there is not, ends before
    beginnings, a percentage under -100, a negative price, none or several effects, another activity's unit.
    """
    activity = Activity.objects.filter(id=activity_id).first()
    if activity is None:
        raise NotFound
    unknown = [FieldError(name, "unknown_field", "This field is not known here.") for name in fields.keys() - FIELDS]
    if unknown:
        raise InvalidRequest("This rule has fields that are not known here.", errors=unknown)
    given = {name: value for name, value in fields.items() if value not in (None, "")}
    unit = given.pop("unit", None)
    rule = PriceRule(organization_id=activity.organization_id, activity=activity, author=author, **given)
    errors = [*_misread(rule), *_unit_errors(rule, unit)]
    errors += _rule_errors(rule) if not errors else []
    if errors:
        raise InvalidRequest(" ".join(error.detail for error in errors), errors=errors)
    return rule


def _misread(rule: PriceRule) -> Iterator[FieldError]:
    """Read what came as text into dates, times and numbers, and name what cannot be read."""
    rule.name = str(rule.name).strip()
    try:
        rule.clean_fields(exclude={"organization", "activity", "author", "unit", "weekdays"})
    except ValidationError as error:
        for name, problems in error.error_dict.items():
            for problem in problems:
                code = {"min_value": "negative", "blank": "required"}.get(problem.code or "", problem.code or "invalid")
                yield FieldError(name, code, _words(name, problem))


def _words(name: str, problem: ValidationError) -> str:
    if problem.code == "blank":
        return "Give the rule a name that customers understand: Weekend."
    return f"{name.replace('_', ' ').removesuffix(' minor').capitalize()}: {' '.join(problem.messages)}"


def _unit_errors(rule: PriceRule, unit: Any) -> Iterator[FieldError]:
    """Take the unit, by its id or its row, when it is one of the activity's own."""
    if unit is None:
        return
    try:
        rule.unit = Unit.objects.filter(id=getattr(unit, "id", unit), activity=rule.activity_id).first()
    except ValidationError:  # an id that is none
        rule.unit = None
    if rule.unit is None:
        yield FieldError("unit", "unknown_unit", "This activity has no such kind of participant.")


def _rule_errors(rule: PriceRule) -> Iterator[FieldError]:
    days = rule.weekdays if isinstance(rule.weekdays, (list, tuple, set)) else [rule.weekdays]
    if all(day in WEEKDAYS for day in days):
        rule.weekdays = sorted(set(days))
    else:
        yield FieldError("weekdays", "unknown_weekday", "Weekdays are 0 for Monday to 6 for Sunday.")
    for first, last, words in PAIRS:
        begins, ends = getattr(rule, first), getattr(rule, last)
        if begins is not None and ends is not None and ends < begins:
            yield FieldError(last, "ends_before_it_begins", words)
    for name in ("taken_percent_from", "taken_percent_to"):
        if (getattr(rule, name) or 0) > HIGHEST_TAKEN:
            yield FieldError(name, "out_of_range", "How much is taken is 0 to 100 percent.")
    yield from _effect_errors(rule)


def _effect_errors(rule: PriceRule) -> Iterator[FieldError]:
    given = [name for name in EFFECTS if getattr(rule, name) is not None]
    if len(given) != 1:
        words = "Say what the rule does: a percentage, an amount, or a price in place of the other; one of them."
        yield from (FieldError(name, "one_effect", words) for name in given or ["percent"])
    if rule.percent is not None and not LOWEST_PERCENT <= rule.percent <= HIGHEST_PERCENT:
        yield FieldError("percent", "out_of_range", "A percentage is -100 (free) to 1000.")
    for name in ("amount_minor", "price_minor"):
        if abs(getattr(rule, name) or 0) > MOST_MINOR:
            yield FieldError(name, "out_of_range", f"That is more than {MOST_MINOR} in minor units.")


# Prices of units --------------------------------------------------------------------------------------------------


@transaction.atomic
def set_unit_price(
    *, unit_id: UUID, price_minor: int | None, activity_id: UUID | None = None, schedule_id: UUID | None = None,
    session_id: UUID | None = None,
) -> None:  # fmt: skip
    """Say what a unit costs from now on, in minor units: everywhere, under a timetable version, or in one session.

    None takes a session's own price of the default unit away; another's can only be set anew. Refuses with the
    field a price that cannot be, and a unit, version or session of another activity; NotFound when there is no such
    unit.
    """
    unit = Unit.objects.filter(id=unit_id).first()
    if unit is None:
        raise NotFound
    if activity_id not in (None, unit.activity_id):
        raise invalid("units", "unknown_unit", "This activity has no such kind of participant.")
    check_price(price_minor, is_optional=session_id is not None and unit.is_default)
    if schedule_id is not None and session_id is not None:
        raise invalid("schedule", "one_place", "A price is a version's or a session's, not both.")
    if session_id is not None and unit.is_default:
        set_session_prices(activity_id=unit.activity_id, session_ids=[session_id], price_minor=price_minor)
        return
    _lock_activity(unit.activity_id)
    if schedule_id is None and session_id is None:
        Unit.objects.filter(id=unit_id).update(price_minor=price_minor)
    else:
        _require_own(unit, schedule_id, session_id)
        where: dict[str, Any] = {"schedule_id": schedule_id, "session_id": session_id}
        what: dict[str, Any] = {"price_minor": price_minor}
        UnitPrice.objects.update_or_create(unit=unit, organization_id=unit.organization_id, **where, defaults=what)
    _prices_changed(unit.activity_id)


@transaction.atomic
def set_session_prices(*, activity_id: UUID, session_ids: list[UUID], price_minor: int | None) -> None:
    """Give sessions of an activity a price of their own for its default unit, or (None) take it away again."""
    check_price(price_minor, is_optional=True)
    sessions = capacity.lock_sessions(session_ids)
    if len(sessions) < len(set(session_ids)) or any(s.activity_id != activity_id for s in sessions.values()):
        raise invalid("session", "unknown_session", "This activity has no such session.")
    Session.objects.filter(id__in=session_ids).update(price_minor=price_minor)
    capacity.announce([], [activity_id])  # without sessions: a message about places says no price


def check_price(price_minor: int | None, *, is_optional: bool = False) -> None:
    """Refuse what cannot be a price of one, in minor units."""
    if price_minor is None:
        if not is_optional:
            raise invalid("price_minor", "required", "Say what one costs; 0 is free.")
    elif price_minor < 0:
        raise invalid("price_minor", "negative", "A price is 0 or more.")
    elif price_minor > MOST_MINOR:
        raise invalid("price_minor", "out_of_range", f"A price is {MOST_MINOR} in minor units at most.")


def _require_own(unit: Unit, schedule_id: UUID | None, session_id: UUID | None) -> None:
    of: Mapping[str, bool] = {
        "schedule": schedule_id is None
        or ScheduleVersion.objects.filter(id=schedule_id, activity=unit.activity_id).exists(),
        "session": session_id is None or Session.objects.filter(id=session_id, activity=unit.activity_id).exists(),
    }
    for name, is_own in of.items():
        if not is_own:
            raise invalid(name, f"unknown_{name}", f"This activity has no such {name}.")


def _lock_activity(activity_id: UUID) -> None:
    """Let those who change one activity's prices wait for one another, so that the last one sees them all."""
    capacity.require_transaction()
    list(Activity.objects.select_for_update(no_key=True).filter(id=activity_id).values_list("id"))


def _prices_changed(activity_id: UUID) -> None:
    catalogue.refresh_plain_hold(activity_id=activity_id)
    capacity.announce([], [activity_id])
