"""Timetables, prices, extras and the school: each invariant is broken behind every guard's back, and is named."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import transaction
from psycopg.errors import ExclusionViolation

from alerts.services import auditor
from config.kit.clock import database_now
from config.kit.facts import SYSTEM
from scheduling.models import (
    Activity,
    Assignment,
    Extra,
    Instructor,
    PriceRule,
    Reservation,
    ReservationExtra,
    Resource,
    ResourceUse,
    ScheduleChange,
    ScheduleVersion,
    Session,
    UnitPrice,
)
from scheduling.services.events import record_schedule_event
from tests.concurrency.conftest import as_owner
from tests.conftest import empty_database
from tests.factories import hold, make_activity, make_session, make_unit
from tests.invariants.test_auditor import corrupt, found

pytestmark = pytest.mark.usefixtures("committed_db")
NINE = datetime(2040, 1, 10, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
EXCLUSION = "instructor_one_place_at_a_time"


@pytest.fixture
def session() -> Session:
    return make_session(capacity=10)


@pytest.fixture
def activity(session: Session) -> Activity:
    return session.activity


# Facts about what is sold -----------------------------------------------------------------------------------------


@transaction.atomic
def record(session: Session, capacity_total: int) -> UUID:
    return record_schedule_event(
        organization_id=session.organization_id, activity_id=session.activity_id, session_id=session.id,
        kind="capacity_changed", actor=SYSTEM, before={"capacity": 1}, after={"capacity": capacity_total},
    ).id  # fmt: skip


@pytest.fixture
def facts(session: Session) -> list[UUID]:
    return [record(session, capacity_total) for capacity_total in (8, 6, 4)]


def test_nothing_is_found_in_a_sound_timetable(session: Session, facts: list[UUID]) -> None:
    assert auditor.check_invariants() == []


def test_i10_finds_a_fact_of_an_activity_that_is_gone(activity: Activity, facts: list[UUID]) -> None:
    corrupt("DELETE FROM scheduling_scheduleevent WHERE id = %s", [facts[1]])
    assert found() == {("I10", activity.id), ("I12", activity.id)}


def test_i10_finds_that_the_last_fact_of_an_activity_is_gone(activity: Activity, facts: list[UUID]) -> None:
    corrupt("DELETE FROM scheduling_scheduleevent WHERE id = %s", [facts[2]])
    assert found() == {("I10", activity.id)}


@pytest.mark.parametrize(
    "change",
    ["kind = 'price_changed'", "at = at + interval '1 second'", "after = '{}'", "previous_hash = 'x'", "hash = 'x'"],
)
def test_i12_finds_a_rewritten_fact_of_an_activity(activity: Activity, facts: list[UUID], change: str) -> None:
    corrupt(f"UPDATE scheduling_scheduleevent SET {change} WHERE id = %s", [facts[1]])
    assert found() == {("I12", activity.id)}


# Instructors and resources ----------------------------------------------------------------------------------------


@pytest.fixture
def no_exclusion(committed_db: None) -> Iterator[None]:
    """Take the constraint away, so that there can be something to find."""
    with as_owner() as owner:
        row = owner.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [EXCLUSION])
        definition = row.fetchone()
        assert definition is not None
        owner.execute(f"ALTER TABLE scheduling_assignment DROP CONSTRAINT {EXCLUSION}".encode())
    yield
    empty_database()
    with as_owner() as owner:
        owner.execute(f"ALTER TABLE scheduling_assignment ADD CONSTRAINT {EXCLUSION} {definition[0]}".encode())


def assign(session: Session, instructor: Instructor, hour: int, hours: int) -> Assignment:
    starts_at = NINE + hour * HOUR
    return Assignment.objects.create(
        organization_id=session.organization_id, instructor=instructor, session=session, starts_at=starts_at,
        ends_at=starts_at + hours * HOUR,
    )  # fmt: skip


def test_i13_finds_an_instructor_in_two_places_at_once(session: Session, no_exclusion: None) -> None:
    venue = session.activity.venue
    instructor = Instructor.objects.create(organization_id=venue.organization_id, venue=venue, name="Ingrid")
    assign(session, instructor, 0, 5)
    inside, after = assign(session, instructor, 1, 1), assign(session, instructor, 3, 1)
    assign(session, instructor, 5, 1)
    assert found() == {("I13", inside.id), ("I13", after.id)}


def make_skis(session: Session, *uses: tuple[datetime, int]) -> Resource:
    """Create five pairs of skis, in use for an hour each time."""
    venue = session.activity.venue
    skis = Resource.objects.create(organization_id=venue.organization_id, venue=venue, name="Skis", quantity=5)
    for starts_at, quantity in uses:
        ResourceUse.objects.create(
            organization_id=skis.organization_id, resource=skis, session=session, quantity=quantity,
            starts_at=starts_at, ends_at=starts_at + HOUR,
        )  # fmt: skip
    return skis


def test_i13_finds_more_in_use_at_a_moment_than_there_is(session: Session) -> None:
    skis = make_skis(session, (NINE, 3), (NINE + HOUR, 3))
    assert found() == set()
    corrupt("UPDATE scheduling_resourceuse SET ends_at = ends_at + interval '1 minute' WHERE starts_at = %s", [NINE])
    assert found() == {("I13", skis.id)}


def test_i13_says_nothing_of_what_is_over(session: Session) -> None:
    make_skis(session, (database_now() - 2 * HOUR, 5))
    corrupt("UPDATE scheduling_resource SET quantity = 1", [])
    assert found() == set()


# Extras -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def locker(session: Session) -> ReservationExtra:
    """Hold a place with a locker, as its quote says."""
    reservation = hold(session)
    extra = Extra.objects.create(
        organization_id=session.organization_id, activity_id=session.activity_id, name="Locker", price_minor=300,
        stock_per_session=2,
    )  # fmt: skip
    line = {"extra": str(extra.id), "name": "Locker", "count": 2, "amount_minor": 600, "why": "2 x Locker at 300"}
    Reservation.objects.filter(id=reservation.id).update(quote=[*reservation.quote, line])
    return ReservationExtra.objects.create(
        organization_id=session.organization_id, reservation=reservation, extra=extra, count=2, amount_minor=600
    )


@pytest.mark.parametrize("change", ["count = 1", "amount_minor = 0"])
def test_i19_finds_an_extra_that_is_not_what_was_quoted(locker: ReservationExtra, change: str) -> None:
    assert found() == set()
    corrupt(f"UPDATE scheduling_reservationextra SET {change} WHERE id = %s", [locker.id])
    assert found() == {("I19", locker.id), ("I19", locker.reservation_id)}


def test_i19_finds_a_quoted_extra_without_its_row(locker: ReservationExtra) -> None:
    corrupt("DELETE FROM scheduling_reservationextra WHERE id = %s", [locker.id])
    assert found() == {("I19", locker.reservation_id)}


def test_i19_finds_an_extra_of_another_activity(locker: ReservationExtra) -> None:
    other = make_activity(locker.extra.activity.venue)
    corrupt("UPDATE scheduling_extra SET activity_id = %s WHERE id = %s", [other.id, locker.extra_id])
    assert found() == {("I19", locker.id)}


def test_a_cut_of_an_extras_stock_is_honoured_and_no_offence(locker: ReservationExtra) -> None:
    Extra.objects.update(stock_per_session=0)
    assert found() == set()


# Off sale ---------------------------------------------------------------------------------------------------------


def take_off_sale(session: Session) -> None:
    """Make the session legacy, as an applied change says."""
    at = database_now()
    ScheduleChange.objects.create(
        organization_id=session.organization_id, venue=session.activity.venue, activity=session.activity,
        kind="timetable", parameters={}, effects={"sessions": [{"effect": "legacy", "session": str(session.id)}]},
    )  # fmt: skip
    ScheduleChange.objects.update(status="applied", applied_at=at)
    Session.objects.filter(id=session.id).update(is_legacy=True)


def test_i25_finds_a_hold_of_a_session_that_was_legacy_already(session: Session) -> None:
    before, overbooked, after = hold(session), hold(session), hold(session)
    take_off_sale(session)
    assert found() == set()
    later = "held_at = held_at + interval '2 minutes', expires_at = expires_at + interval '2 minutes'"
    corrupt(f"UPDATE scheduling_reservation SET {later} WHERE id <> %s", [before.id])
    corrupt("UPDATE scheduling_reservation SET overbooked = true WHERE id = %s", [overbooked.id])
    assert found() == {("I25", after.id)}


def test_i25_says_nothing_of_a_session_that_came_back(session: Session) -> None:
    take_off_sale(session)
    Session.objects.filter(id=session.id).update(is_legacy=False)
    reservation = hold(session)
    corrupt(
        "UPDATE scheduling_reservation SET held_at = held_at + interval '2 minutes' WHERE id = %s", [reservation.id]
    )
    assert found() == set()


# The one-statement hold -------------------------------------------------------------------------------------------


def make_rule(activity: Activity, **fields: Any) -> PriceRule:
    return PriceRule.objects.create(
        organization_id=activity.organization_id, activity=activity, name="Weekend", percent=20, **fields
    )


def make_version(activity: Activity, **fields: Any) -> ScheduleVersion:
    plain = {"version": 1, "effective_from": date(2030, 1, 1), "rules": {}}
    return ScheduleVersion.objects.create(
        organization_id=activity.organization_id, activity=activity, **{**plain, **fields}
    )


def price_version(activity: Activity) -> None:
    own_price(activity, schedule=make_version(activity))


def price_session(activity: Activity) -> None:
    own_price(activity, session=activity.sessions.get())


def own_price(activity: Activity, **of: Any) -> None:
    unit = activity.units.get(is_default=True)
    UnitPrice.objects.create(organization_id=activity.organization_id, unit=unit, price_minor=900, **of)


def limit(**fields: Any) -> Any:
    return lambda activity: activity.units.filter(is_default=True).update(**fields)


def size(**fields: Any) -> Any:
    return lambda activity: Activity.objects.filter(id=activity.id).update(**fields)


OBSTACLES = {
    "a price rule": make_rule,
    "a price of a version": price_version,
    "a price of a session that is not its own": price_session,
    "a smallest party": size(smallest_party=2),
    "a largest party": size(largest_party=8),
    "a minimum of its unit": limit(minimum_count=2),
    "a maximum of its unit": limit(maximum_count=8),
    "a unit that must be accompanied": limit(needs_accompaniment=True),
}


@pytest.mark.parametrize("obstacle", OBSTACLES.values(), ids=OBSTACLES)
def test_i26_finds_an_activity_that_one_statement_may_not_sell(activity: Activity, obstacle: Any) -> None:
    obstacle(activity)
    corrupt("UPDATE scheduling_activity SET plain_hold = true WHERE id = %s", [activity.id])
    assert found() == {("I26", activity.id)}
    corrupt("UPDATE scheduling_activity SET plain_hold = false WHERE id = %s", [activity.id])
    assert found() == set()


def test_i26_says_nothing_of_what_does_not_concern_the_default_unit_or_has_ended(activity: Activity) -> None:
    child = make_unit(activity, maximum_count=2)
    make_rule(activity, ended_at=database_now())
    UnitPrice.objects.create(
        organization_id=activity.organization_id, unit=child, price_minor=1, schedule=make_version(activity)
    )
    session = activity.sessions.get()
    Session.objects.filter(id=session.id).update(price_minor=900)
    price_session(activity)
    corrupt("UPDATE scheduling_activity SET plain_hold = true", [])
    assert found() == set()


# Versions ---------------------------------------------------------------------------------------------------------


def test_versions_in_force_on_the_same_date_are_refused_even_to_a_superuser_past_every_trigger(
    activity: Activity,
) -> None:
    make_version(activity, effective_to=date(2030, 2, 1))
    later = make_version(activity, version=2, effective_from=date(2030, 2, 1))
    for change in ("effective_from = '2030-01-31'", "effective_from = '2029-01-01', effective_to = '2030-01-02'"):
        with pytest.raises(ExclusionViolation):
            corrupt(f"UPDATE scheduling_scheduleversion SET {change} WHERE id = %s", [later.id])
    with pytest.raises(psycopg.errors.UniqueViolation):
        corrupt("UPDATE scheduling_scheduleversion SET version = 1 WHERE id = %s", [later.id])
