"""Prices by rule: pure arithmetic first, then what the rows say of a session."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from bookings.models import Booking
from config.kit.refusals import InvalidRequest, NotFound
from scheduling.availability import with_availability
from scheduling.models import Activity, PriceRule, Reservation, ScheduleVersion, Session, UnitPrice
from scheduling.price_lists import price_lists
from scheduling.prices import Applied, ExtraCount, Moment, Price, Rule, UnitCount, price_of_one, quote_party
from scheduling.services import price_rules, reservations
from scheduling.services.assessing import Party
from scheduling.services.catalogue import IS_PLAIN, refresh_plain_hold
from scheduling.signals import availability_changed
from tests.factories import confirm, hold, make_activity, make_session, make_unit

ADULT, CHILD = uuid4(), uuid4()
SATURDAY = datetime(2026, 12, 5, 15, 0, tzinfo=UTC)
THEN = Moment(starts_at=SATURDAY, lead=timedelta(days=2), taken=5, capacity=10)
CONDITIONS: dict[str, tuple[Any, Any]] = {  # a value under which it applies at THEN, and one under which it does not
    "unit": (ADULT, CHILD),
    "weekdays": (frozenset({5, 6}), frozenset({0, 4})),
    "first_date": (date(2026, 12, 5), date(2026, 12, 6)),
    "last_date": (date(2026, 12, 5), date(2026, 12, 4)),
    "from_time": (time(15), time(15, 1)),
    "to_time": (time(15), time(14, 59)),
    "lead_minutes_from": (2880, 2881),
    "lead_minutes_to": (2881, 2880),
    "taken_percent_from": (50, 51),
    "taken_percent_to": (51, 50),
}

effects = st.one_of(
    st.builds(lambda n: {"percent": n}, st.integers(-100, 1000)),
    st.builds(lambda n: {"amount_minor": n}, st.integers(-5_000, 5_000)),
    st.builds(lambda n: {"price_minor": n}, st.integers(0, 20_000)),
)
held = st.sets(st.sampled_from(sorted(CONDITIONS)))
rules = st.builds(
    lambda effect, names: Rule("R", **{name: CONDITIONS[name][0] for name in names}, **effect), effects, held
)
prices = st.integers(0, 20_000)


def of(rule: Rule, *others: Rule, base: int = 1000, moment: Moment = THEN, unit: UUID = ADULT) -> Price:
    return price_of_one(base, (rule, *others), moment, unit=unit)


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_holds_up_to_its_end_and_not_beyond(name: str) -> None:
    holds, fails = CONDITIONS[name]
    assert of(Rule("Weekend", amount_minor=200, **{name: holds})) == Price(1200, (Applied("Weekend", 200),))
    assert of(Rule("Weekend", amount_minor=200, **{name: fails})) == Price(1000)


@pytest.mark.parametrize(
    ("base", "percent", "becomes"),
    [(1000, 20, 1200), (1000, -50, 500), (999, -50, 500), (5, 50, 8), (5, -50, 3), (1, -51, 0), (33, 1, 33),
     (50, 1, 51), (1000, -100, 0), (7, 1000, 77)],
)  # fmt: skip
def test_a_percentage_is_rounded_half_up_to_the_minor_unit(base: int, percent: int, becomes: int) -> None:
    assert of(Rule("R", percent=percent), base=base).minor == becomes


@given(base=prices, percent=st.integers(-100, 1000))
def test_a_percentage_is_off_by_half_a_minor_unit_at_most_and_never_rounded_down_at_a_half(
    base: int, percent: int
) -> None:
    off = 100 * of(Rule("R", percent=percent), base=base).minor - base * (100 + percent)
    assert -50 < off <= 50


@given(base=prices, several=st.lists(rules, max_size=5))
def test_a_price_is_never_negative_and_its_rules_say_the_whole_way_from_the_base(
    base: int, several: list[Rule]
) -> None:
    price = price_of_one(base, several, THEN, unit=ADULT)
    assert price.minor >= 0
    assert base + sum(applied.change_minor for applied in price.rules) == price.minor
    assert all(applied.change_minor for applied in price.rules)


@given(base=prices, rule=rules, broken=st.sampled_from(sorted(CONDITIONS)), others=st.lists(rules, max_size=3))
def test_a_rule_of_which_one_condition_fails_changes_nothing_whichever_it_is(
    base: int, rule: Rule, broken: str, others: list[Rule]
) -> None:
    failing = replace(rule, **{broken: CONDITIONS[broken][1]})
    assert price_of_one(base, [failing, *others], THEN, unit=ADULT) == price_of_one(base, others, THEN, unit=ADULT)


@given(names=st.permutations(sorted(CONDITIONS)), weekdays=st.permutations([0, 1, 5]))
def test_the_order_in_which_conditions_are_written_does_not_matter(names: list[str], weekdays: list[int]) -> None:
    conditions = {name: CONDITIONS[name][0] for name in names} | {"weekdays": frozenset(weekdays)}
    assert of(Rule("R", amount_minor=1, **conditions)).minor == 1001


def test_rules_work_each_on_what_the_one_before_left() -> None:
    weekend, early = Rule("Weekend", amount_minor=200), Rule("Early", percent=-50)
    assert of(weekend, early) == Price(600, (Applied("Weekend", 200), Applied("Early", -600)))
    assert of(early, weekend) == Price(700, (Applied("Early", -500), Applied("Weekend", 200)))
    assert of(Rule("Off", amount_minor=-5000), weekend) == Price(200, (Applied("Off", -1000), Applied("Weekend", 200)))


def test_a_session_without_places_is_taken_whole() -> None:
    closed = replace(THEN, taken=0, capacity=0)
    assert of(Rule("Last", taken_percent_from=100, amount_minor=1), moment=closed).minor == 1001
    assert of(Rule("First", taken_percent_to=100, amount_minor=1), moment=closed).minor == 1000


counts = st.lists(st.tuples(st.integers(1, 9), prices, st.integers(0, 4), st.lists(rules, max_size=3)), max_size=4)


@given(units=counts, extras=st.lists(st.tuples(st.integers(1, 9), prices), max_size=3))
def test_the_lines_of_a_quote_add_up_to_its_amount(units: list[Any], extras: list[tuple[int, int]]) -> None:
    quote = quote_party(
        [_count(count, places, price_of_one(base, some, THEN, unit=ADULT)) for count, base, places, some in units],
        [ExtraCount(uuid4(), "Locker", count, minor) for count, minor in extras],
    )
    assert quote.amount_minor == sum(line["amount_minor"] for line in quote.lines) >= 0
    assert quote.places == sum(count * places for count, _, places, _ in units)
    assert [line["count"] for line in quote.lines] == [count for count, *_ in [*units, *extras]]


def _count(count: int, places: int, price: Price) -> UnitCount:
    return UnitCount(ADULT, "Adult", count, price.minor, places, price.rules)


def test_a_line_names_its_rules_and_what_each_changed_of_one() -> None:
    price = of(Rule("Weekend", amount_minor=200), Rule("Early", amount_minor=-50))
    locker = ExtraCount(CHILD, "Locker", 1, 300)
    assert quote_party([_count(2, 1, price)], [locker]).lines == [
        {"unit": str(ADULT), "name": "Adult", "count": 2, "amount_minor": 2300,
         "why": "2 x Adult at 1150: Weekend +200, Early -50",
         "rules": [{"name": "Weekend", "change_minor": 200}, {"name": "Early", "change_minor": -50}]},
        {"extra": str(CHILD), "name": "Locker", "count": 1, "amount_minor": 300, "why": "1 x Locker at 300"},
    ]  # fmt: skip


# Rows -------------------------------------------------------------------------------------------------------------


def add_rule(activity: Activity, name: str = "Weekend", **fields: Any) -> PriceRule:
    effect = {} if fields.keys() & {"percent", "price_minor"} else {"amount_minor": 200}
    return price_rules.add_price_rule(activity_id=activity.id, **{"name": name, **effect, **fields})


def listed(session: Session) -> dict[str, int]:
    """Return what one of each unit costs in a session, by its name."""
    row = with_availability(Session.objects.filter(id=session.id)).get()
    prices = price_lists([session.activity_id], sessions=[session.id])[session.activity_id]
    assert prices.default_price(row) == next(p.price_minor for p in prices.unit_prices(row) if p.unit.is_default)
    return {priced.unit.name: priced.price_minor for priced in prices.unit_prices(row)}


def is_plain(activity: Activity) -> bool:
    """Return the flag, which must say what the rows say."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT plain_hold, {IS_PLAIN} FROM scheduling_activity a WHERE id = %s", [activity.id])
        flag, truth = cursor.fetchone()
    assert flag == truth
    return bool(flag)


def make_version(activity: Activity, version: int = 1) -> ScheduleVersion:
    return ScheduleVersion.objects.create(
        organization_id=activity.organization_id, activity=activity, version=version, effective_from="2026-01-01",
        effective_to="2026-01-01", rules={},
    )  # fmt: skip


@pytest.mark.django_db
def test_a_sessions_own_price_goes_before_its_versions_and_that_before_the_units() -> None:
    activity = make_activity(price_minor=1000)
    child = make_unit(activity, name="Child", price_minor=500)
    adult = activity.units.get(is_default=True)
    version = make_version(activity)
    session = make_session(activity, schedule=version)
    assert listed(session) == {"Adult": 1000, "Child": 500}
    for unit, minor in ((adult, 1100), (child, 550)):
        price_rules.set_unit_price(unit_id=unit.id, price_minor=minor, schedule_id=version.id)
    assert listed(session) == {"Adult": 1100, "Child": 550}
    assert listed(make_session(activity, starts_in=timedelta(days=2))) == {"Adult": 1000, "Child": 500}
    for unit, minor in ((adult, 1200), (child, 600)):
        price_rules.set_unit_price(unit_id=unit.id, price_minor=minor, session_id=session.id)
    assert listed(session) == {"Adult": 1200, "Child": 600}
    price_rules.set_unit_price(unit_id=child.id, price_minor=0, session_id=session.id)
    price_rules.set_unit_price(unit_id=adult.id, price_minor=None, session_id=session.id)
    assert listed(session) == {"Adult": 1100, "Child": 0}


@pytest.mark.django_db
@pytest.mark.parametrize("by_units", [False, True])
def test_a_hold_is_priced_by_the_rules_in_force_by_the_venues_clock_and_says_which(by_units: bool) -> None:
    activity = make_activity(price_minor=1000)
    session = make_session(activity)
    local = session.starts_at.astimezone(activity.venue.zone)
    add_rule(activity, "Its day", weekdays=[local.weekday()], first_date=local.date(), last_date=local.date())
    add_rule(activity, "Another day", weekdays=[(local.weekday() + 1) % 7])
    add_rule(activity, "Half", percent=-50, position=1)
    adult = activity.units.get()
    if by_units:
        party = Party(session_id=session.id, party_size=None, units=((adult.id, 2),))
        reservation = reservations.reserve_parties([party], email="ben@example.org")[0]
    else:
        reservation = hold(session, 2)
    assert reservation.amount_minor == 1200
    assert reservation.quote == [
        {"unit": str(adult.id), "name": "Adult", "count": 2, "amount_minor": 1200,
         "why": "2 x Adult at 600: Its day +200, Half -600",
         "rules": [{"name": "Its day", "change_minor": 200}, {"name": "Half", "change_minor": -600}]}
    ]  # fmt: skip


@pytest.mark.django_db
def test_what_is_taken_before_a_party_sets_its_price_and_lapsed_holds_are_not_taken() -> None:
    activity = make_activity(price_minor=1000)
    session = make_session(activity, capacity=4)
    add_rule(activity, "Nearly full", taken_percent_from=50)
    assert [hold(session).amount_minor for _ in range(3)] == [1000, 1000, 1200]
    Reservation.objects.update(held_at="2026-01-01T00:00Z", expires_at="2026-01-01T00:10Z")
    assert listed(session) == {"Adult": 1000}
    assert hold(session).amount_minor == 1000


@pytest.mark.django_db
def test_two_parties_of_one_request_are_priced_one_after_the_other() -> None:
    activity = make_activity(price_minor=1000)
    session = make_session(activity, capacity=4)
    add_rule(activity, "Nearly full", taken_percent_from=50)
    parties = [Party(session_id=session.id, party_size=2)] * 2
    held = reservations.reserve_parties(parties, email="ben@example.org")
    assert [reservation.amount_minor for reservation in held] == [2000, 2400]


@pytest.mark.django_db
@pytest.mark.parametrize("change", ["rule", "unit", "session"])
def test_the_held_quote_is_charged_whatever_the_price_becomes_and_a_booking_keeps_it(change: str) -> None:
    activity = make_activity(price_minor=1000)
    session = make_session(activity)
    booked, held = confirm(hold(session)), hold(session)
    if change == "rule":
        add_rule(activity)
    elif change == "unit":
        price_rules.set_unit_price(unit_id=activity.units.get().id, price_minor=1200)
    else:
        price_rules.set_session_prices(activity_id=activity.id, session_ids=[session.id], price_minor=1200)
    assert hold(session).amount_minor == 1200
    assert confirm(held).total_minor == 1000
    line = Booking.objects.get(id=booked.id).lines.get()
    assert (line.amount_minor, line.reservation.amount_minor, line.quote[0]["amount_minor"]) == (1000, 1000, 1000)


@pytest.mark.django_db
def test_a_rule_that_has_ended_applies_no_more_and_stays_to_read() -> None:
    activity = make_activity(price_minor=1000)
    session = make_session(activity)
    rule = add_rule(activity)
    assert (hold(session).amount_minor, is_plain(activity)) == (1200, False)
    ended = price_rules.end_price_rule(rule_id=rule.id, activity_id=activity.id)
    assert (hold(session).amount_minor, is_plain(activity)) == (1000, True)
    assert ended.ended_at is not None
    assert PriceRule.objects.get().name == "Weekend"
    with pytest.raises(price_rules.PriceRuleEnded):
        price_rules.end_price_rule(rule_id=rule.id)
    for foreign in (uuid4(), "nonsense"):
        with pytest.raises(NotFound):
            price_rules.end_price_rule(rule_id=foreign)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"name": " "}, {("name", "required")}),
        ({"amount_minor": None, "price_minor": -1}, {("price_minor", "negative")}),
        ({"amount_minor": None, "percent": -101}, {("percent", "out_of_range")}),
        ({"amount_minor": None}, {("percent", "one_effect")}),
        ({"percent": 5}, {("percent", "one_effect"), ("amount_minor", "one_effect")}),
        ({"weekdays": [7]}, {("weekdays", "unknown_weekday")}),
        ({"weekdays": ["Monday"]}, {("weekdays", "unknown_weekday")}),
        ({"weekdays": "35"}, {("weekdays", "unknown_weekday")}),
        ({"first_date": "2026-12-02", "last_date": "2026-12-01"}, {("last_date", "ends_before_it_begins")}),
        ({"first_date": "soon"}, {("first_date", "invalid")}),
        ({"from_time": "12:00", "to_time": "11:00"}, {("to_time", "ends_before_it_begins")}),
        ({"lead_minutes_from": 5, "lead_minutes_to": 4}, {("lead_minutes_to", "ends_before_it_begins")}),
        ({"taken_percent_from": 101}, {("taken_percent_from", "out_of_range")}),
        ({"unit": str(uuid4())}, {("unit", "unknown_unit")}),
        ({"unit": "Adult"}, {("unit", "unknown_unit")}),
        ({"colour": "red"}, {("colour", "unknown_field")}),
        ({"name": "", "unit": str(uuid4())}, {("name", "required"), ("unit", "unknown_unit")}),
    ],
)
def test_a_wrong_rule_is_refused_by_field_and_nothing_is_written(
    fields: dict[str, Any], wrong: set[tuple[str, str]]
) -> None:
    activity = make_activity()
    with pytest.raises(InvalidRequest) as refusal:
        price_rules.add_price_rule(activity_id=activity.id, **{"name": "Weekend", "amount_minor": 200, **fields})
    assert {(error.field, error.code) for error in refusal.value.errors} == wrong
    assert not PriceRule.objects.exists()
    assert is_plain(activity)


@pytest.mark.django_db
def test_another_activitys_unit_version_and_session_get_no_price_here() -> None:
    activity, other = make_activity(), make_activity()
    unit = activity.units.get()
    with pytest.raises(InvalidRequest):
        add_rule(other, unit=unit.id)
    wrong: list[dict[str, Any]] = [
        {"schedule_id": make_version(other).id}, {"session_id": make_session(other).id}, {"activity_id": other.id},
    ]  # fmt: skip
    for where in wrong:
        with pytest.raises(InvalidRequest):
            price_rules.set_unit_price(unit_id=unit.id, price_minor=1, **where)
    for minor in (-1, None, price_rules.MOST_MINOR + 1):
        with pytest.raises(InvalidRequest):
            price_rules.set_unit_price(unit_id=unit.id, price_minor=minor)
    unit.refresh_from_db()
    assert (unit.price_minor, UnitPrice.objects.count(), PriceRule.objects.count()) == (1000, 0, 0)


# The plain hold decides only what it can --------------------------------------------------------------------------


def set_rule(activity: Activity) -> None:
    add_rule(activity)


def set_version_price(activity: Activity) -> None:
    unit, version = activity.units.get(is_default=True), make_version(activity)
    price_rules.set_unit_price(unit_id=unit.id, price_minor=1, schedule_id=version.id)


def set_party(**sizes: int) -> Callable[[Activity], None]:
    def act(activity: Activity) -> None:
        Activity.objects.filter(id=activity.id).update(**sizes)
        refresh_plain_hold(activity_id=activity.id)

    return act


def set_unit(**limits: Any) -> Callable[[Activity], None]:
    def act(activity: Activity) -> None:
        activity.units.filter(is_default=True).update(**limits)
        refresh_plain_hold(activity_id=activity.id)

    return act


@pytest.mark.django_db
@pytest.mark.parametrize(
    "act",
    [set_rule, set_version_price, set_party(smallest_party=2), set_party(largest_party=9), set_unit(minimum_count=2),
     set_unit(maximum_count=9), set_unit(needs_accompaniment=True)],
)  # fmt: skip
def test_what_one_statement_cannot_decide_goes_the_slow_path(
    act: Callable[[Activity], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    activity = make_activity()
    session = make_session(activity)
    went: list[object] = []
    slow = reservations.reserve_parties

    def go_the_slow_path(*parties: Any, **terms: Any) -> list[Reservation]:
        went.append(parties)
        return slow(*parties, **terms)

    monkeypatch.setattr(reservations, "reserve_parties", go_the_slow_path)
    hold(session, 2)
    assert (is_plain(activity), went) == (True, [])
    act(activity)
    assert not is_plain(activity)
    with suppress(InvalidRequest):  # the party may not come; the plain statement would have taken it
        hold(session, 2)
    assert len(went) == 1


@pytest.mark.django_db
def test_a_price_of_another_unit_leaves_the_plain_hold_plain() -> None:
    activity = make_activity()
    child = make_unit(activity, name="Child")
    price_rules.set_unit_price(unit_id=child.id, price_minor=1, schedule_id=make_version(activity).id)
    price_rules.set_unit_price(unit_id=activity.units.get(is_default=True).id, price_minor=1)
    assert is_plain(activity)


@pytest.mark.django_db
@pytest.mark.parametrize("number", [1, 5])
def test_the_price_lists_of_many_activities_take_three_queries(
    number: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    activities = [make_activity() for _ in range(number)]
    for activity in activities:
        set_version_price(activity)
        add_rule(activity)
    with django_assert_num_queries(3):
        lists = price_lists(activity.id for activity in activities)
    assert {len(prices.rules) for prices in lists.values()} == {1}


@pytest.mark.usefixtures("committed_db")
def test_displays_are_told_of_a_price_after_the_commit() -> None:
    activity = make_activity()
    session, unit = make_session(activity), activity.units.get()
    told: list[tuple[list[UUID], list[UUID]]] = []

    def hear(sessions: list[UUID], activities: list[UUID], **_: object) -> None:
        told.append((sessions, activities))

    availability_changed.connect(hear)
    try:
        rule = add_rule(activity)
        price_rules.end_price_rule(rule_id=rule.id)
        price_rules.set_unit_price(unit_id=unit.id, price_minor=1)
        price_rules.set_session_prices(activity_id=activity.id, session_ids=[session.id], price_minor=2)
    finally:
        availability_changed.disconnect(hear)
    assert told == [([], [activity.id])] * 4
